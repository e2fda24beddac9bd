//! Filters: what is done to a request on its way to a backend, and to its response on the way
//! back.
//!
//! A filter is a [`Frame`] of a [`Stack`], not a function before and one after: retry, error
//! pages, breakers and limits need to see what happened inside them. The stack is a machine: who
//! drives it does what frames ask for, and nothing here touches a socket or reads a clock.
//!
//! Invariants, for every order of frames and everything they say: a frame that was entered is
//! left, whoever answered, unless the exchange ends before; it is told the end exactly once; one
//! that was not entered is told nothing; what is inside a frame never runs again once a byte of
//! the response went down.

mod addresses;
pub mod ask;
mod breaker;
mod buffers;
mod certificate;
mod characters;
mod client;
mod compress;
mod content_type;
pub mod context;
mod detour;
mod either;
mod exempt;
pub mod folded;
mod forward;
mod found_out;
pub mod frame;
pub mod gate;
mod gathered;
mod grpc_web;
mod headers;
mod key;
mod led;
mod limit;
mod login;
pub mod memory;
mod nginx;
mod own;
mod pages;
mod password;
mod proof;
pub mod recipe;
mod redirect;
mod refusal;
pub mod replay;
pub mod response;
mod retry;
mod rewrite;
mod run;
mod signed;
mod spellings;
pub mod stack;
mod step;
mod token;
mod told;
#[cfg(feature = "trial")]
pub mod trial;
mod variables;
mod verified;
mod words;

#[cfg(test)]
mod tests;

pub use ask::{Ask, Flight, Got, Job, Letter, Script};
pub use context::{Answerer, Context, Ending, Journey, Note};
pub use folded::{Folded, PassedFolded};
pub use frame::{Blueprint, Direction, Enter, Flow, Frame, Leave, Needs, Piece};
pub use gate::{Admission, ConnectionGate, NoAdmission};
pub use memory::{Kept, Memory};
pub use nginx::strays::{sent_plainly, stray};
pub use own::{Inquiry, OwnServices};
pub use recipe::{AnyFrame, Recipe};
pub use replay::Replay;
pub use response::Response;
pub use stack::{Inward, Outward, SpareLayers, Stack};
pub use variables::{VariableSource, recall};
pub use words::words;
