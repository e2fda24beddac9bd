//! IngressRoute, IngressRouteTCP and IngressRouteUDP.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest;
use serde::de::DeserializeOwned;
use steelyard_manifest::kinds::{ObjectMeta, traefik as raw};
use steelyard_model::router_draft::{LinkTarget, ObjectLink, RouterDraft, RouterTls};
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::id::{EntryPointId, RouteId};
use steelyard_model::routing::observability::{Observability, VERBOSITIES};
use steelyard_model::routing::rank::{KUBERNETES_CRD, Ladder, Rank};
use steelyard_model::routing::route::RouteKind;
use steelyard_model::{ClassName, FieldPath, Item, NamespacedName, RouterSet, Severity, TlsSecret};

use super::Reader;
use super::rule::{ReadRule, RuleMistake, RuleSubject, RuleSyntax, rule};
use crate::codes;
use crate::findings::{CLASS_ANNOTATION, Findings};
use crate::ingress::specificity;

/// The highest number that users may give: above it are the program's own.
const MOST_NUMBER: i64 = i64::MAX - 1000;

/// Entry points that nearly every route is at: their names lie in memory once.
static USUAL_POINTS: LazyLock<[EntryPointId; 2]> =
    LazyLock::new(|| ["web", "websecure"].map(EntryPointId::from));

/// How a language calls what it has of a route.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    pub(super) rule: &'static str,
    pub(super) syntax: &'static str,
}

/// In the objects of Kubernetes.
const OF_OBJECTS: Spelling = Spelling { rule: "match", syntax: "syntax" };

impl Default for Spelling {
    fn default() -> Self {
        OF_OBJECTS
    }
}

/// One of `spec.routes`, of whichever kind.
#[derive(Default)]
pub(super) struct WrittenRouter {
    pub(super) spelling: Spelling,
    pub(super) kind: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) priority: Option<i64>,
    /// The language where none is said.
    pub(super) usual: RuleSyntax,
    pub(super) syntax: Option<String>,
    pub(super) middlewares: Option<Vec<raw::Reference>>,
    pub(super) services: Option<Vec<raw::LoadBalancer>>,
    pub(super) observability: Option<raw::Observability>,
}

/// An object of one of the three kinds.
struct WrittenSet {
    kind: RouteKind,
    metadata: ObjectMeta,
    class: Option<String>,
    entry_points: Option<Vec<String>>,
    parents: Option<Vec<raw::Reference>>,
    routers: Vec<WrittenRouter>,
    tls: Option<raw::RouteTls>,
}

/// Reads an IngressRoute.
pub(crate) fn http(findings: &mut Findings<'_>, syntax: RuleSyntax) -> Option<Item> {
    read(findings, |metadata, spec: raw::IngressRouteSpec| WrittenSet {
        kind: RouteKind::Http,
        metadata,
        class: spec.ingress_class_name,
        entry_points: spec.entry_points,
        parents: spec.parent_refs,
        routers: spec.routes.into_iter().flatten().map(|it| of_requests(it, syntax)).collect(),
        tls: spec.tls,
    })
}

fn of_requests(it: raw::HttpRoute, syntax: RuleSyntax) -> WrittenRouter {
    WrittenRouter {
        spelling: OF_OBJECTS,
        kind: it.kind,
        rule: it.rule,
        priority: it.priority,
        usual: syntax,
        syntax: it.syntax,
        middlewares: it.middlewares,
        services: it.services,
        observability: it.observability,
    }
}

/// Reads an IngressRouteTCP.
pub(crate) fn tcp(findings: &mut Findings<'_>, syntax: RuleSyntax) -> Option<Item> {
    read(findings, |metadata, spec: raw::IngressRouteTcpSpec| WrittenSet {
        kind: RouteKind::Tcp,
        metadata,
        class: spec.ingress_class_name,
        entry_points: spec.entry_points,
        parents: None,
        routers: spec.routes.into_iter().flatten().map(|it| of_connections(it, syntax)).collect(),
        tls: spec.tls,
    })
}

