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
}

impl Act {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Crash, Self::Stop, Self::Link, Self::Leave];

    /// As part of a row's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Stop => "SIGSTOP",
            Self::Link => "link down",
            Self::Leave => "planned leave",
        }
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
