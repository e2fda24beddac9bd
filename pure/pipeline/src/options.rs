//! How objects are joined.

use std::collections::BTreeMap;

use steelyard_dialects::LowerOptions;
use steelyard_model::routing::entry_point::{BUILT_IN, EntryPoint};
use steelyard_model::routing::exposure::Exposure;
use steelyard_model::routing::rank::Precedence;
use steelyard_model::routing::transport::{ForwardingTimes, OriginTls, Transport};
use steelyard_model::{Location, NamespacedName, NginxOptions, ProviderOptions};

/// How to join.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// How each object is read by itself.
    pub reading: LowerOptions,
    /// Which Services are the gateway's.
    pub gateway: GatewayServices,
    /// Only metallb.io objects of this namespace count.
    pub config_namespace: Option<String>,
    /// Only Services of this `loadBalancerClass` are ours; none means those without a class.
    pub load_balancer_class: Option<String>,
    /// Where the gateway listens.
    pub entry_points: Vec<EntryPoint>,
    /// Where static options stand that are written in a file, by their names in lower case.
    pub option_places: BTreeMap<String, Location>,
    /// Which services of the program itself there are.
    pub exposure: Exposure,
    /// The Secret whose certificate is shown where none is for the name that is asked for.
    pub default_certificate: Option<NamespacedName>,
    /// Whether objects of Traefik's kinds may name some of other namespaces
    /// (`providers.kubernetesCRD.allowCrossNamespace`).
    pub allow_cross_namespace: bool,
    /// Whether Ingresses stand among Traefik's own routes, by number, and their prefixes are
    /// compared byte by byte, as there.
    pub as_traefik: bool,
    /// Options of Traefik's provider of its own kinds.
    pub crd: ProviderOptions,
    /// And of that of Ingresses: those that name no class, or one of Traefik's.
    pub ingress: ProviderOptions,
    /// Flags of ingress-nginx: of Ingresses in its words.
    pub nginx: NginxOptions,
    /// Which of Traefik's providers goes first where numbers are equal.
    pub precedence: Precedence,
    /// How TLS is spoken to endpoints where nobody says more of it, in words of Traefik
    /// (`serversTransport`); of the id of [`Transport::https`].
    pub https: Transport,
    /// How long what may take with them, and with others of which nobody says more.
    pub times: ForwardingTimes,
    /// How endpoints of TCP routes are spoken to where no ServersTransportTCP is named
    /// (`tcpServersTransport`); of the id of [`Transport::bytes`].
    pub bytes: Transport,
    /// And how, where that is to be over TLS.
    pub bytes_tls: OriginTls,
    /// EndpointSlices and Pods are among the objects. Where they are not, nothing is known, and so
    /// nothing said, of who answers for a Service.
    pub reads_endpoints: bool,
    /// Routes are among the objects. Where they are not, no Service is looked at as what one leads
    /// to.
    pub reads_routes: bool,
}

/// Which Services are the gateway's: their addresses lead to our entry points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GatewayServices {
    /// Those that say so, and those that look so.
    #[default]
    Inferred,
    /// Those that say so.
    Annotated,
    /// None: in Kubernetes the gateway is pods, which a Service selects like any others.
    Nobody,
}

/// What `plan` assumes: the built-in entry points, the gateway's Service inferred.
impl Default for ResolveOptions {
    fn default() -> Self {
        Self {
            reading: LowerOptions::default(),
            gateway: GatewayServices::Inferred,
            config_namespace: None,
            load_balancer_class: None,
            entry_points: BUILT_IN.iter().map(|it| it.entry_point()).collect(),
            option_places: BTreeMap::new(),
            exposure: Exposure::default(),
            default_certificate: None,
            allow_cross_namespace: false,
            as_traefik: false,
            crd: ProviderOptions::default(),
            ingress: ProviderOptions::default(),
            nginx: NginxOptions::default(),
            precedence: Precedence::default(),
            https: Transport::https(),
            times: ForwardingTimes::default(),
            bytes: Transport::bytes(),
            bytes_tls: OriginTls::default(),
            reads_endpoints: true,
            reads_routes: true,
        }
    }
}
