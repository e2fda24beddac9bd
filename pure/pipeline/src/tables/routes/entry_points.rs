//! Where routes are tried: the entry points that there are, and those that an object asks for.

use steelyard_model::routing::entry_point::{EntryPoint, OWN, SECURE};
use steelyard_model::routing::filter::{Filter, FilterNode, Redirection};
use steelyard_model::routing::id::{EntryPointId, ListenerId};
use steelyard_model::routing::listener::Listener;
use steelyard_model::routing::route::RouteKind;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{
    Diagnostic, FieldPath, NginxOptions, Protocol, Provenance, RouteDraft, RouterSet, Severity,
};

use super::elsewhere;
use crate::codes;
use crate::tables::row::{Class, ReadSet};

/// The filter that leads to TLS.
pub(super) const TO_TLS: &str = "redirect-to-https@internal";

/// Paths of certificate challenges (RFC 8555 §8.3), which are asked for in plain.
pub(super) const CHALLENGES: &str = "/.well-known/acme-challenge";

/// The annotation that names entry points.
const ENTRY_POINTS: &str = "traefik.ingress.kubernetes.io/router.entrypoints";

/// Sockets with their listeners; `as_traefik` where those are held to what Traefik does.
pub(crate) fn sockets(entry_points: &[EntryPoint], as_traefik: bool) -> RoutingMap {
    let listeners = entry_points.iter().flat_map(EntryPoint::listeners);
    let listeners = listeners.map(|it| Listener { yields: as_traefik, ..it });
    RoutingMap {
        entry_points: entry_points.iter().map(|it| (it.id.clone(), it.clone().into())).collect(),
        listeners: listeners.map(|it| (it.id.clone(), it.into())).collect(),
        ..RoutingMap::default()
    }
}

/// Entry points to choose from.
pub(super) struct EntryPoints<'a> {
    /// Those that requests come in by.
    all: Vec<&'a EntryPoint>,
    /// Those of both protocols.
    both: &'a [EntryPoint],
    /// Of which `all` are.
    protocol: Protocol,
    /// Where a route goes that names none.
    default: Vec<&'a EntryPoint>,
    /// The user has said which those are: no others are for routes that name none.
    is_chosen: bool,
}

impl<'a> EntryPoints<'a> {
    /// Whether requests come over TLS to a listener.
    pub(super) fn is_secure(&self, listener: &ListenerId) -> bool {
        self.all.iter().any(|it| it.tls_listener() == *listener)
    }

    /// Those of requests.
    pub(super) fn new(all: &'a [EntryPoint]) -> Self {
        Self::of(RouteKind::Http, all)
    }

    /// By default routes go to every entry point but those for TLS, by what they say or by port,
    /// and the one of the program's own services.
    pub(super) fn of(kind: RouteKind, all: &'a [EntryPoint]) -> Self {
        let protocol = if kind == RouteKind::Udp { Protocol::Udp } else { Protocol::Tcp };
        let both = all;
        let all: Vec<&EntryPoint> = both.iter().filter(|it| it.protocol == protocol).collect();
        let is_own = |it: &&EntryPoint| it.id.as_str() == OWN;
        let (own, users): (Vec<_>, Vec<_>) = all.iter().copied().partition(is_own);
        if all.iter().any(|it| it.is_default) {
            let default = all.iter().copied().filter(|it| it.is_default).collect();
            return Self { all, both, protocol, default, is_chosen: true };
        }
        let is_plain = |it: &&EntryPoint| !it.is_secure && it.port != SECURE.port;
        let mut default: Vec<&EntryPoint> = users.iter().copied().filter(is_plain).collect();
        if default.is_empty() {
            default.extend(if users.is_empty() { &own } else { &users });
        }
        Self { all, both, protocol, default, is_chosen: false }
    }

    /// The listeners where the routes of an object are tried. Who names no entry point is served at
    /// those for TLS as well as in plain, whether TLS is asked for or not: so Traefik does where
    /// its entry point is for TLS, as those of its chart and of k3s are, and ingress-nginx in any
    /// case. Who wants TLS only is served in TLS only.
    pub(super) fn listeners(&self, read: &ReadSet<'_>) -> Vec<ListenerId> {
        let named = self.named(&read.reading.entry_points);
        let (plain, secure) = match read.reading.entry_points.is_empty() {
            true => (self.default.as_slice(), self.secure()),
            false => (named.as_slice(), Vec::new()),
        };
        if read.reading.is_tls {
            let all = plain.iter().chain(&secure);
            return all.map(|it| it.tls_listener()).collect();
        }
        let plain = plain.iter().map(|it| it.default_listener());
        plain.chain(secure.iter().map(|it| it.tls_listener())).collect()
    }

