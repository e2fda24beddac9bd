//! Servers of a Service: its endpoints, its own address, the nodes, or the name it stands for.

use std::collections::BTreeSet;

use serde_json::Value;
use steelyard_model::ProviderOptions;

use crate::cluster::{Cluster, Written};
use crate::names::address;
use crate::tree::Tree;

/// Endpoints of a Service that stand in no slice. They are written for this program, and lead
/// somewhere with Traefik's own files too.
const OWN_ENDPOINTS: &str = "steelyard.dev/endpoints";

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) number: i64,
    node_port: i64,
    /// Where it leads to.
    pub(crate) target: i64,
}

/// One server.
pub(crate) struct Server {
    /// `host:port`.
    pub(crate) address: String,
    /// Whether it takes nobody new.
    pub(crate) is_fenced: bool,
}

/// Which endpoints count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Those that serve; of which those that go take nobody new.
    Serving,
    /// Those that are ready.
    Ready,
    /// Those that do not say they serve no more; of which those that go take nobody new.
    NotStopped,
}

/// Who is asked for a Service.
pub(crate) struct Asked {
    /// Whether its own address is.
    pub(crate) native: bool,
    /// Whether the nodes are.
    pub(crate) nodes: bool,
    pub(crate) counted: Counted,
}

impl Counted {
    /// Whether an endpoint takes nobody new, if it counts.
    fn is_fenced(self, state: Tree<'_>) -> Option<bool> {
        let (serves, goes) = (state.is("serving"), state.is("terminating"));
        match self {
            Self::Ready => state.is("ready").then_some(false),
            Self::Serving => (state.is("ready") || serves).then_some(serves && goes),
            Self::NotStopped => (serves || state.there("serving").is_none()).then_some(goes),
        }
    }
}

impl Port {
    pub(crate) fn of(written: Tree<'_>) -> Self {
        let (name, number) = (written.text("name").to_owned(), written.number("port"));
        let target = written.at("targetPort").0.as_i64().unwrap_or(number);
        Self { name, number, node_port: written.number("nodePort"), target }
    }

    /// `http`, `https` or `h2c`: what is asked for, else what the port looks like; none where what
    /// is asked for is none of these.
    pub(crate) fn scheme<'s>(&self, asked: &'s str) -> Option<&'s str> {
        match asked {
            "http" | "https" | "h2c" => Some(asked),
            "" => Some(self.usual_scheme()),
            _ => None,
        }
    }

    pub(crate) fn usual_scheme(&self) -> &'static str {
        if self.number == 443 || self.name.starts_with("https") { "https" } else { "http" }
    }
}

/// Whether a Service stands for a name elsewhere.
pub(crate) fn is_external(service: &Written) -> bool {
    service.spec().text("type") == "ExternalName"
}

/// The port that is named, by number or name; one of a Service that stands for a name elsewhere
/// may have any number.
pub(crate) fn port(service: &Written, asked: &Value) -> Option<Port> {
    if crate::shape::is_zero(asked) {
        return None;
    }
    let ports = service.spec().items("ports").map(Port::of);
    let is_asked = |it: &Port| match asked {
        Value::Number(number) => number.as_i64() == Some(it.number),
        Value::String(name) => *name == it.name,
        _ => false,
    };
    let found = ports.into_iter().find(is_asked);
    let any = || {
        let number = asked.as_i64().filter(|_| is_external(service))?;
        Some(Port { name: String::new(), number, node_port: 0, target: number })
    };
    found.or_else(any)
}

/// The servers of a Service port; none where Traefik makes none of it.
pub(crate) fn servers(
    cluster: &Cluster<'_>,
    options: &ProviderOptions,
    service: &Written,
    port: &Port,
    asked: &Asked,
) -> Option<Vec<Server>> {
    let plain = |address| Server { address, is_fenced: false };
    if is_external(service) {
        let name = service.spec().text("externalName");
        let allowed = options.allow_external_name_services == Some(true);
        return allowed.then(|| vec![plain(address(name, port.number))]);
    }
    if asked.nodes && service.spec().text("type") == "NodePort" {
        let nodes = nodes(cluster, options)?;
        return Some(nodes.iter().map(|ip| plain(address(ip, port.node_port))).collect());
    }
    if asked.native {
        let own = service.spec().text("clusterIP");
        let is_one = !matches!(own, "" | "None");
        return is_one.then(|| vec![plain(address(own, port.number))]);
    }
    let endpoints = endpoints(cluster, service, port, asked.counted);
    (options.allow_empty_services || !endpoints.is_empty()).then_some(endpoints)
}

/// Addresses of the nodes, where they may be looked at and there are some.
fn nodes<'c>(cluster: &'c Cluster<'_>, options: &ProviderOptions) -> Option<Vec<&'c str>> {
    if options.disable_cluster_scope_resources {
        return None;
    }
    let addresses =
        cluster.all("Node").iter().flat_map(|node| node.tree().at("status").items("addresses"));
    let inside = addresses.filter(|it| it.text("type") == "InternalIP");
    let inside: Vec<&str> = inside.map(|it| it.text("address")).collect();
    (!inside.is_empty()).then_some(inside)
}

/// Endpoints of a Service port, each once.
pub(crate) fn endpoints(
    cluster: &Cluster<'_>,
    service: &Written,
    port: &Port,
    counted: Counted,
) -> Vec<Server> {
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    for slice in cluster.slices(&service.namespace, &service.name) {
        let named = |it: &Tree<'_>| it.at("name").0.as_str() == Some(&*port.name);
        let number = slice.tree().items("ports").find(named).map(|it| it.number("port"));
        let Some(number) = number.filter(|number| *number != 0) else { continue };
        for endpoint in slice.tree().items("endpoints") {
            let Some(is_fenced) = counted.is_fenced(endpoint.at("conditions")) else { continue };
            for host in endpoint.texts("addresses") {
                if known.insert(host) {
                    all.push(Server { address: address(host, number), is_fenced });
                }
            }
        }
    }
    let own = service.annotation(OWN_ENDPOINTS).split(',').map(str::trim);
    let own = own.filter(|it| it.contains(':'));
    all.extend(own.map(|address| Server { address: address.to_owned(), is_fenced: false }));
    all
}
