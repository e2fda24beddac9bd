//! Listening sockets that one process opens and another serves.
//!
//! Who may open them is privileged, who serves them need not be. The lender keeps each socket open
//! that it lends, so that what waits to be accepted waits on while no borrower is there; a borrower
//! keeps what it was lent while no lender is there, and shows it to the next one, which takes it
//! over in the place of sockets of its own. So either may end and start again, and nobody who
//! connects is turned away.
//!
//! They meet at a Unix socket, one packet a word (`word`), descriptors beside it (`SCM_RIGHTS`).
//! Neither believes the other: who is not the user that is expected is not listened to, what makes
//! no sense ends the conversation, all there may be of something has a bound, and nobody waits for
//! whoever is silent, or for what it sent to be closed. What is no listening TCP socket of the
//! address that is named is not taken, nor by a lender one of another network namespace.

mod borrower;
mod closing;
mod door;
mod lender;
mod sockets;
mod wire;
mod word;

pub use borrower::{Borrower, LentListener};
pub use lender::Lender;
pub use word::LentPlace;

/// Places that are lent at once, at most.
pub const MOST_PLACES: usize = 256;
/// Sockets of one place, at most.
pub const MOST_SOCKETS: usize = 128;

#[cfg(test)]
mod tests;
