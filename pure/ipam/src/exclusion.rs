//! Why a pool does not serve a Service.

use std::net::IpAddr;

use steelyard_model::{Family, NamespacedName};

use crate::refusal::Conflict;
use crate::reserved::Occupant;

/// Why one pool does not serve a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The pool.
    pub pool: NamespacedName,
    /// The rule.
    pub rule: ExclusionRule,
    /// The rule as a sentence, without a period.
    pub message: String,
    /// What to change, without a period.
    pub help: String,
}

/// Rules that keep a pool from serving a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExclusionRule {
    /// The Service asks for another pool.
    OtherPoolRequested {
        /// Its name.
        name: String,
    },
    /// A requested address is not in the pool.
    OutsidePool {
        /// The address.
        address: IpAddr,
    },
    /// A requested address is left out by `avoidBuggyIPs`.
    LeftOut {
        /// The address.
        address: IpAddr,
    },
    /// A requested address is a machine's own.
    Reserved {
        /// The address.
        address: IpAddr,
        /// Who has it.
        occupant: Occupant,
    },
    /// The pool is for other namespaces.
    Namespace,
    /// The pool selects other Services.
    Selector,
    /// The pool gives addresses on request only.
    NotAutoAssign,
    /// The pool has no addresses of a family that the Service needs.
    NoFamily {
        /// The family.
        family: Family,
    },
    /// The requested addresses are not of the Service's families.
    WrongFamilies,
    /// Somebody else has the requested address.
    Taken(Box<Conflict>),
    /// All addresses of a needed family are in use.
    Full {
        /// The family.
        family: Family,
        /// How many of them are machines' own, and had by no Service.
        reserved: u64,
        /// Where the Service would share: whom it cannot share with first.
        sharing: Option<Box<Conflict>>,
    },
}
