//! From the Service and port that a route names to endpoints.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::routing::backend::{EndpointOrigin, RefusalReason};
use steelyard_model::routing::id::{BackendId, EndpointSetId};
use steelyard_model::{
    BackendRef, Diagnostic, Endpoint, EndpointState, Host, Missing, NamespacedName, PortRef,
    Protocol, Provenance, RouteDraft, Service, ServicePort, ServiceType, Severity, TargetPort,
};

use super::class::Class;
use super::parts::Parts;
use crate::resolve::backing::Backing;
use crate::resolve::codes;
use crate::resolve::endpoints::Resolved;
use crate::resolve::suggestion::Suggester;

/// Where an ExternalName says where it leads.
const EXTERNAL_NAME: &str = "spec.externalName";

/// What a route is joined with.
pub(super) struct Join<'a> {
    pub(super) backing: &'a Backing,
    pub(super) resolved: &'a BTreeMap<NamespacedName, Resolved>,
    pub(super) suggester: Suggester,
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
}

/// Where a named Service port leads.
struct Target<'a> {
    /// The port as the Service has it.
    port: ServicePort,
    /// The port that is asked, where it is another than the Service's.
    asked: Option<u16>,
    set: EndpointSetId,
    origin: EndpointOrigin,
    endpoints: Cow<'a, [Endpoint]>,
}

impl<'a> Join<'a> {
    /// The backend of a route, put among `parts`. What is not there, or must not be reached this
    /// way, is refused.
    pub(super) fn backend(
        &mut self,
        draft: &RouteDraft,
        class: Class,
        parts: &mut Parts,
    ) -> BackendId {
        let found = draft.backend.as_ref().and_then(|written| {
            let service = self.service(written)?;
            Some((written, service, self.target(written, service, class)?))
        });
        let Some((written, service, target)) = found else {
            let place = draft.backend.as_ref().map_or(&draft.place, |written| &written.place);
            let why = RefusalReason::Reference(place.clone());
            let why = draft.refusal.clone().unwrap_or(why);
            return parts.refused(&draft.id, place, why, None);
        };
        let refusal = self.refusal(draft, (written, service, &target.port), class);
        let leaf = leaf(written, service, target, parts);
        match refusal {
            Some(why) => parts.refused(&draft.id, &written.place, why, Some(leaf)),
            None => leaf,
        }
    }

    /// Why a route must not lead where it does.
    fn refusal(
        &mut self,
        draft: &RouteDraft,
        (written, service, port): (&BackendRef, &Service, &ServicePort),
        class: Class,
    ) -> Option<RefusalReason> {
        let mut refusal = draft.refusal.clone();
        if class == Class::Traefik && is_tls(port) {
            self.report_tls(written, port);
            let why = RefusalReason::Protocol(written.service.clone(), port.port);
            refusal.get_or_insert(why);
        }
        // Only Traefik's annotations on a Service close the way to it.
        refusal.or_else(|| service.backend_refusal.clone().filter(|_| class != Class::Nginx))
    }

