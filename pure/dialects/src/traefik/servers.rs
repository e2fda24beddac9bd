//! Where requests go: a Service and how its endpoints are asked, or a TraefikService.

use std::time::Duration;

use steelyard_manifest::kinds::{IntOrString, traefik as raw};
use steelyard_model::router_draft::{
    AskedServers, CookieDraft, LinkTarget, ObjectLink, ServersDraft, ServersOf, WayDraft, WayTarget,
};
use steelyard_model::routing::backend::{
    Algorithm, RefusalReason, SameSite, SentHost, StickyValue,
};
use steelyard_model::routing::transport::{OriginScheme, ProxyVersion};
use steelyard_model::{BackendRef, FieldPath, NamespacedName, PortRef, Severity};

use super::Reader;
use super::link::Linked;
use crate::codes;

pub(super) const SCHEMES: [(&str, OriginScheme); 3] =
    [("http", OriginScheme::Http), ("https", OriginScheme::Https), ("h2c", OriginScheme::H2c)];

/// A word, and what it means.
pub(super) type Meant = (&'static str, fn() -> Algorithm);

pub(super) const STRATEGIES: [Meant; 5] = [
    ("wrr", || Algorithm::RoundRobin),
    ("RoundRobin", || Algorithm::RoundRobin),
    ("p2c", || Algorithm::TwoChoices),
    ("hrw", || Algorithm::Rendezvous(Box::default())),
    ("leasttime", || Algorithm::LeastTime),
];

const SAME_SITES: [(&str, SameSite); 6] = [
    ("none", SameSite::None),
    ("None", SameSite::None),
    ("lax", SameSite::Lax),
    ("Lax", SameSite::Lax),
    ("strict", SameSite::Strict),
    ("Strict", SameSite::Strict),
];

impl Reader<'_, '_> {
    /// Ways to several; one that cannot be had leads nowhere.
    pub(super) fn ways(
        &mut self,
        written: Option<&Vec<raw::LoadBalancer>>,
        path: &FieldPath,
    ) -> Vec<WayDraft> {
        let all = written.into_iter().flatten().enumerate();
        all.map(|(index, one)| self.way(one, &path.index(index))).collect()
    }

    /// The way to one.
    pub(super) fn way(&mut self, written: &raw::LoadBalancer, path: &FieldPath) -> WayDraft {
        let to = self.to(written, path).unwrap_or(WayTarget::Nowhere);
        let weight =
            self.findings.within(&path.key("weight"), written.weight, 0..=i64::from(u32::MAX));
        let filters = self.links(written.middlewares.as_ref(), &path.key("middlewares"));
        let place = self.findings.place(path);
        let (to, filters) = filters.map_or((WayTarget::Nowhere, Vec::new()), |it| (to, it));
        WayDraft { to, weight: weight.unwrap_or(1), filters, place }
    }

    /// All that a list names, or why one of them cannot be.
    pub(super) fn links(
        &mut self,
        written: Option<&Vec<raw::Reference>>,
        path: &FieldPath,
    ) -> Result<Vec<ObjectLink>, RefusalReason> {
        let all = written.into_iter().flatten().enumerate();
        let all: Vec<Linked> = all.map(|(index, one)| self.link(one, &path.index(index))).collect();
        all.into_iter().collect()
    }

    fn to(
        &mut self,
        written: &raw::LoadBalancer,
        path: &FieldPath,
    ) -> Result<WayTarget, RefusalReason> {
        let name = written.name.as_deref().unwrap_or_default();
        let target = self.target(name, written.namespace.as_deref(), &path.key("name"))?;
        let kind = written.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or("Service");
        match (kind, target) {
            ("TraefikService", target) | ("Service", target @ LinkTarget::Provided(_)) => {
                Ok(WayTarget::Backend(target))
            }
            ("Service", LinkTarget::Object(service)) => {
                Ok(WayTarget::Servers(Box::new(self.servers(written, service, path)?)))
            }
            (other, _) => {
                let why = format!("`{other}` is not a kind that requests can be sent to");
                let help = "use Service or TraefikService";
                Err(self.leads_nowhere(&path.key("kind"), &why, help))
            }
        }
    }

    fn servers(
        &mut self,
        written: &raw::LoadBalancer,
        service: NamespacedName,
        path: &FieldPath,
    ) -> Result<ServersDraft, RefusalReason> {
        let port = self.port(written.port.as_ref(), &path.key("port"))?;
        let transport = match &written.servers_transport {
            Some(name) if !name.is_empty() => {
                let path = path.key("serversTransport");
                let to = self.target(name, Some(&service.namespace), &path)?;
                Some(Box::new(ObjectLink { to, place: self.findings.place(&path) }))
            }
            _ => None,
        };
        let choice = |name: &str, written: &Option<String>| {
            (path.key(name), written.clone().filter(|text| !text.is_empty()))
        };
        let (scheme_path, scheme) = choice("scheme", &written.scheme);
        let (strategy_path, strategy) = choice("strategy", &written.strategy);
        let findings = &mut *self.findings;
        let scheme = findings.choice(&scheme_path, scheme.as_deref(), &SCHEMES);
        let algorithm = findings.choice(&strategy_path, strategy.as_deref(), &STRATEGIES);
        let is_secure = written.tls == Some(true);
        let sticky = written.sticky.as_ref().and_then(|sticky| sticky.cookie.as_ref());
        let place = self.findings.place(path);
        Ok(ServersDraft {
            backend: ServersOf::Service(BackendRef { service, port, place }),
            asked: match (written.native_lb, written.node_port_lb) {
                (_, Some(true)) => Some(AskedServers::Nodes),
                (Some(true), _) => Some(AskedServers::ClusterAddress),
                (Some(false), _) => Some(AskedServers::Endpoints),
                (None, _) => None,
            },
            scheme: if is_secure { Some(OriginScheme::Https) } else { scheme },
            transport,
            host: SentHost::passing(written.pass_host_header.unwrap_or(true)),
            below: None,
            algorithm: algorithm.map(|made| made()).unwrap_or_default(),
            sticky: sticky.map(|cookie| Box::new(self.cookie(cookie, &path.key("sticky")))),
            care: self.care(written, path),
            proxy_protocol: self.proxy_protocol(written.proxy_protocol.as_ref(), path),
            half_closed: written
                .termination_delay
                .map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))),
        })
    }

    fn port(
        &mut self,
        written: Option<&IntOrString>,
        path: &FieldPath,
    ) -> Result<PortRef, RefusalReason> {
        match written {
            Some(IntOrString::Int(number)) => match u16::try_from(*number) {
                Ok(number) if number > 0 => Ok(PortRef::Number(number)),
                _ => {
                    let why = format!("{number} is not a port number");
                    Err(self.leads_nowhere(path, &why, "use a number from 1 to 65535"))
                }
            },
            Some(IntOrString::String(name)) if !name.is_empty() => match name.parse::<u16>() {
                Ok(number) if number > 0 => Ok(PortRef::Number(number)),
                _ => Ok(PortRef::Name(name.clone())),
            },
            _ => Err(self.leads_nowhere(path, "no port is named", "name a port of the Service")),
        }
    }

    /// Says that a field makes no difference yet, and what is so instead.
    pub(super) fn idle(&mut self, path: &FieldPath, so: &str) {
        let message = format!("{path} is not honoured yet: {so}");
        let help = "remove it if that is fine";
        self.findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, path, message, help);
    }

    /// A cookie that leads back.
    pub(super) fn cookie(&mut self, written: &raw::StickyCookie, path: &FieldPath) -> CookieDraft {
        let path = path.key("cookie");
        let same_site = written.same_site.as_deref().filter(|text| !text.is_empty());
        let text =
            |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(Into::into);
        CookieDraft {
            says: StickyValue::Server,
            is_as_asked: false,
            name: text(&written.name),
            is_secure: written.secure.unwrap_or_default(),
            is_http_only: written.http_only.unwrap_or_default(),
            same_site: self.findings.choice(&path.key("sameSite"), same_site, &SAME_SITES),
            max_age: written.max_age.unwrap_or_default(),
            expires: None,
            spares_old: false,
            stays_on_failure: false,
            path: text(&written.path),
            domain: text(&written.domain),
        }
    }

    /// The PROXY protocol towards endpoints; version 2 where none is said.
    pub(super) fn proxy_protocol(
        &mut self,
        written: Option<&raw::ProxyProtocol>,
        path: &FieldPath,
    ) -> Option<ProxyVersion> {
        let path = path.key("proxyProtocol").key("version");
        match self.findings.within(&path, Some(written?.version.unwrap_or(2)), 1..=2)? {
            1_u8 => Some(ProxyVersion::V1),
            _ => Some(ProxyVersion::V2),
        }
    }
}
