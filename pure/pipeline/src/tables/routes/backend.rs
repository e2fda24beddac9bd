//! From the Service and port that a route names to endpoints.

use std::sync::Arc;

use steelyard_model::router_draft::{AskedServers, LinkTarget, ObjectLink};
use steelyard_model::routing::backend::{EndpointOrigin, RefusalReason};
use steelyard_model::routing::id::{BackendId, EndpointSetId, RouteId};
use steelyard_model::routing::route::RouteKind;
use steelyard_model::suggest::nearest;
use steelyard_model::{
    BackendRef, Diagnostic, Endpoint, EndpointState, FieldPath, Host, Item, Missing,
    NamespacedName, PortRef, Protocol, Provenance, RouteDraft, Service, ServicePort, ServiceType,
    Severity, TargetPort,
};

use super::asked::{self, Asked};
use super::elsewhere;
use super::origin::OriginTerms;
use super::parts::{set, set_of_port};
use super::transports::transport_id;
use crate::codes;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Leaf, Spoken, Tag};
use crate::tables::row::{Class, ReadSet, Routed};

/// Where an ExternalName says where it leads.
const EXTERNAL_NAME: &str = "spec.externalName";

/// What a route is joined with.
pub(super) struct Join<'r, 'a> {
    /// What travels there.
    pub(super) protocol: Protocol,
    pub(super) reads: &'r mut Reads<'a>,
    pub(super) origin: &'r OriginTerms,
    pub(super) terms: ServiceTerms,
    pub(super) diagnostics: &'r mut Vec<Diagnostic>,
}

/// How Services are asked.
#[derive(Clone, Copy, Default)]
pub(super) struct ServiceTerms {
    /// They may stand for names elsewhere.
    pub(super) lets_names: bool,
    /// They are asked at their own address, whatever they say.
    pub(super) at_address: bool,
    /// They are unless they say otherwise.
    pub(super) natively: bool,
    /// What becomes of who would go where it cannot be gone; none is of a route.
    pub(super) so: Option<&'static str>,
}

impl ServiceTerms {
    fn so(self) -> &'static str {
        self.so.unwrap_or("the route answers 503")
    }
}

/// Where a named Service port leads.
pub(super) struct Target {
    /// The port as the Service has it.
    pub(super) port: ServicePort,
    /// The port that is asked, where it is another than the Service's.
    pub(super) asked: Option<u16>,
    pub(super) set: EndpointSetId,
}

impl Join<'_, '_> {
    /// The backend of a route, put into `routed`. What is not there, or must not be reached this
    /// way, is refused.
    pub(super) fn backend(
        &mut self,
        draft: &RouteDraft,
        read: &ReadSet<'_>,
        routed: &mut Routed,
    ) -> BackendId {
        let found = draft.backend.as_ref().and_then(|written| {
            let service = self.service(written)?;
            let target = self.target(written, &service, read.class, routed)?;
            Some((written, service, target))
        });
        let Some((written, service, target)) = found else {
            let place = draft.backend.as_ref().map_or(&draft.place, |written| &written.place);
            let why = RefusalReason::Reference(place.clone());
            let why = read.refusal().unwrap_or(why);
            return routed.refuse(&draft.id, place, why, None);
        };
        let refusal = self.refusal(read, &service);
        let spoken = self.origin.spoken(read, &service, &target.port, routed);
        let wish = service.backend_wish.as_deref();
        let heard = wish.filter(|_| hears(read));
        let spoken = match heard.and_then(|it| it.transport.as_ref()) {
            None => spoken,
            Some(link) => match self.named_transport(link, spoken) {
                Ok(spoken) => spoken,
                Err(why) => return routed.refuse(&draft.id, &written.place, why, None),
            },
        };
        let who = match self.terms.at_address {
            true => AskedServers::ClusterAddress,
            false => {
                let said = heard.and_then(|it| it.asked);
                said.unwrap_or_else(|| asked::usual(self.terms.natively && hears(read), &service))
            }
        };
        let (port, set) = (&target.port, &target.set);
        let set = match (Asked { who, service: &service, port, set }).set(self.reads, routed) {
            Ok(set) => set,
            Err((why, key)) => {
                self.diagnostics.push(nobody(&service, why, key));
                let place = &written.place;
                let why = RefusalReason::Reference(place.clone());
                return routed.refuse(&draft.id, place, why, None);
            }
        };
        let Target { port, asked, set: own } = target;
        let leaf = Leaf::new(written.service.clone(), port.port, asked, set, spoken);
        let leaf = leaf.beside(&own);
        let leaf = match (wish, heard) {
            (Some(_), None) => leaf.plain(),
            (_, None) => leaf,
            (_, Some(heard)) => {
                Leaf { sticky: heard.sticky.clone().map(Box::new), host: heard.host, ..leaf }
            }
        };
        let leaf = match &read.reading.balance {
            Some(balance) => leaf.balanced(balance, draft),
            None => leaf,
        };
        let id = leaf.id.clone();
        routed.leaves.push(Arc::new(leaf));
        match refusal {
            Some(why) => routed.refuse(&draft.id, &written.place, why, Some(id)),
            None => id,
        }
    }

