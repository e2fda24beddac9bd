//! Traefik's own languages: its kinds of objects, and its rules.
//!
//! A part of an object that cannot be had costs its route, which is refused; a rule that cannot be
//! read is no route. Other routes of the object are served, as Traefik serves them.

pub(crate) mod backend;
mod care;
pub(crate) mod file;
mod link;
pub mod middleware;
pub mod options;
pub(crate) mod router;
pub mod rule;
mod servers;
pub(crate) mod tls;
pub(crate) mod transport;
pub mod users;

pub use tls::cipher_suites;
pub use transport::{most_idle, pings};

use crate::findings::Findings;

/// What objects of Traefik's kinds are read with.
pub(crate) struct Reader<'r, 'a> {
    findings: &'r mut Findings<'a>,
}
