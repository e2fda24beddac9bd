//! Options of providers.

use super::Form::{Below, List, Number, Switch, Text, Time};
use super::OptionFate::{Compared, Cosmetic, Differs, Later, Planned, Reads, Refused};
use super::{StaticOption, rows};

const ACCESS: &str = "how an API server is reached is said by --kubeconfig, or by the pod";
const AT_ONCE: &str = "a change counts at once, and costs what it changes";
const EMPTY: &str = "a Service without endpoints answers 503 in any case";
const NOT_ASKED: &str = "what the account may not look at is not asked for";
const NO_NODES: &str =
    "Ingresses report no nodes; what the account may not look at is not asked for in any case";
const NAMES_ELSEWHERE: &str = "true unless it is said, or `--compat traefik` is";
const STRICT: &str = "so it is in any case, unless `--compat traefik` is said";
const ENDPOINTS: &str = "endpoints are asked of a Service that has no address of its own";
const CONFIG_MAP: &str = "what ingress-nginx's ConfigMap says goes before it";
const BUFFERS: &str = "bodies go on as they come, and connections stay as long as others";
const SNIPPETS: &str = "what snippets say is never carried out";
const WHOSE: &str = "whose address counts is said by forwardedHeaders of entry points";
const GATEWAY: &str = "Gateway API is not read yet";
const LABELS: &str =
    "labels of containers are not read: say the same in files (providers.file.directory)";
const NOT_HERE: &str = "there is no such provider here: manifests, a cluster and files are read";

