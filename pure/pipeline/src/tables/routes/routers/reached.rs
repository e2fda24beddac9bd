//! Whom filters ask: a backend for each URL that one names.
//!
//! A name of the cluster (`auth.apps.svc.cluster.local`) is the Service, wherever this runs: its
//! endpoints are asked, and no DNS. Other names are looked up when they are asked. All of it stands
//! in objects; nothing of a request has a part in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::backend::{
    Backend, BackendNode, EndpointOrigin, EndpointSet, Endpoints,
};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::FilterTls;
use steelyard_model::routing::filter::token::TokenKeys;
use steelyard_model::routing::id::{BackendId, EndpointSetId, FilterId, TransportId};
use steelyard_model::routing::transport::{OriginTls, Roots, Transport};
use steelyard_model::{
    Diagnostic, Endpoint, EndpointState, FilterDraft, Host, Item, Missing, NamespacedName,
    Protocol, Provenance, Secret, SecretValue, Service, ServiceType, Severity,
};
use steelyard_tls::{AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY, Unfit, authorities, identity};

use super::super::parts::{set, set_of_port};
use super::{Maker, field};
use crate::codes;
use crate::tables::cell::{Cell, Tag};

impl Maker<'_, '_> {
    /// Gives a filter the backends that stand for the addresses which it asks at. None where one
    /// cannot be had, which has been said.
    pub(super) fn reach(&mut self, filter: &mut Filter, draft: &FilterDraft) -> Option<()> {
        let place =
            |path: &[&str]| path.iter().fold(draft.place.clone(), |place, key| field(&place, key));
        match filter {
            Filter::ForwardAuth(auth) => {
                let place = place(&["forwardAuth", "address"]);
                auth.backend =
                    self.asked_at(&auth.address, auth.tls.as_ref(), &draft.id, &place)?;
            }
            Filter::Login(auth) => {
                let place = place(&["plugin", "oidc", "issuer"]);
                let tls = auth.issuer.tls.clone();
                for (url, backend) in &mut auth.issuer.origins {
                    *backend = self.asked_at(url, tls.as_ref(), &draft.id, &place)?;
                }
            }
            Filter::Token(auth) => {
                if let TokenKeys::Address(at) = &mut auth.keys {
                    let place = place(&["plugin", "jwt", "jwksUrl"]);
                    at.backend = self.asked_at(&at.url, at.tls.as_ref(), &draft.id, &place)?;
                }
            }
            Filter::RateLimit(limit) => {
                let Some(redis) = &mut limit.redis else { return Some(()) };
                let place = place(&["rateLimit", "redis", "endpoints"]);
                for (server, backend) in &mut redis.servers {
                    *backend = self.asked_at(server, redis.tls.as_ref(), &draft.id, &place)?;
                }
            }
            _ => {}
        }
        Some(())
    }

    /// The backend that stands for an URL which the filter `owner` asks at, with its endpoints and
    /// the way to speak to them, which come and go with that filter: the one function for whatever
    /// a filter asks. `place` is where the URL is written, `tls` what the filter says of whom to
    /// believe and what to show; without it the machine's roots are believed.
    ///
    /// Its id hangs on `owner` and the URL's scheme, host and port alone, so several URLs of one
    /// server are one backend, and its connections outlive a reload. The host that is asked is the
    /// URL's, also where it stands for a Service, and so is the name in the certificate.
    ///
    /// None where it names a Service or a port of one that is not there, or where `tls` is of no
    /// use, which has been said: the filter is not to be had then, and closes who uses it.
    pub(super) fn asked_at(
        &mut self,
        url: &AskedUrl,
        tls: Option<&FilterTls>,
        owner: &FilterId,
        place: &Provenance,
    ) -> Option<BackendId> {
        let id = backend_id(owner, url);
        if self.routed.own.iter().any(|known| known.id == id) {
            return Some(id);
        }
        let set = self.endpoints_at(url, place)?;
        let transport = self.spoken_at(url, tls, &id, place)?;
        let backend = Backend::Endpoints(Endpoints::in_turn(set, transport));
        let place = Some(place.clone());
        self.routed.own.push(Arc::new(BackendNode {
            id: id.clone(),
            place,
            service: None,
            backend,
        }));
        Some(id)
    }

    fn endpoints_at(&mut self, url: &AskedUrl, place: &Provenance) -> Option<EndpointSetId> {
        let Some((id, is_service)) = url.service() else {
            return Some(self.elsewhere(&url.host, url.port, place));
        };
        match self.service_at(&id) {
            Some(service) => self.port_of(&service, url, place),
            None if is_service => {
                self.no_service(&id, place);
                None
            }
            None => Some(self.elsewhere(&url.host, url.port, place)),
        }
    }

