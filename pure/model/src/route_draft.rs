//! What a dialect makes of an object that asks to be routed: drafts, whose backends are still
//! names. The join finds the Services and makes [`crate::routing::route::Route`]s of them.

use std::sync::{Arc, LazyLock};

use crate::balance_draft::BalanceDraft;
use crate::diagnostic::Diagnostic;
use crate::labels::Labels;
use crate::link::ObjectLink;
use crate::object::{NamespacedName, ObjectRef, Provenance};
use crate::routing::asked::AskedUrl;
use crate::routing::backend::{CanaryAffinity, CanaryChoice, RefusalReason};
use crate::routing::filter::Filter;
use crate::routing::filter::nginx::{NginxAim, NginxClients};
use crate::routing::id::{EntryPointId, RouteId};
use crate::routing::matcher::Matcher;
use crate::routing::observability::Observability;
use crate::routing::pattern::{HostPattern, PathShape};
use crate::routing::rank::Rank;
use crate::routing::rule::Rule;
use crate::routing::times::RouteTimeouts;
use crate::routing::tls::TlsVersion;
use crate::routing::transport::OriginScheme;
use crate::routing::variables::PlaceWord;

/// What one object (an Ingress) asks to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSet {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `metadata.creationTimestamp`: of two equal routes the older object's wins.
    pub created: Option<Arc<str>>,
    /// `spec.ingressClassName`, else the class annotation. None means any.
    pub class: Option<ClassName>,
    /// Whether it has the labels that Traefik's provider asks for (`labelSelector`).
    pub is_labelled: bool,
    /// Its routes, in order of the object.
    pub routes: Vec<RouteDraft>,
    /// Why none of them is served, whoever reads it: a field of nobody's closes something.
    pub refusal: Option<RefusalReason>,
    /// What its annotations come to, by who reads them.
    pub readings: ClassReadings,
    /// Secrets it names for TLS.
    pub tls_secrets: Vec<TlsSecret>,
    /// Where it asks for TLS, with or without a Secret.
    pub tls: Option<Provenance>,
}

/// A Secret that is named for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSecret {
    /// The Secret.
    pub secret: NamespacedName,
    /// Hosts that its certificate is wanted for, as written.
    pub hosts: Vec<Arc<str>>,
    /// Where it is named.
    pub place: Provenance,
}

/// What annotations come to, by whose words they are in: only what the class of an object reads
/// counts, and is told. Readings that come to the same are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassReadings {
    /// Traefik's.
    pub traefik: Arc<ClassReading>,
    /// ingress-nginx's.
    pub nginx: Arc<ClassReading>,
    /// Both: of a class of our own, and where no class is named.
    pub both: Arc<ClassReading>,
}

/// What annotations come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassReading {
    /// Why the routes are not served: something restricts access and is not honoured.
    pub refusal: Option<RefusalReason>,
    /// Entry points; empty means the default ones.
    pub entry_points: Vec<EntryPointId>,
    /// The routes are for TLS only, wherever they are.
    pub is_tls: bool,
    /// Whether who asks in plain is led to TLS, where that is served; none leaves it to the class.
    pub redirects: Option<bool>,
    /// The same whether TLS is asked for or not.
    pub always_redirects: bool,
    /// What is spoken to its backends, whatever they say.
    pub scheme: Option<OriginScheme>,
    /// How TLS is spoken to them, where it is.
    pub origin_tls: Option<Box<OriginTlsDraft>>,
    /// The terms by which handshakes for its hosts are held; none is the listener's.
    pub tls_options: Option<Box<ObjectLink>>,
    /// What its requests pass, outermost first.
    pub filters: Vec<ObjectLink>,
    /// What its requests pass by its own words, in the order in which they are passed.
    pub passes: Vec<OwnFilter>,
    /// Names and passwords that are asked for.
    pub password: Option<Box<PasswordDraft>>,
    /// By which certificates clients are let in.
    pub clients: Option<Box<ClientsDraft>>,
    /// Who passes one of those that say who may pass, passes all of them.
    pub satisfies_any: bool,
    /// How endpoints are chosen.
    pub balance: Option<Box<BalanceDraft>>,
    /// What only ingress-nginx's words ask for.
    pub nginx: Option<Box<NginxReading>>,
    /// Its backends stand beside those of another Ingress.
    pub canary: Option<Box<CanaryDraft>>,
    /// In words of ingress-nginx: paths of all its hosts are regular expressions.
    pub has_expressions: bool,
    /// Where it asks that handshakes for its hosts are passed on to its backends as they come.
    pub passthrough: Option<Provenance>,
    /// The routes only stand in for others (a canary) and are not there.
    pub is_unserved: bool,
    /// The number of its routes, whatever their rules are like.
    pub number: Option<i64>,
    /// What is told of requests.
    pub observability: Observability,
    /// How paths are compared whose type leaves that open; none is by elements.
    pub open_paths: Option<OpenPath>,
    /// Annotations in words of ingress-nginx, as they are written: what its ConfigMap forbids is
    /// looked for in them.
    pub written: Option<Arc<Labels>>,
    /// What there is to say.
    pub said: Vec<Diagnostic>,
}