    /// A transport that the Service names, of those of other providers; what only the Ingress says
    /// goes before it.
    fn named_transport(
        &mut self,
        link: &ObjectLink,
        spoken: Spoken,
    ) -> Result<Spoken, RefusalReason> {
        if !matches!(self.origin, OriginTerms::Unsaid) {
            return Ok(spoken);
        }
        let LinkTarget::Provided(name) = &link.to else { return Ok(spoken) };
        let (tag, kind) = (Tag::ServersTransport, RouteKind::Http);
        let found = elsewhere::object(tag, name, kind, self.reads)
            .filter(|id| self.reads.row(&Cell::Object(tag, id.clone())).is_some());
        match found {
            Some(id) => Ok(Spoken { transport: transport_id(&id, Some(spoken.scheme)), ..spoken }),
            None => {
                self.diagnostics.push(Diagnostic::at(
                    Severity::Error,
                    codes::REFERENCE_MISSING,
                    &link.place,
                    format!("nobody here provides `{name}`: routes to the Service answer 503"),
                    "name a ServersTransport: NAMESPACE-NAME@kubernetescrd",
                ));
                Err(RefusalReason::Reference(link.place.clone()))
            }
        }
    }

    /// What requests of a route pass on their way to its Service, as that one says.
    pub(super) fn on_the_way(&mut self, draft: &RouteDraft, read: &ReadSet<'_>) -> Vec<ObjectLink> {
        let written = draft.backend.as_ref().filter(|_| hears(read));
        let service = written.and_then(|written| self.look_up(&written.service));
        let wish = service.as_ref().and_then(|service| service.backend_wish.as_deref());
        wish.map(|wish| wish.filters.clone()).unwrap_or_default()
    }

    /// The same for handshakes that `tls` passes on, which goes where a route of `draft` does.
    pub(super) fn passed_on(
        &mut self,
        draft: &RouteDraft,
        read: &ReadSet<'_>,
        tls: &RouteId,
        routed: &mut Routed,
    ) -> BackendId {
        let place = draft.backend.as_ref().map_or(&draft.place, |written| &written.place);
        // What is missing was said of the route for requests.
        let (origin, diagnostics) = (self.origin, &mut Vec::new());
        let terms = ServiceTerms { lets_names: self.terms.lets_names, ..ServiceTerms::default() };
        let (protocol, reads) = (self.protocol, &mut *self.reads);
        let mut quiet = Join { protocol, reads, origin, terms, diagnostics };
        let found = draft.backend.as_ref().and_then(|written| {
            let service = quiet.service(written)?;
            let target = quiet.target(written, &service, read.class, routed)?;
            Some((service, target))
        });
        let Some((service, Target { port, asked, set })) = found else {
            let why = RefusalReason::Reference(place.clone());
            return routed.refuse(tls, place, read.refusal().unwrap_or(why), None);
        };
        let leaf = Leaf::new(service.id.clone(), port.port, asked, set, Spoken::bytes());
        let id = leaf.id.clone();
        routed.leaves.push(Arc::new(leaf));
        match restriction(read, &service) {
            Some(why) => routed.refuse(tls, place, why, Some(id)),
            None => id,
        }
    }

    /// Why a route must not lead where it does.
    fn refusal(&self, read: &ReadSet<'_>, service: &Service) -> Option<RefusalReason> {
        restriction(read, service).or_else(|| self.origin.refusal().cloned())
    }

    pub(super) fn service(&mut self, written: &BackendRef) -> Option<Arc<Service>> {
        let found = self.look_up(&written.service);
        if found.is_none() {
            self.report_missing_service(written);
        }
        found
    }

    /// A Service, if it is there; nothing is said where it is not.
    pub(in crate::tables::routes) fn look_up(
        &mut self,
        id: &NamespacedName,
    ) -> Option<Arc<Service>> {
        match self.reads.row(&Cell::Object(Tag::Service, id.clone()))?.items() {
            [Item::Service(service), ..] => Some(service.clone()),
            _ => None,
        }
    }

