//! From changes of objects to the [Snapshot](steelyard_model::Snapshot).
//!
//! [`Pipeline`] takes batches of changes, whatever their source, lowers each object alone, chooses
//! the version in force (the last good one, where the new has a mistake) and derives what hangs on
//! it: cells in tables, of which each records what it reads. It is the only join. It knows
//! neither files nor "this node", and reads no clock.

pub mod codes;
mod consequence;
mod engine;
mod joined;
mod known;
mod last_good;
mod objects;
mod options;
mod pipeline;
mod suggestion;
mod tables;
#[cfg(test)]
mod tests;
mod told;
mod trial;

pub use joined::{NeededObject, resolve};
pub use known::Known;
pub use objects::LoweredObject;
pub use options::{GatewayServices, ResolveOptions};
pub use pipeline::{Pipeline, World, WrittenPlaces};
pub use trial::ObjectTrial;
