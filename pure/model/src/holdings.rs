//! Which addresses Services already hold: the content of `steelyard.lock`.

use std::net::IpAddr;

use crate::object::NamespacedName;
use crate::sorted::Sorted;

/// What every Service holds. Sorted, so that the lock file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings(pub Sorted<NamespacedName, Holding>);

/// What one Service holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// The addresses, in the order they are shown; one, or one per family.
    pub addresses: Vec<IpAddr>,
    /// Name of the pool they came from.
    pub pool: String,
    /// On what terms it shares them (key, backend, ports) in one line; empty unless it may be
    /// shared. Only compared: of two Services on one address whose terms no longer agree, the
    /// one whose terms changed is the one to leave.
    pub sharing: String,
}
