//! Why `/readyz` says no: one value for each reason, which reads the same wherever it is told.
//!
//! Whoever knows of a reason adds a variant here, and its value in `moment.rs`.

use std::fmt;
use std::net::SocketAddr;

use steelyard_manifest::codes;
use steelyard_model::{Diagnostic, NamespacedName};
use steelyard_plan::Plan;

use super::account::Silence;
use crate::hands::descriptors::Crowded;
use crate::hands::forwarding::Refusal;
use crate::hands::unreached::Unreached;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// It was asked to end, and goes on until others know.
    Ending,
    /// Nothing is decided before the API server has told all of these.
    Awaited(Vec<String>),
    /// What it does it remembers from before its start: the API server has not told all of it yet.
    Remembered,
    /// An edit is not in force, since the lock file cannot be written.
    EditWaits,
    /// Packets are carried as before the last edit.
    Refused(Refusal),
    /// The lock file that another machine writes cannot be followed, and why.
    LockNotFollowed(String),
    /// Manifests cannot be read, or are missed: what the diagnostic says.
    Unread(String),
    /// A file could never be read to its end: what it would close is not known.
    NeverRead(NeverRead),
    /// So many more places cannot be read.
    MoreUnread(usize),
    /// Connections to a part get no place.
    Crowded(Crowded),
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
    /// Another machine has this node's name, and started later: this one answers for nothing.
    NameTaken {
        /// On which interface.
        interface: String,
    },
    /// Ports that are served here, and that clients cannot reach.
    Unreached(Unreached),
    /// A vip is not answered for, though it is this node's to answer for.
    NotAnnounced(Silence),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ending => f.write_str("it was asked to end"),
            Self::Awaited(kinds) => {
                write!(f, "the API server has not told all of {} yet", kinds.join(", "))
            }
            Self::Remembered => f.write_str(
                "what it announces it remembers from before its start: the API server is not heard",
            ),
            Self::EditWaits => f.write_str("an edit waits: the lock file cannot be written"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::LockNotFollowed(why) | Self::Unread(why) => f.write_str(why),
            Self::NeverRead(found) => found.fmt(f),
            Self::MoreUnread(count) => write!(f, "{count} more places cannot be read"),
            Self::Crowded(crowded) => crowded.fmt(f),
            Self::NotListening { entry_point, address, error } => {
                write!(f, "{entry_point} cannot listen on {address}: {error}")
            }
            Self::NoAddress { service, why } => {
                write!(f, "the gateway's Service {service} has no address")?;
                why.iter().try_for_each(|why| write!(f, ": {why}"))
            }
            Self::NameTaken { interface } => write!(
                f,
                "another node on {interface} has this node's name: give one of the two another \
                 name with --node"
            ),
            Self::Unreached(found) => write!(f, "{found}; {}", found.obstacle.help()),
            Self::NotAnnounced(silence) => silence.fmt(f),
        }
    }
}

/// A file that could never be read to its end: what is said of it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NeverRead {
    message: String,
    help: String,
}

impl fmt::Display for NeverRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.help)
    }
}

/// Files that could never be read to their end, the first few.
pub(crate) fn never_read(plan: &Plan) -> impl Iterator<Item = NeverRead> {
    let found = plan.diagnostics.iter().filter(|found| found.code == codes::FILE_NEVER_READ);
    let told =
        |found: &Diagnostic| NeverRead { message: found.message.clone(), help: found.help.clone() };
    found.take(MOST).map(told)
}

/// Reasons of one kind that are given, at most.
const MOST: usize = 5;

/// What of the manifests cannot be read, or is not believed to be gone: the view is incomplete.
pub(crate) fn unread(plan: &Plan) -> impl Iterator<Item = Unready> {
    let is_unread =
        |found: &&Diagnostic| [codes::FILE_UNREADABLE, codes::FILE_LAPSED].contains(&found.code);
    let count = plan.diagnostics.iter().filter(is_unread).count();
    let first = plan.diagnostics.iter().filter(is_unread).take(MOST);
    let first = first.map(|found| Unready::Unread(found.message.clone()));
    let more = count.checked_sub(MOST).filter(|more| *more > 0).map(Unready::MoreUnread);
    first.chain(more)
}
