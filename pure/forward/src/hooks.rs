//! Where rules of ours stand among those of others, at the kernel's hooks.

/// The mark is set once more, last, in case somebody overwrote it.
pub(crate) const MARKED_AT: i32 = 10_000;
