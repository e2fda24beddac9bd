//! Which kinds a role reads of a cluster, as data: what it lists and watches, and so what it must
//! be allowed to.

use std::fmt;
use std::sync::Arc;

/// A kind of object, as an API server serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Version that is asked for.
    pub version: &'static str,
    /// What it is called in paths and in rules of RBAC.
    pub plural: &'static str,
    /// Whether its objects have a namespace.
    pub namespaced: bool,
    /// How much of it is looked at.
    pub breadth: Breadth,
    /// The parts of `status` that are read.
    pub status: &'static [&'static str],
    /// Whether `metadata.managedFields` is kept until the object has been read.
    pub keeps_managers: bool,
}

/// How much of a kind is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breadth {
    /// All there are, of all namespaces.
    All,
    /// Each by its name, and only those that something refers to.
    Named,
}

/// Which objects of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reach {
    /// Only those of this namespace.
    pub namespace: Option<Arc<str>>,
    /// Only this one.
    pub name: Option<Arc<str>>,
}

/// Objects that are listed and watched together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    /// Their kind.
    pub kind: &'static Watched,
    /// Which of them.
    pub reach: Reach,
}

/// Who reads a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Gives addresses out and tells of it.
    Controller,
    /// Announces addresses and forwards.
    Speaker,
    /// Serves routes.
    Gateway,
    /// Judges Ingresses beside each other before a cluster takes them. It reads no Secret.
    Judge,
    /// Whoever judges all that is read anywhere.
    Everything,
}

/// What a role reads.
pub fn watched(role: Role) -> &'static [Watched] {
    match role {
        Role::Controller => &CONTROLLER,
        Role::Speaker => &SPEAKER,
        Role::Gateway => &GATEWAY,
        Role::Judge => &JUDGE,
        Role::Everything => &EVERYTHING,
    }
}

const fn kind(kind: &'static str, plural: &'static str) -> Watched {
    Watched {
        group: "",
        kind,
        version: "v1",
        plural,
        namespaced: true,
        breadth: Breadth::All,
        status: &[],
        keeps_managers: false,
    }
}

const fn of(group: &'static str, kind: Watched) -> Watched {
    Watched { group, ..kind }
}

const fn metallb(name: &'static str, plural: &'static str) -> Watched {
    Watched { group: "metallb.io", version: "v1beta1", ..kind(name, plural) }
}

const fn traefik(name: &'static str, plural: &'static str) -> Watched {
    Watched { group: "traefik.io", version: "v1alpha1", ..kind(name, plural) }
}

const SERVICES: Watched = Watched { status: &["loadBalancer"], ..kind("Service", "services") };
const SLICES: Watched = of("discovery.k8s.io", kind("EndpointSlice", "endpointslices"));
const NODES: Watched =
    Watched { namespaced: false, status: &["addresses", "conditions"], ..kind("Node", "nodes") };
const NAMESPACES: Watched = Watched { namespaced: false, ..kind("Namespace", "namespaces") };
const SECRETS: Watched = Watched { breadth: Breadth::Named, ..kind("Secret", "secrets") };
const CONFIG_MAPS: Watched = Watched { breadth: Breadth::Named, ..kind("ConfigMap", "configmaps") };
const INGRESSES: Watched = of("networking.k8s.io", kind("Ingress", "ingresses"));
const CLASSES: Watched = Watched {
    namespaced: false,
    ..of("networking.k8s.io", kind("IngressClass", "ingressclasses"))
};
const POLICIES: Watched = of("networking.k8s.io", kind("NetworkPolicy", "networkpolicies"));
const POOLS: Watched = metallb("IPAddressPool", "ipaddresspools");
const ON_LAN: Watched = metallb("L2Advertisement", "l2advertisements");
const TO_ROUTERS: Watched = metallb("BGPAdvertisement", "bgpadvertisements");
const PEERS: Watched = Watched { version: "v1beta2", ..metallb("BGPPeer", "bgppeers") };
const BFD: Watched = metallb("BFDProfile", "bfdprofiles");
const COMMUNITIES: Watched = metallb("Community", "communities");
const ROUTERS: Watched = traefik("IngressRoute", "ingressroutes");
const TCP_ROUTERS: Watched = traefik("IngressRouteTCP", "ingressroutetcps");
const UDP_ROUTERS: Watched = traefik("IngressRouteUDP", "ingressrouteudps");
const BACKENDS: Watched = traefik("TraefikService", "traefikservices");
const TLS_OPTIONS: Watched = traefik("TLSOption", "tlsoptions");
const TLS_STORES: Watched = traefik("TLSStore", "tlsstores");
const TRANSPORTS: Watched = traefik("ServersTransport", "serverstransports");
const MIDDLEWARES: Watched = traefik("Middleware", "middlewares");
const TCP_MIDDLEWARES: Watched = traefik("MiddlewareTCP", "middlewaretcps");
const TCP_TRANSPORTS: Watched = traefik("ServersTransportTCP", "serverstransporttcps");
/// What the controller reports of itself, in its own namespace alone: it decides nothing by that.
pub static STATES: Watched = metallb("ConfigurationState", "configurationstates");
const PODS: Watched =
    Watched { status: &["conditions", "phase", "podIP", "podIPs"], ..kind("Pod", "pods") };
