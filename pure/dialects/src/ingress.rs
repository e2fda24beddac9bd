//! `networking.k8s.io/v1` Ingress and IngressClass.
//!
//! An Ingress becomes one route per path, and one for its default backend, which takes what no
//! other route takes, on every host. What its annotations ask for is read by the dialect of its
//! class; here only what the Ingress itself says.

mod origin;
mod passthrough;
mod path;
mod rank;
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_manifest::kinds::networking as raw;
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::pattern::Expression;
use steelyard_model::{
    ClassName, ClassReading, ClassReadings, FieldPath, IngressClass, Item, Labels, NamespacedName,
    OpenPath, Provenance, RouteDraft, RouteSet, Severity, TlsSecret,
};

use crate::annotation::{self, Carrier, KUBERNETES, Scene, Words};
use crate::findings::Findings;
use crate::{LowerOptions, codes, host, location, restriction, swapped};
use path::WrittenPath;
pub(crate) use rank::specificity;

pub(crate) fn class(findings: &mut Findings<'_>, options: &LowerOptions) -> Option<Item> {
    let raw: raw::IngressClass = findings.read()?;
    let controller = raw.spec.and_then(|spec| spec.controller).unwrap_or_default();
    if controller.is_empty() {
        let help = "use traefik.io/ingress-controller or k8s.io/ingress-nginx";
        findings.missing(&FieldPath::from("spec.controller"), help);
    }
    let annotations = raw.metadata.annotations.unwrap_or_default();
    let scene = Scene { on: Carrier::IngressClass, paths: &[], options };
    let (mut effects, read) = (ClassReading::default(), [&KUBERNETES]);
    let wishes = annotation::read(&read, &annotations, scene, &mut effects, findings);
    Some(Item::IngressClass(Box::new(IngressClass {
        object: findings.object().clone(),
        controller,
        is_default: wishes.is_default_class,
    })))
}

pub(crate) fn lower(findings: &mut Findings<'_>, options: &LowerOptions) -> Option<Item> {
    let made = findings.read().map(|raw| of_written(raw, findings, options));
    if made.is_some() && !findings.is_invalid() {
        return made;
    }
    let meant = findings.as_meant(|findings, mut raw: raw::Ingress| {
        leave_out_unread_hosts(&mut raw, &findings.writes_hosts());
        let rules = raw.spec.iter_mut().filter_map(|spec| spec.rules.as_mut()).flatten();
        for host in rules.filter_map(|rule| rule.host.as_mut()) {
            *host = host::meant(host);
        }
        Some(of_written(raw, findings, options))
    });
    meant.or(made)
}

/// A rule whose host cannot be read is about nobody who is known: it is not one for all hosts.
fn leave_out_unread_hosts(raw: &mut raw::Ingress, written: &[bool]) {
    let Some(rules) = raw.spec.as_mut().and_then(|spec| spec.rules.as_mut()) else { return };
    let is_as_written = rules.len() == written.len();
    let mut index = 0;
    rules.retain(|rule| {
        let is_written = !is_as_written || written[index];
        index += 1;
        rule.host.is_some() || !is_written
    });
}

fn of_written(raw: raw::Ingress, findings: &mut Findings<'_>, options: &LowerOptions) -> Item {
    let path = FieldPath::from("spec");
    let annotations = raw.metadata.annotations.unwrap_or_default();
    let spec = raw.spec.unwrap_or_default();
    let labels = raw.metadata.labels.unwrap_or_default();
    swapped::labels_of_ingress(&labels, &annotations, findings, options);
    if spec.rules.as_ref().is_none_or(Vec::is_empty) && spec.default_backend.is_none() {
        findings.missing(&path.key("rules"), "add rules, or a defaultBackend");
    }
    let class = class_name(&spec, &annotations, findings, options);
    let created: Option<Arc<str>> = raw.metadata.creation_timestamp.map(Arc::from);
    let routes::Lowered { routes, paths } = routes::lower(&spec, created.as_ref(), findings);
    let refusal = restriction::of_ingress_fields(findings);
    let suspects = &*restriction::suspects(&annotations);
    let (annotations, drafts, paths) = (&annotations, &*routes, &*paths);
    let written = WrittenIngress { annotations, suspects, routes: drafts, paths };
    let readings = readings(written, findings, options);
    let (tls, tls_secrets) = tls(&spec, findings);
    Item::Routes(Box::new(RouteSet {
        object: findings.object().clone(),
        created,
        class,
        is_labelled: options.ingress_labels.matches(&labels),
        routes,
        refusal,
        readings,
        tls_secrets,
        tls,
    }))
}

