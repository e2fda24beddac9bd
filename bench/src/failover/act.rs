//! What is done to the node that has the address, and who has to cope with it.

use clap::ValueEnum;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Act {
    /// Every process of the node is killed (SIGKILL), the service as well as who announces it.
    Crash,
    /// Every process of the node is stopped (SIGSTOP): its kernel still completes connections.
    Stop,
    /// The node's plug is pulled: carrier lost.
    Link,
    /// The process that announces is asked to end (SIGTERM).
    Leave,
    /// The same on two of three nodes at the same moment.
    LeaveTwo,
    /// No heartbeat passes between any nodes, and a while later the owner is killed.
    Unheard,
    /// The owner's heartbeats are lost, others reach it; a while later it is killed.
    HalfHeard,
    /// Nothing gets in to the owner any more; what it sends passes.
    Deaf,
    /// Nothing passes the switch for two seconds; measured from the moment it does again.
    Dark,
    /// The owner's own address is replaced by another.
    Address,
    /// The owner's interface is deleted, and added again at once.
    Replug,
}

impl Act {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Crash,
        Self::Stop,
        Self::Link,
        Self::Leave,
        Self::LeaveTwo,
        Self::Unheard,
        Self::HalfHeard,
        Self::Deaf,
        Self::Dark,
        Self::Address,
        Self::Replug,
    ];

    /// As part of a row's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Stop => "SIGSTOP",
            Self::Link => "link down",
            Self::Leave => "planned leave",
            Self::LeaveTwo => "two leave at once",
            Self::Unheard => "heartbeats cut, then crash",
            Self::HalfHeard => "heartbeats cut one way, then crash",
            Self::Deaf => "deaf",
            Self::Dark => "dark switch",
            Self::Address => "own address changes",
            Self::Replug => "interface added again",
        }
    }

    /// Who is measured. Where heartbeats and the LAN part ways each node of keepalived is a master,
    /// and stays one: there is no end that could be measured.
    pub(crate) const fn contenders(self) -> &'static [Contender] {
        match self {
            Self::Crash | Self::Stop | Self::Link | Self::Leave => &Contender::ALL,
            _ => &[Contender::Default, Contender::Tuned],
        }
    }

    /// Whether the address may stay where it is.
    pub(crate) const fn may_stay(self) -> bool {
        matches!(self, Self::Dark | Self::Address | Self::Replug)
    }

    /// Whether nothing may be lost by it.
    pub(crate) const fn is_planned(self) -> bool {
        matches!(self, Self::Leave | Self::LeaveTwo)
    }
}

/// Who announces the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    /// keepalived, as usual. First, because its rounds take longest.
    Keepalived,
    /// Steelyard as it comes.
    Default,
    /// Steelyard with quicker heartbeats.
    Tuned,
}

impl Contender {
    pub(crate) const ALL: [Self; 3] = [Self::Keepalived, Self::Default, Self::Tuned];

    /// As part of a row's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Keepalived => "keepalived",
            Self::Default => "100 ms × 5",
            Self::Tuned => "50 ms × 3",
        }
    }
}