    fn service(&mut self, written: &BackendRef) -> Option<&'a Service> {
        match self.backing.services.get(&written.service) {
            Some(service) => Some(service),
            None => {
                self.report_missing_service(written);
                None
            }
        }
    }

    /// The port that is meant, and what answers for it.
    fn target(
        &mut self,
        written: &BackendRef,
        service: &'a Service,
        class: Class,
    ) -> Option<Target<'a>> {
        let ServiceType::ExternalName(host) = &service.kind else {
            let index = self.port(written, service)?;
            return Some(self.of_service(&service.id, service.ports[index].clone(), index));
        };
        let port = self.external_port(written, service)?;
        // Traefik asks at the port of the Service, ingress-nginx at its targetPort.
        let number = match port.target {
            TargetPort::Number(number) if class != Class::Traefik => number,
            _ => port.port,
        };
        let asked = (number != port.port).then_some(number);
        Some(match service.stands_for() {
            Some(other) => {
                let index = self.of_alias(written, &other, number)?;
                Target {
                    port,
                    asked,
                    ..self.of_service(&other, self.port_of(&other, index), index)
                }
            }
            None => {
                let state = EndpointState::Ready;
                let endpoint = Endpoint { host: host.clone(), port: number, state, node: None };
                let origin = match host {
                    Host::Name(name) => EndpointOrigin::Name(name.clone(), number),
                    Host::Ip(_) => {
                        EndpointOrigin::Literal(Provenance::new(&service.object, EXTERNAL_NAME))
                    }
                };
                let set = EndpointSetId::from(endpoint.to_string());
                Target { port, asked, set, origin, endpoints: Cow::Owned(vec![endpoint]) }
            }
        })
    }

    /// The endpoints of a Service's port.
    fn of_service(&self, id: &NamespacedName, port: ServicePort, index: usize) -> Target<'a> {
        let endpoints = Cow::Borrowed(&self.resolved[id].endpoints[index][..]);
        let set = EndpointSetId::from(format!("{id}:{}", port.port));
        let origin = EndpointOrigin::Service(id.clone(), port.port);
        Target { port, asked: None, set, origin, endpoints }
    }

    fn port_of(&self, id: &NamespacedName, index: usize) -> ServicePort {
        self.backing.services[id].ports[index].clone()
    }

    /// An ExternalName needs no ports: the number that a route names is the one at the other end.
    fn external_port(&mut self, written: &BackendRef, service: &Service) -> Option<ServicePort> {
        match (position(written, service), &written.port) {
            (Some(index), _) => Some(service.ports[index].clone()),
            (None, PortRef::Number(number)) => Some(ServicePort {
                name: None,
                protocol: Protocol::Tcp,
                port: *number,
                target: TargetPort::Number(*number),
                node_port: None,
            }),
            (None, PortRef::Name(_)) => {
                self.report_missing_port(written, service);
                None
            }
        }
    }

    /// Index of the port of the Service that an ExternalName stands for; there is no DNS of the
    /// cluster to ask for its name.
    fn of_alias(
        &mut self,
        written: &BackendRef,
        other: &NamespacedName,
        number: u16,
    ) -> Option<usize> {
        let port = |service: &Arc<Service>| {
            service.ports.iter().position(|it| it.port == number && it.protocol == Protocol::Tcp)
        };
        let service = self.backing.services.get(other);
        let is_name = service.is_some_and(|it| matches!(it.kind, ServiceType::ExternalName(_)));
        let missing = Missing::named("Service", &other.name).within(&other.namespace);
        let (lacks, help) = match service {
            None => ("is not there".to_owned(), format!("add Service {other}, or name another")),
            Some(_) if is_name => (
                "is an ExternalName too".to_owned(),
                format!("name what {other} stands for in {}", written.service),
            ),
            Some(service) => match port(service) {
                Some(index) => return Some(index),
                None => (
                    format!("has no TCP port {number}"),
                    format!("name a port of Service {other}, whose cluster name this is"),
                ),
            },
        };
        let mut found = Diagnostic::at(
            Severity::Error,
            codes::BACKEND_EXTERNAL_NAME,
            &field(&written.place, "name"),
            format!(
                "Service {} stands for Service {other}, which {lacks}: the route answers 503",
                written.service
            ),
            help,
        );
        if service.is_none() {
            found = found.missing(missing);
        }
        self.diagnostics.push(found);
        None
    }

    fn report_missing_service(&mut self, written: &BackendRef) {
        let NamespacedName { namespace, name } = &written.service;
        let names = self.backing.services_in(namespace).map(|(id, _)| &*id.name);
        let near = self.suggester.nearest(name, names);
        let missing = Missing::named("Service", name).within(namespace).alike(near.is_some());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => match self.namespace_with(name) {
                Some(other) => format!(
                    "namespace {other} has a Service of this name: move one of the two to the \
                     other's namespace"
                ),
                None => format!("add the Service to namespace {namespace}, or name another"),
            },
        };
        let found = Diagnostic::at(
            Severity::Error,
            codes::BACKEND_SERVICE_MISSING,
            &field(&written.place, "name"),
            format!("there is no Service `{name}` in namespace {namespace}: the route answers 503"),
            help,
        );
        self.diagnostics.push(found.missing(missing));
    }

    /// The first namespace that has a Service `name`.
    fn namespace_with(&mut self, name: &str) -> Option<&'a str> {
        let services = self.backing.services.keys();
        let mut ids = services.take_while(|_| self.suggester.may_look());
        ids.find(|id| *id.name == *name).map(|id| &*id.namespace)
    }

    /// Index of the port meant; requests travel over TCP.
    fn port(&mut self, written: &BackendRef, service: &Service) -> Option<usize> {
        let found = position(written, service);
        if found.is_none() {
            self.report_missing_port(written, service);
        }
        found
    }

    fn report_missing_port(&mut self, written: &BackendRef, service: &Service) {
        let tcp = service.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
        let described: Vec<String> = tcp
            .clone()
            .map(|port| match &port.name {
                Some(name) => format!("{} ({name})", port.port),
                None => port.port.to_string(),
            })
            .collect();
        let (what, near) = match &written.port {
            PortRef::Number(number) => (format!("{number}"), None),
            PortRef::Name(name) => {
                let names = tcp.filter_map(|port| port.name.as_deref());
                (format!("named `{name}`"), self.suggester.nearest(name, names))
            }
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if described.is_empty() => "add the port to the Service".to_owned(),
            None => format!("use one of its ports: {}", described.join(", ")),
        };
        self.diagnostics.push(Diagnostic::at(
            Severity::Error,
            codes::BACKEND_PORT_MISSING,
            &field(&written.place, "port"),
            format!("Service {} has no TCP port {what}: the route answers 503", written.service),
            help,
        ));
    }

    fn report_tls(&mut self, written: &BackendRef, port: &ServicePort) {
        let name = port.name.as_deref().map_or(String::new(), |name| format!(" ({name})"));
        self.diagnostics.push(Diagnostic::at(
            Severity::Error,
            codes::BACKEND_TLS_NOT_HONOURED,
            &field(&written.place, "port"),
            format!(
                "port {}{name} of Service {} is for TLS, which is not spoken to backends yet: \
                 the route answers 503",
                port.port, written.service
            ),
            "name a port that answers plain HTTP",
        ));
    }
}

