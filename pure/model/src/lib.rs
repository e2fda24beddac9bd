//! The validated world: what the dialects make of users' objects, and what everything after them
//! reads.
//!
//! A value of this crate is valid by construction: names are names, addresses are addresses,
//! ranges have start ≤ end. It knows nothing of YAML, sockets or time. Each element keeps the
//! object (and field) it came from, so that explanations and diagnostics can point there.
//!
//! Words: see ARCHITECTURE.md, "Words".

pub mod address_wish;
pub mod advertisement;
mod balance_draft;
pub mod bgp;
pub mod community;
pub mod diagnostic;
pub mod diagnostics;
pub mod discretion;
pub mod endpoint;
pub mod filter_draft;
pub mod handshake_draft;
pub mod holdings;
pub mod item;
mod labels;
pub mod link;
pub mod network_policy;
pub mod nginx_settings;
pub mod node;
pub mod object;
pub mod pool;
pub mod protocol;
pub mod provider_options;
pub mod route_draft;
pub mod router_draft;
pub mod routing;
pub mod secret;
pub mod selector;
pub mod service;
pub mod snapshot;
pub mod sorted;
mod stand_in;
mod stream_draft;
pub mod suggest;

pub use address_wish::{
    AddressRequest, AddressWish, BadRequest, DeprecatedAnnotation, PoolRequest,
};
pub use advertisement::{L2Advertisement, PreferredNodes};
pub use balance_draft::BalanceDraft;
pub use bgp::{BfdProfile, Bgp, BgpAdvertisement, BgpPeer, CommunityAliases};
pub use community::Community;
pub use diagnostic::{Alike, Code, Diagnostic, Location, MarkedPart, Missing, Severity};
pub use diagnostics::Diagnostics;
pub use endpoint::{
    Endpoint, EndpointSlice, EndpointState, Host, Pod, SliceEndpoint, SlicePort, Workload, Zones,
};
pub use filter_draft::FilterDraft;
pub use handshake_draft::{PolicyDraft, StoreDraft, TransportDraft};
pub use holdings::{Holding, Holdings};
pub use item::Item;
pub use labels::Labels;
pub use network_policy::{Admits, NetworkPolicy, PolicyPods, PolicyPort, PolicyRule};
pub use nginx_settings::{NginxAsks, NginxHandshakes, NginxOptions, NginxSettings, NginxStreams};
pub use node::Node;
pub use object::{FieldPath, NamespacedName, ObjectRef, Provenance};
pub use pool::{AddressRange, Pool, ServiceAllocation};
pub use protocol::Protocol;
pub use provider_options::ProviderOptions;
pub use route_draft::{
    BackendRef, CanaryDraft, ClassName, ClassReading, ClassReadings, ClientsDraft, IngressClass,
    MirrorDraft, NginxReading, OpenPath, OriginTlsDraft, OwnFilter, PassPhase, PasswordDraft,
    PortRef, RouteDraft, RouteSet, TlsSecret,
};
pub use router_draft::{BackendDraft, RouterSet};
pub use secret::{Secret, SecretValue};
pub use selector::{Operator, Requirement, Selector};
pub use service::{
    Families, Family, FamilyPolicy, Service, ServicePort, ServiceType, TargetPort, TrafficPolicy,
};
pub use snapshot::{ResolvedPort, ResolvedService, ServedBy, Snapshot};
pub use sorted::Sorted;
pub use stream_draft::StreamDraft;
