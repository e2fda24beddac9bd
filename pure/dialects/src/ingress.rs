//! `networking.k8s.io/v1` Ingress and IngressClass.
//!
//! An Ingress becomes one route per path, and one for its default backend, which takes what no
//! other route takes, on every host. What its annotations ask for is read by the dialect of its
//! class; here only what the Ingress itself says.

pub(crate) mod host;
mod path;
mod rank;
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_manifest::kinds::networking as raw;
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::{
    ClassName, FieldPath, IngressClass, Item, Labels, NamespacedName, Provenance, RouteSet,
};

use crate::findings::Findings;
use crate::{LowerOptions, annotation, nginx, restriction, swapped, traefik};

pub(crate) const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";

/// What annotations do to the routes of an Ingress.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Why its routes answer 503; the first reason is enough.
    pub(crate) refusal: Option<RefusalReason>,
    /// Entry points by name, empty for the default ones.
    pub(crate) entry_points: Vec<EntryPointId>,
    /// The annotation by which ingress-nginx takes the paths for regular expressions.
    pub(crate) regex: Option<String>,
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
    let labels = raw.metadata.labels.unwrap_or_default();
    swapped::labels_of_ingress(&labels, &annotations, &options.nginx_prefix, findings);
    if spec.rules.as_ref().is_none_or(Vec::is_empty) && spec.default_backend.is_none() {
        findings.missing(&path.key("rules"), "add rules, or a defaultBackend");
    }
    let class = class_name(&spec, &annotations, findings);
    let effects = effects(&spec, class.as_ref(), &annotations, findings, options);
    let created: Option<Arc<str>> = raw.metadata.creation_timestamp.map(Arc::from);
    let mut routes = routes::lower(&spec, created.as_ref(), &effects, findings);
    if effects.unserved {
        routes.clear();
    }
    let (tls, tls_secrets) = tls(&spec, findings);
    Some(Item::Routes(RouteSet {
        object: findings.object().clone(),
        created,
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
    annotation::check_elsewhere(annotations, findings);
    if class != Some("traefik") {
        effects.regex = nginx::regex(annotations, options);
        nginx::apply(annotations, &paths_of(spec), &mut effects, findings, options);
    }
    if class != Some("nginx") {
        traefik::apply(annotations, &mut effects, findings);
    }
    restriction::of_ingress(annotations, class, &mut effects, findings, options);
    effects
}

fn paths_of(spec: &raw::IngressSpec) -> Vec<&str> {
    let rules = spec.rules.iter().flatten();
    let paths = rules.filter_map(|rule| rule.http.as_ref()).flat_map(|http| http.paths.iter());
    paths.flatten().map(|path| path.path.as_deref().unwrap_or("/")).collect()
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
