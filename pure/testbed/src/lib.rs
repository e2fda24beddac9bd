//! What the tests of several crates share: runs from seeds, what fuzzing has kept, objects as users
//! write them, Services and requests by hand. Only tests depend on it.

pub mod chance;
pub mod corpus;
pub mod manifests;
pub mod probe;
pub mod services;
pub mod simulation;

pub use chance::Chance;
pub use probe::Probe;
pub use simulation::Simulation;
