//! Power of two choices: the better one of two that are drawn (Mitzenmacher, 2001).

use super::cost::NEVER;
use super::hash::{among, mixed};
use super::{Field, any_open};

/// How often two are drawn that are both not fit.
const MOST_DRAWS: usize = 4;

/// The one of two that costs less.
pub(super) fn pick<F: Field>(
    field: &F,
    mut draw: u64,
    cost: impl Fn(&F, usize, u32) -> u64,
) -> Option<usize> {
    let count = field.count();
    if count < 2 {
        return any_open(field, 0);
    }
    for _ in 0..MOST_DRAWS {
        let (a, b) = two(draw, count);
        let (cost_a, cost_b) = (cost(field, a, 1), cost(field, b, 1));
        if cost_a.min(cost_b) < NEVER {
            return Some(if cost_b < cost_a { b } else { a });
        }
        draw = mixed(draw.wrapping_add(1));
    }
    any_open(field, two(draw, count).0)
}

/// Two different ones, each pair as likely as any other.
#[allow(clippy::cast_possible_truncation, reason = "each half is one number")]
fn two(draw: u64, count: usize) -> (usize, usize) {
    let a = among((draw >> 32) as u32, count);
    let b = among(draw as u32, count - 1);
    (a, if b < a { b } else { b + 1 })
}
