//! Where requests end: a tree, whose leaves answer and whose inner nodes choose.

use std::fmt;
use std::sync::Arc;

use crate::endpoint::Endpoint;
use crate::object::{NamespacedName, Provenance};
use crate::routing::care::Care;
pub use crate::routing::cookie::SameSite;
use crate::routing::filter::Use;
use crate::routing::id::{BackendId, EndpointSetId, TransportId};
use crate::routing::pattern::Expression;

/// A backend with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendNode {
    /// Its name: the object and place that define it.
    pub id: BackendId,
    /// The part of an object that asks for it; none where it is a Service's.
    pub place: Option<Provenance>,
    /// The Service and its port that it stands for, where it is one, as its users wrote it.
    pub service: Option<(NamespacedName, u16)>,
    /// What it does.
    pub backend: Backend,
}

/// What a backend does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Sends to one of a set of endpoints.
    Endpoints(Endpoints),
    /// Answers by itself.
    Answer(FixedAnswer),
    /// A service of the program itself.
    Internal(Internal),
    /// Answers that it must not serve: the one place where what restricts and cannot be honoured
    /// ends.
    Refused {
        /// The status: 503 unless the dialect's own word is another (500 for an invalid
        /// backendRef).
        status: u16,
        /// Why.
        why: RefusalReason,
        /// Where requests would go otherwise, by its name, be it there or not: for people to read,
        /// never asked.
        instead_of: Option<BackendId>,
    },
    /// Shares requests by weight.
    Weighted {
        /// Among these; an edge of weight 0 takes none.
        edges: Vec<Edge>,
        /// Who was here before goes the same way.
        sticky: Option<Sticky>,
    },
    /// Sends to one and copies to others, whose answers are dropped.
    Mirror {
        /// Who answers.
        main: Edge,
        /// Who gets copies, and of how many requests in a hundred.
        copies: Vec<(Edge, u8)>,
        /// Whether bodies are copied, and up to which size; a larger one is not copied at all.
        body: CopiedBody,
    },
    /// Sends to the second when the first cannot.
    Failover {
        /// The first.
        primary: Edge,
        /// The second.
        fallback: Box<Edge>,
        /// Statuses of the first by which the second is asked, beside none being ready; ranges.
        statuses: Vec<(u16, u16)>,
        /// Largest body, in bytes, that is kept for asking again; none is any.
        replay: Option<u64>,
    },
    /// Chooses by the client's address, so that few move when one goes (highest random weight).
    Rendezvous {
        /// Among these.
        edges: Vec<Edge>,
    },
    /// Sends those who ask for it, or a share, to the new one.
    Canary {
        /// The present one.
        main: Edge,
        /// The new one.
        canary: Box<Edge>,
        /// Who goes there.
        by: Box<CanaryChoice>,
        /// Who was sent to the canary once.
        affinity: CanaryAffinity,
        /// The part of an object that asks for the new one.
        place: Box<Provenance>,
    },
}

/// Endpoints, and how one of them is chosen and spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Which.
    pub set: EndpointSetId,
    /// How one is chosen.
    pub algorithm: Algorithm,
    /// Who was here before goes the same way.
    pub sticky: Option<Box<Sticky>>,
    /// How they are looked after.
    pub care: Arc<Care>,
    /// How it is spoken to.
    pub transport: TransportId,
    /// Whose name it is asked by.
    pub host: SentHost,
    /// What stands before the path that is asked for; it begins with a slash, and ends with none.
    pub below: Option<Arc<str>>,
}

/// The Host that endpoints are asked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SentHost {
    /// The one that the client asks for, as filters leave it.
    #[default]
    Client,
    /// The endpoint's own: its name or address, with its port where that is not the usual one of
    /// what is spoken (Traefik's `passHostHeader: false`).
    Endpoint,
}

/// How an endpoint is chosen. Small: nearly all of thousands of backends choose in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// One after the other, by weight.
    #[default]
    RoundRobin,
    /// The less busy of two drawn at random.
    TwoChoices,
    /// The least busy.
    Least,
    /// The one that answers soonest.
    LeastTime,
    /// The one of two drawn at random that answers sooner.
    PeakEwma,
    /// By a table of hashes: what has one key stays together.
    Maglev(Box<HashKey>),
    /// By the highest random weight: the same, and fewest move when one goes.
    Rendezvous(Box<HashKey>),
    /// What has one key stays within so many of them, drawn at random there.
    Subset(Box<HashKey>, u32),
}

