//! Options of providers.

use super::Form::{Below, List, Switch, Text, Time};
use super::OptionFate::{Cosmetic, Later, Planned, Reads, Refused};
use super::{StaticOption, rows};

const ACCESS: &str = "how an API server is reached is said by --kubeconfig, or by the pod";
const LABELLED: &str = "objects without these labels would count as well";
const AT_ONCE: &str = "a change counts at once, and costs what it changes";
const EMPTY: &str = "a Service without endpoints answers 503 in any case";
const NOT_ASKED: &str = "what the account may not look at is not asked for";
const STATUSES: &str = "statuses have the addresses of the gateway's Service";
const ENDPOINTS: &str = "endpoints are asked, not the Service's address";
const NGINX: &str = "Ingresses of class `nginx` are read as ingress-nginx reads them by default";
const GATEWAY: &str = "Gateway API is not read yet";
const LABELS: &str =
    "labels of containers are not read: say the same in files (providers.file.directory)";
const NOT_HERE: &str = "there is no such provider here: manifests, a cluster and files are read";

pub(super) const ROWS: &[StaticOption] = rows! {
    "providers.precedence" List, "", Later("Traefik's usual order counts");
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
    "providers.kubernetesCRD.allowExternalNameServices" Switch, "false", Reads;
    "providers.kubernetesCRD.certAuthFilePath" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesCRD.crossProviderNamespaces" List, "", Reads;
    "providers.kubernetesCRD.disableClusterScopeResources" Switch, "false", Planned(NOT_ASKED);
    "providers.kubernetesCRD.endpoint" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesCRD.ingressClass" Text, "", Reads;
    "providers.kubernetesCRD.labelSelector" Text, "", Refused(LABELLED);
    "providers.kubernetesCRD.namespaces" List, "", Reads;
    "providers.kubernetesCRD.nativeLBByDefault" Switch, "false", Planned(ENDPOINTS);
    "providers.kubernetesCRD.throttleDuration" Time, "0", Cosmetic(AT_ONCE);
    "providers.kubernetesCRD.token" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngress" Below, "", Cosmetic("Ingresses are read in any case");
    "providers.kubernetesIngress.allowEmptyServices" Switch, "false", Planned(EMPTY);
    "providers.kubernetesIngress.allowExternalNameServices" Switch, "false", Reads;
    "providers.kubernetesIngress.certAuthFilePath" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngress.crossProviderNamespaces" List, "", Reads;
    "providers.kubernetesIngress.disableClusterScopeResources" Switch, "false", Planned(NOT_ASKED);
    "providers.kubernetesIngress.disableIngressClassLookup" Switch, "false",
        Planned("IngressClasses are looked up");
    "providers.kubernetesIngress.endpoint" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngress.ingressClass" Text, "", Reads;
    "providers.kubernetesIngress.ingressEndpoint.hostname" Text, "", Cosmetic(STATUSES);
    "providers.kubernetesIngress.ingressEndpoint.ip" Text, "", Cosmetic(STATUSES);
    "providers.kubernetesIngress.ingressEndpoint.publishedService" Text, "", Cosmetic(STATUSES);
    "providers.kubernetesIngress.labelSelector" Text, "", Refused(LABELLED);
    "providers.kubernetesIngress.namespaces" List, "", Reads;
    "providers.kubernetesIngress.nativeLBByDefault" Switch, "false", Planned(ENDPOINTS);
    "providers.kubernetesIngress.reportNodeInternalIPs" Switch, "false", Cosmetic(STATUSES);
    "providers.kubernetesIngress.strictPrefixMatching" Switch, "false", Reads;
    "providers.kubernetesIngress.throttleDuration" Time, "0", Cosmetic(AT_ONCE);
    "providers.kubernetesIngress.token" Text, "", Cosmetic(ACCESS);
    "providers.kubernetesIngressNGINX" Below, "",
        Cosmetic("Ingresses of class `nginx` are read in any case");
    "providers.kubernetesIngressNGINX.**" Below, "", Later(NGINX);
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
