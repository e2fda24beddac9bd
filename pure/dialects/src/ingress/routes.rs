//! The routes of an Ingress: one per path, and one for its default backend.

use std::sync::Arc;

use steelyard_manifest::kinds::networking as raw;
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::{BackendRef, FieldPath, NamespacedName, PortRef, RouteDraft, Severity};

use super::path::WrittenPath;
use super::rank::Ranking;
use super::{path, rank};
use crate::codes;
use crate::findings::Findings;
use crate::host;

/// The routes of one Ingress as they are made.
struct Routes<'a> {
    spec: &'a raw::IngressSpec,
    ranking: Ranking,
    /// Paths so far, also those that are no routes: the number in a route's name.
    paths: usize,
    made: Vec<RouteDraft>,
    written: Vec<WrittenPath>,
}

/// Routes, and the paths they were written with.
pub(super) struct Lowered {
    pub(super) routes: Vec<RouteDraft>,
    pub(super) paths: Vec<WrittenPath>,
}

pub(super) fn lower(
    spec: &raw::IngressSpec,
    created: Option<&Arc<str>>,
    findings: &mut Findings<'_>,
) -> Lowered {
    let path = FieldPath::from("spec.rules");
    let ranking = Ranking::new(&findings.id(), created.cloned());
    let mut routes = Routes { spec, ranking, paths: 0, made: Vec::new(), written: Vec::new() };
    for (index, rule) in spec.rules.iter().flatten().enumerate() {
        routes.rule(rule, &path.index(index), findings);
    }
    if let Some(written) = &spec.default_backend {
        routes.default_backend(written, findings);
    }
    Lowered { routes: routes.made, paths: routes.written }
}

impl Routes<'_> {
    fn rule(&mut self, rule: &raw::IngressRule, path: &FieldPath, findings: &mut Findings<'_>) {
        let host = host_of(rule, path, findings);
        let Some(http) = &rule.http else {
            match &self.spec.default_backend {
                Some(default) => self.bare(host.as_ref(), default, path, findings),
                None => rule_without_http(rule, path, findings),
            }
            return;
        };
        let paths = path.key("http").key("paths");
        if http.paths.as_ref().is_none_or(Vec::is_empty) {
            findings.missing(&paths, "add at least one path with a backend");
        }
        for (index, written) in http.paths.iter().flatten().enumerate() {
            self.path(host.as_ref(), written, &paths.index(index), findings);
        }
    }

    fn path(
        &mut self,
        host: Option<&HostPattern>,
        written: &raw::HttpIngressPath,
        path: &FieldPath,
        findings: &mut Findings<'_>,
    ) {
        let number = self.paths;
        self.paths += 1;
        let matched = path::lower(written, path, &mut self.written, findings);
        let backend = match &written.backend {
            Some(backend) => self::backend(backend, &path.key("backend"), findings),
            None => {
                findings.missing(&path.key("backend"), "name a Service and its port");
                None
            }
        };
        if let Some(host) = host {
            let rank = self.ranking.of_path(host, &matched, written.path.as_deref(), number);
            let is_open = written.path_type.as_deref() == Some("ImplementationSpecific");
            let written = written.path.as_deref();
            let text = written.unwrap_or_default();
            let is_kept = is_open || (text.len() > 1 && text.ends_with('/'));
            let text = is_kept.then(|| Arc::from(text));
            let rule = Arc::new(rank::rule(host, matched));
            let (id, place) = (route_id(number, findings), findings.place(path));
            self.made.push(RouteDraft { id, place, rule, rank, path: text, is_open, backend });
        }
    }

    /// A rule of a host without paths: all of it goes to the default backend.
    fn bare(
        &mut self,
        host: Option<&HostPattern>,
        default: &raw::IngressBackend,
        path: &FieldPath,
        findings: &mut Findings<'_>,
    ) {
        let Some(host) = host.filter(|host| **host != HostPattern::Any) else { return };
        // What is wrong with it is said once.
        let at = FieldPath::from("spec.defaultBackend");
        let (backend, _) = findings.apart(|findings| backend(default, &at, findings));
        let number = self.paths;
        self.paths += 1;
        let everything = PathPattern::normal(PathShape::elements("/"));
        let rank = self.ranking.of_path(host, &everything, Some("/"), number);
        let rule = Arc::new(rank::rule(host, everything));
        let (id, place) = (route_id(number, findings), findings.place(path));
        self.made.push(RouteDraft { id, place, rule, rank, path: None, is_open: false, backend });
    }

    fn default_backend(&mut self, written: &raw::IngressBackend, findings: &mut Findings<'_>) {
        let path = FieldPath::from("spec.defaultBackend");
        let backend = backend(written, &path, findings);
        let number = self.paths;
        let everything = PathPattern::normal(PathShape::elements("/"));
        let rank = self.ranking.of_default(number);
        let rule = Arc::new(rank::rule(&HostPattern::Any, everything));
        let (id, place) = (route_id(number, findings), findings.place(&path));
        self.made.push(RouteDraft { id, place, rule, rank, path: None, is_open: false, backend });
    }
}

fn route_id(number: usize, findings: &Findings<'_>) -> RouteId {
    format!("{}/{number}@ingress", findings.id()).into()
}

fn host_of(
    rule: &raw::IngressRule,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Option<HostPattern> {
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
) -> Option<BackendRef> {
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
        return None;
    }
    let path = path.key("service");
    let Some(service) = &written.service else {
        findings.missing(&path, "name a Service: `service: {name: …, port: {number: …}}`");
        return None;
    };
    let name = service.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        findings.missing(&path.key("name"), "name the Service");
    }
    let port = port(service.port.as_ref(), &path.key("port"), findings);
    let service = NamespacedName::new(findings.object().namespace.clone(), name);
    let place = findings.place(&path);
    port.map(|port| BackendRef { service, port, place })
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
