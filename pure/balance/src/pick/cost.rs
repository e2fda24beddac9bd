//! What it costs to give an endpoint one more request: the less, the better.

use super::{Field, is_open};

/// What nobody pays: it is not to be chosen.
pub(super) const NEVER: u64 = u64::MAX;

/// Bits behind the point: weights may be large.
const FRACTION: u32 = 32;

/// By how many requests it has, for its weight.
pub(super) fn by_load(field: &impl Field, at: usize) -> u64 {
    if !is_open(field, at) {
        return NEVER;
    }
    (load(field, at) << FRACTION) / u64::from(field.weight(at))
}

/// By when it would have answered all it has, for its weight. Who is not known yet answers as fast
/// as others do, `typical`ly.
pub(super) fn by_time(field: &impl Field, at: usize, typical: u64) -> u64 {
    if !is_open(field, at) {
        return NEVER;
    }
    let each = match field.latency(at) {
        0 => typical.max(1),
        known => known,
    };
    let all = (u128::from(each) * u128::from(load(field, at))) << 16;
    u64::try_from(all / u128::from(field.weight(at))).map_or(NEVER - 1, |cost| cost.min(NEVER - 1))
}

/// With the one that comes.
fn load(field: &impl Field, at: usize) -> u64 {
    u64::from(field.load(at)) + 1
}

/// How long endpoints take that are known, of late.
pub(super) fn typical(so_far: u64, field: &impl Field, at: usize) -> u64 {
    match (so_far, field.latency(at)) {
        (so_far, 0) => so_far,
        (0, known) => known,
        (so_far, known) => so_far - so_far / 16 + known / 16,
    }
}
