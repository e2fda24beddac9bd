//! Why `/readyz` says no: one value for each reason, which reads the same wherever it is told.
//!
//! Whoever knows of a reason adds a variant here, and its value in [`super::view`].

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use steelyard_model::NamespacedName;

use super::standing::Standing;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unready {
    /// An edit is not in force, since the lock file cannot be written.
    EditWaits,
    /// An entry point has no listener where it should.
    NotListening {
        /// Its name.
        entry_point: String,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: String,
    },
    /// A Service of the gateway has no address, so that nothing listens for it.
    NoAddress {
        /// Which.
        service: NamespacedName,
        /// Why, as far as it is known.
        why: Option<String>,
    },
    /// A vip is not answered for, though it is this node's to answer for.
    NotAnnounced {
        /// Which.
        vip: IpAddr,
        /// How it stands instead.
        standing: Standing,
    },
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EditWaits => f.write_str("an edit waits: the lock file cannot be written"),
            Self::NotListening { entry_point, address, error } => {
                write!(f, "{entry_point} cannot listen on {address}: {error}")
            }
            Self::NoAddress { service, why } => {
                write!(f, "the gateway's Service {service} has no address")?;
                why.iter().try_for_each(|why| write!(f, ": {why}"))
            }
            Self::NotAnnounced { vip, standing } => match standing.reason() {
                Some(why) => write!(f, "{vip} is not announced: {why}"),
                None => write!(f, "{vip} is not announced yet"),
            },
        }
    }
}
