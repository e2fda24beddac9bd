//! What the join reports; each has a row in docs/diagnostics.md and a golden case.

use steelyard_model::Code;

/// A BGP prefix would be larger than what the pool holds.
pub const AGGREGATION_BEYOND_POOL: Code = Code::new("aggregation-beyond-pool");
/// Another name of a host that is somebody else's.
pub const ALIAS_TAKEN: Code = Code::new("alias-taken");
/// An annotation that ingress-nginx's ConfigMap forbids: its Ingress is left out.
pub const ANNOTATION_FORBIDDEN: Code = Code::new("annotation-forbidden");
/// A route's backend is an ExternalName for a Service that is not there.
pub const BACKEND_EXTERNAL_NAME: Code = Code::new("backend-external-name");
/// A route names a port that its Service does not have.
pub const BACKEND_PORT_MISSING: Code = Code::new("backend-port-missing");
/// A route names a Service that does not exist.
pub const BACKEND_SERVICE_MISSING: Code = Code::new("backend-service-missing");
/// A Secret by which TLS is spoken to backends is not there, or holds something else.
pub const BACKEND_TLS_SECRET: Code = Code::new("backend-tls-secret");
/// An entry point's own options say whose word is taken, and ingress-nginx's ConfigMap does too.
pub const BELIEF_OVERRULED: Code = Code::new("belief-overruled");
/// BFD's echo mode for a peer that hears of IPv6 addresses.
pub const BFD_ECHO_IPV6: Code = Code::new("bfd-echo-ipv6");
/// A BFDProfile is named that does not exist.
pub const BFD_PROFILE_MISSING: Code = Code::new("bfd-profile-missing");
/// There are BGPPeers, and sessions are not made yet.
pub const BGP_NOT_SPOKEN: Code = Code::new("bgp-not-spoken");
/// A canary that no route is beside which is for the same.
pub const CANARY_WITHOUT_MAIN: Code = Code::new("canary-without-main");
/// An Ingress of a class that somebody else serves.
pub const CLASS_NOT_OURS: Code = Code::new("class-not-ours");
/// Two Community objects of a namespace have the same alias.
pub const COMMUNITY_ALIAS_DUPLICATE: Code = Code::new("community-alias-duplicate");
/// Neither a community nor an alias of one.
pub const COMMUNITY_UNKNOWN: Code = Code::new("community-unknown");
/// An object names one of another namespace, which is not allowed.
pub const CROSS_NAMESPACE: Code = Code::new("cross-namespace");
/// Endpoints of an annotation that fit none of the Service's ports, or are not needed.
pub const ENDPOINTS_ANNOTATION_UNUSED: Code = Code::new("endpoints-annotation-unused");
/// A route asks for something else than a Service that does not exist, or that is not had yet.
pub const REFERENCE_MISSING: Code = Code::new("reference-missing");
/// A route's parent leads to no other route.
pub const PARENT_LEADS_NOWHERE: Code = Code::new("parent-leads-nowhere");
/// A route leads to nobody.
pub const ROUTE_WITHOUT_BACKEND: Code = Code::new("route-without-backend");
/// A route wants an entry point that does not exist.
pub const ENTRY_POINT_MISSING: Code = Code::new("entry-point-missing");
/// A route's requests pass a filter that is not carried out yet.
pub const FILTER_NOT_CARRIED_OUT: Code = Code::new("filter-not-carried-out");
/// What a filter needs is not in the Secret that it names, or there is none.
pub const FILTER_SECRET: Code = Code::new("filter-secret");
/// A route's requests pass a filter that cannot be had.
pub const FILTER_UNUSABLE: Code = Code::new("filter-unusable");
/// A user of a filter is never let in.
pub const FILTER_USER: Code = Code::new("filter-user");
/// `steelyard.dev/gateway` on a Service that cannot be the gateway's.
pub const GATEWAY_ANNOTATION_UNUSED: Code = Code::new("gateway-annotation-unused");
/// A NetworkPolicy keeps out who would come through us, so a Service is closed.
pub const NETWORK_POLICY_CLOSES: Code = Code::new("network-policy-closes");
/// A Service is the gateway's by inference.
pub const GATEWAY_INFERRED: Code = Code::new("gateway-inferred");
/// A faulty object of which no version is known that has no mistake: its rules answer 503.
pub const CLOSED_UNTIL_MENDED: Code = Code::new("closed-until-mended");
/// A faulty edit: the version before it stays in force.
pub const LAST_GOOD_KEPT: Code = Code::new("last-good-kept");
/// An Ingress names files of ingress-nginx, or its directives, and is left out.
pub const PATH_FORBIDDEN: Code = Code::new("path-forbidden");
/// A path has letters for which ingress-nginx's webhook refuses its Ingress.
pub const PATH_TYPE_STRICT: Code = Code::new("path-type-strict");
/// Two BGPAdvertisements ask for different LOCAL_PREFs of the same routes.
pub const LOCAL_PREF_CONFLICT: Code = Code::new("local-pref-conflict");
/// A name that means objects in several namespaces.
pub const NAME_AMBIGUOUS: Code = Code::new("name-ambiguous");
/// A metallb.io object outside the namespace that counts.
pub const OUTSIDE_CONFIG_NAMESPACE: Code = Code::new("outside-config-namespace");
/// The Secret of a BGPPeer holds no password.
pub const PASSWORD_SECRET_INVALID: Code = Code::new("password-secret-invalid");
/// A BGPPeer names a Secret that does not exist.
pub const PASSWORD_SECRET_MISSING: Code = Code::new("password-secret-missing");
/// A Secret with those who sign clients' certificates is not there, or has nobody.
pub const TLS_AUTHORITIES: Code = Code::new("tls-authorities");
/// More than one TLSOption is to be for all.
pub const TLS_OPTION_AMBIGUOUS: Code = Code::new("tls-option-ambiguous");
/// A BGPPeer is named that does not exist, or there is none.
pub const PEER_MISSING: Code = Code::new("peer-missing");
/// Nothing is announced to a BGPPeer.
pub const PEER_UNUSED: Code = Code::new("peer-unused");
/// A pool holds the address of a node.
pub const POOL_HAS_NODE: Code = Code::new("pool-has-node");
/// A pool is named that does not exist.
pub const POOL_MISSING: Code = Code::new("pool-missing");
/// A pool is named that exists in several namespaces.
pub const POOL_NAME_AMBIGUOUS: Code = Code::new("pool-name-ambiguous");
/// No advertisement selects a pool.
pub const POOL_NOT_ANNOUNCED: Code = Code::new("pool-not-announced");
/// A pool for the LAN is far from the addresses of all nodes.
pub const POOL_OFF_SUBNETS: Code = Code::new("pool-off-subnets");
/// Two pools share addresses.
pub const POOL_OVERLAP: Code = Code::new("pool-overlap");
/// A route leads to a service of the program itself that is not there.
pub const OWN_SERVICE_OFF: Code = Code::new("own-service-off");
/// Two routes have the same host and path.
pub const ROUTE_DUPLICATE: Code = Code::new("route-duplicate");
/// Node selectors that select none of the nodes.
pub const SELECTS_NO_NODE: Code = Code::new("selects-no-node");
/// An advertisement that selects no pool.
pub const SELECTS_NO_POOL: Code = Code::new("selects-no-pool");
/// Nothing answers for a Service that something leads to.
pub const SERVICE_WITHOUT_ENDPOINTS: Code = Code::new("service-without-endpoints");
/// A ConfigMap of ingress-nginx opens a port that an entry point has.
pub const STREAM_PORT_TAKEN: Code = Code::new("stream-port-taken");
/// No pod of a Service has the port that it names.
pub const TARGET_PORT_MISSING: Code = Code::new("target-port-missing");
/// A certificate is not for a host that it is named for.
pub const TLS_NAME_NOT_COVERED: Code = Code::new("tls-name-not-covered");
/// TLS is asked for where no entry point of the routes serves it.
pub const TLS_NOT_SERVED: Code = Code::new("tls-not-served");
/// What all requests at an entry point are to pass cannot be had.
pub const ENTRY_POINT_CLOSED: Code = Code::new("entry-point-closed");
/// A TLS Secret is named that does not exist.
pub const TLS_SECRET_MISSING: Code = Code::new("tls-secret-missing");
/// A TLS Secret holds no certificate and key that can be used.
pub const TLS_SECRET_UNFIT: Code = Code::new("tls-secret-unfit");
/// A Service has only workloads that nothing runs here.
pub const WORKLOAD_NOT_RUN: Code = Code::new("workload-not-run");

/// Findings that another object would heal by appearing: MetalLB's admission lets them pass, so
/// that objects may come in any order.
pub const APPEARS_LATER: [Code; 3] =
    [BFD_PROFILE_MISSING, COMMUNITY_UNKNOWN, PASSWORD_SECRET_MISSING];

/// Findings about an object together with one that it names; admission looks at neither.
pub const BY_REFERENCE: [Code; 2] = [BFD_ECHO_IPV6, PASSWORD_SECRET_INVALID];

/// Errors after which an object does not count at all.
pub const REFUSE_OBJECT: [Code; 8] = [
    AGGREGATION_BEYOND_POOL,
    BFD_ECHO_IPV6,
    BFD_PROFILE_MISSING,
    COMMUNITY_UNKNOWN,
    LOCAL_PREF_CONFLICT,
    PASSWORD_SECRET_INVALID,
    PASSWORD_SECRET_MISSING,
    POOL_OVERLAP,
];
