//! From the Service and port that a route names to endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::{
    Backend, BackendRef, Diagnostic, Endpoint, EndpointState, Missing, NamespacedName, PortRef,
    Protocol, Provenance, Refusal, RouteDraft, Service, ServicePort, ServiceType, Severity,
    TargetPort,
};

use super::Class;
use crate::resolve::backing::Backing;
use crate::resolve::codes;
use crate::resolve::endpoints::Resolved;
use crate::resolve::suggestion::Suggester;

/// What a route is joined with.
pub(super) struct Join<'a> {
    pub(super) backing: &'a Backing,
    pub(super) resolved: &'a BTreeMap<NamespacedName, Resolved>,
    pub(super) suggester: Suggester,
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Join<'a> {
    /// Backends that exist, and why the route answers 503 nevertheless. No backends: 503 as well.
    pub(super) fn backends(
        &mut self,
        draft: &RouteDraft,
        class: Class,
    ) -> (Vec<Backend>, Option<Refusal>) {
        let mut refusal = draft.refusal.clone();
        let mut backends = Vec::new();
        for written in &draft.backends {
            let Some(service) = self.service(written) else { continue };
            let Some((port, endpoints)) = self.target(written, service, class) else { continue };
            if class == Class::Traefik && is_tls(&port) {
                self.report_tls(written, &port);
                refusal.get_or_insert_with(|| Refusal {
                    reason: format!("{} port {} is for TLS", written.service, port.port),
                    place: written.place.clone(),
                });
            }
            // Only Traefik's annotations on a Service close the way to it.
            if let Some(closed) = service.backend_refusal.as_ref().filter(|_| class != Class::Nginx)
            {
                refusal.get_or_insert_with(|| closed.clone());
            }
            backends.push(Backend {
                service: written.service.clone(),
                port: port.port,
                weight: written.weight,
                endpoints,
            });
        }
        (backends, refusal)
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
    ) -> Option<(ServicePort, Vec<Endpoint>)> {
        let ServiceType::ExternalName(host) = &service.kind else {
            let index = self.port(written, service)?;
            let endpoints = self.resolved[&written.service].endpoints[index].clone();
            return Some((service.ports[index].clone(), endpoints));
        };
        let port = self.external_port(written, service)?;
        // Traefik asks at the port of the Service, ingress-nginx at its targetPort.
        let number = match port.target {
            TargetPort::Number(number) if class != Class::Traefik => number,
            _ => port.port,
        };
        let endpoints = match service.stands_for() {
            Some(other) => self.of_alias(written, &other, number)?,
            None => {
                let (host, state) = (host.clone(), EndpointState::Ready);
                vec![Endpoint { host, port: number, state, node: None }]
            }
        };
        Some((port, endpoints))
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

    /// The endpoints of the Service that an ExternalName stands for; there is no DNS of the cluster
    /// to ask for its name.
    fn of_alias(
        &mut self,
        written: &BackendRef,
        other: &NamespacedName,
        number: u16,
    ) -> Option<Vec<Endpoint>> {
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
                Some(index) => return Some(self.resolved[other].endpoints[index].clone()),
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
