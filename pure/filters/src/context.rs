//! What a frame is told beside heads and bodies, and what it may note.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use steelyard_model::routing::id::RouteId;
use steelyard_tls::ClientChain;

/// The request as it travels: the same for all frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journey {
    /// Who is connected; behind a trusted PROXY protocol, whom that names.
    pub peer: IpAddr,
    /// The connection is TLS.
    pub is_tls: bool,
    /// Which TLS, and by which cipher suite, as nginx names them.
    pub tls: Option<(&'static str, &'static str)>,
    /// The port that was asked at, where that is known.
    pub port: Option<u16>,
    /// Server name of the handshake.
    pub server_name: Option<Arc<str>>,
    /// The certificates that the client has shown, as the TLS policy wants them.
    pub certificates: Option<Arc<ClientChain>>,
    /// The route that takes the request; none before one is chosen.
    pub route: Option<RouteId>,
}

impl Journey {
    /// One in plain, of which nothing more is known.
    pub fn of(peer: IpAddr) -> Self {
        let (is_tls, tls, port, server_name, certificates, route) = Default::default();
        Self { peer, is_tls, tls, port, server_name, certificates, route }
    }
}

/// What a frame is told when it is called.
pub struct Context<'c> {
    /// Now.
    pub now: Instant,
    /// Seconds since 1970, for who asks.
    pub clock: fn() -> u64,
    /// The same with parts of a second.
    pub wall: fn() -> Duration,
    /// Random bytes, for who asks; none where there are none.
    pub random: fn() -> Option<[u8; 32]>,
    /// The request as it travels.
    pub journey: &'c Journey,
    /// Who answered; meaningful in [`crate::Frame::leave`].
    pub cause: Answerer,
    /// Notes so far, to be added to.
    pub notes: &'c mut Vec<Note>,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// The backend.
    Backend,
    /// The gateway: no route, no endpoint, a fault on the way.
    Gateway,
    /// The gateway, since no endpoint took the connection: nobody has seen the request.
    Nobody,
    /// The frame at this place, counted from outside.
    Frame(usize),
}

/// Something for the access log, metrics, or others that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Who the client is, as a frame has found out.
    User(Arc<str>),
    /// How much smaller a response became: bytes in, bytes out.
    Ratio(u64, u64),
    /// What a request is called, that came without a name.
    Name([u8; 32]),
    /// Why a frame answered by itself.
    Reason(&'static str),
    /// What was found out for all that wait for this.
    Found(Arc<str>, Bytes),
}

/// How a frame's part in an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The response went down to its end.
    Finished,
    /// Another attempt, or another response, took the place of what it saw.
    Replaced,
    /// The exchange ended before the response did.
    Aborted,
    /// It became a tunnel, which is closed.
    Closed,
}