/// What ingress-nginx's annotations ask for, as far as it takes other objects to do it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxReading {
    /// Other names of its hosts (`server-alias`), and where they are written.
    pub aliases: Option<(Vec<Matcher>, Provenance)>,
    /// The host beside each of its own, with `www.` or without, leads there.
    pub leads_www: bool,
    /// Where who asks for `/` of its hosts is led.
    pub root: Option<Filter>,
    /// A slash at the end stays where who asks in plain is led to TLS.
    pub keeps_slash: Option<bool>,
    /// And the port is said.
    pub says_port: Option<bool>,
    /// Redirections to the same site are paths and no URLs (`relative-redirects`).
    pub leads_relatively: Option<bool>,
    /// How long what may take.
    pub timeouts: RouteTimeouts,
    /// Its requests are not logged (`enable-access-log: "false"`).
    pub is_unlogged: bool,
    /// Services are asked at their own address.
    pub asks_services: Option<bool>,
    /// Endpoints are spoken to as clients have asked: in plain, or over TLS.
    pub speaks_as_asked: bool,
    /// The ConfigMap that has lines of its answers.
    pub headers: Option<(NamespacedName, Provenance)>,
    /// The Service that answers where its own cannot, by its first port.
    pub default_backend: Option<(NamespacedName, Provenance)>,
    /// Statuses for which that one is asked for a page.
    pub errors: Option<Vec<u16>>,
    /// But not where a backend answers with them.
    pub keeps_errors: Option<bool>,
    /// What requests of all locations pass, by name, and those of this one do not.
    pub without: Vec<&'static str>,
    /// The ConfigMap that has lines for who is asked who may pass (`auth-proxy-set-headers`).
    pub asked_headers: Option<(NamespacedName, Provenance)>,
    /// Who is asked about all else is not asked about these (`enable-global-auth: "false"`).
    pub asks_nobody: bool,
    /// Who gets copies of its requests.
    pub mirror: Option<Box<MirrorDraft>>,
}

/// Who gets copies of requests, and what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorDraft {
    /// Whom they are sent to.
    pub address: AskedUrl,
    /// By which name, and for what they ask.
    pub aim: NginxAim,
    /// They have the bodies.
    pub has_body: bool,
    /// Where it is written.
    pub place: Provenance,
}

/// A filter that an Ingress's own words make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFilter {
    /// When it is passed.
    pub phase: PassPhase,
    /// Its name, within the object.
    pub name: Arc<str>,
    /// What it does.
    pub filter: Filter,
    /// The route whose requests pass it; none is each of them.
    pub of: Option<RouteId>,
    /// Whose requests do not.
    pub spares: Option<Rule>,
}

impl OwnFilter {
    /// One that all requests pass.
    pub fn new(phase: PassPhase, name: &str, filter: Filter) -> Self {
        Self { phase, name: name.into(), filter, of: None, spares: None }
    }
}

/// Names and passwords that are asked for; they are in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordDraft {
    /// Which.
    pub secret: NamespacedName,
    /// Where it is named.
    pub place: Provenance,
    /// Each key is a name, and its value a hash; else there are lines of both under `auth`.
    pub is_map: bool,
    /// What it is for.
    pub realm: Arc<str>,
    /// Not the password is asked for but a proof of it.
    pub is_digest: bool,
}

/// By which certificates clients are let in, to all paths of the hosts; who signs them is in a
/// Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientsDraft {
    /// Which; none where what is written names none.
    pub secret: Option<NamespacedName>,
    /// Where it is named.
    pub place: Provenance,
    /// Certificates between a client's own and theirs, at most.
    pub depth: usize,
    /// What becomes of clients; who they are judged by is looked up.
    pub clients: NginxClients,
}

/// Who goes to the backends of an Ingress that stand beside those of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryDraft {
    /// Who goes there.
    pub by: CanaryChoice,
    /// Who was sent there once.
    pub affinity: CanaryAffinity,
}

