//! Why a connection ends before its first request.

use steelyard_preface::ProxyFault;

/// Why a connection ends before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// The client went away.
    ClientGone,
    /// What comes first did not come in time.
    Late,
    /// What comes first is longer than anybody's.
    TooLong,
    /// What comes first begins a PROXY header, and is none.
    Proxy(ProxyFault),
    /// Nothing more is served here, or others needed its place, which is counted elsewhere.
    Dismissed,
}

impl TurnedAway {
    /// For metrics: one of a closed set; none where it is not counted here.
    pub(crate) fn cause(self) -> Option<&'static str> {
        match self {
            Self::ClientGone => Some("client-gone"),
            Self::Late => Some("timeout"),
            Self::TooLong => Some("too-long"),
            Self::Proxy(_) => Some("proxy-header"),
            Self::Dismissed => None,
        }
    }
}

impl From<ProxyFault> for TurnedAway {
    fn from(fault: ProxyFault) -> Self {
        Self::Proxy(fault)
    }
}
