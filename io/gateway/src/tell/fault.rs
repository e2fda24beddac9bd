//! What can go wrong with a request: its status, the word in logs, and whether to try elsewhere
//! are functions of this one enum.

use std::io;

use steelyard_filters::Answerer;
use steelyard_http::{BadResponse, Excerpt, Reject};

use super::distrust::Distrust;
use steelyard_host::own_sockets::OwnSocket;

/// Why a request is not answered by its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// The request is not one.
    Rejected(Reject),
    /// Its head or body did not come in time.
    RequestTimeout,
    /// The client did not go on with its request, or with taking its answer, and others needed its
    /// place.
    MadeRoom,
    /// It was under way when the gateway, or its listener, had ended for long enough.
    CutOff,
    /// The client went away.
    ClientGone,
    /// No route matches.
    NoRoute,
    /// Its host is served by other terms than those of the handshake.
    Misdirected,
    /// Handshakes for the name of its connection are held by other terms since.
    Outdated,
    /// The route is closed: what its configuration asks for is not to be had.
    Refused,
    /// The request has been here before, often enough.
    Loop,
    /// No backend of the route has an endpoint.
    NoEndpoints,
    /// It has endpoints, and none that may be asked: their checks fail.
    NoneFit,
    /// Each endpoint has as many requests as it may.
    Full,
    /// The endpoint's name has no address.
    Unresolved,
    /// The endpoint did not take the connection.
    Connect,
    /// The endpoint is a socket of this process, for this machine alone.
    OwnSocket,
    /// The endpoint did not answer to a connection attempt.
    ConnectTimeout,
    /// The endpoint closed the connection before, or in the middle of, its response.
    UpstreamClosed,
    /// The endpoint did not take the request in time, or did not respond in time.
    UpstreamTimeout,
    /// The endpoint does not speak TLS, which its client wants.
    Unencrypted,
    /// TLS with the endpoint came to nothing.
    Untrusted(Distrust),
    /// The response is none.
    BadResponse(BadResponse),
    /// A filter that has a body in hand cannot go on.
    GivenUp,
    /// A filter answers, for this reason.
    Filtered(&'static str),
}

/// A request, or one attempt at it, that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) fault: Fault,
    /// More of it, for the log.
    pub(crate) detail: Option<Detail>,
}

/// What is known of a failure beside its kind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Detail {
    /// What the system said.
    #[error(transparent)]
    System(#[from] io::Error),
    /// What is wrong with a response, as it came.
    #[error("the line {0}")]
    Line(Box<Excerpt>),
}

