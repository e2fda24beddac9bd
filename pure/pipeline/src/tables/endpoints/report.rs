//! What there is to say about a Service's endpoints.

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::suggest::nearest;
use steelyard_model::{
    Diagnostic, FieldPath, Missing, Pod, Service, ServiceType, Severity, TargetPort, Workload,
};

use super::{Resolved, Source};
use crate::codes;
use crate::tables::backing::Backing;

const ANNOTATION: &str = "steelyard.dev/endpoints";

/// Ports that the Service names and none of its pods has.
pub(super) fn missing_target_ports(
    service: &Service,
    pods: &[Arc<Pod>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (index, name) in named_targets(service) {
        if pods.iter().any(|pod| pod.named_ports.contains_key(name)) {
            continue;
        }
        let known: BTreeSet<&str> =
            pods.iter().flat_map(|pod| pod.named_ports.keys()).map(String::as_str).collect();
        diagnostics.push(missing_target_port(service, index, name, "pod", &known));
    }
}

fn named_targets(service: &Service) -> impl Iterator<Item = (usize, &str)> {
    service.ports.iter().enumerate().filter_map(|(index, port)| match &port.target {
        TargetPort::Name(name) => Some((index, name.as_str())),
        TargetPort::Number(_) => None,
    })
}

fn missing_target_port(
    service: &Service,
    index: usize,
    name: &str,
    whose: &str,
    known: &BTreeSet<&str>,
) -> Diagnostic {
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "name a container port so, or use its number".to_owned(),
        None => {
            let names: Vec<&str> = known.iter().copied().collect();
            format!("use one of {}, or a number", names.join(", "))
        }
    };
    Diagnostic::new(
        Severity::Error,
        codes::TARGET_PORT_MISSING,
        &service.object,
        FieldPath::from("spec.ports").index(index).key("targetPort"),
        format!("no {whose} of this Service has a container port named `{name}`"),
        help,
    )
}

/// Endpoints in the annotation of a Service that has others.
pub(super) fn unused_annotation(
    service: &Service,
    instead: &str,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if !service.static_endpoints.is_empty() {
        let message = format!("the endpoints in {ANNOTATION} are not used: {instead} are");
        diagnostics.push(annotation(service, message, "remove the one or the other"));
    }
}

/// Endpoints in the annotation of a Service with several ports, that fit none of them.
pub(super) fn unmatched_annotation(service: &Service, diagnostics: &mut Vec<Diagnostic>) {
    let fits = |number: u16| {
        service.ports.len() < 2
            || service.ports.iter().any(|port| port.target == TargetPort::Number(number))
    };
    for (host, number) in service.static_endpoints.iter().filter(|(_, number)| !fits(*number)) {
        let message = format!("endpoint {host}:{number} is the targetPort of none of the ports");
        let help = format!("give one of the ports `targetPort: {number}`");
        diagnostics.push(annotation(service, message, &help));
    }
}

fn annotation(service: &Service, message: String, help: &str) -> Diagnostic {
    let path = FieldPath::annotation(ANNOTATION);
    let code = codes::ENDPOINTS_ANNOTATION_UNUSED;
    Diagnostic::new(Severity::Warning, code, &service.object, path, message, help)
}

/// A Service that nothing answers for; one that something leads to (an address or a route) is
/// `wanted`.
pub(in crate::tables) fn report_silent(
    backing: &mut Backing<'_, '_>,
    service: &Service,
    resolved: &Resolved,
    wanted: bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let external = matches!(service.kind, ServiceType::ExternalName(_));
    if external || resolved.has_endpoints() {
        return;
    }
    let workloads = backing.workloads(&service.id.namespace, &service.selector);
    if resolved.source == Source::Nothing {
        workload_ports(service, &workloads, diagnostics);
    }
    if !wanted {
        return;
    }
    match (resolved.source, workloads.first()) {
        (Source::Nothing, Some(workload)) => diagnostics.push(not_run(service, workload)),
        (source, _) => {
            let found = without_endpoints(service, source);
            let (namespace, labels) = (service.id.namespace.clone(), service.selector.clone());
            diagnostics.push(match labels.is_empty() {
                true => found,
                false => found.missing(Missing::Labelled { namespace, labels }),
            });
        }
    }
}

/// Ports that the Service names and none of the templates of its workloads has.
fn workload_ports(
    service: &Service,
    workloads: &[Arc<Workload>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    if workloads.is_empty() {
        return;
    }
    let ports = workloads.iter().flat_map(|workload| &workload.ports);
    let known: BTreeSet<&str> = ports.filter_map(|(name, _, _)| name.as_deref()).collect();
    for (index, name) in named_targets(service).filter(|(_, name)| !known.contains(name)) {
        diagnostics.push(missing_target_port(service, index, name, "pod template", &known));
    }
}

fn not_run(service: &Service, workload: &Workload) -> Diagnostic {
    Diagnostic::new(
        Severity::Info,
        codes::WORKLOAD_NOT_RUN,
        &service.object,
        FieldPath::from("spec.selector"),
        format!("{} would run the pods of this Service, but nothing runs it here", workload.object),
        format!(
            "add its EndpointSlices or Pods, or the annotation {ANNOTATION}: \"10.0.0.5:8080\" \
             with where it runs; `demo` and `lab` play it"
        ),
    )
}

fn without_endpoints(service: &Service, source: Source) -> Diagnostic {
    let (path, message) = match source {
        Source::Slices => (
            "",
            "the EndpointSlices of this Service have none of its ports with a number, so nothing \
             is forwarded"
                .to_owned(),
        ),
        Source::Pods => ("spec.selector", "the pods of this Service have no address yet".into()),
        Source::Annotation => ("", format!("no endpoint of {ANNOTATION} fits a port")),
        Source::Nothing if service.selector.is_empty() => {
            ("", "this Service has neither a selector nor endpoints".into())
        }
        Source::Nothing => {
            let labels = service.selector.iter().map(|(key, value)| format!("{key}={value}"));
            let labels: Vec<String> = labels.collect();
            ("spec.selector", format!("nothing in the input has the labels {}", labels.join(",")))
        }
    };
    Diagnostic::new(
        Severity::Warning,
        codes::SERVICE_WITHOUT_ENDPOINTS,
        &service.object,
        path,
        message,
        format!(
            "add EndpointSlices or Pods, or the annotation {ANNOTATION}: \"10.0.0.5:8080\" with \
             where it runs"
        ),
    )
}
