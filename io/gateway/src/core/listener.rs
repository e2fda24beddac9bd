//! A listener on one core, as its connections see it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_http::{ForwardedPolicy, Hop, Spelling};
use steelyard_model::routing::entry_point::Trust;
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::route::Manner;
use steelyard_route::EntryTable;

use super::live::Live;

/// Where connections come in.
pub(crate) struct Listener {
    /// Its entry point, as routes know it.
    pub(crate) point: EntryPointId,
    /// The same, as metrics and logs know it.
    pub(crate) entry_point: Arc<str>,
    /// `address:port`, for Host when a client names none.
    pub(crate) address: String,
    /// In which spelling paths are forwarded, unless their route says so.
    pub(crate) path: Spelling,
    /// Whose word about clients is taken.
    pub(crate) forwarded: Arc<ForwardedPolicy>,
    /// Who may say by a PROXY header where a connection comes from; where it is nobody, none is
    /// read.
    pub(crate) proxied: Arc<Trust>,
    /// How long a connection may wait for its next request.
    pub(crate) idle: Duration,
    /// Requests that a connection of HTTP/2 may have at once, where that is said.
    pub(crate) streams: Option<u32>,
    /// No further requests: connections close after the one they are at.
    pub(crate) closing: Cell<bool>,
    /// Since when that is so.
    closed: Cell<Option<Instant>>,
    /// What is under way ends now.
    cut: Cell<bool>,
    /// Whether connections may begin with a handshake, by the configuration that says.
    pub(crate) opens: Cell<Option<(u64, bool)>>,
    /// How many are open at the entry point.
    pub(crate) open: Rc<Cell<i64>>,
}

/// What a listener is made of.
pub(crate) struct ListenerParts {
    pub(crate) entry_point: Arc<str>,
    pub(crate) address: String,
    pub(crate) path: Spelling,
    pub(crate) forwarded: Arc<ForwardedPolicy>,
    pub(crate) proxied: Arc<Trust>,
    pub(crate) idle: Duration,
    pub(crate) streams: Option<u32>,
    pub(crate) open: Rc<Cell<i64>>,
}

impl Listener {
    pub(crate) fn new(parts: ListenerParts) -> Self {
        let ListenerParts { entry_point, address, path, forwarded, proxied, idle, streams, open } =
            parts;
        let point = EntryPointId::from(&*entry_point);
        let (closing, closed, cut) = (Cell::new(false), Cell::new(None), Cell::new(false));
        Self {
            point,
            entry_point,
            address,
            path,
            forwarded,
            proxied,
            idle,
            streams,
            closing,
            closed,
            cut,
            opens: Cell::default(),
            open,
        }
    }

    /// It takes no further requests.
    pub(crate) fn close(&self, now: Instant) {
        self.closing.set(true);
        self.closed.set(self.closed.get().or(Some(now)));
    }

    /// Whether what is under way has had so long since, and ends.
    pub(crate) fn cut_after(&self, limit: Duration, now: Instant) -> bool {
        let is_late =
            self.closed.get().is_some_and(|at| now.saturating_duration_since(at) >= limit);
        self.cut.set(self.cut.get() || is_late);
        is_late
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    /// One that nobody listens at.
    #[cfg(test)]
    pub(crate) fn of_test() -> Rc<Self> {
        Rc::new(Self::new(ListenerParts {
            entry_point: "web".into(),
            address: String::new(),
            path: Spelling::Normal,
            forwarded: Arc::default(),
            proxied: Arc::default(),
            idle: Duration::from_secs(180),
            streams: None,
            open: Rc::default(),
        }))
    }

    /// Whether connections may begin with a handshake: where routes are for TLS, or the entry
    /// point is. Elsewhere nobody looks.
    pub(crate) fn opens(&self, live: &Live) -> bool {
        if let Some((_, opens)) = self.opens.get().filter(|(version, _)| *version == live.version) {
            return opens;
        }
        let config = &live.config;
        let is_secure = config.routing.entry_points.get(&self.point).is_some_and(|it| it.is_secure);
        let table = config.table.entry_point(&self.point);
        let opens = is_secure || table.is_some_and(EntryTable::has_tls);
        self.opens.set(Some((live.version, opens)));
        opens
    }

    /// What the next hop is told of a client, in a route's manner.
    pub(crate) fn hop<'a>(&'a self, client_lines: &'a [u8], manner: Manner) -> Hop<'a> {
        let path = match manner {
            Manner::Traefik => self.path,
            Manner::Nginx => Spelling::AsAsked,
        };
        Hop { client_lines, fallback_host: &self.address, path, manner }
    }
}