    /// The same of an Ingress in words of ingress-nginx that names no entry point, where some are
    /// said for all such: one in plain, and one over TLS.
    pub(super) fn tried(
        &self,
        read: &ReadSet<'_>,
        said: &[Option<EntryPointId>; 2],
    ) -> Vec<ListenerId> {
        let is_open = read.class == Class::Nginx && read.reading.entry_points.is_empty();
        if !is_open || said.iter().all(Option::is_none) {
            return self.listeners(read);
        }
        let [plain, secure] = said.each_ref().map(|name| self.find(name.as_ref()?));
        let plain = match plain {
            Some(point) => vec![point.plain_listener()],
            None => self.default.iter().map(|it| it.default_listener()).collect(),
        };
        let secure = secure.map_or_else(|| self.secure(), |point| vec![point]);
        plain.into_iter().chain(secure.iter().map(|it| it.tls_listener())).collect()
    }

    /// The listeners where handshakes are passed on, if an object asks for that and nothing forbids
    /// it.
    pub(super) fn passed_on(&self, read: &ReadSet<'_>, options: &NginxOptions) -> Vec<ListenerId> {
        if options.ends_all_tls { Vec::new() } else { self.passing_on(read) }
    }

    /// Those where an object asks for it: at the entry points that it names, else at those for TLS.
    fn passing_on(&self, read: &ReadSet<'_>) -> Vec<ListenerId> {
        if read.reading.passthrough.is_none() {
            return Vec::new();
        }
        let points = match read.reading.entry_points.is_empty() {
            true => self.all.iter().copied().filter(|it| it.is_secure).collect(),
            false => self.named(&read.reading.entry_points),
        };
        points.into_iter().map(EntryPoint::passthrough_listener).collect()
    }

