//! The order in which SHA-crypt writes the bytes of its sums.

use sha_crypt::{Params, sha256_crypt, sha512_crypt};

use crate::crypt64;

/// The last part of a hash `$5$`: 43 characters.
pub(crate) fn sha256(password: &[u8], salt: &[u8], params: Params) -> Vec<u8> {
    let sum = sha256_crypt(password, salt, params);
    let mut order = Vec::with_capacity(32);
    let mut next = [0, 10, 20];
    for _ in 0..10 {
        let [a, b, c] = next;
        order.extend([c, b, a]);
        next = [c + 1, a + 1, b + 1];
    }
    order.extend([30, 31]);
    written(&sum, &order)
}

/// The last part of a hash `$6$`: 86 characters.
pub(crate) fn sha512(password: &[u8], salt: &[u8], params: Params) -> Vec<u8> {
    let sum = sha512_crypt(password, salt, params);
    let mut order = Vec::with_capacity(64);
    let mut next = [0, 21, 42];
    for _ in 0..21 {
        let [a, b, c] = next;
        order.extend([c, b, a]);
        next = [b + 1, c + 1, a + 1];
    }
    order.push(63);
    written(&sum, &order)
}

fn written(sum: &[u8], order: &[usize]) -> Vec<u8> {
    let bytes: Vec<u8> = order.iter().map(|at| sum[*at]).collect();
    crypt64::encode(&bytes)
}
