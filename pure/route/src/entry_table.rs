//! What an entry point serves: its listeners, the routes of each, and what is decided before a
//! request.
//!
//! The connection table, in its order (Traefik's): where only plain TCP routes are, nothing is
//! peeked at, so that servers that speak first work; a plain connection goes to TCP routes, then
//! to HTTP; a handshake goes to the certificate challenge, to HTTPS routes that name its server
//! name, to TCP routes that name it, to HTTPS routes for every host, to TCP routes for every
//! host, and else to HTTPS, which answers 404.

use std::sync::Arc;

use steelyard_model::routing::id::{ListenerId, TlsPolicyId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::subject::Subject;

use crate::candidate::{Candidate, Indexed};
use crate::choice::Choice;
use crate::host_map::HostMap;
use crate::table::RuleTable;

/// Protocol of certificate challenges in a handshake (RFC 8737).
const CHALLENGE: &str = "acme-tls/1";

/// One entry point, ready for lookups.
#[derive(Clone, Debug)]
pub struct EntryTable<T> {
    listeners: Vec<ListenerRoutes<T>>,
    plain: HostMap<Vec<usize>>,
    secure: HostMap<Vec<usize>>,
    /// TCP routes without TLS, and those with.
    tcp: RuleTable<T>,
    tcp_tls: RuleTable<T>,
    /// TCP routes with TLS that name no server name.
    tcp_any: RuleTable<T>,
    /// What HTTPS routes ask of handshakes for their hosts.
    policies: HostMap<PolicySlot>,
}

/// A listener and its HTTP routes.
#[derive(Clone, Debug)]
struct ListenerRoutes<T> {
    listener: Arc<Listener>,
    routes: RuleTable<T>,
}

/// What the HTTPS routes of one host ask of its handshakes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PolicySlot {
    Agreed(Option<TlsPolicyId>),
    Disagreed,
}

/// What an accepted connection needs first.
#[derive(Debug)]
pub enum Opening<'t, T> {
    /// Nothing: it goes to this TCP route.
    Serve(Choice<'t, T>),
    /// Its first bytes.
    Peek,
}

/// Where a plain connection goes.
#[derive(Debug)]
pub enum PlainPath<'t, T> {
    /// To a TCP route.
    Tcp(Choice<'t, T>),
    /// To HTTP.
    Http,
}

/// Where a TLS handshake goes.
#[derive(Debug)]
pub enum TlsPath<'t, T> {
    /// To what answers certificate challenges.
    Challenge,
    /// It ends here for HTTPS, by this policy; none is the listener's.
    Https(Option<&'t TlsPolicyId>),
    /// To a TCP route.
    Tcp(Choice<'t, T>),
    /// It is refused: policies of the host disagree.
    Refuse,
}

/// Why a request over TLS does not belong on its connection (421).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdirection {
    /// Its host is another listener's than the handshake's server name.
    Listener,
    /// Its host asks for another TLS policy than the handshake was held by.
    Policy,
}

impl<T: Candidate> EntryTable<T> {
    /// An entry point without listeners and routes.
    pub fn new() -> Self {
        Self {
            listeners: Vec::new(),
            plain: HostMap::default(),
            secure: HostMap::default(),
            tcp: RuleTable::new(Indexed::Sni),
            tcp_tls: RuleTable::new(Indexed::Sni),
            tcp_any: RuleTable::new(Indexed::Sni),
            policies: HostMap::default(),
        }
    }

    /// Adds a listener.
    pub fn listen(&mut self, listener: Arc<Listener>) {
        let at = self.listeners.len();
        let by_host = if listener.security.is_tls() { &mut self.secure } else { &mut self.plain };
        by_host.entry(&listener.host, Vec::new).push(at);
        self.listeners.push(ListenerRoutes { listener, routes: RuleTable::new(Indexed::Host) });
    }

    /// Adds an HTTP route to a listener that is there.
    pub fn serve(&mut self, listener: &ListenerId, route: Arc<T>) {
        let known = self.listeners.iter_mut().find(|known| known.listener.id == *listener);
        known.expect("routes are attached to listeners that are there").routes.insert(route);
    }

    /// Notes which TLS policy a host of an HTTPS route asks for.
    pub fn ask_policy(&mut self, host: &HostPattern, policy: Option<TlsPolicyId>) {
        let slot = self.policies.entry(host, || PolicySlot::Agreed(policy.clone()));
        if *slot != PolicySlot::Agreed(policy) {
            *slot = PolicySlot::Disagreed;
        }
    }

