//! Services of the file provider: servers as they are written, and what shares requests among
//! other services.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use steelyard_manifest::kinds::{file as raw, traefik};
use steelyard_model::discretion::quoted;
use steelyard_model::router_draft::{
    AskedServers, BackendDraft, BackendShape, ObjectLink, ServersDraft, ServersOf, WayDraft,
};
use steelyard_model::routing::backend::{CopiedBody, SentHost};
use steelyard_model::routing::route::RouteKind;
use steelyard_model::routing::transport::OriginScheme;
use steelyard_model::{Endpoint, EndpointState, FieldPath, Host, Item};

use super::super::Reader;
use super::super::servers::{SCHEMES, STRATEGIES};
use super::{kind_of, read, target};
use crate::codes;
use crate::findings::Findings;
use crate::host;

/// Reads a service.
pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::FileService = read(findings)?;
    let (object, kind) = (findings.object().clone(), kind_of(findings));
    let mut reader = Reader { findings };
    let shape = reader.file_shape(&raw, kind)?;
    let filters = reader.named(raw.middlewares.as_ref(), &object.namespace, "middlewares");
    Some(Item::Backend(Box::new(BackendDraft { object, kind, shape, filters })))
}

/// A server, as it is written.
struct Server {
    endpoint: Endpoint,
    scheme: OriginScheme,
    /// What paths that it is asked for are below.
    below: Option<Arc<str>>,
}

impl Reader<'_, '_> {
    fn file_shape(&mut self, raw: &raw::FileService, kind: RouteKind) -> Option<BackendShape> {
        let path = FieldPath::root();
        let there = [
            ("loadBalancer", raw.load_balancer.is_some()),
            ("weighted", raw.weighted.is_some()),
            ("highestRandomWeight", raw.highest_random_weight.is_some()),
            ("mirroring", raw.mirroring.is_some()),
            ("failover", raw.failover.is_some()),
        ];
        let mut named = there.iter().filter(|(_, is)| *is).map(|(name, _)| path.key(name));
        match (named.next(), named.next()) {
            (Some(first), Some(second)) => self.findings.exclusive(&second, &first),
            (None, _) => self.findings.missing(&path.key("loadBalancer"), "say what it does"),
            _ => {}
        }
        let of_requests = there[2..].iter().find(|(_, is)| *is && kind != RouteKind::Http);
        if let Some((name, _)) = of_requests {
            let message = format!("`{name}` is of services for requests alone");
            let help = "use loadBalancer or weighted";
            self.findings.invalid(codes::INVALID_VALUE, &path.key(name), message, help);
        }
        if let Some(weighted) = &raw.weighted {
            let path = path.key("weighted");
            let cookie = weighted.sticky.as_ref().and_then(|sticky| sticky.cookie.as_ref());
            let sticky = cookie.map(|cookie| self.cookie(cookie, &path.key("sticky")));
            let ways = self.shares(weighted.services.as_ref(), &path.key("services"));
            return Some(BackendShape::Weighted { ways, sticky });
        }
        if let Some(rendezvous) = &raw.highest_random_weight {
            let path = path.key("highestRandomWeight").key("services");
            let ways = self.shares(rendezvous.services.as_ref(), &path);
            return Some(BackendShape::Rendezvous { ways });
        }
        if let Some(mirroring) = &raw.mirroring {
            return self.mirroring(mirroring, &path.key("mirroring"));
        }
        if let Some(failover) = &raw.failover {
            return self.stand_in(failover, &path.key("failover"));
        }
        self.load_balancer(raw.load_balancer.as_ref()?, kind, &path.key("loadBalancer"))
    }

    fn shares(&mut self, written: Option<&Vec<raw::FileShare>>, path: &FieldPath) -> Vec<WayDraft> {
        if written.is_none_or(Vec::is_empty) {
            self.findings.missing(path, "name the services");
        }
        let all = written.into_iter().flatten().enumerate();
        all.map(|(index, share)| self.share(share, &path.index(index))).collect()
    }

    fn share(&mut self, written: &raw::FileShare, path: &FieldPath) -> WayDraft {
        let most = i64::from(u32::MAX);
        let weight = self.findings.within(&path.key("weight"), written.weight, 0..=most);
        let name = written.name.as_deref().unwrap_or_default();
        self.named_way(name, &path.key("name"), weight.unwrap_or(1))
    }

    fn named_way(&mut self, name: &str, path: &FieldPath, weight: u32) -> WayDraft {
        if name.is_empty() {
            self.findings.missing(path, "name a service");
        }
        self.way_to(name, path, weight)
    }

