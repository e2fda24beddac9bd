//! What an entry point serves: its listeners, the routes of each, and what is decided before a
//! request.
//!
//! The connection table, in its order (Traefik's): where only plain TCP routes are, nothing is
//! peeked at, so that servers that speak first work; a plain connection goes to TCP routes, then
//! to HTTP; a handshake goes to the certificate challenge, to HTTPS routes that name its server
//! name, to TCP routes that name it, to HTTPS routes for every host, to TCP routes for every
//! host, and else to HTTPS, which answers 404. Before all that stand the names that are passed on
//! in the manner of ingress-nginx, which looks at nothing else of such a handshake.
//!
//! A TCP route is for the names of its listener, whatever its rule says.

use std::sync::Arc;

use smallvec::SmallVec;
use steelyard_model::routing::id::{ListenerId, TlsPolicyId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::subject::Subject;
use steelyard_model::routing::tls::TlsPolicy;

use crate::candidate::{Candidate, Indexed};
use crate::choice::Choice;
use crate::host_map::HostMap;
use crate::named::Named;
use crate::policies::{PolicyVotes, Verdict};
use crate::table::RuleTable;

/// Protocol of certificate challenges in a handshake (RFC 8737).
const CHALLENGE: &str = "acme-tls/1";

/// One entry point, ready for lookups. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EntryTable<T> {
    /// Places stay as long as their listener does; one that went leaves a gap to be filled.
    listeners: Vec<Option<ListenerRoutes<T>>>,
    plain: HostMap<Vec<(ListenerId, usize)>>,
    secure: HostMap<Vec<(ListenerId, usize)>>,
    /// TCP routes without TLS.
    tcp: RuleTable<T>,
    /// UDP routes, which say nothing of what is sent.
    udp: RuleTable<T>,
    /// Those whose names are passed on before anybody else is asked.
    ahead: RuleTable<T>,
    /// What HTTPS routes ask of handshakes for their hosts.
    policies: HostMap<PolicyVotes>,
    /// Where these disagree, the default one counts.
    yields: bool,
}

/// Places of listeners that serve one host: an entry point's own, and one of each Gateway.
type Places = SmallVec<[usize; 4]>;

/// A listener and its routes.
#[derive(Clone, Debug)]
struct ListenerRoutes<T> {
    listener: Arc<Listener>,
    http: Arc<RuleTable<T>>,
    /// TCP routes with TLS that are not for every handshake, by their rule or by their listener.
    named: Arc<RuleTable<T>>,
    /// Those that are.
    unnamed: Arc<RuleTable<T>>,
}

/// Which of the tables a route stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stand {
    /// Among the HTTP routes of a listener.
    Http(ListenerId),
    /// Among the TCP routes for plain connections.
    Tcp,
    /// Among the UDP routes.
    Udp,
    /// Among those for handshakes at a listener, that are not for each.
    TcpTls(ListenerId),
    /// Among those that are.
    TcpAny(ListenerId),
    /// Among those for handshakes that are looked at first.
    Ahead,
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
    /// Handshakes for its host are held by another TLS policy, or not here.
    Policy,
}

/// No handshake for requests is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHeld;

impl<T: Candidate> EntryTable<T> {
    /// An entry point without listeners and routes.
    pub(crate) fn new() -> Self {
        Self {
            listeners: Vec::new(),
            plain: HostMap::default(),
            secure: HostMap::default(),
            tcp: RuleTable::new(Indexed::Sni),
            udp: RuleTable::new(Indexed::Sni),
            ahead: RuleTable::new(Indexed::Sni),
            policies: HostMap::default(),
            yields: false,
        }
    }

