//! A process that another one takes the place of: how that is asked for ([`Door`]), how the other
//! one is started, what they say to each other and pass ([`ProcessLine`]), and what systemd is
//! told.
//!
//! It does not know what is passed. Nothing of it is reachable but for the user that the process
//! is, and root: the door is a socket of that user alone, and the line has no name at all.

mod door;
mod line;
mod notify;
mod successor;

pub use door::{Answer, Caller, Door, Request, ask};
pub use line::ProcessLine;
pub use notify::{notify, reloading};
pub use successor::{Successor, predecessor};
