//! The program as a library: what its commands are made of. `main.rs` only parses and dispatches.

pub mod echo;
pub mod play;
