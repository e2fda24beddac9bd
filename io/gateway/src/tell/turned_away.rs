//! Why a connection ends before its first request.

use steelyard_preface::{HelloFault, ProxyFault};

use super::fault::Fault;

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
    /// What comes first begins a handshake, and is none.
    Hello(HelloFault),
    /// TLS policies of its server name disagree.
    Policies,
    /// Its route's backend does not take it.
    Unserved(Fault),
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
            Self::Hello(_) => Some("client-hello"),
            Self::Policies => Some("tls-policies"),
            Self::Unserved(fault) => Some(fault.cause()),
            Self::Dismissed => None,
        }
    }
}

impl From<HelloFault> for TurnedAway {
    fn from(fault: HelloFault) -> Self {
        Self::Hello(fault)
    }
}

impl From<Fault> for TurnedAway {
    fn from(fault: Fault) -> Self {
        Self::Unserved(fault)
    }
}

impl From<ProxyFault> for TurnedAway {
    fn from(fault: ProxyFault) -> Self {
        Self::Proxy(fault)
    }
}
