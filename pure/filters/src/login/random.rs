//! Random bytes, cut to what they are for.

use crate::context::Context;

pub(super) fn draw(cx: &Context<'_>) -> Option<[u8; 32]> {
    (cx.random)()
}

pub(super) fn first_of<const N: usize>(bytes: [u8; 32]) -> [u8; N] {
    let mut first = [0; N];
    first.copy_from_slice(&bytes[..N]);
    first
}

pub(super) fn halves(bytes: [u8; 32]) -> ([u8; 16], [u8; 16]) {
    let mut second = [0; 16];
    second.copy_from_slice(&bytes[16..]);
    (first_of(bytes), second)
}
