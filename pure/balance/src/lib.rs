//! Which backend, and which of its endpoints, takes the next request.
//!
//! What it is: the choice among the leaves of a [`tree`] of backends, and small pickers over
//! indices, with their state apart from the endpoints, so that a new configuration with the same
//! identity goes on where the old one was. What it is not: it knows no connections and no health;
//! who may be picked is the caller's word.

pub mod budget;
pub mod eligible;
mod fnv;
pub mod health;
pub mod pick;
pub mod sticky;
pub mod tree;
pub mod weighted;

pub use eligible::eligible;
pub use pick::{Field, Lot, Member, Picker};
pub use weighted::SmoothWeighted;
