//! Which names certificates and routes have in common: certificates for names that nobody serves,
//! and hosts that are served over TLS alone without a certificate for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_model::routing::id::CertificateId;
use steelyard_model::routing::listener::Security;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::{Route, RouteKind};
use steelyard_model::routing::tls::Certificate;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, ObjectRef, Provenance, Severity};

use crate::codes::{CERTIFICATE_NAME_UNUSED, TLS_HOST_BARE};
use crate::table::{CertificateTable, Offer};
use crate::unheld::HeldHandshakes;

/// So many names stand in one finding.
const SHOWN: usize = 5;

/// What routes serve where TLS ends here.
#[derive(Default)]
struct Served<'r> {
    exact: BTreeSet<&'r str>,
    /// What stands behind the wildcards, of any number of labels.
    wildcards: BTreeSet<&'r str>,
    /// Some route is for every host, or does not say which.
    all: bool,
}

/// What there is to say of the names of certificates, and of hosts without one.
pub fn coverage(routing: &RoutingMap) -> Vec<Diagnostic> {
    let mut served = Served::default();
    let mut bare: BTreeMap<&ObjectRef, (&Provenance, BTreeSet<&str>)> = BTreeMap::new();
    let (shown, held) = (Shown::new(routing), HeldHandshakes::new(routing));
    for route in routing.routes.values() {
        let Some((host, is_alone)) = host(routing, route) else { continue };
        served.add(host);
        // Whose handshakes are refused is shown none.
        if let HostPattern::Exact(name) = host
            && is_alone
            && !shown.covers(name)
            && !held.none_for_host(route, host)
        {
            let (_, hosts) =
                bare.entry(&*route.place.object).or_insert_with(|| (&route.place, BTreeSet::new()));
            hosts.insert(name);
        }
    }
    let unused = routing.certificates.values().filter_map(|it| unused(it, &served));
    unused.chain(bare.into_values().map(|(place, hosts)| without(place, &hosts))).collect()
}

/// Which certificates clients of routes are shown.
pub struct RouteCertificates<'r> {
    routing: &'r RoutingMap,
    table: CertificateTable<Offered>,
    for_all: Option<&'r CertificateId>,
}

/// One of them.
struct Offered(Arc<Certificate>);

impl Offer for Offered {
    fn certificate(&self) -> &Certificate {
        &self.0
    }
}

impl<'r> RouteCertificates<'r> {
    /// Of all routes.
    pub fn new(routing: &'r RoutingMap) -> Self {
        let all = || routing.certificates.values();
        let table = CertificateTable::new(all().map(|it| Arc::new(Offered(it.clone()))));
        let for_all = all().find(|it| it.is_default).map(|it| &it.id);
        Self { routing, table, for_all }
    }

    /// That of one, as the clients see it who verify the best kind of key that there is for its
    /// host; none where it is made here, or TLS ends elsewhere.
    pub fn of(&self, route: &Route) -> Option<&CertificateId> {
        let named = match host(self.routing, route)?.0 {
            HostPattern::Exact(name) => self.table.named(name, |_| true),
            HostPattern::Label(suffix) => self.table.named(&format!("*.{suffix}"), |_| true),
            HostPattern::Labels(_) | HostPattern::Any => None,
        };
        named.map(|it| &it.0.id).or(self.for_all)
    }
}

/// The names of all certificates; none where one is for all others.
struct Shown<'r>(Option<BTreeSet<&'r HostPattern>>);

impl<'r> Shown<'r> {
    fn new(routing: &'r RoutingMap) -> Self {
        let all = || routing.certificates.values();
        let is_for_all = all().any(|it| it.is_default);
        Self((!is_for_all).then(|| all().flat_map(|it| &it.names).collect()))
    }

    fn covers(&self, host: &str) -> bool {
        let Some(names) = &self.0 else { return true };
        let wildcard = host.split_once('.').map(|(_, suffix)| HostPattern::Label(suffix.into()));
        names.contains(&HostPattern::Exact(host.into()))
            || wildcard.is_some_and(|it| names.contains(&it))
    }
}

