//! Nouns with few words. What a case does not say is as plain as can be.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::routing::backend::{
    Algorithm, Backend, Edge, Endpoints, FixedAnswer, SentHost, Sticky,
};
use steelyard_model::routing::care::Care;
use steelyard_model::routing::filter::{Filter, Use};
use steelyard_model::routing::id::ListenerId;
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::observability::Observability;
use steelyard_model::routing::pattern::{Expression, HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::{FieldPath, ObjectRef, Provenance};

/// Everything a case consists of.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) backends: BTreeMap<String, Backend>,
    pub(crate) filters: BTreeMap<String, Filter>,
}

impl Draft {
    /// A case with the entry points' own listeners: `web`, plain, and `websecure`, TLS.
    pub(crate) fn new() -> Self {
        Self::default().listener(plain("web")).listener(tls("websecure"))
    }

    pub(crate) fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    pub(crate) fn route(mut self, route: Route) -> Self {
        self.routes.push(Arc::new(route));
        self
    }

    pub(crate) fn backend(mut self, id: &str, backend: Backend) -> Self {
        self.backends.insert(id.into(), backend);
        self
    }

    pub(crate) fn filter(mut self, id: &str, filter: Filter) -> Self {
        self.filters.insert(id.into(), filter);
        self
    }
}

pub(crate) fn place(text: &str) -> Provenance {
    Provenance {
        object: Arc::new(ObjectRef::new("Test", "default", text)),
        field: FieldPath::root(),
    }
}

pub(crate) fn plain(entry_point: &str) -> Listener {
    Listener::new(entry_point.into(), entry_point.into(), Security::Plain)
}

pub(crate) fn tls(entry_point: &str) -> Listener {
    let security = Security::Terminate { policy: None, certificates: Vec::new() };
    Listener { security, ..plain(entry_point) }
}

/// A listener of a Gateway.
pub(crate) fn section(
    listener: Listener,
    gateway: &str,
    name: &str,
    host: HostPattern,
) -> Listener {
    let id = ListenerId::from(format!("{}/{gateway}/{name}", listener.entry_point));
    Listener { id, host, gateway: Some(gateway.into()), ..listener }
}

pub(crate) fn uses(filters: &[&str]) -> Vec<Use> {
    let one = |filter: &&str| Use { filter: (*filter).into(), state: (*filter).into() };
    filters.iter().map(one).collect()
}

/// An HTTP route of the specific ladder on `listener`, to the backend of its own name.
pub(crate) fn route(id: &str, listener: &str, rule: Rule) -> Route {
    Route {
        id: id.into(),
        place: place(id),
        kind: RouteKind::Http,
        listeners: vec![listener.into()],
        rank: rank(id, &rule),
        rule: rule.into(),
        uses: Vec::new(),
        to: Destination::Backend(id.into()),
        timeouts: None,
        manner: Manner::Traefik,
        tls_policy: None,
        observability: Observability::default(),
    }
}

/// A route of the priority ladder: its number is the length of the rule unless it is said.
pub(crate) fn by_priority(mut route: Route, number: Option<i64>) -> Route {
    route.rank.ladder = Ladder::Priority;
    let length = i64::try_from(route.rule.to_string().len()).expect("a short rule");
    route.rank.number = number.unwrap_or(length);
    route
}

/// A TCP route.
pub(crate) fn tcp(id: &str, listener: &str, rule: Rule) -> Route {
    Route { kind: RouteKind::Tcp, ..route(id, listener, rule) }
}

/// How narrow a rule is, as the dialects of the specific ladder rank it.
fn rank(id: &str, rule: &Rule) -> Rank {
    let mut specific = Specificity::new(HostSpecificity::Any, PathSpecificity::Length(Reverse(0)));
    let conditions = match rule {
        Rule::All(rules) => rules.as_slice(),
        one => std::slice::from_ref(one),
    };
    for condition in conditions {
        let Rule::One(matcher) = condition else { continue };
        narrow(&mut specific, matcher);
    }
    Rank {
        ladder: Ladder::Specific,
        number: i64::try_from(rule.to_string().len()).expect("a short rule"),
        specific,
        provider: 0,
        created: None,
        object: format!("default/{id}").into(),
        index: 0,
    }
}

