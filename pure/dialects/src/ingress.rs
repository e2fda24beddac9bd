//! `networking.k8s.io/v1` Ingress and IngressClass.
//!
//! An Ingress becomes one route per path, and one for its default backend, which takes what no
//! other route takes, on every host. What its annotations ask for is read by the dialect of its
//! class; here only what the Ingress itself says.

pub(crate) mod host;
mod path;

use std::collections::BTreeMap;

use steelyard_manifest::kinds::networking as raw;
use steelyard_model::{
    BackendRef, ClassName, FieldPath, HostMatch, IngressClass, Item, Labels, NamespacedName,
    PathMatch, PortRef, Provenance, Refusal, RouteDraft, RouteSet, Severity,
};

use crate::findings::Findings;
use crate::{LowerOptions, annotation, codes, nginx, traefik};

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// What annotations do to the routes of an Ingress.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Why its routes answer 503; the first reason is enough.
    pub(crate) refusal: Option<Refusal>,
    /// Entry points by name, empty for the default ones.
    pub(crate) entry_points: Vec<String>,
    /// Its routes only stand in for others (a canary) and are not served.
    pub(crate) unserved: bool,
}

pub(crate) fn class(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::IngressClass = findings.read()?;
    let controller = raw.spec.and_then(|spec| spec.controller).unwrap_or_default();
    if controller.is_empty() {
        let help = "use traefik.io/ingress-controller or k8s.io/ingress-nginx";
        findings.missing(&FieldPath::from("spec.controller"), help);
    }
    let annotations = raw.metadata.annotations.unwrap_or_default();
    let is_default = annotations.get(DEFAULT_CLASS).is_some_and(|value| value == "true");
    Some(Item::IngressClass(IngressClass {
        object: findings.object().clone(),
        controller,
        is_default,
    }))
}

pub(crate) fn lower(findings: &mut Findings<'_>, options: &LowerOptions) -> Option<Item> {
    let raw: raw::Ingress = findings.read()?;
    let path = FieldPath::from("spec");
    let annotations = raw.metadata.annotations.unwrap_or_default();
    let spec = raw.spec.unwrap_or_default();
    if spec.rules.as_ref().is_none_or(Vec::is_empty) && spec.default_backend.is_none() {
        findings.missing(&path.key("rules"), "add rules, or a defaultBackend");
    }
    let class = class_name(&spec, &annotations, findings);
    let effects = effects(&spec, class.as_ref(), &annotations, findings, options);
    let mut routes = routes(&spec, &effects, findings);
    if effects.unserved {
        routes.clear();
    }
    let (tls, tls_secrets) = tls(&spec, findings);
    Some(Item::Routes(RouteSet {
        object: findings.object().clone(),
        created: raw.metadata.creation_timestamp,
        class,
        routes,
        tls_secrets,
        tls,
    }))
}

/// `spec.ingressClassName` is tried first; the annotation counts only where it is absent.
fn class_name(
    spec: &raw::IngressSpec,
    annotations: &Labels,
    findings: &Findings<'_>,
) -> Option<ClassName> {
    let (name, path) = match &spec.ingress_class_name {
        Some(name) => (name, FieldPath::from("spec.ingressClassName")),
        None => {
            let name = annotations.get(CLASS_ANNOTATION)?;
            (name, FieldPath::annotation(CLASS_ANNOTATION))
        }
    };
    (!name.is_empty()).then(|| ClassName { name: name.clone(), place: findings.place(&path) })
}

/// Both dialects' annotations, but not those of one on an Ingress of the other. A class of
/// another name can be either's (its IngressClass says), so both count.
fn effects(
    spec: &raw::IngressSpec,
    class: Option<&ClassName>,
    annotations: &Labels,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) -> Effects {
    let class = class.map(|class| class.name.as_str());
    let mut effects = Effects::default();
    annotation::check_own(annotations, &[], findings);
    if class != Some("traefik") {
        nginx::apply(annotations, &paths_of(spec), &mut effects, findings, options);
    }
    if class != Some("nginx") {
        traefik::apply(annotations, &mut effects, findings);
    }
    effects
}

fn paths_of(spec: &raw::IngressSpec) -> Vec<&str> {
    let rules = spec.rules.iter().flatten();
    let paths = rules.filter_map(|rule| rule.http.as_ref()).flat_map(|http| http.paths.iter());
    paths.flatten().map(|path| path.path.as_deref().unwrap_or("/")).collect()
}

fn routes(
    spec: &raw::IngressSpec,
    effects: &Effects,
    findings: &mut Findings<'_>,
) -> Vec<RouteDraft> {
    let path = FieldPath::from("spec.rules");
    let mut routes = Vec::new();
    let mut count = 0;
    for (index, rule) in spec.rules.iter().flatten().enumerate() {
        rule_routes(rule, &path.index(index), spec, effects, &mut count, &mut routes, findings);
    }
    if let Some(written) = &spec.default_backend {
        let path = FieldPath::from("spec.defaultBackend");
        let backends = backend(written, &path, findings);
        let matches = (HostMatch::Any, PathMatch::Prefix("".into()));
        routes.push(draft(count, matches, backends, &path, effects, findings));
    }
    routes
}