/// `spec.ingressClassName` is tried first; the annotation counts only where it is absent.
fn class_name(
    spec: &raw::IngressSpec,
    annotations: &Labels,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) -> Option<ClassName> {
    let scene = Scene { on: Carrier::Ingress, paths: &[], options };
    let (mut effects, read) = (ClassReading::default(), [&KUBERNETES]);
    let wishes = annotation::read(&read, annotations, scene, &mut effects, findings);
    let annotated = || wishes.class.map(|text| (text.value, FieldPath::annotation(&text.key)));
    let written = spec.ingress_class_name.clone();
    let written = written.map(|name| (name, FieldPath::from("spec.ingressClassName")));
    let (name, path) = written.or_else(annotated)?;
    (!name.is_empty()).then(|| ClassName { name, place: findings.place(&path) })
}

/// The annotations of an Ingress, its routes, and the paths that it was written with.
#[derive(Clone, Copy)]
struct WrittenIngress<'a> {
    annotations: &'a Labels,
    /// Those that may keep somebody out, by their names.
    suspects: &'a [&'a str],
    routes: &'a [RouteDraft],
    paths: &'a [WrittenPath],
}

/// What the annotations come to, by who reads them. Whose class it is is not known yet.
fn readings(
    written: WrittenIngress<'_>,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) -> ClassReadings {
    let mut read = |words| reading(written, words, findings, options).shared();
    let both = read(Words::Both);
    let [traefik, nginx] = [Words::Traefik, Words::Nginx].map(|words| {
        let made = read(words);
        if made == both { both.clone() } else { made }
    });
    ClassReadings { traefik, nginx, both }
}

fn reading(
    written: WrittenIngress<'_>,
    words: Words,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) -> ClassReading {
    let WrittenIngress { annotations, suspects, routes, paths } = written;
    let (reading, said) = findings.apart(|findings| {
        let mut reading = ClassReading::default();
        let texts: Vec<&str> = paths.iter().map(|it| it.or_root()).collect();
        let scene = Scene { on: Carrier::Ingress, paths: &texts, options };
        let read = words.vocabularies();
        let wishes = annotation::read(read, annotations, scene, &mut reading, findings);
        reading.entry_points = wishes.entry_points;
        reading.scheme = wishes.scheme;
        origin::read(wishes.origin, &mut reading, findings);
        reading.is_tls = wishes.is_tls || wishes.tls_options.is_some();
        reading.tls_options = wishes.tls_options.map(Box::new);
        reading.number = wishes.number;
        reading.observability = wishes.observability;
        if let Some((how, place)) = wishes.open_paths {
            reading.open_paths = Some(how);
            open_paths(how, &place, routes, &mut reading, findings);
        }
        reading.passthrough = passthrough::judge(wishes.passthrough.as_ref(), routes, findings);
        reading.filters = wishes.filters;
        reading.redirects = wishes.redirects;
        reading.always_redirects = wishes.always_redirects;
        if words != Words::Traefik {
            location::read(annotations, routes, &mut reading, findings, options);
            reading.written = location::written(annotations, options);
        }
        restriction::of_ingress(suspects, words, &mut reading, findings, options);
        if !reading.has_expressions {
            paths.iter().for_each(|path| path.check(words == Words::Nginx, findings));
        }
        reading
    });
    ClassReading { said, ..reading }
}

/// Paths that are to be expressions, and are none, close the routes: nobody knows what was meant.
fn open_paths(
    how: OpenPath,
    place: &FieldPath,
    routes: &[RouteDraft],
    reading: &mut ClassReading,
    findings: &mut Findings<'_>,
) {
    let open = routes.iter().filter(|it| it.is_open && how == OpenPath::PathRegexp);
    let bad = open.filter_map(|it| it.path.as_deref()).find(|it| Expression::new(it).is_err());
    if let Some(path) = bad {
        let message = format!("path `{path}` is no regular expression: the routes answer 503");
        let help = "mend the path, or remove this";
        findings.say(Severity::Error, codes::PATH_INVALID, place, message, help);
        reading.refusal = Some(RefusalReason::Restriction(findings.place(place)));
    }
}

/// Where TLS is asked for, and the Secrets named for it, each once.
fn tls(spec: &raw::IngressSpec, findings: &Findings<'_>) -> (Option<Provenance>, Vec<TlsSecret>) {
    let path = FieldPath::from("spec.tls");
    let written = spec.tls.as_deref().unwrap_or_default();
    let mut secrets: BTreeMap<NamespacedName, TlsSecret> = BTreeMap::new();
    for (index, entry) in written.iter().enumerate() {
        let Some(name) = entry.secret_name.as_deref().filter(|name| !name.is_empty()) else {
            continue;
        };
        let secret = NamespacedName::new(findings.object().namespace.clone(), name);
        let place = findings.place(&path.index(index).key("secretName"));
        let hosts = entry.hosts.iter().flatten().map(|host| host.to_ascii_lowercase().into());
        let named = secrets.entry(secret.clone());
        let named = named.or_insert(TlsSecret { secret, hosts: Vec::new(), place });
        named.hosts.extend(hosts);
    }
    let asked = (!written.is_empty()).then(|| findings.place(&path));
    (asked, secrets.into_values().collect())
}
