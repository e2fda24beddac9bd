//! Services of routers: who answers, and how they are chosen among.

use serde_json::Value;

use super::View;
use super::asks::Asks;
use crate::cluster::Written;
use crate::names::address;
use crate::servers::{Counted, Port, Server, endpoints, is_external};
use crate::shape::{Shape, only};
use crate::tree::Tree;

/// The port that a backend names, as it is written.
pub(super) fn port_of(service: Tree<'_>) -> String {
    let port = service.at("port");
    match port.text("name") {
        "" => port.number("number").to_string(),
        name => name.to_owned(),
    }
}

impl View<'_> {
    /// Who answers for a backend; where nobody does, those of the Service that an annotation names
    /// for that. None where there is no such Service or port.
    pub(super) fn endpoints(
        self,
        asks: Asks<'_>,
        namespace: &str,
        backend: Tree<'_>,
    ) -> Option<Vec<Server>> {
        let service = self.cluster.one("Service", namespace, backend.text("name"))?;
        let named = backend.at("port");
        let found = port(service, named.number("number"), named.text("name"));
        if is_external(service) {
            return self.external(service, found, named.number("number"));
        }
        let found = found?;
        if asks.is("service-upstream") {
            let own = service.spec().text("clusterIP");
            return Some(vec![plain(address(own, found.number))]);
        }
        let all = endpoints(self.cluster, service, &found, Counted::NotStopped);
        let fallback = asks.text("default-backend");
        if !all.is_empty() || fallback.is_empty() || fallback == service.name {
            return Some(all);
        }
        self.first_port(namespace, fallback)
    }

    /// Who answers at the first port of a Service.
    pub(super) fn first_port(self, namespace: &str, name: &str) -> Option<Vec<Server>> {
        let service = self.cluster.one("Service", namespace, name)?;
        let found = port(service, 0, "");
        if is_external(service) {
            return self.external(service, found, 0);
        }
        Some(endpoints(self.cluster, service, &found?, Counted::NotStopped))
    }

    /// A name elsewhere, at the port that is meant there.
    fn external(self, service: &Written, found: Option<Port>, asked: i64) -> Option<Vec<Server>> {
        if self.options.without_external_names {
            return None;
        }
        let number = found.map_or(asked, |port| port.target);
        Some(vec![plain(address(service.spec().text("externalName"), number))])
    }
}

/// The port of a Service by number or name, or the first where neither is written.
fn port(service: &Written, number: i64, name: &str) -> Option<Port> {
    let is_any = number == 0 && name.is_empty();
    let is_it = |it: &Port| {
        is_any || number != 0 && it.number == number || !it.name.is_empty() && it.name == name
    };
    service.spec().items("ports").map(Port::of).find(is_it)
}

fn plain(address: String) -> Server {
    Server { address, is_fenced: false }
}

/// How a router's backend is asked, as the Ingress has it.
pub(super) fn service(servers: &[Server], transport: &str, asks: Asks<'_>) -> Value {
    let scheme = scheme(asks);
    let server = |it: &Server| {
        let url = format!("{scheme}://{}", it.address);
        Shape::default().with("url", url).with("fenced", it.is_fenced).done()
    };
    let hashed = asks.text("upstream-hash-by");
    let shape = Shape::default()
        .with("sticky", sticky(asks, ""))
        .with("servers", servers.iter().map(server).collect::<Vec<_>>())
        .with("strategy", if hashed.is_empty() { "wrr" } else { "hrw" })
        .with("nginxUpstreamHashBy", hashed)
        .kept("passHostHeader", true)
        .with("responseForwarding", only("flushInterval", "100ms".into()))
        .with("serversTransport", if servers.is_empty() { "" } else { transport });
    only("loadBalancer", shape.done())
}

/// The scheme of servers.
pub(super) fn scheme(asks: Asks<'_>) -> &'static str {
    match &*asks.text("backend-protocol").to_ascii_uppercase() {
        "HTTPS" | "GRPCS" => "https",
        "GRPC" => "h2c",
        _ => "http",
    }
}

/// The cookie that leads back, if one is asked for; `suffix` sets apart those of one route.
pub(super) fn sticky(asks: Asks<'_>, suffix: &str) -> Value {
    if asks.text("affinity") != "cookie" {
        return Value::Null;
    }
    let name = asks.written("session-cookie-name").unwrap_or("INGRESSCOOKIE");
    let cookie = Shape::default()
        .with("name", format!("{name}{suffix}"))
        .with("secure", asks.is("session-cookie-secure"))
        .with("httpOnly", true)
        .with("sameSite", asks.text("session-cookie-samesite").to_lowercase())
        .with("maxAge", asks.number("session-cookie-max-age"))
        .with("expires", asks.number("session-cookie-expires"))
        .kept("path", asks.written("session-cookie-path").unwrap_or("/"))
        .with("domain", asks.text("session-cookie-domain"));
    only("cookie", cookie.done())
}