impl Fault {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Rejected(reject) => reject.status(),
            Self::RequestTimeout | Self::MadeRoom => 408,
            Self::ClientGone => 499,
            Self::NoRoute => 404,
            Self::Misdirected | Self::Outdated => 421,
            Self::GivenUp => 500,
            Self::Filtered(_) => 403,
            Self::Loop => 508,
            Self::CutOff | Self::Refused | Self::NoEndpoints | Self::NoneFit | Self::Full => 503,
            Self::Unresolved
            | Self::Connect
            | Self::OwnSocket
            | Self::UpstreamClosed
            | Self::Unencrypted
            | Self::Untrusted(_)
            | Self::BadResponse(_) => 502,
            Self::ConnectTimeout | Self::UpstreamTimeout => 504,
        }
    }

    /// For people: what happened.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Rejected(reject) => reject.as_str(),
            Self::RequestTimeout => "the request did not come in time",
            Self::MadeRoom => "the client sent or took nothing while others needed its place",
            Self::CutOff => "the gateway ends, or no longer listens there",
            Self::ClientGone => "the client went away",
            Self::NoRoute => "no route matches",
            Self::Misdirected => "the connection was made for another host",
            Self::Outdated => "the connection was made by terms that have changed since",
            Self::Refused => "the route is closed until its configuration is mended",
            Self::Loop => "the route leads back to this gateway",
            Self::NoEndpoints => "no endpoint is ready",
            Self::NoneFit => "every endpoint fails its check",
            Self::Full => "every endpoint has as many requests as it may",
            Self::Unresolved => "the endpoint's name has no address",
            Self::Connect => "the endpoint does not take connections",
            Self::OwnSocket => "the endpoint is this program's own interface for this machine",
            Self::ConnectTimeout => "the endpoint does not answer connection attempts",
            Self::UpstreamClosed => "the endpoint closed the connection",
            Self::UpstreamTimeout => "the endpoint did not respond in time",
            Self::Unencrypted => "the endpoint does not speak TLS",
            Self::Untrusted(why) => why.reason(),
            Self::BadResponse(bad) => bad.as_str(),
            Self::GivenUp => "a filter cannot go on",
            Self::Filtered(why) => why,
        }
    }

    /// The same as a label of metrics: one of a closed set.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Rejected(_) => "rejected",
            Self::RequestTimeout => "request-timeout",
            Self::MadeRoom => "made-room",
            Self::CutOff => "cut-off",
            Self::ClientGone => "client-gone",
            Self::NoRoute => "no-route",
            Self::Misdirected => "misdirected",
            Self::Outdated => "outdated",
            Self::Refused => "refused",
            Self::Loop => "loop",
            Self::NoEndpoints => "no-endpoints",
            Self::NoneFit => "none-fit",
            Self::Full => "full",
            Self::Unresolved => "unresolved",
            Self::Connect => "connect",
            Self::OwnSocket => "own-socket",
            Self::ConnectTimeout => "connect-timeout",
            Self::UpstreamClosed => "endpoint-closed",
            Self::UpstreamTimeout => "endpoint-timeout",
            Self::Unencrypted => "endpoint-without-tls",
            Self::Untrusted(why) => why.cause(),
            Self::BadResponse(_) => "bad-response",
            Self::GivenUp => "given-up",
            Self::Filtered(_) => "filtered",
        }
    }

    /// Who answers where this is the fault, as filters see it.
    pub(crate) fn answerer(self) -> Answerer {
        match self {
            Self::Unresolved | Self::Connect | Self::ConnectTimeout => Answerer::Nobody,
            _ => Answerer::Gateway,
        }
    }

    /// Whether the operator should hear of it: what clients do wrong is in the access log only, as
    /// is what ends with the gateway.
    pub(crate) fn is_ours(self) -> bool {
        !matches!(
            self,
            Self::Rejected(_)
                | Self::RequestTimeout
                | Self::MadeRoom
                | Self::CutOff
                | Self::ClientGone
                | Self::NoRoute
                | Self::Misdirected
                | Self::Outdated
                | Self::Filtered(_)
        )
    }
}

impl Failed {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, detail: None }
    }

    /// The connection was not made; somebody else may take the request.
    pub(crate) fn connect(error: io::Error) -> Self {
        let fault = match Distrust::of(&error) {
            Some(why) => Fault::Untrusted(why),
            None if error.get_ref().is_some_and(|it| it.is::<OwnSocket>()) => Fault::OwnSocket,
            None if error.kind() == io::ErrorKind::TimedOut => Fault::ConnectTimeout,
            None => Fault::Connect,
        };
        Self { fault, detail: Some(error.into()) }
    }

    /// The connection ended; or what it said was that the endpoint does not trust us, which it may
    /// say only once its own part of the handshake is over (RFC 8446 §4.4.2.4).
    pub(crate) fn over(fault: Fault, detail: Option<Detail>) -> Self {
        let why = match &detail {
            Some(Detail::System(error)) => Distrust::of(error),
            _ => None,
        };
        Self { fault: why.map_or(fault, Fault::Untrusted), detail }
    }
}

impl From<Reject> for Fault {
    fn from(reject: Reject) -> Self {
        Self::Rejected(reject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_do_wrong_is_not_the_operators() {
        for fault in [Fault::ClientGone, Fault::MadeRoom, Fault::NoRoute, Fault::Filtered("why")] {
            assert!(!fault.is_ours(), "{fault:?}");
        }
        for fault in [Fault::NoEndpoints, Fault::UpstreamClosed, Fault::Loop, Fault::GivenUp] {
            assert!(fault.is_ours(), "{fault:?}");
        }
    }
}