    /// The port that is meant, and what answers for it.
    pub(super) fn target(
        &mut self,
        written: &BackendRef,
        service: &Service,
        class: Class,
        routed: &mut Routed,
    ) -> Option<Target> {
        let ServiceType::ExternalName(host) = &service.kind else {
            let port = service.ports[self.port(written, service)?].clone();
            let set = at_port(&service.id, (port.port, port.protocol), routed);
            return Some(Target { port, asked: None, set });
        };
        if !self.terms.lets_names {
            self.diagnostics.push(unwanted(written, class, self.terms.so()));
            return None;
        }
        if class == Class::Nginx && is_local(host) {
            self.diagnostics.push(local(written, host));
            return None;
        }
        let port = self.external_port(written, service, class)?;
        // Traefik asks at the port of the Service, ingress-nginx at its targetPort.
        let number = match port.target {
            TargetPort::Number(number) if !class.asks_as_traefik() => number,
            _ => port.port,
        };
        let asked = (number != port.port).then_some(number);
        let set = match service.stands_for() {
            Some(other) => {
                self.of_alias(written, &other, number)?;
                at_port(&other, (number, self.protocol), routed)
            }
            None => at_host(service, host, number, routed),
        };
        Some(Target { port, asked, set })
    }

    /// An ExternalName needs no ports: the number that a route names is the one at the other end.
    /// For ingress-nginx a name that is a number is that number.
    fn external_port(
        &mut self,
        written: &BackendRef,
        service: &Service,
        class: Class,
    ) -> Option<ServicePort> {
        if let Some(index) = self.position(written, service) {
            return Some(service.ports[index].clone());
        }
        let number = match &written.port {
            PortRef::Number(number) => Some(*number),
            PortRef::Name(name) if !class.asks_as_traefik() => {
                name.parse().ok().filter(|it| *it > 0)
            }
            PortRef::Name(_) | PortRef::First => None,
        };
        let Some(number) = number else {
            self.report_missing_port(written, service);
            return None;
        };
        let (protocol, target) = (self.protocol, TargetPort::Number(number));
        Some(ServicePort {
            name: None,
            protocol,
            port: number,
            target,
            node_port: None,
            scheme: None,
        })
    }