fn of_connections(it: raw::TcpRoute, syntax: RuleSyntax) -> WrittenRouter {
    WrittenRouter {
        spelling: OF_OBJECTS,
        kind: None,
        rule: it.rule,
        priority: it.priority,
        usual: syntax,
        syntax: it.syntax,
        middlewares: it.middlewares,
        services: it.services,
        observability: None,
    }
}

/// Reads an IngressRouteUDP.
pub(crate) fn udp(findings: &mut Findings<'_>) -> Option<Item> {
    let router =
        |it: raw::UdpRoute| WrittenRouter { services: it.services, ..WrittenRouter::default() };
    read(findings, |metadata, spec: raw::IngressRouteUdpSpec| WrittenSet {
        kind: RouteKind::Udp,
        metadata,
        class: spec.ingress_class_name,
        entry_points: spec.entry_points,
        parents: None,
        routers: spec.routes.into_iter().flatten().map(router).collect(),
        tls: None,
    })
}

/// What an object comes to; where it cannot be read as it stands, what it is likely to be meant
/// for, by which whom it names is answered by nobody.
fn read<S: DeserializeOwned + Default>(
    findings: &mut Findings<'_>,
    written: impl Fn(ObjectMeta, S) -> WrittenSet,
) -> Option<Item> {
    let written = |raw: raw::Routed<S>| written(raw.metadata, raw.spec.unwrap_or_default());
    let made = findings.read().map(|raw| Reader { findings }.set(written(raw)));
    let may_be_misspelt = !findings.unknown_fields().is_empty() || findings.is_invalid();
    if made.is_some() && !may_be_misspelt {
        return made;
    }
    let meant = |findings: &mut Findings<'_>, raw| {
        let mut written = written(raw);
        written.routers.iter_mut().for_each(|it| it.kind = None);
        Some(Reader { findings }.set(written)).filter(|it| is_placed(it, findings))
    };
    let is_invalid = findings.is_invalid();
    let meant = findings.as_meant(meant);
    let is_misspelt = meant.as_ref().map(names) > made.as_ref().map(names);
    findings.is_refused(is_invalid || is_misspelt);
    if is_misspelt { meant } else { made }
}

/// How many routes there are, and how many others they are behind. Who takes away from either by a
/// misspelt field would lead elsewhere whom it is to hold back.
fn names(item: &Item) -> (usize, usize) {
    match item {
        Item::Routers(set) => (set.routers.len(), set.parents.len()),
        _ => (0, 0),
    }
}

/// Whether it is known whom the routes of an object with a mistake are behind, if they are behind
/// others: on their own they would take what is not theirs.
pub(super) fn is_placed(item: &Item, findings: &Findings<'_>) -> bool {
    let has_parents = matches!(item, Item::Routers(set) if !set.parents.is_empty());
    has_parents || !findings.names_parents()
}

