//! Why a connection ends before its first request.

use rustls::{AlertDescription, Error};
use steelyard_filters::NoAdmission;
use steelyard_preface::{HelloFault, ProxyFault};

use super::fault::Fault;
use crate::wire::session::Unshaken;

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
    /// Its handshake came to nothing.
    Tls(NoHandshake),
    /// TLS policies of its server name disagree.
    Policies,
    /// Its route does not let it in.
    NotAdmitted(NoAdmission),
    /// Its route's backend does not take it.
    Unserved(Fault),
    /// There is no place for it, and nobody who would make room.
    NoPlace,
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
            Self::NotAdmitted(NoAdmission::Address) => Some("address"),
            Self::NotAdmitted(NoAdmission::Full) => Some("in-flight"),
            Self::NoPlace => Some("no-place"),
            Self::Unserved(fault) => Some(fault.cause()),
            Self::Tls(_) | Self::Dismissed => None,
        }
    }
}

impl TurnedAway {
    /// What a client hears that has begun a handshake and had no answer yet; none where it is about
    /// something else, or was said already.
    pub(crate) fn alert(self) -> Option<AlertDescription> {
        Some(match self {
            Self::Hello(HelloFault::NotTls | HelloFault::NotClientHello) => {
                AlertDescription::UnexpectedMessage
            }
            Self::Hello(HelloFault::TooLong | HelloFault::Malformed) => {
                AlertDescription::DecodeError
            }
            Self::Tls(NoHandshake::Refused) | Self::Policies => AlertDescription::HandshakeFailure,
            _ => return None,
        })
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

/// Why a handshake came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHandshake {
    /// The client ended it: it does not believe the certificate, mostly.
    Alert,
    /// What came is no handshake.
    Malformed,
    /// There is no version, cipher, key exchange or protocol that both have.
    Incompatible,
    /// No certificate is for the server name.
    UnknownName,
    /// The client showed no certificate that is believed.
    ClientCertificate,
    /// Its server name is not served, or by terms that cannot be had.
    Refused,
    /// Anything else.
    Other,
}

impl NoHandshake {
    /// For metrics: one of a closed set.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Alert => "client-alert",
            Self::Malformed => "malformed",
            Self::Incompatible => "incompatible",
            Self::UnknownName => "unknown-name",
            Self::ClientCertificate => "client-certificate",
            Self::Refused => "refused",
            Self::Other => "other",
        }
    }
}

impl From<&Error> for TurnedAway {
    fn from(error: &Error) -> Self {
        Self::Tls(match error {
            Error::AlertReceived(AlertDescription::CloseNotify) => return Self::ClientGone,
            Error::AlertReceived(_) => NoHandshake::Alert,
            Error::NoCertificatesPresented | Error::InvalidCertificate(_) => {
                NoHandshake::ClientCertificate
            }
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => NoHandshake::Incompatible,
            Error::InvalidMessage(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord
            | Error::DecryptError => NoHandshake::Malformed,
            // The only one in a handshake: there is no certificate to show.
            Error::General(_) => NoHandshake::UnknownName,
            _ => NoHandshake::Other,
        })
    }
}

impl From<Unshaken> for TurnedAway {
    fn from(unshaken: Unshaken) -> Self {
        match unshaken {
            Unshaken::Broken => Self::ClientGone,
            Unshaken::Refused(error) => Self::from(&error),
        }
    }
}