    /// Adds a listener, without routes.
    pub fn listen(&mut self, listener: Arc<Listener>) {
        self.yields |= listener.yields;
        let gap = self.listeners.iter().position(Option::is_none);
        let at = gap.unwrap_or_else(|| {
            self.listeners.push(None);
            self.listeners.len() - 1
        });
        let place = (listener.id.clone(), at);
        self.by_host(&listener).change(&listener.host, |places| {
            places.push(place);
            places.sort_unstable();
        });
        let table = |indexed| Arc::new(RuleTable::new(indexed));
        let [named, unnamed] = [Indexed::Sni, Indexed::Sni].map(table);
        let http = table(Indexed::Host);
        self.listeners[at] = Some(ListenerRoutes { listener, http, named, unnamed });
    }

    /// Takes out a listener, with its routes.
    pub fn silence(&mut self, listener: &Listener) {
        let at = self.listeners.iter().position(|known| is(known.as_ref(), &listener.id));
        if let Some(at) = at {
            self.listeners[at] = None;
            self.by_host(listener)
                .change(&listener.host, |places| places.retain(|(_, place)| *place != at));
        }
    }

    fn by_host(&mut self, listener: &Listener) -> &mut HostMap<Vec<(ListenerId, usize)>> {
        if listener.security.is_tls() { &mut self.secure } else { &mut self.plain }
    }

    /// The table of a stand, to be changed.
    pub(crate) fn table_mut(&mut self, stand: &Stand) -> &mut RuleTable<T>
    where
        T: Clone,
    {
        match stand {
            Stand::Http(id) => Arc::make_mut(&mut self.listener_mut(id).http),
            Stand::Tcp => &mut self.tcp,
            Stand::Udp => &mut self.udp,
            Stand::TcpTls(id) => Arc::make_mut(&mut self.listener_mut(id).named),
            Stand::TcpAny(id) => Arc::make_mut(&mut self.listener_mut(id).unnamed),
            Stand::Ahead => &mut self.ahead,
        }
    }

    fn listener_mut(&mut self, id: &ListenerId) -> &mut ListenerRoutes<T> {
        let known = self.listeners.iter_mut().flatten().find(|known| known.listener.id == *id);
        known.expect("routes are attached to listeners that are there")
    }

    /// Notes which TLS policy a host of an HTTPS route asks for.
    pub fn ask_policy(&mut self, host: &HostPattern, policy: Option<TlsPolicyId>) {
        self.policies.change(host, |votes| votes.add(policy));
    }

    /// Takes back what [`Self::ask_policy`] noted.
    pub fn withdraw_policy(&mut self, host: &HostPattern, policy: Option<&TlsPolicyId>) {
        self.policies.change(host, |votes| votes.take(policy));
    }

    /// Whether there is no listener.
    pub fn is_silent(&self) -> bool {
        self.listeners.iter().all(Option::is_none)
    }

    /// Whether connections go to different protocols: where not, all go to HTTP as they come.
    pub fn is_divided(&self) -> bool {
        !self.tcp.is_empty() || self.has_tls()
    }

    /// Whether there are TCP routes with TLS.
    pub fn has_tcp_over_tls(&self) -> bool {
        !self.ahead.is_empty() || self.listeners.iter().flatten().any(ListenerRoutes::serves_tcp)
    }

    /// Whether some route is for connections over TLS, or for handshakes.
    pub fn has_tls(&self) -> bool {
        self.has_tcp_over_tls() || self.listeners.iter().flatten().any(ListenerRoutes::serves_tls)
    }

    /// Where TLS ends for a handshake that goes to a TCP route of `listeners`: at the one of them
    /// that `subject` came to, as that says. None where it can have come to none of them.
    pub fn end_of_tls(
        &self,
        subject: &impl Subject,
        listeners: &[ListenerId],
    ) -> Option<&Security> {
        let places = self.taking(subject);
        let mut ours = places.iter().map(|at| &*self.at(*at).listener);
        ours.find(|it| listeners.contains(&it.id)).map(|it| &it.security)
    }