/// The leaf for a Service port, put among `parts` with its endpoints.
fn leaf(
    written: &BackendRef,
    service: &Service,
    target: Target<'_>,
    parts: &mut Parts,
) -> BackendId {
    let Target { port, asked, set, origin, endpoints } = target;
    let set = parts.endpoints(set, origin, &endpoints);
    let asked = asked.map_or(String::new(), |number| format!(":{number}"));
    let id = BackendId::from(format!("{}:{}{asked}@ingress", written.service, port.port));
    let place = Provenance::new(&service.object, "spec.ports");
    parts.leaf(id, place, (written.service.clone(), port.port), set)
}

/// Index of the port that is named.
fn position(written: &BackendRef, service: &Service) -> Option<usize> {
    let meant = |port: &ServicePort| match &written.port {
        PortRef::Number(number) => port.port == *number,
        PortRef::Name(name) => port.name.as_ref() == Some(name),
    };
    service.ports.iter().position(|port| port.protocol == Protocol::Tcp && meant(port))
}

/// The part of a named backend that is wrong.
fn field(place: &Provenance, key: &str) -> Provenance {
    Provenance { object: Arc::clone(&place.object), field: place.field.key(key) }
}

/// Traefik speaks TLS to a port by its number or name.
fn is_tls(port: &ServicePort) -> bool {
    port.port == 443 || port.name.as_deref().is_some_and(|name| name.starts_with("https"))
}