/// What is the same for requests that stay together. A request that has nothing of it goes
/// anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashKey {
    /// The client's address.
    #[default]
    Client,
    /// A header, by its lower-case name.
    Header(Arc<str>),
    /// A cookie.
    Cookie(Arc<str>),
    /// Path and query, as they came.
    Target,
    /// A parameter of the query, as it came; its name in any case.
    Query(Arc<str>),
    /// The host that is asked.
    Host,
    /// This text.
    Text(Arc<str>),
    /// All of these, one behind the other.
    All(Vec<Self>),
}

/// One way on from an inner backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Where to.
    pub backend: BackendId,
    /// Its share.
    pub weight: u32,
    /// What requests on it pass.
    pub uses: Vec<Use>,
}

/// A cookie that leads back (RFC 6265 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// Its name.
    pub cookie: Arc<str>,
    /// What it says of an endpoint.
    pub says: StickyValue,
    /// `Path`; none leaves that to clients.
    pub path: Option<Arc<str>>,
    /// `Domain`; none is the host that was asked.
    pub domain: Option<Arc<str>>,
    /// Seconds, `Max-Age`: none lasts as long as the session, 0 and less deletes it.
    pub max_age: Option<i64>,
    /// Seconds until `Expires`; none does not say it.
    pub expires: Option<i64>,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `Secure`.
    pub secure: StickySecurity,
    /// `SameSite`; none says nothing of it.
    pub same_site: Option<SameSite>,
    /// `SameSite=None` is not said to who takes it for something else.
    pub spares_old: bool,
    /// Who is served by another endpoint, since his own fails, comes back to that one later.
    pub stays_on_failure: bool,
}

/// What a cookie says of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StickyValue {
    /// Which it is, as Traefik writes it.
    #[default]
    Server,
    /// A key by which the endpoint is chosen each time: when others come, a part moves to them
    /// (nginx, `balanced`).
    Key,
    /// Which it is, for as long as it is there (nginx, `persistent`).
    Endpoint,
}

/// Whether a cookie is for TLS only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StickySecurity {
    /// It is not.
    #[default]
    Open,
    /// It is.
    Secure,
    /// It is where it is set over TLS.
    AsAsked,
}

impl Sticky {
    /// A cookie of this name, for the whole site and as long as the session.
    pub fn named(cookie: impl Into<Arc<str>>) -> Self {
        Self {
            cookie: cookie.into(),
            says: StickyValue::default(),
            path: Some("/".into()),
            domain: None,
            max_age: None,
            expires: None,
            http_only: false,
            secure: StickySecurity::default(),
            same_site: None,
            spares_old: false,
            stays_on_failure: false,
        }
    }
}

/// An answer made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedAnswer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Body.
    pub body: Arc<str>,
}

/// A service of the program itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Internal {
    /// `api@internal`.
    Api,
    /// `dashboard@internal`.
    Dashboard,
    /// `ping@internal`.
    Ping,
    /// `prometheus@internal`.
    Prometheus,
    /// `noop@internal`.
    Noop,
    /// Tokens of certificate challenges.
    Challenge,
}

/// Whether mirrored requests have their body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopiedBody {
    /// They have none.
    Without,
    /// They have it, unless it is larger than so many bytes.
    UpTo(Option<u64>),
}

/// Who goes to a canary: the first of these that decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CanaryChoice {
    /// A header by its lower-case name, and which of its values ask for the canary.
    pub header: Option<(Arc<str>, CanaryValue)>,
    /// A cookie: `always` and `never`.
    pub cookie: Option<Arc<str>>,
    /// So many of so many.
    pub weight: (u32, u32),
}

/// Which values of a header ask for the canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryValue {
    /// `always` does, `never` forbids, others leave it open.
    AlwaysOrNever,
    /// This one does, others leave it open.
    Exact(Arc<str>),
    /// Those that match do, others leave it open.
    Regex(Expression),
    /// None does, and nothing is left open: an expression that cannot be read.
    Nothing,
}

/// What a session cookie means to a canary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CanaryAffinity {
    /// Who was there stays there.
    #[default]
    Sticky,
    /// Each request is decided anew.
    Legacy,
}