    /// Whether the Service that an ExternalName stands for has the port; there is no DNS of the
    /// cluster to ask for its name.
    fn of_alias(
        &mut self,
        written: &BackendRef,
        other: &NamespacedName,
        number: u16,
    ) -> Option<()> {
        let protocol = self.protocol;
        let is_it = |it: &ServicePort| it.port == number && it.protocol == protocol;
        let service = self.look_up(other);
        let is_name =
            service.as_ref().is_some_and(|it| matches!(it.kind, ServiceType::ExternalName(_)));
        let missing = Missing::named("Service", &other.name).within(&other.namespace);
        let (lacks, help) = match &service {
            None => ("is not there".to_owned(), format!("add Service {other}, or name another")),
            Some(_) if is_name => (
                "is an ExternalName too".to_owned(),
                format!("name what {other} stands for in {}", written.service),
            ),
            Some(service) if service.ports.iter().any(is_it) => return Some(()),
            Some(_) => (
                format!("has no {protocol} port {number}"),
                format!("name a port of Service {other}, whose cluster name this is"),
            ),
        };
        let mut found = Diagnostic::at(
            Severity::Error,
            codes::BACKEND_EXTERNAL_NAME,
            &field(&written.place, "name"),
            format!(
                "Service {} stands for Service {other}, which {lacks}: {}",
                written.service,
                self.terms.so()
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
        let missing = Missing::named("Service", name).within(namespace).sought();
        let say = |no: &str| {
            let so = self.terms.so();
            format!("there is {no} Service `{name}` in namespace {namespace}: {so}")
        };
        let help = format!("add the Service to namespace {namespace}, or name another");
        let found = Diagnostic::at(
            Severity::Error,
            codes::BACKEND_SERVICE_MISSING,
            &field(&written.place, "name"),
            say("no"),
            help,
        );
        self.diagnostics.push(found.missing(missing.if_invalid(say("no valid"))));
    }

    /// Index of the port meant.
    fn port(&mut self, written: &BackendRef, service: &Service) -> Option<usize> {
        let found = self.position(written, service);
        if found.is_none() {
            self.report_missing_port(written, service);
        }
        found
    }

    /// Index of the port that is named.
    fn position(&self, written: &BackendRef, service: &Service) -> Option<usize> {
        let meant = |port: &ServicePort| match &written.port {
            PortRef::Number(number) => port.port == *number,
            PortRef::Name(name) => port.name.as_ref() == Some(name),
            PortRef::First => true,
        };
        service.ports.iter().position(|port| port.protocol == self.protocol && meant(port))
    }

    fn report_missing_port(&mut self, written: &BackendRef, service: &Service) {
        let protocol = self.protocol;
        let fit = service.ports.iter().filter(|port| port.protocol == protocol);
        let described: Vec<String> = fit
            .clone()
            .map(|port| match &port.name {
                Some(name) => format!("{} ({name})", port.port),
                None => port.port.to_string(),
            })
            .collect();
        let (what, near) = match &written.port {
            PortRef::Number(number) => (format!("{number}"), None),
            PortRef::First => ("at all".to_owned(), None),
            PortRef::Name(name) => {
                let names = fit.filter_map(|port| port.name.as_deref());
                (format!("named `{name}`"), nearest(name, names))
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
            format!(
                "Service {} has no {protocol} port {what}: {}",
                written.service,
                self.terms.so()
            ),
            help,
        ));
    }
}

/// Says of a Service that nobody is there who is to be asked for it.
fn nobody(service: &Service, why: &str, key: &str) -> Diagnostic {
    let annotation = format!("traefik.ingress.kubernetes.io/service.{}", key.to_ascii_lowercase());
    let place = Provenance::new(&service.object, FieldPath::annotation(&annotation));
    let message = format!("{why}: routes to it answer 503");
    let help = "remove the annotation, so that the endpoints are asked";
    Diagnostic::at(Severity::Error, codes::REFERENCE_MISSING, &place, message, help)
}

/// Says of a Service that stands for a name elsewhere that it must not.
fn unwanted(written: &BackendRef, class: Class, so: &str) -> Diagnostic {
    let message = format!(
        "Service {} is an ExternalName, and routes may not lead to such: {so}",
        written.service
    );
    let help = match class {
        Class::Nginx => "start without disable-svc-external-name",
        _ => "start with allowexternalnameservices=true of the provider",
    };
    let place = field(&written.place, "name");
    Diagnostic::at(Severity::Error, codes::BACKEND_EXTERNAL_NAME, &place, message, help)
}

/// Whether a name is that of whoever asks: ingress-nginx leads nobody there.
fn is_local(host: &Host) -> bool {
    let Host::Name(name) = host else { return false };
    &**name == "localhost" || name.ends_with(".localhost")
}

/// Says of a Service that stands for such a name that nobody is led there.
fn local(written: &BackendRef, host: &Host) -> Diagnostic {
    let message = format!(
        "Service {} stands for `{host}`, to which ingress-nginx leads nobody: the route answers 503",
        written.service
    );
    let help =
        "write the address of the machine, or annotate the Service with steelyard.dev/endpoints";
    let place = field(&written.place, "name");
    Diagnostic::at(Severity::Error, codes::BACKEND_EXTERNAL_NAME, &place, message, help)
}

/// Whether it is heard what Traefik's annotations on Services say.
fn hears(read: &ReadSet<'_>) -> bool {
    read.class != Class::Nginx
}

/// Why nobody may be led to a Service. Only Traefik's annotations on it close the way there.
fn restriction(read: &ReadSet<'_>, service: &Service) -> Option<RefusalReason> {
    let by_service = || service.backend_refusal.as_deref().filter(|_| read.class != Class::Nginx);
    read.refusal().or_else(|| by_service().cloned())
}

/// The endpoints at a Service's port.
fn at_port(
    id: &NamespacedName,
    (port, protocol): (u16, Protocol),
    routed: &mut Routed,
) -> EndpointSetId {
    routed.ports.push((id.clone(), port, protocol));
    set_of_port(id, port, protocol)
}

/// The one endpoint that an ExternalName names.
fn at_host(service: &Service, host: &Host, port: u16, routed: &mut Routed) -> EndpointSetId {
    let endpoint =
        Endpoint { host: host.clone(), port, state: EndpointState::Ready, node: None, zones: None };
    let origin = match host {
        Host::Name(name) => EndpointOrigin::Name(name.clone(), port),
        Host::Ip(_) => EndpointOrigin::Literal(Provenance::new(&service.object, EXTERNAL_NAME)),
    };
    let id = EndpointSetId::from(endpoint.to_string());
    routed.written.push(Arc::new(set(id.clone(), origin, &[endpoint])));
    id
}

/// The part of a named backend that is wrong.
fn field(place: &Provenance, key: &str) -> Provenance {
    Provenance { object: Arc::clone(&place.object), field: place.field.key(key) }
}
