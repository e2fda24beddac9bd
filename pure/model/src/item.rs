//! One object after lowering: valid by itself, not yet joined with others.

use std::sync::Arc;

use crate::advertisement::L2Advertisement;
use crate::bgp::{BfdProfile, BgpAdvertisement, BgpPeer, CommunityAliases};
use crate::endpoint::{EndpointSlice, Pod, Workload};
use crate::filter_draft::FilterDraft;
use crate::handshake_draft::{MaterialDraft, NamedFile, PolicyDraft, StoreDraft, TransportDraft};
use crate::labels::Labels;
use crate::network_policy::NetworkPolicy;
use crate::node::Node;
use crate::object::ObjectRef;
use crate::pool::Pool;
use crate::route_draft::{IngressClass, RouteSet};
use crate::router_draft::{BackendDraft, RouterSet};
use crate::secret::Secret;
use crate::service::Service;

/// What an object became. Small, whatever it is: there are many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `v1` Service.
    Service(Arc<Service>),
    /// `v1` Pod.
    Pod(Arc<Pod>),
    /// `v1` Node.
    Node(Box<Node>),
    /// `v1` Namespace.
    Namespace {
        /// The object itself.
        object: Arc<ObjectRef>,
        /// Its labels, for pools' namespace selectors.
        labels: Labels,
    },
    /// `v1` Secret.
    Secret(Box<Secret>),
    /// `v1` ConfigMap.
    ConfigMap {
        /// The object itself.
        object: Arc<ObjectRef>,
        /// Its content.
        data: Arc<Labels>,
    },
    /// EndpointSlice, or one subset of `v1` Endpoints.
    EndpointSlice(Arc<EndpointSlice>),
    /// NetworkPolicy that isolates pods from who would come in.
    NetworkPolicy(Arc<NetworkPolicy>),
    /// Deployment, StatefulSet, DaemonSet.
    Workload(Arc<Workload>),
    /// IPAddressPool.
    Pool(Box<Pool>),
    /// L2Advertisement.
    L2Advertisement(Box<L2Advertisement>),
    /// BGPAdvertisement.
    BgpAdvertisement(Box<BgpAdvertisement>),
    /// BGPPeer, of either version.
    BgpPeer(Box<BgpPeer>),
    /// BFDProfile.
    BfdProfile(Box<BfdProfile>),
    /// Community.
    Communities(Box<CommunityAliases>),
    /// IngressClass.
    IngressClass(Box<IngressClass>),
    /// Ingress.
    Routes(Box<RouteSet>),
    /// IngressRoute, IngressRouteTCP, IngressRouteUDP.
    Routers(Box<RouterSet>),
    /// TraefikService.
    Backend(Box<BackendDraft>),
    /// TLSOption.
    Policy(Box<PolicyDraft>),
    /// TLSStore.
    Store(Box<StoreDraft>),
    /// ServersTransport, ServersTransportTCP.
    Transport(Box<TransportDraft>),
    /// Middleware, MiddlewareTCP.
    Filter(Box<FilterDraft>),
    /// A certificate of a file of dynamic configuration.
    Material(Box<MaterialDraft>),
    /// A file that such a file names.
    File(Box<NamedFile>),
}

impl Item {
    /// Gives back memory that was reserved for more than came.
    pub fn shrink(&mut self) {
        match self {
            Self::Service(service) => {
                if let Some(service) = Arc::get_mut(service) {
                    service.ports.shrink_to_fit();
                    service.cluster_ips.shrink_to_fit();
                    service.status_addresses.shrink_to_fit();
                }
            }
            Self::EndpointSlice(slice) => {
                if let Some(slice) = Arc::get_mut(slice) {
                    slice.ports.shrink_to_fit();
                    slice.endpoints.shrink_to_fit();
                }
            }
            Self::Routes(set) => set.routes.shrink_to_fit(),
            Self::Routers(set) => {
                set.entry_points.shrink_to_fit();
                set.parents.shrink_to_fit();
                set.routers.shrink_to_fit();
                for router in &mut set.routers {
                    router.filters.shrink_to_fit();
                    router.ways.shrink_to_fit();
                }
            }
            _ => {}
        }
    }

    /// The object that it was.
    pub fn object(&self) -> &Arc<ObjectRef> {
        match self {
            Self::Service(service) => &service.object,
            Self::Pod(pod) => &pod.object,
            Self::Node(node) => &node.object,
            Self::Namespace { object, .. } | Self::ConfigMap { object, .. } => object,
            Self::Secret(secret) => &secret.object,
            Self::EndpointSlice(slice) => &slice.object,
            Self::NetworkPolicy(policy) => &policy.object,
            Self::Workload(workload) => &workload.object,
            Self::Pool(pool) => &pool.object,
            Self::L2Advertisement(ad) => &ad.object,
            Self::BgpAdvertisement(ad) => &ad.object,
            Self::BgpPeer(peer) => &peer.object,
            Self::BfdProfile(profile) => &profile.object,
            Self::Communities(aliases) => &aliases.object,
            Self::IngressClass(class) => &class.object,
            Self::Routes(set) => &set.object,
            Self::Routers(set) => &set.object,
            Self::Backend(backend) => &backend.object,
            Self::Policy(policy) => &policy.object,
            Self::Store(store) => &store.object,
            Self::Transport(transport) => &transport.object,
            Self::Filter(filter) => &filter.object,
            Self::Material(draft) => &draft.object,
            Self::File(file) => &file.object,
        }
    }
}
