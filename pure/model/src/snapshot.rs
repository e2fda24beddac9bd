//! The world after the one join: immutable, ordered, complete.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::advertisement::L2Advertisement;
use crate::bgp::Bgp;
use crate::diagnostics::Diagnostics;
use crate::endpoint::{Endpoint, Workload};
use crate::labels::Labels;
use crate::node::Node;
use crate::object::NamespacedName;
use crate::pool::Pool;
use crate::routing::id::RouteId;
use crate::routing::left_out::LeftOut;
use crate::routing::world::RoutingMap;
use crate::service::{Service, ServicePort};
use crate::sorted::Sorted;

/// Everything the planners read. Lists are sorted by name, whatever the order of the input. Cheap
/// to clone; what an edit does not concern is shared with the Snapshot before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Pools, by name.
    pub pools: Arc<Vec<Pool>>,
    /// L2Advertisements, by name.
    pub l2_advertisements: Arc<Vec<L2Advertisement>>,
    /// Which of `l2_advertisements` (by index) select a pool, by name, by label or all; a pool
    /// that none selects is absent. Names are looked up once, here: two pools may share one.
    pub pool_advertisements: Arc<BTreeMap<NamespacedName, Vec<usize>>>,
    /// Advertisements to routers, and the routers.
    pub bgp: Arc<Bgp>,
    /// Nodes, by name.
    pub nodes: Arc<Vec<Node>>,
    /// Labels of the namespaces that have an object.
    pub namespaces: Arc<BTreeMap<String, Labels>>,
    /// Services with their endpoints.
    pub services: Sorted<NamespacedName, Arc<ResolvedService>>,
    /// Workloads, by name: what `demo` and `lab` play.
    pub workloads: Arc<Vec<Workload>>,
    /// Where the gateway listens, and by what it routes.
    pub routing: RoutingMap,
    /// Rules that are written and have no route.
    pub left_out: Sorted<RouteId, Arc<LeftOut>>,
    /// The `loadBalancerClass` of Services that are ours; none means those without one.
    pub load_balancer_class: Option<String>,
    /// What lowering and joining had to say.
    pub diagnostics: Diagnostics,
}

impl Snapshot {
    /// The pool of this name.
    pub fn pool(&self, id: &NamespacedName) -> Option<&Pool> {
        let place = self.pools.binary_search_by(|pool| pool.id.cmp(id)).ok()?;
        Some(&self.pools[place])
    }
}

/// A Service with its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedService {
    /// The Service.
    pub service: Arc<Service>,
    /// Its ports, in order of the Service.
    pub ports: Vec<ResolvedPort>,
    /// Nodes where endpoints answer, each once, on whatever port; none for endpoints that nobody
    /// placed. What decides who announces an address, as with MetalLB, which looks at no ports.
    pub places: Box<[Option<Arc<str>>]>,
    /// Who takes the traffic to its address.
    pub served_by: ServedBy,
    /// Whether nobody may come in by its address: it restricts who may in a way that is not
    /// honoured. It is announced nowhere, and leads nowhere.
    pub closed: bool,
}

/// A Service port with its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedPort {
    /// The port.
    pub port: ServicePort,
    /// Its endpoints, sorted, also those that are not ready.
    pub endpoints: Vec<Endpoint>,
}

/// Who takes the traffic to a Service's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServedBy {
    /// Our entry points.
    Gateway,
    /// L4 forwarding to its endpoints.
    Forward,
}