    /// The endpoints of a Service at the port of an URL.
    fn port_of(
        &mut self,
        service: &Service,
        url: &AskedUrl,
        place: &Provenance,
    ) -> Option<EndpointSetId> {
        let id = match (&service.kind, service.stands_for()) {
            // Once: a name that leads on and on is asked for where it ends.
            (_, Some(other)) if self.service_at(&other).is_some() => other,
            (ServiceType::ExternalName(host), _) => {
                return Some(self.elsewhere(host, url.port, place));
            }
            _ => service.id.clone(),
        };
        let service = self.service_at(&id)?;
        let port = (url.port, Protocol::Tcp);
        if service.ports.iter().any(|it| (it.port, it.protocol) == port) {
            self.routed.ports.push((id.clone(), url.port, Protocol::Tcp));
            return Some(set_of_port(&id, url.port, Protocol::Tcp));
        }
        let ports: Vec<String> = service.ports.iter().map(|it| it.port.to_string()).collect();
        let message =
            format!("Service {id} has no TCP port {}: routes that use this answer 503", url.port);
        let help = format!("use one of its ports: {}", ports.join(", "));
        let code = codes::BACKEND_PORT_MISSING;
        self.diagnostics.push(Diagnostic::at(Severity::Error, code, place, message, help));
        None
    }

    fn service_at(&mut self, id: &NamespacedName) -> Option<Arc<Service>> {
        match self.reads.row(&Cell::Object(Tag::Service, id.clone()))?.items() {
            [Item::Service(service), ..] => Some(service.clone()),
            _ => None,
        }
    }

    fn no_service(&mut self, id: &NamespacedName, place: &Provenance) {
        let NamespacedName { namespace, name } = id;
        let say = |no: &str| {
            format!(
                "there is {no} Service `{name}` in namespace {namespace}: routes that use this \
                 answer 503"
            )
        };
        let help = format!("add the Service to namespace {namespace}, or name another");
        let code = codes::BACKEND_SERVICE_MISSING;
        let found = Diagnostic::at(Severity::Error, code, place, say("no"), help);
        let missing = Missing::named("Service", name).within(namespace).sought();
        self.diagnostics.push(found.missing(missing.if_invalid(say("no valid"))));
    }

    /// The one endpoint at an address, or at a name that is looked up when it is asked.
    fn elsewhere(&mut self, host: &Host, port: u16, place: &Provenance) -> EndpointSetId {
        let state = EndpointState::Ready;
        let endpoint = Endpoint { host: host.clone(), port, state, node: None, zones: None };
        let origin = match host {
            Host::Name(name) => EndpointOrigin::Name(name.clone(), port),
            Host::Ip(_) => EndpointOrigin::Literal(place.clone()),
        };
        let id = EndpointSetId::from(endpoint.to_string());
        let made: EndpointSet = set(id.clone(), origin, &[endpoint]);
        self.routed.written.push(Arc::new(made));
        id
    }

    fn spoken_at(
        &mut self,
        url: &AskedUrl,
        tls: Option<&FilterTls>,
        backend: &BackendId,
        place: &Provenance,
    ) -> Option<TransportId> {
        if !url.is_secure {
            let plain = if url.is_http() { Transport::plain() } else { Transport::bytes() };
            return Some(plain.id);
        }
        let usual = FilterTls::default();
        let terms = match terms(tls.unwrap_or(&usual), url, place) {
            Ok(terms) => terms,
            Err(why) => {
                let message = format!("TLS cannot be spoken to {}: {why}", url.authority);
                let code = codes::FILTER_SECRET;
                let found = Diagnostic::at(Severity::Error, code, place, message, why.help());
                self.diagnostics.push(found);
                return None;
            }
        };
        let id = TransportId::from(backend.as_str());
        let usual = if url.is_http() { Transport::https() } else { Transport::bytes() };
        let spoken = Transport { id: id.clone(), tls: Some(terms), ..usual };
        self.routed.transports.push(Arc::new(spoken));
        Some(id)
    }
}

/// `default/auth#https://auth.example@kubernetescrd` of the filter `default/auth@kubernetescrd`.
fn backend_id(owner: &FilterId, url: &AskedUrl) -> BackendId {
    let origin = url.origin();
    match owner.as_str().rsplit_once('@') {
        Some((name, provider)) => format!("{name}#{origin}@{provider}"),
        None => format!("{owner}#{origin}"),
    }
    .into()
}

/// How TLS is spoken at an URL.
fn terms(tls: &FilterTls, url: &AskedUrl, place: &Provenance) -> Result<OriginTls, Unfit> {
    let kept = |texts: &[(&str, &Arc<str>)]| Secret {
        object: place.object.clone(),
        kind: String::new(),
        data: texts
            .iter()
            .map(|(key, it)| ((*key).to_owned(), SecretValue::from(&***it)))
            .collect::<BTreeMap<_, _>>(),
        unreadable: BTreeSet::new(),
        texts: BTreeSet::new(),
    };
    let roots = match (&tls.ca, tls.is_unverified) {
        (_, true) => Roots::Nobody,
        (None, false) => Roots::System,
        (Some(pem), false) => {
            let pem = authorities(&kept(&[(AUTHORITIES_KEY, pem)]))?;
            Roots::Pem(pem.ok_or(Unfit::Absent(AUTHORITIES_KEY))?)
        }
    };
    let client = match &tls.identity {
        Some((chain, key)) => identity(&kept(&[(CERTIFICATE_KEY, chain), (PRIVATE_KEY, key)]))?,
        None => None,
    };
    let server_name = match &url.host {
        Host::Name(name) => Some(name.clone()),
        Host::Ip(_) => None,
    };
    Ok(OriginTls { server_name, roots, client: client.map(Arc::new), ..OriginTls::default() })
}