    /// What a connection needs that was accepted just now.
    pub fn opening(&self, subject: &impl Subject) -> Opening<'_, T> {
        let choice = if self.has_tls() { None } else { self.tcp.choose(subject) };
        choice.map_or(Opening::Peek, Opening::Serve)
    }

    /// Where a client's datagrams go.
    pub fn datagrams(&self, subject: &impl Subject) -> Option<Choice<'_, T>> {
        self.udp.choose(subject)
    }

    /// Where a connection goes that does not begin with a handshake.
    pub fn plain(&self, subject: &impl Subject) -> PlainPath<'_, T> {
        self.tcp.choose(subject).map_or(PlainPath::Http, PlainPath::Tcp)
    }

    /// Where a handshake goes. `subject` tells its server name and protocols.
    pub fn hello(&self, subject: &impl Subject) -> TlsPath<'_, T> {
        if let Some(choice) = self.ahead.choose(subject) {
            return TlsPath::Tcp(choice);
        }
        if subject.offers(CHALLENGE) {
            return TlsPath::Challenge;
        }
        let name = subject.server_name().unwrap_or_default();
        if let Some(votes) = self.policies.named(name).next() {
            return self.path(votes);
        }
        let places = self.taking(subject);
        if let Some(choice) = self.choose_tcp(&places, |it| &it.named, subject) {
            return TlsPath::Tcp(choice);
        }
        if let Some(votes) = self.policies.any() {
            return self.path(votes);
        }
        let unnamed = self.choose_tcp(&places, |it| &it.unnamed, subject);
        unnamed.map_or(TlsPath::Https(None), TlsPath::Tcp)
    }

    fn path<'t>(&self, votes: &'t PolicyVotes) -> TlsPath<'t, T> {
        match votes.verdict() {
            Verdict::Agreed(policy) => TlsPath::Https(policy),
            Verdict::Disagreed if self.yields => TlsPath::Https(None),
            Verdict::Disagreed => TlsPath::Refuse,
        }
    }

    /// Where a handshake goes that Postgres' own message asked for: to TCP routes only.
    pub fn starttls(&self, subject: &impl Subject) -> Option<Choice<'_, T>> {
        let places = self.taking(subject);
        self.ahead
            .choose(subject)
            .or_else(|| self.choose_tcp(&places, |it| &it.named, subject))
            .or_else(|| self.choose_tcp(&places, |it| &it.unnamed, subject))
    }

    fn choose_tcp<'t>(
        &'t self,
        places: &Places,
        table: impl Fn(&'t ListenerRoutes<T>) -> &'t Arc<RuleTable<T>>,
        subject: &impl Subject,
    ) -> Option<Choice<'t, T>> {
        let tables = places.iter().map(|at| &**table(self.at(*at)));
        RuleTable::choose_among(tables, subject)
    }

    /// The route of a request, among those of the listeners that serve its host.
    pub fn choose<'t>(&'t self, is_tls: bool, subject: &impl Subject) -> Option<Choice<'t, T>> {
        let places = self.serving(is_tls, subject.host());
        RuleTable::choose_among(places.iter().map(|at| self.routes(*at)), subject)
    }

    /// The same without how it was chosen.
    pub(crate) fn serves<'t>(&'t self, is_tls: bool, subject: &impl Subject) -> Option<&'t Arc<T>> {
        self.choose(is_tls, subject).map(|choice| choice.candidate)
    }

    /// The HTTP routes of the listeners that serve `host`.
    pub(crate) fn tables<'t>(
        &'t self,
        is_tls: bool,
        host: &str,
    ) -> impl Iterator<Item = &'t RuleTable<T>> + use<'t, T> {
        self.serving(is_tls, host).into_iter().map(|at| self.routes(at))
    }

    /// By which policy handshakes for requests are held that name `server_name`; an error where
    /// there are none, since they are passed on or refused.
    pub fn policy(&self, server_name: &str) -> Result<Option<&TlsPolicyId>, NotHeld> {
        if !self.ahead.is_empty() && self.ahead.choose(&Named(server_name, None)).is_some() {
            return Err(NotHeld);
        }
        let votes = self.policies.matching(server_name).next();
        match votes.map_or(Verdict::Agreed(None), PolicyVotes::verdict) {
            Verdict::Agreed(policy) => Ok(policy),
            Verdict::Disagreed if self.yields => Ok(None),
            Verdict::Disagreed => Err(NotHeld),
        }
    }

    /// Whether a route that names `wanted` (none is the usual terms) wants certificates of clients
    /// which a handshake for `server_name` does not ask for, since another route says more exactly
    /// how those are held. `policy` is what `wanted` stands for; where one that has a name is not
    /// known, it may want some.
    pub fn is_unasked(
        &self,
        server_name: &str,
        wanted: Option<&TlsPolicyId>,
        policy: Option<&TlsPolicy>,
    ) -> bool {
        let shuts_out = policy.map_or_else(|| wanted.is_some(), |it| it.clients.shuts_out());
        shuts_out && self.policy(server_name) != Ok(wanted)
    }

    /// Whether a request for `host` came over a handshake for `server_name` that it does not
    /// belong to.
    pub fn misdirection(&self, server_name: &str, host: &str) -> Option<Misdirection> {
        if server_name == host {
            return None;
        }
        if self.policy(server_name) != self.policy(host) {
            return Some(Misdirection::Policy);
        }
        // Who named nobody has come by the terms for every name, and to no listener in particular.
        if server_name.is_empty() {
            return None;
        }
        let is_gateways = |at: &usize| self.at(*at).listener.gateway.is_some();
        let ours = self.serving(true, server_name).into_iter().filter(is_gateways);
        let theirs = self.serving(true, host).into_iter().filter(is_gateways);
        ours.ne(theirs).then_some(Misdirection::Listener)
    }

    fn routes(&self, place: usize) -> &RuleTable<T> {
        &self.at(place).http
    }

    fn at(&self, place: usize) -> &ListenerRoutes<T> {
        self.listeners[place].as_ref().expect("hosts lead to listeners that are there")
    }

    /// The listeners that serve `host`: of each Gateway the most specific one, and the entry
    /// point's own that has requests.
    fn serving(&self, is_tls: bool, host: &str) -> Places {
        let by_host = if is_tls { &self.secure } else { &self.plain };
        self.found(by_host, host, |it| it.gateway.is_some() || it.security != Security::Passthrough)
    }

    /// The listeners that a handshake comes to: of each Gateway the most specific one, and the
    /// entry point's own.
    fn taking(&self, subject: &impl Subject) -> Places {
        self.found(&self.secure, subject.server_name().unwrap_or_default(), |_| true)
    }

    fn found(
        &self,
        by_host: &HostMap<Vec<(ListenerId, usize)>>,
        host: &str,
        is_it: impl Fn(&Listener) -> bool,
    ) -> Places {
        let listener = |at: usize| &*self.at(at).listener;
        // Of the entry point's own, one that passes handshakes on stands beside one that ends them.
        let whose = |at: usize| {
            let Listener { gateway, security, .. } = listener(at);
            (gateway.as_deref(), gateway.is_none() && *security == Security::Passthrough)
        };
        let is_hidden =
            |found: &Places, at: usize| found.iter().any(|before| whose(*before) == whose(at));
        let mut found = Places::new();
        by_host.visit(host, &mut |places| {
            for (_, at) in places {
                if is_it(listener(*at)) && !is_hidden(&found, *at) {
                    found.push(*at);
                }
            }
        });
        found
    }
}

impl<T: Candidate> Default for EntryTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Candidate> ListenerRoutes<T> {
    fn serves_tls(&self) -> bool {
        matches!(self.listener.security, Security::Terminate { .. }) && !self.http.is_empty()
    }

    fn serves_tcp(&self) -> bool {
        !self.named.is_empty() || !self.unnamed.is_empty()
    }
}

fn is<T>(known: Option<&ListenerRoutes<T>>, id: &ListenerId) -> bool {
    known.is_some_and(|known| known.listener.id == *id)
}
