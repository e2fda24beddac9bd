//! What it costs to give an endpoint one more request: the less, the better.

use super::{Field, is_open};

/// What nobody pays: it is not to be chosen.
pub(super) const NEVER: u64 = u64::MAX;

/// By how many requests it has, with so many `more`, for its weight.
pub(super) fn by_load(field: &impl Field, at: usize, more: u32) -> u64 {
    for_weight(field, at, load(field, at, more))
}

/// By when it would have answered all it has, for its weight. Who is not known yet answers as fast
/// as others do, `typical`ly.
#[allow(clippy::cast_precision_loss, reason = "nobody measures a time so well")]
pub(super) fn by_time(field: &impl Field, at: usize, more: u32, typical: u64) -> u64 {
    let each = match field.latency(at) {
        0 => typical.max(1),
        known => known,
    };
    for_weight(field, at, each as f64 * load(field, at, more))
}

fn load(field: &impl Field, at: usize, more: u32) -> f64 {
    f64::from(field.load(at)) + f64::from(more)
}

/// What is not negative is in the order of its bits; dividing whole numbers takes longer.
fn for_weight(field: &impl Field, at: usize, cost: f64) -> u64 {
    if is_open(field, at) { (cost / f64::from(field.weight(at))).to_bits() } else { NEVER }
}

/// How long endpoints take that are known, of late.
pub(super) fn typical(so_far: u64, field: &impl Field, at: usize) -> u64 {
    match (so_far, field.latency(at)) {
        (so_far, 0) => so_far,
        (0, known) => known,
        (so_far, known) => so_far - so_far / 16 + known / 16,
    }
}