    /// Those where routes are that name none.
    pub(super) fn of_unnamed(&self) -> Vec<&'a EntryPointId> {
        self.default.iter().copied().chain(self.secure()).map(|it| &it.id).collect()
    }

    /// Those for TLS that nobody has to name.
    fn secure(&self) -> Vec<&'a EntryPoint> {
        if self.is_chosen {
            return Vec::new();
        }
        let is_it = |it: &&EntryPoint| {
            it.is_secure && it.id.as_str() != OWN && !self.default.iter().any(|its| its.id == it.id)
        };
        self.all.iter().copied().filter(is_it).collect()
    }

    /// The listeners where the routes of one of Traefik's own objects are tried. Without `tls` they
    /// are served in plain, and requests by TLS at an entry point that is for it.
    pub(super) fn of_routers(
        &self,
        set: &RouterSet,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<ListenerId> {
        let is_of_file = elsewhere::is_of_file(&set.object.id());
        let place = FieldPath::from(if is_of_file { "entryPoints" } else { "spec.entryPoints" });
        for (index, name) in set.entry_points.iter().enumerate() {
            if self.find(name).is_none() {
                let place = Provenance::new(&set.object, place.index(index));
                diagnostics.push(self.missing(&place, name));
            }
        }
        let points = match set.entry_points.is_empty() {
            true => self.default.iter().copied().chain(self.secure()).collect(),
            false => self.named(&set.entry_points),
        };
        let listener = |it: &EntryPoint| match &set.tls {
            Some(tls) if tls.is_passed_on => it.passthrough_listener(),
            Some(_) => it.tls_listener(),
            None if set.kind.is_of_requests() => it.default_listener(),
            None => it.plain_listener(),
        };
        points.into_iter().map(listener).collect()
    }

    /// Those that exist of what an object asks for.
    fn named(&self, names: &[EntryPointId]) -> Vec<&'a EntryPoint> {
        let mut found: Vec<&EntryPoint> = Vec::new();
        for known in names.iter().filter_map(|name| self.find(name)) {
            if !found.iter().any(|it| it.id == known.id) {
                found.push(known);
            }
        }
        found
    }

    /// Names of entry points have no case: flags and variables have none, as with Traefik, and what
    /// a file calls one would be another in those.
    fn find(&self, id: &EntryPointId) -> Option<&'a EntryPoint> {
        let is_it = |known: &&EntryPoint| known.id.as_str().eq_ignore_ascii_case(id.as_str());
        self.all.iter().copied().find(is_it)
    }

    /// Says of an object whose routes are not served where it asks for.
    pub(super) fn judge(&self, read: &ReadSet<'_>, diagnostics: &mut Vec<Diagnostic>) {
        if read.routes().is_empty() {
            return;
        }
        let place = Provenance::new(&read.set.object, FieldPath::annotation(ENTRY_POINTS));
        let missing = read.reading.entry_points.iter().filter(|name| self.find(name).is_none());
        diagnostics.extend(missing.map(|name| self.missing(&place, name)));
        let is_in_tls = |it: &ListenerId| self.all.iter().any(|known| known.tls_listener() == *it);
        let (listeners, asked) = (self.listeners(read), read.set.tls.as_ref());
        if let Some(asked) = asked.filter(|_| !listeners.iter().any(is_in_tls)) {
            diagnostics.push(self.not_served(asked));
        }
        let asked = read.reading.passthrough.as_ref();
        if let Some(asked) = asked.filter(|_| self.passing_on(read).is_empty()) {
            diagnostics.push(self.not_served(asked));
        }
    }

    fn missing(&self, place: &Provenance, name: &EntryPointId) -> Diagnostic {
        let is_it = |it: &&EntryPoint| it.id.as_str().eq_ignore_ascii_case(name.as_str());
        let message = match self.both.iter().find(is_it) {
            Some(other) => format!("the entry point `{name}` is of {}", other.protocol),
            None => format!("there is no entry point `{name}`"),
        };
        let port = if self.protocol == Protocol::Udp { ":PORT/udp" } else { ":PORT" };
        let name = if self.both.iter().any(|it| is_it(&it)) { "NAME" } else { name.as_str() };
        let start = format!("start with --entrypoints.{name}.address={port}");
        let known: Vec<&str> = self.all.iter().map(|known| known.id.as_str()).collect();
        let help = match known.as_slice() {
            [] => start,
            known => format!("use one of {}, or {start}", known.join(", ")),
        };
        let message = format!("{message}, so the routes are not served there");
        Diagnostic::at(Severity::Error, codes::ENTRY_POINT_MISSING, place, message, help)
    }

    fn not_served(&self, asked: &Provenance) -> Diagnostic {
        let secure: Vec<&str> =
            self.all.iter().filter(|it| it.is_secure).map(|it| it.id.as_str()).collect();
        let help = match secure.first() {
            Some(name) => format!("add `{name}` to the annotation {ENTRY_POINTS}"),
            None => format!("start with --entrypoints.{}.address", SECURE.name),
        };
        let message = "TLS is not served for these hosts: no entry point of the routes is for it";
        Diagnostic::at(Severity::Warning, codes::TLS_NOT_SERVED, asked, message, help)
    }
}

/// Leads to the same by TLS, with ingress-nginx's status; who asks at a port of its own is led to
/// the one beside it.
pub(crate) fn to_tls(entry_points: &[EntryPoint]) -> FilterNode {
    let secure = entry_points.iter().find(|it| it.is_secure).map(|it| it.port);
    let plain = entry_points.iter().filter(|it| !it.is_secure);
    let beside = secure.map(|port| plain.map(|it| (it.port, port)).collect());
    let to = Redirection {
        scheme: Some("https".into()),
        host: None,
        port: None,
        beside: beside.unwrap_or_default(),
        path: None,
        status: 308,
    };
    FilterNode { id: TO_TLS.into(), place: None, filter: Filter::Redirect(to) }
}

/// Whether who asks in plain is led to TLS, but for challenges of certificates.
pub(super) fn is_led(read: &ReadSet<'_>, draft: &RouteDraft) -> bool {
    read.redirects() && !is_of_challenges(draft)
}

/// Whether a route is written for certificate challenges alone.
pub(super) fn is_of_challenges(draft: &RouteDraft) -> bool {
    draft.written().starts_with(CHALLENGES)
}