const DEPLOYMENTS: Watched = of("apps", kind("Deployment", "deployments"));
const STATEFUL: Watched = of("apps", kind("StatefulSet", "statefulsets"));
const DAEMONS: Watched = of("apps", kind("DaemonSet", "daemonsets"));

/// Whoever writes about an object has to know who else did.
const fn told(kind: Watched) -> Watched {
    Watched { keeps_managers: true, ..kind }
}

/// No endpoints: an address does not hang on who answers.
const CONTROLLER: [Watched; 11] = [
    told(SERVICES),
    NODES,
    NAMESPACES,
    told(INGRESSES),
    CLASSES,
    told(POOLS),
    ON_LAN,
    TO_ROUTERS,
    PEERS,
    BFD,
    COMMUNITIES,
];
const SPEAKER: [Watched; 11] = [
    SERVICES,
    SLICES,
    NODES,
    NAMESPACES,
    SECRETS,
    POOLS,
    ON_LAN,
    TO_ROUTERS,
    PEERS,
    BFD,
    COMMUNITIES,
];
const GATEWAY: [Watched; 18] = [
    SERVICES,
    SLICES,
    NODES,
    NAMESPACES,
    SECRETS,
    CONFIG_MAPS,
    INGRESSES,
    CLASSES,
    ROUTERS,
    TCP_ROUTERS,
    UDP_ROUTERS,
    BACKENDS,
    TLS_OPTIONS,
    TLS_STORES,
    TRANSPORTS,
    TCP_TRANSPORTS,
    MIDDLEWARES,
    TCP_MIDDLEWARES,
];
const JUDGE: [Watched; 4] = [NAMESPACES, CONFIG_MAPS, INGRESSES, CLASSES];
const EVERYTHING: [Watched; 29] = [
    SERVICES,
    SLICES,
    NODES,
    NAMESPACES,
    SECRETS,
    CONFIG_MAPS,
    INGRESSES,
    CLASSES,
    ROUTERS,
    TCP_ROUTERS,
    UDP_ROUTERS,
    BACKENDS,
    TLS_OPTIONS,
    TLS_STORES,
    TRANSPORTS,
    TCP_TRANSPORTS,
    MIDDLEWARES,
    TCP_MIDDLEWARES,
    POLICIES,
    POOLS,
    ON_LAN,
    TO_ROUTERS,
    PEERS,
    BFD,
    COMMUNITIES,
    PODS,
    DEPLOYMENTS,
    STATEFUL,
    DAEMONS,
];

impl Watched {
    /// As objects have it: `metallb.io/v1beta1`.
    pub fn api_version(&self) -> Arc<str> {
        match self.group {
            "" => Arc::from(self.version),
            group => Arc::from(format!("{group}/{}", self.version)),
        }
    }

    /// Where the API server serves it: `/apis/metallb.io/v1beta1`.
    pub fn root(&self) -> String {
        match self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        }
    }
}

/// As `kubectl auth can-i` takes it: `ipaddresspools.metallb.io`.
impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            "" => f.write_str(self.plural),
            group => write!(f, "{}.{group}", self.plural),
        }
    }
}

impl Selection {
    /// All objects of a kind.
    pub fn all(kind: &'static Watched) -> Self {
        Self { kind, reach: Reach::default() }
    }

    /// One object.
    pub fn one(kind: &'static Watched, namespace: &str, name: &str) -> Self {
        let reach = Reach { namespace: Some(namespace.into()), name: Some(name.into()) };
        Self { kind, reach }
    }

    /// Path and query that select these objects.
    pub fn path(&self) -> String {
        let Reach { namespace, name } = &self.reach;
        let within = match namespace {
            Some(namespace) if self.kind.namespaced => format!("/namespaces/{namespace}"),
            _ => String::new(),
        };
        let only = name
            .as_ref()
            .map_or(String::new(), |name| format!("fieldSelector=metadata.name%3D{name}&"));
        format!("{}{within}/{}?{only}", self.kind.root(), self.kind.plural)
    }
}

/// Names what is watched, and where only part of the kind is, which.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reach { namespace, name } = &self.reach;
        write!(f, "{}", self.kind)?;
        if let Some(name) = name {
            write!(f, " `{name}`")?;
        }
        match namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

impl Reach {
    /// Whether an object of this namespace and name is one of these.
    pub(crate) fn holds(&self, namespace: &str, name: &str) -> bool {
        self.namespace.as_ref().is_none_or(|ours| **ours == *namespace)
            && self.name.as_ref().is_none_or(|ours| **ours == *name)
    }
}
