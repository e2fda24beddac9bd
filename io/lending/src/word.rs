//! What lender and borrower tell each other.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What a socket is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LentPlace {
    /// Name of the entry point.
    pub entry_point: String,
    /// Where clients reach it. A socket may have another port of that address.
    pub address: SocketAddr,
}

/// One of their words.
///
/// A borrower begins with what it has from before (`Lent`, each) and `Told`, and is silent then.
/// The lender ends what is not lent any more before it lends what is; `Told` says that this is all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// Its sockets come beside it.
    Lent(LentPlace),
    /// It is not to be served any more.
    Ended(LentPlace),
    /// That was all, for now.
    Told,
}

impl Word {
    /// As it is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and addresses are JSON")
    }

    /// What was received; none where it makes no sense.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