impl Reader<'_, '_> {
    fn set(&mut self, written: WrittenSet) -> Item {
        let path = FieldPath::from("spec");
        let parents = path.key("parentRefs");
        let parents = self.links(written.parents.as_ref(), &parents);
        let tls = written.tls.as_ref().map(|tls| self.tls(tls, &path.key("tls")));
        let about = (written.kind, tls.is_some());
        let (mut tls, unserved) = tls.map_or((None, None), |(tls, why)| (Some(tls), why));
        let points = written.entry_points.iter().flatten();
        let entry_points: Vec<EntryPointId> = points.map(|it| entry_point(it)).collect();
        let routes = path.key("routes");
        if written.routers.is_empty() {
            self.findings.missing(&routes, "add a route");
        }
        let mut routers: Vec<RouterDraft> = Vec::new();
        // Whose parent is nobody is asked by nobody: on its own it would take what is others'.
        let written_routers = written.routers.iter().enumerate().filter(|_| parents.is_ok());
        for (index, one) in written_routers {
            let path = routes.index(index);
            let Some(mut draft) = self.router(one, index, about, &path) else { continue };
            draft.refusal = draft.refusal.or_else(|| unserved.clone());
            if routers.iter().any(|other| other.id == draft.id) {
                draft.id = twin(&draft.id, index);
            }
            routers.push(draft);
        }
        if let Some(secret) = tls.as_mut().and_then(|tls| tls.secret.as_mut()) {
            let hosts = routers.iter().filter_map(|it| it.rule.host().as_exact());
            secret.hosts = hosts.cloned().collect();
        }
        let parents = parents.unwrap_or_default();
        if !parents.is_empty() {
            let asks = (!entry_points.is_empty(), tls.is_some());
            self.of_child(asks, &path);
        }
        Item::Routers(Box::new(RouterSet {
            object: self.findings.object().clone(),
            class: self.class(&written).map(Box::new),
            kind: written.kind,
            entry_points,
            parents,
            routers,
            tls: tls.map(Box::new),
        }))
    }

