//! Filters that let only so many requests in: [`rate`] over time, [`flight`] at once. What counts
//! is shared by all cores, without locks, and bounded.

mod buckets;
pub(crate) mod counts;
pub(crate) mod flight;
pub(crate) mod rate;
pub(crate) mod script;
pub(crate) mod shared;
pub(crate) mod source;