pub(super) const ROWS: &[StaticOption] = rows! {
    "providers.precedence" List, "",
        Differs("Ingresses among each other go by how narrow they are, whatever it says");
    "providers.providersThrottleDuration" Time, "2s", Cosmetic(AT_ONCE);
    "providers.file" Below, "", Cosmetic("the ones below say which files");
    "providers.file.debugLogGeneratedTemplate" Switch, "false",
        Cosmetic("templates are not rendered: a file that has one is refused by name");
    "providers.file.directory" Text, "", Reads;
    "providers.file.filename" Text, "", Reads;
    "providers.file.watch" Switch, "true", Later("files are watched in any case");
    "providers.kubernetesCRD" Below, "", Cosmetic("Traefik's kinds are read in any case");
    "providers.kubernetesCRD.allowCrossNamespace" Switch, "false", Reads;
    "providers.kubernetesCRD.allowEmptyServices" Switch, "false", Planned(EMPTY);
    "providers.kubernetesCRD.allowExternalNameServices" Switch, "false", Differs(NAMES_ELSEWHERE);
    "providers.kubernetesCRD.certAuthFilePath" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesCRD.crossProviderNamespaces" List, "", Reads;
    "providers.kubernetesCRD.disableClusterScopeResources" Switch, "false", Planned(NOT_ASKED);
    "providers.kubernetesCRD.endpoint" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesCRD.ingressClass" Text, "", Reads;
    "providers.kubernetesCRD.labelSelector" Text, "", Reads;
    "providers.kubernetesCRD.namespaces" List, "", Reads;
    "providers.kubernetesCRD.nativeLBByDefault" Switch, "false", Differs(ENDPOINTS);
    "providers.kubernetesCRD.throttleDuration" Time, "0", Cosmetic(AT_ONCE);
    "providers.kubernetesCRD.token" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngress" Below, "", Cosmetic("Ingresses are read in any case");
    "providers.kubernetesIngress.allowEmptyServices" Switch, "false", Planned(EMPTY);
    "providers.kubernetesIngress.allowExternalNameServices" Switch, "false", Differs(NAMES_ELSEWHERE);
    "providers.kubernetesIngress.certAuthFilePath" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngress.crossProviderNamespaces" List, "", Reads;
    "providers.kubernetesIngress.disableClusterScopeResources" Switch, "false", Differs(NO_NODES);
    "providers.kubernetesIngress.disableIngressClassLookup" Switch, "false",
        Differs("whose an Ingress is, its class says by its name alone");
    "providers.kubernetesIngress.endpoint" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngress.ingressClass" Text, "", Reads;
    "providers.kubernetesIngress.ingressEndpoint.hostname" Text, "", Reads;
    "providers.kubernetesIngress.ingressEndpoint.ip" Text, "", Reads;
    "providers.kubernetesIngress.ingressEndpoint.publishedService" Text, "", Reads;
    "providers.kubernetesIngress.labelSelector" Text, "", Reads;
    "providers.kubernetesIngress.namespaces" List, "", Reads;
    "providers.kubernetesIngress.nativeLBByDefault" Switch, "false", Differs(ENDPOINTS);
    "providers.kubernetesIngress.reportNodeInternalIPs" Switch, "false", Reads;
    "providers.kubernetesIngress.strictPrefixMatching" Switch, "false", Differs(STRICT);
    "providers.kubernetesIngress.throttleDuration" Time, "0", Cosmetic(AT_ONCE);
    "providers.kubernetesIngress.token" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngressNGINX" Below, "",
        Cosmetic("Ingresses of class `nginx` are read in any case");
    "providers.kubernetesIngressNGINX.allowCrossNamespaceResources" Switch, "false",
        Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.allowSnippetAnnotations" Switch, "false", Planned(SNIPPETS);
    "providers.kubernetesIngressNGINX.certAuthFilePath" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngressNGINX.clientBodyBufferSize" Number, "16384", Planned(BUFFERS);
    "providers.kubernetesIngressNGINX.controllerClass" Text, "k8s.io/ingress-nginx", Reads;
    "providers.kubernetesIngressNGINX.customHTTPErrors" List, "", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.defaultBackendService" Text, "", Reads;
    "providers.kubernetesIngressNGINX.disableSvcExternalName" Switch, "false", Reads;
    "providers.kubernetesIngressNGINX.endpoint" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngressNGINX.globalAllowedResponseHeaders" List, "", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.globalAuthURL" Text, "", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.httpEntryPoint" Text, "", Reads;
    "providers.kubernetesIngressNGINX.httpsEntryPoint" Text, "", Reads;
    "providers.kubernetesIngressNGINX.ingressClass" Text, "nginx", Reads;
    "providers.kubernetesIngressNGINX.ingressClassByName" Switch, "false", Reads;
    "providers.kubernetesIngressNGINX.ipAllowListStrategy.depth" Number, "0", Compared(WHOSE);
    "providers.kubernetesIngressNGINX.ipAllowListStrategy.excludedIPs" List, "", Compared(WHOSE);
    "providers.kubernetesIngressNGINX.ipAllowListStrategy.ipv6Subnet" Number, "", Compared(WHOSE);
    "providers.kubernetesIngressNGINX.proxyBodySize" Number, "1048576", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.proxyBufferSize" Number, "8192", Planned(BUFFERS);
    "providers.kubernetesIngressNGINX.proxyBuffering" Switch, "false", Planned(BUFFERS);
    "providers.kubernetesIngressNGINX.proxyBuffersNumber" Number, "4", Planned(BUFFERS);
    "providers.kubernetesIngressNGINX.proxyConnectTimeout" Number, "60", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.proxyNextUpstream" Text, "error timeout",
        Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.proxyNextUpstreamTimeout" Number, "0", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.proxyNextUpstreamTries" Number, "3", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.proxyReadTimeout" Number, "60", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.proxyRequestBuffering" Switch, "false", Planned(BUFFERS);
    "providers.kubernetesIngressNGINX.proxySendTimeout" Number, "60", Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.publishService" Text, "", Reads;
    "providers.kubernetesIngressNGINX.publishStatusAddress" List, "", Reads;
    "providers.kubernetesIngressNGINX.strictValidatePathType" Switch, "true",
        Differs(CONFIG_MAP);
    "providers.kubernetesIngressNGINX.throttleDuration" Time, "0", Cosmetic(AT_ONCE);
    "providers.kubernetesIngressNGINX.token" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngressNGINX.upstreamKeepaliveTimeout" Number, "60", Planned(BUFFERS);
    "providers.kubernetesIngressNGINX.watchIngressWithoutClass" Switch, "false", Reads;
    "providers.kubernetesIngressNGINX.watchNamespace" Text, "", Reads;
    "providers.kubernetesIngressNGINX.watchNamespaceSelector" Text, "", Reads;
    "providers.kubernetesGateway.**" Below, "", Later(GATEWAY);
    "providers.docker.**" Below, "", Refused(LABELS);
    "providers.swarm.**" Below, "", Refused(LABELS);
    "providers.consul.**" Below, "", Refused(NOT_HERE);
    "providers.consulCatalog.**" Below, "", Refused(NOT_HERE);
    "providers.ecs.**" Below, "", Refused(NOT_HERE);
    "providers.etcd.**" Below, "", Refused(NOT_HERE);
    "providers.http.**" Below, "", Refused(NOT_HERE);
    "providers.knative.**" Below, "", Refused(NOT_HERE);
    "providers.nomad.**" Below, "", Refused(NOT_HERE);
    "providers.plugin.**" Below, "", Refused(NOT_HERE);
    "providers.redis.**" Below, "", Refused(NOT_HERE);
    "providers.rest.**" Below, "", Refused(NOT_HERE);
    "providers.zooKeeper.**" Below, "", Refused(NOT_HERE);
};
