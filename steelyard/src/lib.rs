//! The program as a library: what its commands are made of. `main.rs` only parses and dispatches.

mod args;
pub mod check;
pub mod cli;
pub mod codes;
pub mod demo;
pub mod diff;
pub mod dump;
pub mod entry_points;
pub mod explain;
pub mod get;
mod hands;
pub mod hosts;
mod instance;
pub mod key;
mod load;
pub mod lock_file;
mod logging;
mod mind;
pub mod pipeline;
pub mod plan;
pub mod planning;
mod privileges;
pub mod rebalance;
mod report;
mod tell;
pub mod text;
pub mod up;
