//! What the manifests come to, as far as the laboratory must know: which address is whose.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::Route;
use steelyard_model::{NamespacedName, ServedBy, Snapshot};
use steelyard_plan::{Plan, ServiceRow};

/// How manifests and a lock file are read and planned: as the nodes themselves do.
pub type Reader = fn(&[PathBuf], &Path) -> anyhow::Result<(Snapshot, Plan)>;

/// The manifests, joined and planned.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// The joined world.
    pub(super) snapshot: Snapshot,
    /// Services of type LoadBalancer, with the addresses they get.
    pub(super) vips: Vec<Vip>,
}

/// A Service with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vip {
    /// The Service.
    pub(super) service: NamespacedName,
    /// Its addresses; none while it is pending.
    pub(super) addresses: Vec<IpAddr>,
    /// Its ports, `80/TCP`.
    pub(super) ports: Vec<String>,
    /// Who takes the traffic.
    pub(super) by: ServedBy,
    /// Whether there is anything to take it.
    pub(super) answers: bool,
}

impl World {
    /// Reads and plans `paths`, addresses held as the lock file says.
    pub(super) fn read(read: Reader, paths: &[PathBuf], lock: &Path) -> anyhow::Result<Self> {
        let (snapshot, plan) = read(paths, lock)?;
        let row = |(id, row): (&NamespacedName, ServiceRow<'_>)| {
            let resolved = snapshot.services.get(id)?;
            let ports = resolved.service.ports.iter();
            let reached = resolved.ports.iter().any(|port| !port.endpoints.is_empty());
            Some(Vip {
                answers: reached || resolved.served_by == ServedBy::Gateway,
                addresses: row.addresses.to_vec(),
                ports: ports.map(|port| format!("{}/{}", port.port, port.protocol)).collect(),
                by: resolved.served_by,
                service: id.clone(),
            })
        };
        let vips = plan.services.iter().filter_map(row).collect();
        Ok(Self { vips, snapshot })
    }

    /// All addresses of Services.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.vips.iter().flat_map(|vip| vip.addresses.iter().copied())
    }

    /// Addresses behind which something answers.
    pub(super) fn answering(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let answering = self.vips.iter().filter(|vip| vip.answers);
        answering.flat_map(|vip| vip.addresses.iter().copied())
    }

    /// Whose address it is.
    pub(super) fn service_of(&self, address: IpAddr) -> String {
        let vip = self.vips.iter().find(|vip| vip.addresses.contains(&address));
        vip.map(|vip| vip.service.to_string()).unwrap_or_default()
    }

    /// Where requests to `host` go: the gateway's addresses when a route names the host, `own`
    /// addresses of the node when no Service is the gateway's.
    pub(super) fn vips_of(&self, host: &str, own: &[IpAddr]) -> Vec<IpAddr> {
        let names = |route: &Arc<Route>| {
            let pattern = route.rule.host();
            *pattern != HostPattern::Any && pattern.matches(host)
        };
        if !self.snapshot.routing.routes.values().any(names) {
            return Vec::new();
        }
        let gateway = self.gateway_addresses();
        if gateway.is_empty() { own.to_vec() } else { gateway }
    }

    /// All that a certificate may be asked for: hosts of routes, and the gateway's addresses.
    pub(super) fn hosts(&self) -> BTreeSet<String> {
        let of_route = |route: &Arc<Route>| match route.rule.host() {
            HostPattern::Exact(host) => Some(host.to_string()),
            HostPattern::Label(suffix) => Some(format!("*.{suffix}")),
            HostPattern::Any | HostPattern::Labels(_) => None,
        };
        let named = self.snapshot.routing.routes.values().filter_map(of_route);
        named.chain(self.gateway_addresses().iter().map(IpAddr::to_string)).collect()
    }

    /// URLs worth trying: of routes, then of other Services. `own` is an address of the node,
    /// where the entry points are when no Service is the gateway's.
    pub(super) fn urls(&self, own: IpAddr) -> Vec<String> {
        let at = url(self.gateway_addresses().first().copied().unwrap_or(own));
        let of_route = |route: &Arc<Route>| {
            if !route.kind.is_of_requests() {
                return None;
            }
            let host = match route.rule.host() {
                HostPattern::Exact(host) => host,
                HostPattern::Any => at.as_str(),
                HostPattern::Label(_) | HostPattern::Labels(_) => return None,
            };
            let path = route.rule.path().map_or_else(|| "/".into(), |path| path.shape.to_string());
            Some(format!("http://{host}{path}"))
        };
        let of_service = |vip: &Vip| {
            let port = vip.ports.iter().find_map(|port| port.strip_suffix("/TCP"))?;
            let port = if port == "80" { String::new() } else { format!(":{port}") };
            Some(format!("http://{}{port}/", url(*vip.addresses.first()?)))
        };
        let forwarded = |vip: &&Vip| vip.by == ServedBy::Forward && vip.answers;
        let forwarded = self.vips.iter().filter(forwarded);
        let routes = self.snapshot.routing.in_order().into_iter().filter_map(of_route);
        routes.chain(forwarded.filter_map(of_service)).collect()
    }

    fn gateway_addresses(&self) -> Vec<IpAddr> {
        let gateway = self.vips.iter().filter(|vip| vip.by == ServedBy::Gateway);
        gateway.flat_map(|vip| vip.addresses.iter().copied()).collect()
    }
}

/// An address as URLs have it.
fn url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}