    fn mirroring(&mut self, raw: &raw::FileMirroring, path: &FieldPath) -> Option<BackendShape> {
        let main =
            self.named_way(raw.service.as_deref().unwrap_or_default(), &path.key("service"), 1);
        let copies = raw.mirrors.iter().flatten().enumerate().map(|(index, mirror)| {
            let path = path.key("mirrors").index(index);
            let percent = self.findings.within(&path.key("percent"), mirror.percent, 0..=100);
            let name = mirror.name.as_deref().unwrap_or_default();
            (self.named_way(name, &path.key("name"), 1), percent.unwrap_or_default())
        });
        let copies = copies.collect();
        let body = match (raw.mirror_body, raw.max_body_size) {
            (Some(false), _) => CopiedBody::Without,
            (_, size) => CopiedBody::UpTo(size.and_then(|size| u64::try_from(size).ok())),
        };
        Some(BackendShape::Mirror { main: Box::new(main), copies, body })
    }

    fn stand_in(&mut self, raw: &raw::FileFailover, path: &FieldPath) -> Option<BackendShape> {
        let ways = [("service", &raw.service), ("fallback", &raw.fallback)];
        let ways = ways.map(|(field, name)| {
            self.named_way(name.as_deref().unwrap_or_default(), &path.key(field), 1)
        });
        let errors = raw.errors.as_ref();
        let statuses = errors.and_then(|errors| errors.status.as_ref());
        let most = errors.and_then(|errors| errors.max_request_body_bytes);
        Some(BackendShape::Failover {
            ways: Box::new(ways),
            statuses: self.statuses(statuses, &path.key("errors").key("status")),
            replay: most.and_then(|most| u64::try_from(most).ok()),
        })
    }

    fn load_balancer(
        &mut self,
        raw: &raw::FileLoadBalancer,
        kind: RouteKind,
        path: &FieldPath,
    ) -> Option<BackendShape> {
        let all = raw.servers.iter().flatten().enumerate();
        let path_of = |index| path.key("servers").index(index);
        let servers: Vec<(Server, u32)> =
            all.filter_map(|(index, it)| self.server(it, kind, &path_of(index))).collect();
        if raw.servers.as_ref().is_none_or(Vec::is_empty) {
            self.findings.missing(&path.key("servers"), "write the servers");
        }
        let scheme = servers.first().map_or(OriginScheme::Http, |(first, _)| first.scheme);
        if servers.iter().any(|(server, _)| server.scheme != scheme) {
            let message = "servers of one service are spoken to in different ways";
            let help = "make a service of each way, and a weighted one of these";
            let path = path.key("servers");
            self.findings.invalid(codes::INVALID_VALUE, &path, message, help);
        }
        let below = servers.first().and_then(|(first, _)| first.below.clone());
        if servers.iter().any(|(server, _)| server.below != below) {
            let message = "servers of one service are asked for paths below different ones";
            let help = "make a service of each path, and a weighted one of these";
            let path = path.key("servers");
            self.findings.invalid(codes::INVALID_VALUE, &path, message, help);
        }
        let (strategy_path, strategy) = (path.key("strategy"), raw.strategy.as_deref());
        let strategy = strategy.filter(|text| !text.is_empty());
        let algorithm = self.findings.choice(&strategy_path, strategy, &STRATEGIES);
        let cookie = raw.sticky.as_ref().and_then(|sticky| sticky.cookie.as_ref());
        let sticky = cookie.map(|cookie| Box::new(self.cookie(cookie, &path.key("sticky"))));
        let place = self.findings.place(path);
        Some(BackendShape::Servers(Box::new(ServersDraft {
            backend: ServersOf::Written {
                servers: servers.into_iter().map(|(it, weight)| (it.endpoint, weight)).collect(),
                place,
            },
            asked: Some(AskedServers::Endpoints),
            scheme: Some(scheme),
            transport: self.transport_of(raw, path).map(Box::new),
            host: SentHost::passing(raw.pass_host_header.unwrap_or(true)),
            below,
            algorithm: algorithm.map(|made| made()).unwrap_or_default(),
            sticky,
            care: self.care(&checks(raw), path),
            proxy_protocol: self.proxy_protocol(raw.proxy_protocol.as_ref(), path),
            half_closed: raw
                .termination_delay
                .map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))),
        })))
    }

    fn transport_of(
        &mut self,
        raw: &raw::FileLoadBalancer,
        path: &FieldPath,
    ) -> Option<ObjectLink> {
        let name = raw.servers_transport.as_deref().filter(|name| !name.is_empty())?;
        let place = self.findings.place(&path.key("serversTransport"));
        Some(ObjectLink { to: target(name, &self.findings.object().namespace), place })
    }

    fn server(
        &mut self,
        raw: &raw::FileServer,
        kind: RouteKind,
        path: &FieldPath,
    ) -> Option<(Server, u32)> {
        let most = i64::from(u32::MAX);
        let weight = self.findings.within(&path.key("weight"), raw.weight, 0..=most).unwrap_or(1);
        let (field, written) = match kind {
            RouteKind::Http | RouteKind::Grpc => ("url", raw.url.as_deref()),
            RouteKind::Tcp | RouteKind::Udp => ("address", raw.address.as_deref()),
        };
        let path = path.key(field);
        let Some(written) = written.filter(|text| !text.is_empty()) else {
            self.findings.missing(&path, "write where the server is");
            return None;
        };
        let found = match kind {
            RouteKind::Http | RouteKind::Grpc => from_url(written),
            RouteKind::Tcp | RouteKind::Udp => from_address(written, raw.tls == Some(true)),
        };
        let Some((mut server, rest)) = found else {
            let message = format!("`{}` is no server", short(&quoted(written)));
            let help = match field {
                "url" => "write http://10.0.0.5:8080; or https://, or h2c://",
                _ => "write 10.0.0.5:5432, or a name and a port",
            };
            self.findings.invalid(codes::INVALID_VALUE, &path, message, help);
            return None;
        };
        if raw.preserve_path == Some(true) && kind.is_of_requests() {
            match below(rest) {
                Some(below) => server.below = below,
                None => {
                    let message = "what stands behind the server's address is no path";
                    let help = "write http://10.0.0.5:8080/base";
                    self.findings.invalid(codes::INVALID_VALUE, &path, message, help);
                }
            }
        }
        if raw.fenced == Some(true) {
            server.endpoint.state = EndpointState::Terminating;
        }
        Some((server, weight))
    }
}