    /// Adds a TCP route for plain connections.
    pub fn carry(&mut self, route: Arc<T>) {
        self.tcp.insert(route);
    }

    /// Adds a TCP route for handshakes; `is_named` where it names server names.
    pub fn carry_tls(&mut self, route: Arc<T>, is_named: bool) {
        if is_named { &mut self.tcp_tls } else { &mut self.tcp_any }.insert(route);
    }

    /// What a connection needs that was accepted just now.
    pub fn opening(&self, subject: &impl Subject) -> Opening<'_, T> {
        let has_tls = !self.tcp_tls.is_empty()
            || !self.tcp_any.is_empty()
            || self.listeners.iter().any(ListenerRoutes::serves_tls);
        let choice = if has_tls { None } else { self.tcp.choose(subject) };
        choice.map_or(Opening::Peek, Opening::Serve)
    }

    /// Where a connection goes that does not begin with a handshake.
    pub fn plain(&self, subject: &impl Subject) -> PlainPath<'_, T> {
        self.tcp.choose(subject).map_or(PlainPath::Http, PlainPath::Tcp)
    }

    /// Where a handshake goes. `subject` tells its server name and protocols.
    pub fn hello(&self, subject: &impl Subject) -> TlsPath<'_, T> {
        if subject.offers(CHALLENGE) {
            return TlsPath::Challenge;
        }
        let name = subject.server_name().unwrap_or_default();
        if let Some(slot) = self.policies.named(name).next() {
            return slot.path();
        }
        if let Some(choice) = self.tcp_tls.choose(subject) {
            return TlsPath::Tcp(choice);
        }
        if let Some(slot) = self.policies.any() {
            return slot.path();
        }
        self.tcp_any.choose(subject).map_or(TlsPath::Https(None), TlsPath::Tcp)
    }

    /// Where a handshake goes that Postgres' own message asked for: to TCP routes only.
    pub fn starttls(&self, subject: &impl Subject) -> Option<Choice<'_, T>> {
        self.tcp_tls.choose(subject).or_else(|| self.tcp_any.choose(subject))
    }

    /// The route of a request, among those of the listeners that serve its host.
    pub fn choose<'t>(&'t self, is_tls: bool, subject: &'t impl Subject) -> Option<Choice<'t, T>> {
        let serving = self.serving(is_tls, subject.host());
        RuleTable::choose_among(serving.map(|at| &self.listeners[at].routes), subject)
    }

    /// Whether a request for `host` came over a handshake for `server_name` that it does not
    /// belong to.
    pub fn misdirection(&self, server_name: &str, host: &str) -> Option<Misdirection> {
        if server_name == host || server_name.is_empty() {
            return None;
        }
        let default = PolicySlot::Agreed(None);
        let policy = |name: &str| self.policies.matching(name).next().unwrap_or(&default).clone();
        if policy(server_name) != policy(host) {
            return Some(Misdirection::Policy);
        }
        let is_gateways = |at: &usize| self.listeners[*at].listener.gateway.is_some();
        let mut ours = self.serving(true, server_name).filter(is_gateways);
        let is_same =
            self.serving(true, host).filter(is_gateways).all(|at| ours.next() == Some(at));
        (!is_same || ours.next().is_some()).then_some(Misdirection::Listener)
    }

    /// The listeners that serve `host`: of each Gateway the most specific one, and the entry
    /// point's own.
    fn serving<'t, 'h>(
        &'t self,
        is_tls: bool,
        host: &'h str,
    ) -> impl Iterator<Item = usize> + Clone + use<'t, 'h, T> {
        let by_host = if is_tls { &self.secure } else { &self.plain };
        let matching = by_host.matching(host).flatten().copied();
        let gateway = |at: usize| &self.listeners[at].listener.gateway;
        let earlier = matching.clone();
        matching.filter(move |at| {
            let mut before = earlier.clone().take_while(|known| known != at);
            !before.any(|known| gateway(known) == gateway(*at))
        })
    }
}

impl<T: Candidate> Default for EntryTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Candidate> ListenerRoutes<T> {
    fn serves_tls(&self) -> bool {
        matches!(self.listener.security, Security::Terminate { .. }) && !self.routes.is_empty()
    }
}

impl PolicySlot {
    fn path<T>(&self) -> TlsPath<'_, T> {
        match self {
            Self::Agreed(policy) => TlsPath::Https(policy.as_ref()),
            Self::Disagreed => TlsPath::Refuse,
        }
    }
}