fn narrow(specific: &mut Specificity, matcher: &Matcher) {
    let length = |text: &str| Reverse(u16::try_from(text.len()).expect("a short text"));
    match matcher {
        Matcher::Host(HostPattern::Exact(_)) => specific.host = HostSpecificity::Exact,
        Matcher::Host(HostPattern::Label(suffix) | HostPattern::Labels(suffix)) => {
            specific.host = HostSpecificity::Wildcard(length(suffix));
        }
        Matcher::Path(pattern) => {
            specific.path = match &pattern.shape {
                PathShape::Exact(_) => PathSpecificity::Exact,
                PathShape::Elements(prefix) | PathShape::Bytes(prefix) => {
                    PathSpecificity::Length(length(prefix))
                }
                PathShape::Regex(expression) => {
                    PathSpecificity::Length(length(expression.source()))
                }
            };
        }
        Matcher::Method(_) => specific.method = Reverse(true),
        Matcher::Header(..) => specific.headers.0 += 1,
        Matcher::Query(..) => specific.query.0 += 1,
        _ => {}
    }
}

pub(crate) fn all(rules: Vec<Rule>) -> Rule {
    Rule::All(rules)
}

/// `a.b`, `*.b` for one label, `**.b` for many.
pub(crate) fn pattern(host: &str) -> HostPattern {
    match (host.strip_prefix("**."), host.strip_prefix("*.")) {
        (Some(suffix), _) => HostPattern::Labels(suffix.into()),
        (_, Some(suffix)) => HostPattern::Label(suffix.into()),
        _ => HostPattern::Exact(host.into()),
    }
}

pub(crate) fn host(name: &str) -> Rule {
    Rule::One(Matcher::Host(pattern(name)))
}

pub(crate) fn sni(name: &str) -> Rule {
    let pattern = if name == "*" { HostPattern::Any } else { pattern(name) };
    Rule::One(Matcher::Sni(pattern))
}

pub(crate) fn prefix(path: &str) -> Rule {
    Rule::One(Matcher::Path(PathPattern::normal(PathShape::elements(path))))
}

pub(crate) fn exact(path: &str) -> Rule {
    Rule::One(Matcher::Path(PathPattern::normal(PathShape::Exact(path.into()))))
}

/// A location of nginx's regex mode: from the start, whatever the case, of the decoded path.
pub(crate) fn location(path: &str) -> Rule {
    let expression = regex(&format!("(?i)^{path}"));
    Rule::One(Matcher::Path(PathPattern::decoded(PathShape::Regex(expression))))
}

pub(crate) fn regex(source: &str) -> Expression {
    Expression::new(source).expect("the expression is right")
}

pub(crate) fn header(name: &str, value: &str) -> Rule {
    Rule::One(Matcher::Header(name.into(), Values::Exact(value.into())))
}

pub(crate) fn edge(backend: &str, weight: u32) -> Edge {
    Edge { backend: backend.into(), weight, uses: Vec::new() }
}

pub(crate) fn cookie(name: &str) -> Option<Sticky> {
    Some(Sticky::named(name))
}

pub(crate) fn pool(set: &str) -> Backend {
    Backend::Endpoints(Endpoints {
        set: set.into(),
        algorithm: Algorithm::RoundRobin,
        sticky: None,
        care: Care::usual(),
        transport: "plain".into(),
        host: SentHost::Client,
        below: None,
    })
}

pub(crate) fn answer(status: u16) -> Backend {
    Backend::Answer(FixedAnswer { status, headers: Vec::new(), body: "".into() })
}