/// What of a service says how its servers are looked after.
fn checks(raw: &raw::FileLoadBalancer) -> traefik::LoadBalancer {
    traefik::LoadBalancer {
        health_check: raw.health_check.clone(),
        passive_health_check: raw.passive_health_check.clone(),
        ..traefik::LoadBalancer::default()
    }
}

/// A server by its URL, and the path of that.
fn from_url(url: &str) -> Option<(Server, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let lower = scheme.to_ascii_lowercase();
    let scheme = SCHEMES.iter().find(|(name, _)| *name == lower).map(|(_, scheme)| *scheme)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let default = if scheme.is_secure() { 443 } else { 80 };
    let endpoint = endpoint(authority, Some(default))?;
    Some((Server { endpoint, scheme, below: None }, path))
}

/// What paths are below, by what stands behind the address of a server; none where that is no path
/// as requests have it: nobody must read another one into it.
fn below(rest: &str) -> Option<Option<Arc<str>>> {
    let path = rest.trim_end_matches('/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let mut elements = path.split('/').skip(1);
    let is_path = path.bytes().all(is_plain) && !elements.any(|it| matches!(it, "" | "." | ".."));
    is_path.then(|| Some(path).filter(|path| !path.is_empty()).map(Into::into))
}

fn from_address(address: &str, is_secure: bool) -> Option<(Server, &str)> {
    let scheme = if is_secure { OriginScheme::Https } else { OriginScheme::Http };
    Some((Server { endpoint: endpoint(address, None)?, scheme, below: None }, ""))
}

/// `HOST:PORT`; who is known to have a port by itself need not say it.
fn endpoint(authority: &str, default: Option<u16>) -> Option<Endpoint> {
    let bare = |text: &str| text.parse::<IpAddr>().is_ok_and(|it| it.is_ipv6());
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !bare(authority) && !authority.ends_with(']') => {
            (host, port.parse().ok().filter(|port| *port != 0)?)
        }
        _ => (authority, default?),
    };
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = match (bracketed, host.parse::<IpAddr>()) {
        (Some(inner), _) => Host::Ip(IpAddr::V6(inner.parse::<Ipv6Addr>().ok()?)),
        (None, Ok(address)) => Host::Ip(address),
        (None, Err(_)) => {
            let name = host.to_ascii_lowercase();
            Host::Name(Some(name).filter(|name| host::is_name(name))?.into())
        }
    };
    Some(Endpoint { host, port, state: EndpointState::Ready, node: None, zones: None })
}

/// As much of a text as is shown.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_by_their_urls() {
        for (url, expected) in [
            ("http://10.0.0.5:8080", Some("10.0.0.5:8080 Http")),
            ("HTTP://10.0.0.5/a?b", Some("10.0.0.5:80 Http")),
            ("https://nas.lan", Some("nas.lan:443 Https")),
            ("https://NAS", Some("nas:443 Https")),
            ("h2c://[::1]:9", Some("[::1]:9 H2c")),
            ("http://[fd00::1]", Some("[fd00::1]:80 Http")),
            ("http://my_host:80", None),
            ("ftp://a", None),
            ("//a", None),
            ("http://user@a:80", None),
            ("http://a:0", None),
            ("http://a:99999", None),
            ("http://", None),
        ] {
            let found = from_url(url).map(|(it, _)| format!("{} {:?}", it.endpoint, it.scheme));
            assert_eq!(found.as_deref(), expected, "{url}");
        }
    }
    #[test]
    fn paths_of_servers() {
        for (rest, expected) in [
            ("", Some(None)),
            ("/", Some(None)),
            ("/a/b//", Some(Some("/a/b"))),
            ("/a.b-c", Some(Some("/a.b-c"))),
            ("/a//b", None),
            ("/../b", None),
            ("/a?b=c", None),
            ("/a%2fb", None),
            ("/a\\b", None),
            ("?b", None),
        ] {
            assert_eq!(below(rest).as_ref().map(Option::as_deref), expected, "{rest}");
        }
    }
}
