//! What ingress-nginx is told as a whole: by flags, and by its ConfigMap.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::labels::Labels;
use crate::object::{NamespacedName, Provenance};
use crate::route_draft::OwnFilter;
use crate::routing::backend::Algorithm;
use crate::routing::belief::NginxBelief;
use crate::routing::filter::limit::Counted;
use crate::routing::id::EntryPointId;
use crate::routing::nginx_log::NginxLog;
use crate::routing::times::RouteTimeouts;
use crate::routing::tls::TlsPolicy;
use crate::routing::trust::Trust;

/// Flags, under ingress-nginx's names and with its defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxOptions {
    /// The ConfigMap that has the settings (`configmap`).
    pub settings: NamespacedName,
    /// The class by the old annotation, and by name where there is no IngressClass of that name
    /// (`ingress-class`).
    pub class: String,
    /// The controller that IngressClasses name (`controller-class`).
    pub controller: String,
    /// Whether an IngressClass counts by its name too (`ingress-class-by-name`).
    pub is_by_name: bool,
    /// Whether Ingresses that name no class are in its words (`watch-ingress-without-class`); where
    /// that is said, nobody else's.
    pub takes_unnamed: Option<bool>,
    /// The only namespace that is looked at (`watch-namespace`).
    pub namespace: Option<String>,
    /// Labels of namespaces that are looked at: key and value (`watch-namespace-selector`).
    pub selector: Vec<(String, String)>,
    /// Who answers for what nobody else does (`default-backend-service`).
    pub default_backend: Option<NamespacedName>,
    /// Whether Ingresses for every host are left out (`disable-catch-all`).
    pub disables_catch_all: bool,
    /// Whether Services that stand for names elsewhere are led to nowhere
    /// (`disable-svc-external-name`).
    pub disables_names: bool,
    /// Whether no handshake is passed on, whatever Ingresses say (`enable-ssl-passthrough=false`;
    /// where nothing is said of it they are, as Traefik's provider does it).
    pub ends_all_tls: bool,
    /// Where who asks for no known host is told that all is well (`health-check-path`).
    pub health: String,
    /// Whether requests stay in this node's zone where their Service asks for it
    /// (`enable-topology-aware-routing`).
    pub keeps_zones: bool,
    /// The ConfigMaps of ports that lead to Services as they come (`tcp-services-configmap`,
    /// `udp-services-configmap`).
    pub tcp_services: Option<NamespacedName>,
    /// The same of UDP.
    pub udp_services: Option<NamespacedName>,
    /// What counts where the ConfigMap says nothing, in its words: options of Traefik's provider.
    pub usual: Labels,
    /// The entry points of routes in plain and over TLS, where that is said for all.
    pub entry_points: [Option<EntryPointId>; 2],
}

/// How ports are served that lead to Services as they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxStreams {
    /// Whose PROXY headers are believed, where they are read.
    pub trust: Trust,
    /// How long such a header may take.
    pub wait: Duration,
    /// How long a connection may be silent (`proxy-stream-timeout`).
    pub silence: Duration,
    /// After how many datagrams of its endpoint a session ends (`proxy-stream-responses`); none is
    /// once nothing has come for a while.
    pub answers: Option<u64>,
}

/// What the ConfigMap says, as far as it is honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxSettings {
    /// Who asks in plain is led to TLS where that is served (`ssl-redirect`).
    pub redirects: bool,
    /// The same in any case (`force-ssl-redirect`).
    pub always_redirects: bool,
    /// With this status (`http-redirect-code`).
    pub redirect_status: u16,
    /// A slash at the end stays then (`preserve-trailing-slash`).
    pub keeps_slash: bool,
    /// And the port is said (`use-port-in-redirects`).
    pub says_port: bool,
    /// Redirections to the same site are paths and no URLs (`relative-redirects`).
    pub leads_relatively: bool,
    /// How endpoints are chosen, otherwise than in turn (`load-balance`).
    pub algorithm: Option<Algorithm>,
    /// Where requests are sent again, those are too that should be done once
    /// (`retry-non-idempotent`).
    pub repeats_all: bool,
    /// But not where paths begin with one of these (`no-tls-redirect-locations`).
    pub open_paths: Vec<Arc<str>>,
    /// What requests of each location pass, unless an Ingress has said something of that name.
    pub passes: Vec<OwnFilter>,
    /// How long what may take.
    pub timeouts: RouteTimeouts,
    /// Services are asked at their own address (`service-upstream`).
    pub asks_services: bool,
    /// The ConfigMap that has lines of all answers (`add-headers`).
    pub headers: Option<NamespacedName>,
    /// Lines that Ingresses may have written, in lower case (`global-allowed-response-headers`).
    pub allowed_headers: BTreeSet<String>,
    /// Objects may name some of other namespaces (`allow-cross-namespace-resources`).
    pub allows_cross_namespace: bool,
    /// Statuses for which pages are asked for (`custom-http-errors`).
    pub errors: Vec<u16>,
    /// But not where a backend answers with them (`disable-proxy-intercept-errors`).
    pub keeps_errors: bool,
    /// The statuses of who asks too often (`limit-req-status-code`), and of too many at once
    /// (`limit-conn-status-code`).
    pub limited: (u16, u16),
    /// Of what so many connections are let in at once (`limit-conn-zone-variable`); none is of each
    /// client.
    pub counted: Option<Counted>,
    /// Who is asked who may pass, where an Ingress names nobody (`global-auth-url`).
    pub asks: Option<NginxAsks>,
    /// Where paths begin with one of these nobody is asked, and no password
    /// (`no-auth-locations`).
    pub unasked_paths: Vec<Arc<str>>,
    /// The ConfigMap that has lines for all backends (`proxy-set-headers`).
    pub told: Option<(NamespacedName, Provenance)>,
    /// Whose word about clients is taken.
    pub belief: NginxBelief,
    /// How ports are served that lead to Services as they come.
    pub streams: NginxStreams,
    /// How handshakes are held where nobody says otherwise; none is as usual.
    pub handshakes: Option<NginxHandshakes>,
    /// The logs of requests and of connections; none is not kept.
    pub logs: (Option<NginxLog>, Option<NginxLog>),
    /// What keeps somebody out and is not honoured: nobody is served.
    pub refusal: Option<Provenance>,
}

/// What is said of handshakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxHandshakes {
    /// By which terms they are held.
    pub policy: Arc<TlsPolicy>,
    /// Whether certificates are shown with what their signers say of them, where somebody can be
    /// asked (`enable-ocsp`).
    pub staples: bool,
}

/// Who is asked, in the words in which an Ingress would say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxAsks {
    /// `auth-url`, and what belongs to it. Values may hang on the Ingress (`$namespace`), so they
    /// are read for each.
    pub words: Labels,
    /// Where the URL is written.
    pub place: Provenance,
}

impl Default for NginxOptions {
    fn default() -> Self {
        Self {
            settings: NamespacedName::new("ingress-nginx", "ingress-nginx-controller"),
            class: "nginx".to_owned(),
            controller: "k8s.io/ingress-nginx".to_owned(),
            is_by_name: false,
            takes_unnamed: None,
            namespace: None,
            selector: Vec::new(),
            default_backend: None,
            disables_catch_all: false,
            disables_names: false,
            ends_all_tls: false,
            health: "/healthz".to_owned(),
            keeps_zones: false,
            tcp_services: None,
            udp_services: None,
            usual: Labels::new(),
            entry_points: [None, None],
        }
    }
}