/// Endpoints: all that churns, once, however many backends look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSet {
    /// Its name.
    pub id: EndpointSetId,
    /// Where its endpoints come from.
    pub origin: EndpointOrigin,
    /// Sorted, also those that are not ready, each with its share.
    pub endpoints: Vec<(Endpoint, u32)>,
    /// Those that are ready and take no requests here, since they are meant for other zones.
    pub elsewhere: Vec<Endpoint>,
}

/// Where endpoints come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointOrigin {
    /// A port of a Service.
    Service(NamespacedName, u16),
    /// Written as they are: ExternalName, the file provider, URLs of filters.
    Literal(Provenance),
    /// The addresses of a DNS name.
    Name(Arc<str>, u16),
}

/// Why a route answers that it must not serve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalReason {
    /// A setting that restricts access is not honoured, or cannot be read: its place.
    Restriction(Provenance),
    /// A filter cannot be built: its place.
    Filter(Provenance),
    /// What is named does not exist or may not be named: the place that names it.
    Reference(Provenance),
    /// The object has a mistake, and no version of it is known that has none: its place.
    Mistake(Provenance),
    /// TLS policies of one host disagree, and one of them asks for clients' certificates.
    TlsPolicies(Arc<str>),
    /// Whichever way is gone from its backend, it leads back to where it was.
    Round,
}

impl EndpointSet {
    /// Its endpoints as requests of this zone see them: of those that are ready the ones that are
    /// meant for it. None where all count alike: where one that is ready is meant for no zone in
    /// particular, or none for this one.
    pub fn within(&self, zone: &str) -> Option<Self> {
        let is_meant = |it: &Endpoint| {
            it.zones.as_ref().is_some_and(|zones| zones.iter().any(|name| **name == *zone))
        };
        let ready = || self.endpoints.iter().map(|(it, _)| it).filter(|it| it.is_ready());
        let counts = ready().all(|it| it.zones.is_some()) && ready().any(is_meant);
        if !counts {
            return None;
        }
        let stays = |(it, _): &(Endpoint, u32)| !it.is_ready() || is_meant(it);
        let (endpoints, others) = self.endpoints.iter().cloned().partition(stays);
        let others: Vec<(Endpoint, u32)> = others;
        let elsewhere = others.into_iter().map(|(endpoint, _)| endpoint).collect();
        Some(Self { id: self.id.clone(), origin: self.origin.clone(), endpoints, elsewhere })
    }
}

impl SentHost {
    /// That of the client where it passes, else the endpoint's.
    pub fn passing(passes: bool) -> Self {
        if passes { Self::Client } else { Self::Endpoint }
    }
}

impl Endpoints {
    /// Those of `set` in turn, spoken to by `transport`; no more is asked of them.
    pub fn in_turn(set: EndpointSetId, transport: TransportId) -> Self {
        Self {
            set,
            algorithm: Algorithm::RoundRobin,
            sticky: None,
            care: Care::usual(),
            transport,
            host: SentHost::Client,
            below: None,
        }
    }
}

impl Backend {
    /// The ways on from it; none from a leaf.
    pub fn edges(&self) -> Vec<&Edge> {
        match self {
            Self::Endpoints(_) | Self::Answer(_) | Self::Internal(_) | Self::Refused { .. } => {
                Vec::new()
            }
            Self::Weighted { edges, .. } | Self::Rendezvous { edges } => edges.iter().collect(),
            Self::Mirror { main, copies, .. } => {
                std::iter::once(main).chain(copies.iter().map(|(edge, _)| edge)).collect()
            }
            Self::Failover { primary, fallback, .. } => vec![primary, fallback],
            Self::Canary { main, canary, .. } => vec![main, canary],
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restriction(place) => match place.field.as_annotation() {
                Some(key) => write!(f, "annotation `{key}` is not honoured"),
                None => write!(f, "field `{}` is not honoured", place.field),
            },
            Self::Filter(place) => {
                write!(f, "{} {} cannot be built", place.object, place.field.0)
            }
            Self::Reference(place) => {
                write!(f, "{} {} leads to nothing", place.object, place.field.0)
            }
            Self::Mistake(place) if place.field.0.is_empty() => {
                write!(f, "{} has a mistake", place.object)
            }
            Self::Mistake(place) => write!(f, "{} {} has a mistake", place.object, place.field.0),
            Self::TlsPolicies(host) => write!(f, "TLS policies of {host} disagree"),
            Self::Round => f.write_str("its services lead back to each other, and to nobody else"),
        }
    }
}