    /// Says what a child has for nothing: those who get to it came in where its parent is.
    pub(super) fn of_child(&mut self, (has_points, has_tls): (bool, bool), path: &FieldPath) {
        let asked = [("entryPoints", has_points), ("tls", has_tls)];
        for (field, _) in asked.into_iter().filter(|(_, is_there)| *is_there) {
            let message = format!(
                "`{field}` of a route with parentRefs makes no difference: its requests come in where \
                 its parents are, and Traefik takes no such route"
            );
            let help = "move it to the parents";
            let path = path.key(field);
            self.findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, &path, message, help);
        }
    }

    fn class(&self, written: &WrittenSet) -> Option<ClassName> {
        let field =
            written.class.clone().map(|name| (name, FieldPath::from("spec.ingressClassName")));
        let annotations = written.metadata.annotations.as_ref();
        let annotated = || {
            let name = annotations?.get(CLASS_ANNOTATION)?;
            Some((name.to_string(), FieldPath::annotation(CLASS_ANNOTATION)))
        };
        let (name, path) = field.filter(|(name, _)| !name.is_empty()).or_else(annotated)?;
        (!name.is_empty()).then(|| ClassName { name, place: self.findings.place(&path) })
    }

    /// A route; none where its rule cannot be read.
    fn router(
        &mut self,
        written: &WrittenRouter,
        index: usize,
        (kind, is_tls): (RouteKind, bool),
        path: &FieldPath,
    ) -> Option<RouterDraft> {
        if let Some(other) = written.kind.as_deref().filter(|it| !matches!(*it, "Rule" | "")) {
            let message = format!("`{other}` is not a kind of route, so there is none");
            let help = "write `kind: Rule`";
            self.findings.invalid(codes::INVALID_VALUE, &path.key("kind"), message, help);
            return None;
        }
        let text = written.rule.as_deref().unwrap_or_default();
        let read = match kind {
            RouteKind::Udp => ReadRule::always(),
            _ => self.rule(written, (kind, is_tls), path)?,
        };
        let mut refusal = (!read.mistakes.is_empty())
            .then(|| RefusalReason::Mistake(self.findings.place(&path.key("match"))));
        let filters = self.links(written.middlewares.as_ref(), &path.key("middlewares"));
        let filters = filters.unwrap_or_else(|why| {
            refusal.get_or_insert(why);
            Vec::new()
        });
        let observability = self.observability(written.observability.as_ref(), path);
        let ways = self.ways(written.services.as_ref(), &path.key("services"));
        let provider = KUBERNETES_CRD;
        let rank = self.rank(&read, written.priority, (provider, index), &path.key("priority"));
        Some(RouterDraft {
            id: self.route_id(kind, text, index),
            place: self.findings.place(path),
            text: text.into(),
            rule: Arc::new(read.rule),
            rank,
            refusal,
            filters,
            ways,
            observability,
        })
    }

    pub(super) fn rule(
        &mut self,
        written: &WrittenRouter,
        (kind, is_tls): (RouteKind, bool),
        path: &FieldPath,
    ) -> Option<ReadRule> {
        let syntaxes = [("v3", RuleSyntax::V3), ("v2", RuleSyntax::V2)];
        let syntax = written.syntax.as_deref().filter(|text| !matches!(*text, "" | "default"));
        let Spelling { rule: rule_key, syntax: syntax_key } = written.spelling;
        let (syntax_path, path) = (path.key(syntax_key), &path.key(rule_key));
        let syntax = self.findings.choice(&syntax_path, syntax, &syntaxes);
        let about = match kind {
            RouteKind::Tcp => RuleSubject::Connections,
            _ => RuleSubject::Requests,
        };
        let text = written.rule.as_deref().unwrap_or_default();
        let read = match rule(text, about, syntax.unwrap_or(written.usual)) {
            Ok(read) => read,
            Err(mistake) => {
                self.mistake(text, &mistake, "there is no such route", path);
                return None;
            }
        };
        let so = if read.is_of_nobody { "there is no such route" } else { "the route answers 503" };
        for mistake in &read.mistakes {
            self.mistake(text, mistake, so, path);
        }
        if read.is_of_nobody {
            return None;
        }
        let names = read.rule.server_name().is_some_and(|it| it.as_exact().is_some());
        if kind == RouteKind::Tcp && names && !is_tls {
            let message = "the rule asks for a server name, which only TLS has: there is no route";
            let help = "add `tls: {}` (or `tls: {passthrough: true}`), or write HostSNI(`*`)";
            self.findings.say(Severity::Error, codes::RULE_INVALID, path, message, help);
            return None;
        }
        Some(read)
    }

    /// What is told of requests.
    pub(super) fn observability(
        &mut self,
        written: Option<&raw::Observability>,
        path: &FieldPath,
    ) -> Observability {
        let Some(written) = written else { return Observability::default() };
        let path = path.key("observability").key("traceVerbosity");
        let verbosity = written.trace_verbosity.as_deref().filter(|it| !it.is_empty());
        Observability {
            detailed: self.findings.choice(&path, verbosity, &VERBOSITIES),
            access_logs: written.access_logs,
            metrics: written.metrics,
            tracing: written.tracing,
        }
    }

    fn mistake(&mut self, text: &str, mistake: &RuleMistake, so: &str, path: &FieldPath) {
        let message = format!("{} in {}: {so}", mistake.what, shown(text, mistake));
        self.findings.say(Severity::Error, codes::RULE_INVALID, path, message, mistake.what.help());
        self.findings.part(text, mistake.at.clone());
    }

    pub(super) fn rank(
        &mut self,
        read: &ReadRule,
        priority: Option<i64>,
        (provider, index): (u8, usize),
        path: &FieldPath,
    ) -> Rank {
        let priority = priority.filter(|number| *number != 0);
        let number = priority.unwrap_or(read.number);
        if number > MOST_NUMBER {
            let message =
                format!("{number} is higher than any priority of users: {MOST_NUMBER} counts");
            let help = format!("use {MOST_NUMBER} at most");
            self.findings.say(Severity::Warning, codes::INVALID_VALUE, path, message, help);
        }
        Rank {
            ladder: Ladder::Priority,
            number: number.min(MOST_NUMBER),
            specific: specificity(read.rule.host(), read.rule.path().map(|path| &path.shape)),
            provider,
            created: None,
            object: self.findings.id().to_string().into(),
            index: u32::try_from(index).unwrap_or(u32::MAX),
        }
    }

    /// `default/web/77c62dfe9517144aeeaa@kubernetescrd`: by its rule, so that others that come
    /// and go before it change nothing.
    fn route_id(&self, kind: RouteKind, text: &str, index: usize) -> RouteId {
        let id = self.findings.id();
        match kind {
            RouteKind::Udp => format!("{id}/{index}#udp@kubernetescrd"),
            RouteKind::Tcp => format!("{id}/{}#tcp@kubernetescrd", hash(text)),
            _ => format!("{id}/{}@kubernetescrd", hash(text)),
        }
        .into()
    }

    /// How TLS is held; and why its routes must not be served, if they must not.
    fn tls(
        &mut self,
        written: &raw::RouteTls,
        path: &FieldPath,
    ) -> (RouterTls, Option<RefusalReason>) {
        let own = self.findings.object().namespace.clone();
        let secret = written.secret_name.as_deref().filter(|name| !name.is_empty());
        let secret = secret.map(|name| TlsSecret {
            secret: NamespacedName::new(own, name),
            hosts: Vec::new(),
            place: self.findings.place(&path.key("secretName")),
        });
        let options = written.options.as_ref();
        let options = options.map(|options| self.policy(options, &path.key("options")));
        self.unasked(written, path);
        let (options, refused) = match options.transpose() {
            Ok(options) => (options, None),
            Err(why) => (None, Some(why)),
        };
        let tls = RouterTls {
            place: self.findings.place(path),
            secret,
            options,
            is_passed_on: written.passthrough.unwrap_or_default(),
        };
        (tls, refused)
    }

    /// The TLSOption that is named; the one called `default` is the same from everywhere.
    fn policy(
        &mut self,
        written: &raw::Reference,
        path: &FieldPath,
    ) -> Result<ObjectLink, RefusalReason> {
        let is_default = written.name.as_deref() == Some("default");
        let is_elsewhere = written.namespace.as_deref().is_some_and(|it| !it.is_empty());
        if is_default && !is_elsewhere {
            let to = LinkTarget::Provided("default".into());
            return Ok(ObjectLink { to, place: self.findings.place(path) });
        }
        self.link(written, path)
    }

    /// Says what of TLS is not done.
    fn unasked(&mut self, written: &raw::RouteTls, path: &FieldPath) {
        if let Some(resolver) = written.cert_resolver.as_deref().filter(|name| !name.is_empty()) {
            let path = path.key("certResolver");
            let message =
                format!("nobody is asked for certificates yet: `{resolver}` makes no difference");
            let help = "name the Secret of a certificate in `secretName`";
            self.findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, &path, message, help);
        }
        let store = written.store.as_ref().and_then(|store| store.name.as_deref());
        if let Some(store) = store.filter(|name| !matches!(*name, "" | "default")) {
            let path = path.key("store");
            let message = format!("store `{store}` makes no difference: only `default` does");
            let help = "remove it";
            self.findings.say(Severity::Info, codes::FIELD_NOT_HONOURED, &path, message, help);
        }
    }
}

/// An entry point by its name.
fn entry_point(name: &str) -> EntryPointId {
    let usual = USUAL_POINTS.iter().find(|usual| usual.as_str() == name);
    usual.cloned().unwrap_or_else(|| name.into())
}

/// Another route of the same rule.
fn twin(id: &RouteId, index: usize) -> RouteId {
    let (name, provider) = id.as_str().rsplit_once('@').unwrap_or((id.as_str(), "kubernetescrd"));
    format!("{name}#{index}@{provider}").into()
}

/// The first ten bytes of the SHA-256 of a rule, as Traefik puts them into names.
fn hash(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref()[..10].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A rule with a mark before what is wrong in it.
fn shown(text: &str, mistake: &RuleMistake) -> String {
    let at = mistake.at.start.min(text.len());
    match text.split_at_checked(at) {
        Some((before, after)) if !text.is_empty() => format!("`{before}⟶{after}`"),
        _ => format!("`{text}`"),
    }
}
