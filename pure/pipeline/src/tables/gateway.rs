//! Which Services are the gateway's: their addresses lead to our entry points.
//!
//! By annotation, or by inference: a Service that people have for the controller we replace
//! names it in its selector or labels, has a port of an entry point, and nothing else answers for
//! it. `steelyard.dev/gateway: "false"` forbids it.

use steelyard_model::routing::entry_point::{BUILT_IN, BuiltIn, EntryPoint};
use steelyard_model::{Diagnostic, FieldPath, Service, ServicePort, Severity};

use super::backing::Backing;
use super::endpoints::{Resolved, Source};
use super::{GatewayServices, ResolveOptions};
use crate::codes;

const ANNOTATION: &str = "steelyard.dev/gateway";
const NAMES: [&str; 3] = ["traefik", "ingress-nginx", "nginx-ingress"];
const LABELS: [&str; 2] = ["app.kubernetes.io/name", "app"];

/// Whether a Service is the gateway's; `is_backend` if a route leads to it.
pub(super) fn serves(
    backing: &mut Backing<'_, '_>,
    service: &Service,
    resolved: &Resolved,
    is_backend: bool,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    if options.gateway == GatewayServices::Nobody {
        return false;
    }
    let able = is_able(service, options);
    match service.gateway {
        Some(true) if !able => {
            diagnostics.push(unused(service));
            return false;
        }
        Some(pinned) => return pinned,
        None => {}
    }
    let unclaimed = able
        && options.gateway == GatewayServices::Inferred
        && resolved.source == Source::Nothing
        && !is_backend
        && has_entry_port(service, options);
    let Some((path, name)) = unclaimed.then(|| named(service)).flatten() else { return false };
    let inferable = backing.workloads(&service.id.namespace, &service.selector).is_empty();
    if inferable {
        diagnostics.push(inferred(service, &path, name));
    }
    inferable
}

/// Whether it gets an address from us at all.
fn is_able(service: &Service, options: &ResolveOptions) -> bool {
    service.is_load_balancer()
        && !service.headless
        && service.load_balancer_class.as_deref() == options.load_balancer_class.as_deref()
}

/// Whether a port of the gateway's Service is one of those that people come in by.
pub(super) fn is_entry_port(port: &ServicePort, options: &ResolveOptions) -> bool {
    let named = |name: &str| port.name.as_deref() == Some(name);
    let built_in = |it: &BuiltIn| named(it.name) || named(it.alias) || port.port == it.port;
    let given = |it: &EntryPoint| named(it.id.as_str()) || port.port == it.port;
    BUILT_IN.iter().any(built_in) || options.entry_points.iter().any(given)
}

fn has_entry_port(service: &Service, options: &ResolveOptions) -> bool {
    service.ports.iter().any(|port| is_entry_port(port, options))
}

/// Where it names a controller that we stand in for, and which.
fn named(service: &Service) -> Option<(FieldPath, &str)> {
    let places = [("spec.selector", &service.selector), ("metadata.labels", &service.labels)];
    for (place, labels) in places {
        for label in LABELS {
            let name = labels.get(label).map(String::as_str);
            if let Some(name) = name.filter(|name| NAMES.contains(name)) {
                return Some((FieldPath::from(place).key(label), name));
            }
        }
    }
    None
}

fn inferred(service: &Service, path: &FieldPath, name: &str) -> Diagnostic {
    Diagnostic::new(
        Severity::Info,
        codes::GATEWAY_INFERRED,
        &service.object,
        path.clone(),
        format!("this Service is for {name} and nothing here answers for it: our gateway does"),
        format!("annotate it with {ANNOTATION}: \"true\" to say so, or \"false\" to forbid it"),
    )
}

fn unused(service: &Service) -> Diagnostic {
    let message = if service.is_load_balancer() && !service.headless {
        format!("{ANNOTATION} does nothing: the Service's loadBalancerClass is not ours")
    } else {
        format!("{ANNOTATION} does nothing: the Service gets no address")
    };
    Diagnostic::new(
        Severity::Warning,
        codes::GATEWAY_ANNOTATION_UNUSED,
        &service.object,
        FieldPath::annotation(ANNOTATION),
        message,
        "make it `type: LoadBalancer` without a loadBalancerClass, or remove the annotation",
    )
}