/// The host of a route, where TLS ends here for it, and whether it is served so alone.
fn host<'r>(routing: &'r RoutingMap, route: &'r Route) -> Option<(&'r HostPattern, bool)> {
    let all = || route.listeners.iter().filter_map(|id| routing.listeners.get(id));
    let ends = |security: &Security| matches!(security, Security::Terminate { .. });
    let listener = all().find(|it| ends(&it.security))?;
    let host = match route.kind {
        RouteKind::Tcp | RouteKind::Udp => route.rule.server_name().unwrap_or(&HostPattern::Any),
        RouteKind::Http | RouteKind::Grpc => route.rule.host(),
    };
    let host = if *host == HostPattern::Any { &listener.host } else { host };
    // A listener that names its certificates is no business of the common table.
    let is_common = |security: &Security| match security {
        Security::Terminate { certificates, .. } => certificates.is_empty(),
        Security::Plain | Security::Passthrough => false,
    };
    Some((host, all().all(|it| is_common(&it.security))))
}

impl<'r> Served<'r> {
    fn add(&mut self, host: &'r HostPattern) {
        match host {
            HostPattern::Exact(name) => drop(self.exact.insert(name)),
            HostPattern::Label(suffix) | HostPattern::Labels(suffix) => {
                self.wildcards.insert(suffix);
            }
            HostPattern::Any => self.all = true,
        }
    }

    /// Whether a handshake for some name that `pattern` means may lead to a route.
    fn may_ask(&self, pattern: &HostPattern) -> bool {
        let above = |name: &str| {
            let mut rest = name;
            std::iter::from_fn(|| {
                rest = rest.split_once('.')?.1;
                Some(rest)
            })
            .any(|suffix| self.wildcards.contains(suffix))
        };
        match pattern {
            _ if self.all => true,
            HostPattern::Exact(name) => self.exact.contains(&**name) || above(name),
            HostPattern::Label(suffix) => {
                let is_below = |it: &&str| it.split_once('.').is_some_and(|it| *it.1 == **suffix);
                self.wildcards.contains(&**suffix)
                    || above(suffix)
                    || self.exact.iter().any(is_below)
            }
            HostPattern::Labels(_) | HostPattern::Any => true,
        }
    }
}

fn unused(certificate: &Certificate, served: &Served<'_>) -> Option<Diagnostic> {
    let place = certificate.place.as_ref().filter(|_| !certificate.is_default)?;
    let names = certificate.names.iter().filter(|name| !served.may_ask(name));
    let names: BTreeSet<String> = names.map(ToString::to_string).collect();
    let shown = list(names.iter().map(String::as_str))?;
    let message = format!(
        "the certificate in Secret {} is for {shown} too, and no route over TLS is",
        certificate.id
    );
    let help = "add the route, or leave the name out when the certificate is signed again";
    Some(Diagnostic::at(Severity::Info, CERTIFICATE_NAME_UNUSED, place, message, help))
}

fn without(place: &Provenance, hosts: &BTreeSet<&str>) -> Diagnostic {
    let shown = list(hosts.iter().copied()).unwrap_or_default();
    let message = format!(
        "no certificate is for {shown}, served over TLS alone: clients are shown the default one"
    );
    let help = "name the Secret of one in `spec.tls`, or one for all hosts: \
                --default-ssl-certificate NAMESPACE/NAME";
    Diagnostic::at(Severity::Info, TLS_HOST_BARE, place, message, help)
}

/// The first of them; none where there is none.
fn list<'n>(mut names: impl Iterator<Item = &'n str>) -> Option<String> {
    let mut shown = names.next()?.to_owned();
    for name in names.by_ref().take(SHOWN - 1) {
        shown.push_str(", ");
        shown.push_str(name);
    }
    let more = names.count();
    if more > 0 {
        shown.push_str(&format!(" and {more} more"));
    }
    Some(shown)
}