/// When a filter is passed: in ingress-nginx's order, which is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassPhase {
    /// Around all else: headers of all answers, preflights.
    Around,
    /// Pages of errors that happen inside of it, and what is looked at before anything is done.
    Before,
    /// Redirections of a location; after it who asks in plain is led to TLS.
    Return,
    /// How many, and how often.
    Limit,
    /// Who may pass, by address; passwords are asked for after it.
    Access,
    /// Somebody else is asked who may pass.
    Asked,
    /// What is sent on.
    Content,
}

/// How a path is compared, in Traefik's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenPath {
    /// As a whole.
    Path,
    /// As a regular expression that is found in it.
    PathRegexp,
}

impl ClassReading {
    /// Itself; nothing, which nearly all annotations come to, lies in memory once.
    pub fn shared(self) -> Arc<Self> {
        static NOTHING: LazyLock<Arc<ClassReading>> = LazyLock::new(Arc::default);
        if self == **NOTHING { NOTHING.clone() } else { Arc::new(self) }
    }
}

/// How TLS is spoken to backends; what it takes for that is in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginTlsDraft {
    /// Whom to believe (`ca.crt`), and what to show when asked (`tls.crt`, `tls.key`).
    pub secret: NamespacedName,
    /// Where it is named.
    pub place: Provenance,
    /// Whether certificates are verified.
    pub is_verified: bool,
    /// The name that they must be for.
    pub server_name: Arc<str>,
    /// Whether that name is asked for.
    pub sends_name: bool,
    /// Lowest and highest version.
    pub versions: (TlsVersion, TlsVersion),
}

/// A class name and the place it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassName {
    /// The class.
    pub name: String,
    /// Where it is written.
    pub place: Provenance,
}

/// A route whose backend is still a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteDraft {
    /// Its id: namespace, object name, index in the object, dialect.
    pub id: RouteId,
    /// The part of the object that asks for it.
    pub place: Provenance,
    /// What must hold.
    pub rule: Arc<Rule>,
    /// Its place in the order.
    pub rank: Rank,
    /// The path as it is written, where what must hold does not say it: with a slash at its end, or
    /// of a type that leaves open how it is compared.
    pub path: Option<Arc<str>>,
    /// Whether its type leaves that open (ImplementationSpecific).
    pub is_open: bool,
    /// Where requests go; none where something else than a Service is named.
    pub backend: Option<BackendRef>,
}

impl RouteDraft {
    /// What a word of a location is for requests of it, which is of the object `of`.
    pub fn says(&self, of: &NamespacedName, word: PlaceWord) -> String {
        let backend = self.backend.as_ref();
        let service = || backend.map(|it| it.service.name.to_string()).unwrap_or_default();
        let port = || match backend.map(|it| &it.port) {
            Some(PortRef::Number(number)) => number.to_string(),
            Some(PortRef::Name(name)) => name.to_string(),
            Some(PortRef::First) | None => String::new(),
        };
        match word {
            PlaceWord::Namespace => of.namespace.to_string(),
            PlaceWord::Ingress => of.name.to_string(),
            PlaceWord::Service => service(),
            PlaceWord::ServicePort => port(),
            PlaceWord::Upstream => format!("{}-{}-{}", of.namespace, service(), port()),
            PlaceWord::Path => self.written().to_string(),
        }
    }

    /// Its path as it is written; `/` where none is.
    pub fn written(&self) -> Arc<str> {
        let kept = || self.path.clone().filter(|path| !path.is_empty());
        let known = || match &self.rule.path()?.shape {
            PathShape::Exact(text) | PathShape::Elements(text) | PathShape::Bytes(text) => {
                Some(text.clone()).filter(|text| !text.is_empty())
            }
            PathShape::Regex(_) => None,
        };
        kept().or_else(known).unwrap_or_else(|| "/".into())
    }

    /// The server names whose handshakes go where it leads, where they are passed on: those of the
    /// host whose root it is, as with ingress-nginx.
    pub fn passed_on(&self) -> Option<&HostPattern> {
        let is_root = self.rule.path().is_some_and(|path| match &path.shape {
            PathShape::Exact(path) | PathShape::Bytes(path) => **path == *"/",
            PathShape::Elements(path) => path.is_empty(),
            PathShape::Regex(_) => false,
        });
        Some(self.rule.host()).filter(|host| is_root && **host != HostPattern::Any)
    }
}

/// A Service and port named by a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendRef {
    /// The Service.
    pub service: NamespacedName,
    /// Its port.
    pub port: PortRef,
    /// Where it is named.
    pub place: Provenance,
}

/// A Service port by number or name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortRef {
    /// By number.
    Number(u16),
    /// By name.
    Name(String),
    /// The first that it has.
    First,
}

/// An IngressClass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressClass {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `spec.controller`.
    pub controller: String,
    /// Annotation `ingressclass.kubernetes.io/is-default-class`.
    pub is_default: bool,
}
