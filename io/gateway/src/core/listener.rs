//! A listener on one core, as its connections see it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_http::{Hop, Limits, Semicolons, Spelling};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::route::Manner;
use steelyard_route::EntryTable;

use super::believed::Believed;
use super::live::{Live, RouteState};
use crate::core::{Core, HEAD_BUFFER};
use crate::options::{EntryTerms, GatewayOptions};
use crate::tell::access_log::kept;

/// Where connections come in.
pub(crate) struct Listener {
    /// Its entry point, as routes know it.
    pub(crate) point: EntryPointId,
    /// The same, as metrics and logs know it.
    pub(crate) entry_point: Arc<str>,
    /// `address:port`, for Host when a client names none.
    pub(crate) address: String,
    /// What holds here.
    pub(crate) terms: Arc<EntryTerms>,
    /// How long a request's head may take.
    pub(crate) head: Duration,
    /// How long a connection may wait for its next request.
    pub(crate) idle: Duration,
    /// Bytes that a request's head may have.
    pub(crate) largest_head: usize,
    /// How long exchanges wait for what, unless their route says so.
    pub(crate) limits: Rc<Limits>,
    /// No further requests: connections close after the one they are at.
    pub(crate) closing: Cell<bool>,
    /// Since when that is so.
    closed: Cell<Option<Instant>>,
    /// What is under way ends now.
    cut: Cell<bool>,
    /// Whether connections may begin with a handshake, by the configuration that says.
    pub(crate) opens: Cell<Option<(u64, bool)>>,
    /// Whose word is taken, by the configuration that says.
    believed: RefCell<Option<(u64, Rc<Believed>)>>,
    /// The port it listens at.
    port: u16,
    /// How many are open at the entry point.
    pub(crate) open: Rc<Cell<i64>>,
}

/// Bytes that a head may have beyond what is said, as with Go.
const SLACK: usize = 4096;

impl Listener {
    /// One of `entry_point` that listens at `address`.
    pub(crate) fn new(
        entry_point: Arc<str>,
        address: String,
        options: &GatewayOptions,
        open: Rc<Cell<i64>>,
    ) -> Self {
        let point = EntryPointId::from(&*entry_point);
        let terms = options.terms.get(&*entry_point).cloned().unwrap_or_default();
        let timeouts = &options.timeouts;
        let usual = Limits::from(timeouts);
        let request_body = terms.read.unwrap_or(usual.request_body);
        let (closing, closed, cut) = (Cell::new(false), Cell::new(None), Cell::new(false));
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(80);
        Self {
            point,
            entry_point,
            address,
            head: terms.read.unwrap_or(timeouts.head),
            idle: terms.idle.unwrap_or(timeouts.idle),
            largest_head: terms.head.map_or(HEAD_BUFFER, |it| (it + SLACK).min(HEAD_BUFFER)),
            limits: Rc::new(Limits { request_body, ..usual }),
            terms,
            closing,
            closed,
            cut,
            opens: Cell::default(),
            believed: RefCell::default(),
            port,
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
        Rc::new(Self::new("web".into(), String::new(), &GatewayOptions::default(), Rc::default()))
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

    /// Whose word about clients is taken, and where ingress-nginx's ConfigMap has requests logged.
    pub(crate) fn believed(&self, core: &Core) -> Rc<Believed> {
        let live = core.live();
        if let Some((_, known)) =
            self.believed.borrow().as_ref().filter(|(version, _)| *version == live.version)
        {
            return known.clone();
        }
        let point = live.config.routing.entry_points.get(&self.point);
        let point = point.map(|it| &**it);
        let own = core.options().access_log.as_ref();
        let log = point.and_then(|point| core.logging(kept(point, own)?));
        let found = Rc::new(Believed { log, ..Believed::of(&self.terms, point, self.port) });
        *self.believed.borrow_mut() = Some((live.version, found.clone()));
        found
    }

    /// What is told of a request that `route` takes, or none does.
    pub(crate) fn told(&self, route: Option<&RouteState>) -> Observability {
        let outer = self.terms.observability;
        route.map_or(outer, |route| route.observability(outer))
    }

    /// What the next hop is told of a client who asks at a port, in a route's manner, and by which
    /// line it lists others.
    pub(crate) fn hop<'a>(
        &'a self,
        (client_lines, (list, keeps_underscores)): (&'a [u8], (&'a str, bool)),
        port: u16,
        manner: Manner,
    ) -> Hop<'a> {
        let (path, semicolons) = match manner {
            Manner::Traefik => (self.terms.path, self.terms.semicolons),
            Manner::Nginx => (Spelling::AsAsked, Semicolons::Kept),
        };
        let fallback_host = &self.address;
        Hop { client_lines, list, keeps_underscores, fallback_host, path, semicolons, manner, port }
    }
}