fn rule_routes(
    rule: &raw::IngressRule,
    path: &FieldPath,
    spec: &raw::IngressSpec,
    effects: &Effects,
    count: &mut usize,
    routes: &mut Vec<RouteDraft>,
    findings: &mut Findings<'_>,
) {
    let host = host_of(rule, path, findings);
    let Some(http) = &rule.http else {
        if spec.default_backend.is_none() {
            rule_without_http(rule, path, findings);
        }
        return;
    };
    let paths = path.key("http").key("paths");
    if http.paths.as_ref().is_none_or(Vec::is_empty) {
        findings.missing(&paths, "add at least one path with a backend");
    }
    for (index, written) in http.paths.iter().flatten().enumerate() {
        let number = *count;
        *count += 1;
        let path = paths.index(index);
        let matched = path::lower(written, &path, findings);
        let backends = match &written.backend {
            Some(written) => backend(written, &path.key("backend"), findings),
            None => {
                findings.missing(&path.key("backend"), "name a Service and its port");
                continue;
            }
        };
        if let (Some(host), Some(matched)) = (host.clone(), matched) {
            routes.push(draft(number, (host, matched), backends, &path, effects, findings));
        }
    }
}

fn draft(
    number: usize,
    (host, path): (HostMatch, PathMatch),
    backends: Vec<BackendRef>,
    place: &FieldPath,
    effects: &Effects,
    findings: &Findings<'_>,
) -> RouteDraft {
    let id = findings.id();
    RouteDraft {
        name: format!("{}-{}-{number}@ingress", id.namespace, id.name),
        place: findings.place(place),
        host,
        path,
        entry_points: effects.entry_points.clone(),
        backends,
        refusal: effects.refusal.clone(),
    }
}

fn host_of(
    rule: &raw::IngressRule,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Option<HostMatch> {
    let text = rule.host.as_deref().unwrap_or_default();
    match host::parse(text) {
        Ok(host) => Some(host),
        Err(help) => {
            let message = format!("`{text}` is not a host name that a rule can have");
            findings.invalid(codes::HOST_INVALID, &path.key("host"), message, help);
            None
        }
    }
}

fn rule_without_http(rule: &raw::IngressRule, path: &FieldPath, findings: &mut Findings<'_>) {
    let host = rule.host.as_deref().unwrap_or("every host");
    findings.say(
        Severity::Warning,
        codes::RULE_WITHOUT_HTTP,
        path,
        format!(
            "the rule for {host} has no paths and there is no defaultBackend: it routes nothing"
        ),
        "add `http: {paths: […]}` to the rule, or a defaultBackend to the Ingress",
    );
}

/// The Service a backend names; none if it names none, so that its route answers 503.
fn backend(
    written: &raw::IngressBackend,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Vec<BackendRef> {
    if let Some(resource) = &written.resource {
        let kind = resource.kind.as_deref().unwrap_or("an object");
        let name = resource.name.as_deref().unwrap_or_default();
        findings.say(
            Severity::Error,
            codes::RESOURCE_BACKEND,
            &path.key("resource"),
            format!("backend {kind} `{name}` is not a Service; its route answers 503"),
            "name a Service: `service: {name: …, port: {number: …}}`",
        );
        return Vec::new();
    }
    let path = path.key("service");
    let Some(service) = &written.service else {
        findings.missing(&path, "name a Service: `service: {name: …, port: {number: …}}`");
        return Vec::new();
    };
    let name = service.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        findings.missing(&path.key("name"), "name the Service");
    }
    let port = port(service.port.as_ref(), &path.key("port"), findings);
    let service = NamespacedName::new(findings.object().namespace.clone(), name);
    let place = findings.place(&path);
    port.map(|port| BackendRef { service, port, weight: 1, place }).into_iter().collect()
}

fn port(
    written: Option<&raw::ServiceBackendPort>,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Option<PortRef> {
    let name = written.and_then(|port| port.name.as_deref()).filter(|name| !name.is_empty());
    let number = written.and_then(|port| port.number).filter(|number| *number != 0);
    match (name, number) {
        (Some(name), None) => Some(PortRef::Name(name.to_owned())),
        (None, Some(number)) => findings.port(&path.key("number"), number).map(PortRef::Number),
        (None, None) => {
            findings.missing(path, "add the Service's port: `port: {number: 80}`");
            None
        }
        (Some(name), Some(number)) => {
            findings.invalid(
                codes::INVALID_VALUE,
                path,
                format!("the port is given as name `{name}` and as number {number}"),
                "keep one of the two",
            );
            None
        }
    }
}

/// Where TLS is asked for, and the Secrets named for it, each once.
fn tls(
    spec: &raw::IngressSpec,
    findings: &Findings<'_>,
) -> (Option<Provenance>, Vec<(NamespacedName, Provenance)>) {
    let path = FieldPath::from("spec.tls");
    let written = spec.tls.as_deref().unwrap_or_default();
    let mut secrets = BTreeMap::new();
    for (index, entry) in written.iter().enumerate() {
        let Some(name) = entry.secret_name.as_deref().filter(|name| !name.is_empty()) else {
            continue;
        };
        let secret = NamespacedName::new(findings.object().namespace.clone(), name);
        let place = findings.place(&path.index(index).key("secretName"));
        secrets.entry(secret).or_insert(place);
    }
    let asked = (!written.is_empty()).then(|| findings.place(&path));
    (asked, secrets.into_iter().collect())
}
