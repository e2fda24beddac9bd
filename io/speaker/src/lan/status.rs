//! What the speaker tells about each vip: how it stands, and what happened.

pub(crate) mod sharing;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use steelyard_layer2::wire::Mac;
use steelyard_membership::Event;

use crate::lan::interface::NoInterface;

pub use self::sharing::{Member, OwnerChange, Ownership, Sharing};

/// How a vip stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VipStatus {
    /// The vip.
    pub address: IpAddr,
    /// How it stands.
    pub state: VipState,
    /// Interfaces on which it is in that state, by name.
    pub interfaces: Arc<[Arc<str>]>,
    /// Since when.
    pub since: SystemTime,
}

/// How a vip stands. Where interfaces differ, the best of them counts, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VipState {
    /// Answered for.
    Announced {
        /// Another machine that claimed it within the last seconds; we kept it.
        rival: Option<Mac>,
    },
    /// Others are being asked whether they have it.
    Probing,
    /// Another machine has it; it is asked again every few seconds.
    Conflict {
        /// That machine.
        rival: Mac,
    },
    /// Another node answers for it, or is to.
    Elsewhere {
        /// That node, as far as is known.
        owner: Option<Arc<str>>,
    },
    /// There is no interface to answer on.
    NoInterface(Box<NoInterface>),
}

/// Something that happened to a vip, or among the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerEvent {
    /// When.
    pub at: SystemTime,
    /// To which vip; none where it concerns a node.
    pub address: Option<IpAddr>,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It is answered for from now on.
    Announced {
        /// Where.
        interface: String,
        /// By which address.
        mac: Mac,
    },
    /// It is no longer answered for on that interface: it is not ours any more, or the interface
    /// is not.
    Withdrawn {
        /// Where.
        interface: String,
    },
    /// Another machine has it: it is not announced.
    Taken {
        /// Where.
        interface: String,
        /// That machine.
        rival: Mac,
    },
    /// Another machine claims it while we answer for it: we announced it again.
    Defended {
        /// Where.
        interface: String,
        /// That machine.
        rival: Mac,
    },
    /// Another machine claims it while we answered for it: we stopped.
    Yielded {
        /// Where.
        interface: String,
        /// That machine.
        rival: Mac,
    },
    /// There is no interface to answer on.
    NoInterface(NoInterface),
    /// Of the nodes that share it, another one answers for it now.
    Owner {
        /// Where.
        interface: String,
        /// Who, instead of whom, and why.
        change: OwnerChange,
    },
    /// Something else among the nodes that share vips.
    Shared {
        /// Where.
        interface: String,
        /// What.
        event: Event,
    },
}

impl VipState {
    /// One word, as users see it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Announced { .. } => "announced",
            Self::Probing => "probing",
            Self::Conflict { .. } => "conflict",
            Self::Elsewhere { .. } => "standby",
            Self::NoInterface(_) => "no-interface",
        }
    }

    /// Why it is not as it should be, one sentence; none while it is.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Announced { rival: None } | Self::Probing => None,
            Self::Elsewhere { owner: Some(_) } => None,
            Self::Elsewhere { owner: None } => Some("no node owns it yet".to_owned()),
            Self::Announced { rival: Some(rival) } => Some(format!("{rival} claims it too")),
            Self::Conflict { rival } => Some(format!("{rival} has it")),
            Self::NoInterface(why) => Some(why.to_string()),
        }
    }

    /// Whether this node answers for it.
    pub fn is_announced(&self) -> bool {
        matches!(self, Self::Announced { .. })
    }

    /// Whether another node is known to answer for it.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere { owner: Some(_) })
    }

    /// Best first.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Announced { .. } => 0,
            Self::Probing => 1,
            Self::Conflict { .. } => 2,
            Self::Elsewhere { .. } => 3,
            Self::NoInterface(_) => 4,
        }
    }
}

impl EventKind {
    /// One word, kebab-case, stable.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Announced { .. } => "announced",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Taken { .. } => "taken",
            Self::Defended { .. } => "defended",
            Self::Yielded { .. } => "yielded",
            Self::NoInterface(_) => "no-interface",
            Self::Owner { change, .. } => change.word(),
            Self::Shared { event, .. } => sharing::word(event),
        }
    }

    /// Whether somebody should look after it.
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Announced { .. } | Self::Withdrawn { .. } => false,
            Self::Owner { change, .. } => change.silence.is_some(),
            Self::Shared { event, .. } => sharing::is_warning(event),
            _ => true,
        }
    }

    /// What to do about it, one sentence; none where nothing is to be done.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Announced { .. } | Self::Withdrawn { .. } | Self::Owner { .. } => None,
            Self::Taken { .. } | Self::Defended { .. } | Self::Yielded { .. } => Some(
                "find that machine and give it another address, or take this one out of the pool",
            ),
            Self::NoInterface(why) => Some(why.help()),
            Self::Shared { event, .. } => sharing::help(event),
        }
    }
}

impl fmt::Display for SpeakerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vip = self.address.map_or_else(String::new, |vip| vip.to_string());
        match &self.kind {
            EventKind::Announced { interface, mac } => {
                write!(f, "{vip} is announced on {interface} by {mac}")
            }
            EventKind::Withdrawn { interface } => {
                write!(f, "{vip} is no longer announced on {interface}")
            }
            EventKind::Taken { interface, rival } => {
                write!(f, "{vip} is not announced on {interface}: {rival} has it")
            }
            EventKind::Defended { interface, rival } => {
                write!(f, "{rival} on {interface} claims {vip} too: announced again")
            }
            EventKind::Yielded { interface, rival } => {
                write!(f, "{vip} is no longer announced on {interface}: {rival} claims it too")
            }
            EventKind::NoInterface(why) => write!(f, "{vip} is announced nowhere: {why}"),
            EventKind::Owner { change, .. } => change.say(f, &vip),
            EventKind::Shared { interface, event } => sharing::say(f, interface, event),
        }
    }
}
