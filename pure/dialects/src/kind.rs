//! Which module reads an object: by `apiVersion` and `kind`.

use steelyard_manifest::{FILE_VERSION, NAMED_FILE, Object, Soundness};
use steelyard_model::suggest::{closeness, nearest};
use steelyard_model::{FieldPath, Item, Severity};

use crate::findings::Findings;
use crate::{LowerOptions, codes, core, heed, ingress, labelled, metallb, network_policy, traefik};

/// A kind we read.
struct Known {
    kind: &'static str,
    api_version: &'static str,
    lower: Lower,
}

type Lower = fn(&mut Findings<'_>, &LowerOptions) -> Vec<Item>;

/// A kind, or (with an empty `kind`) a whole group, that a later version reads.
struct Later {
    group: &'static str,
    kind: &'static str,
    until_then: &'static str,
}

const KNOWN: [Known; 41] = [
    known("Service", "v1", |f, options| list(core::service::lower(f, options))),
    known("Pod", "v1", |f, _| list(core::pod::lower(f))),
    known("Node", "v1", |f, _| list(core::node::lower(f))),
    known("Secret", "v1", |f, _| list(core::secret::lower(f))),
    known("ConfigMap", "v1", |f, _| list(core::config_map(f))),
    known("Namespace", "v1", |f, _| list(core::namespace(f))),
    known("Endpoints", "v1", |f, _| core::slice::endpoints(f)),
    known("EndpointSlice", "discovery.k8s.io/v1", |f, _| list(core::slice::lower(f))),
    known("Deployment", "apps/v1", |f, _| list(core::workload::lower(f))),
    known("StatefulSet", "apps/v1", |f, _| list(core::workload::lower(f))),
    known("DaemonSet", "apps/v1", |f, _| list(core::workload::lower(f))),
    known("Ingress", "networking.k8s.io/v1", |f, options| list(ingress::lower(f, options))),
    known("IngressClass", "networking.k8s.io/v1", |f, options| list(ingress::class(f, options))),
    known("NetworkPolicy", "networking.k8s.io/v1", |f, _| list(network_policy::lower(f))),
    known("IPAddressPool", METALLB, |f, _| list(metallb::pool(f))),
    known("L2Advertisement", METALLB, |f, _| list(metallb::l2_advertisement(f))),
    known("BGPAdvertisement", METALLB, |f, _| list(metallb::bgp_advertisement::lower(f))),
    known("BGPPeer", "metallb.io/v1beta2", |f, _| list(metallb::bgp_peer::lower(f))),
    known("BGPPeer", METALLB, |f, _| list(metallb::bgp_peer::lower_v1beta1(f))),
    known("BFDProfile", METALLB, |f, _| list(metallb::bfd_profile::lower(f))),
    known("Community", METALLB, |f, _| list(metallb::bgp_advertisement::aliases(f))),
    known("IngressRoute", TRAEFIK, |f, options| list(traefik::router::http(f, options.syntax))),
    known("IngressRouteTCP", TRAEFIK, |f, options| list(traefik::router::tcp(f, options.syntax))),
    known("IngressRouteUDP", TRAEFIK, |f, _| list(traefik::router::udp(f))),
    known("TraefikService", TRAEFIK, |f, _| list(traefik::backend::lower(f))),
    known("TLSOption", TRAEFIK, |f, _| list(traefik::tls::option(f))),
    known("TLSStore", TRAEFIK, |f, _| list(traefik::tls::store(f))),
    known("ServersTransport", TRAEFIK, |f, _| list(traefik::transport::http(f))),
    known("ServersTransportTCP", TRAEFIK, |f, _| list(traefik::transport::tcp(f))),
    known("HelmChart", HELM, |f, options| list(traefik::options::helm(f, options))),
    known("HelmChartConfig", HELM, |f, options| list(traefik::options::helm(f, options))),
    of_file("router", |f, options| list(traefik::file::router(f, options.syntax))),
    of_file("service", |f, _| list(traefik::file::service(f))),
    of_file("middleware", |f, _| list(traefik::file::middleware(f))),
    of_file("transport", |f, _| list(traefik::file::transport(f))),
    of_file("tls-options", |f, _| list(traefik::file::options(f))),
    of_file("tls-store", |f, _| traefik::file::store(f)),
    of_file("certificate", |f, _| list(traefik::file::certificate(f))),
    of_file(NAMED_FILE, |f, _| list(traefik::file::named(f))),
    known("Middleware", TRAEFIK, |f, _| list(traefik::middleware::http(f))),
    known("MiddlewareTCP", TRAEFIK, |f, _| list(traefik::middleware::tcp(f))),
];
const TRAEFIK: &str = "traefik.io/v1alpha1";
const HELM: &str = "helm.cattle.io/v1";
const METALLB: &str = "metallb.io/v1beta1";

/// Groups in which an unknown version, or a kind nearly named like ours, is a mistake.
const OUR_GROUPS: [&str; 7] =
    ["", "apps", "discovery.k8s.io", "extensions", "networking.k8s.io", "metallb.io", "traefik.io"];

const LATER: [Later; 5] = [
    later("traefik.io", "", "it has no effect"),
    later("traefik.containo.us", "IngressRoute", AS_INGRESS),
    later("traefik.containo.us", "", "it has no effect"),
    later("gateway.networking.k8s.io", "HTTPRoute", AS_INGRESS),
    later("gateway.networking.k8s.io", "", "it has no effect"),
];

const AS_INGRESS: &str = "say the same with an Ingress to have it served";

/// What MetalLB's speakers and controller write.
const METALLB_STATUS: [&str; 3] = ["ServiceL2Status", "ServiceBGPStatus", "ConfigurationState"];

/// The kinds that are read.
pub(crate) fn all() -> impl Iterator<Item = &'static str> {
    // Those of files are nobody's objects, and nothing comes of those of Helm.
    let is_object = |known: &&Known| !matches!(known.api_version, FILE_VERSION | HELM);
    KNOWN.iter().filter(is_object).map(|known| known.kind)
}

const fn known(kind: &'static str, api_version: &'static str, lower: Lower) -> Known {
    Known { kind, api_version, lower }
}

/// What is in files of dynamic configuration.
const fn of_file(kind: &'static str, lower: Lower) -> Known {
    Known { kind, api_version: FILE_VERSION, lower }
}

const fn later(group: &'static str, kind: &'static str, until_then: &'static str) -> Later {
    Later { group, kind, until_then }
}

fn list(item: Option<Item>) -> Vec<Item> {
    item.into_iter().collect()
}

pub(crate) fn lower(
    object: &Object,
    options: &LowerOptions,
    findings: &mut Findings<'_>,
) -> Vec<Item> {
    let kind = &*object.reference.kind;
    let api_version = &*object.api_version;
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let is_of_file = api_version == FILE_VERSION;
    let is_alike = |known: &&Known| (known.api_version == FILE_VERSION) == is_of_file;
    let mut of_kind = KNOWN.iter().filter(is_alike).filter(|known| known.kind == kind);
    let exact = of_kind.clone().find(|known| known.api_version == api_version);
    let is_ours = OUR_GROUPS.contains(&group) && !is_legacy(api_version, kind);
    let known = exact.or_else(|| of_kind.next().filter(|_| is_ours || is_of_file));
    let is_marred = object.soundness != Soundness::Sound;
    match (known, exact) {
        _ if is_marred => findings.set_aside(),
        (Some(_), Some(_)) => {
            if let Some(unfit) = heed::unfit(object, options).filter(|_| !is_of_file) {
                findings.refuse(unfit);
                findings.set_aside();
            }
        }
        (Some(known), None) => {
            unknown_version(known, api_version, findings);
            findings.set_aside();
        }
        (None, _) if is_legacy(api_version, kind) => legacy(api_version, kind, findings),
        (None, _) => unread(api_version, group, kind, findings),
    }
    let Some(known) = known.filter(|_| is_of_file || labelled::is_there(object, options)) else {
        return Vec::new();
    };
    (known.lower)(findings, options)
}

fn unknown_version(known: &Known, api_version: &str, findings: &mut Findings<'_>) {
    let Known { kind, api_version: ours, .. } = known;
    let help = match *kind {
        "Ingress" => format!(
            "use `{ours}`; there a backend is `service: {{name, port: {{number}}}}` and each path \
             has a pathType"
        ),
        _ => format!("use `{ours}`"),
    };
    findings.invalid(
        codes::API_VERSION_UNKNOWN,
        &FieldPath::from("apiVersion"),
        format!("{kind} is not read in version `{api_version}`"),
        help,
    );
}

fn is_legacy(api_version: &str, kind: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    api_version == "metallb.io/v1alpha1"
        || group == "metallb.universe.tf"
        || (group == "metallb.io" && kind == "AddressPool")
}

fn legacy(api_version: &str, kind: &str, findings: &mut Findings<'_>) {
    findings.invalid(
        codes::METALLB_LEGACY,
        &FieldPath::from("apiVersion"),
        format!("{kind} of `{api_version}` is from before MetalLB 0.13 and not read"),
        format!("write an IPAddressPool and an L2Advertisement of `{METALLB}` instead"),
    );
}

/// A kind we do not read: later, mistyped, or somebody else's.
fn unread(api_version: &str, group: &str, kind: &str, findings: &mut Findings<'_>) {
    let kind_path = FieldPath::from("kind");
    if network_policy::is_unread(group, kind, findings) {
        return;
    }
    let later = LATER
        .iter()
        .find(|later| later.group == group && (later.kind.is_empty() || later.kind == kind));
    if let Some(later) = later {
        let message = format!("{kind} of `{api_version}` is not read yet");
        let help = format!("keep it, a later version reads it; until then {}", later.until_then);
        return findings.say(Severity::Info, codes::KIND_LATER, &kind_path, message, help);
    }
    if let Some(known) = mistyped(group, kind) {
        let message = format!("`{kind}` is not a kind of `{api_version}`");
        let help = format!("did you mean `{known}`?");
        return findings.say(Severity::Warning, codes::KIND_UNKNOWN, &kind_path, message, help);
    }
    let help = if METALLB_STATUS.contains(&kind) {
        "remove it from the input: MetalLB writes it as a report, nobody reads it"
    } else {
        "nothing needs to change: everything else in the input is used"
    };
    let message = format!("{kind} of `{api_version}` is not a kind steelyard reads");
    findings.say(Severity::Info, codes::KIND_IGNORED, &kind_path, message, help);
}

/// The kind of `group` that `kind` is a typo of. Only typos count, not names that contain another
/// (ServiceAccount is a kind of its own).
fn mistyped(group: &str, kind: &str) -> Option<&'static str> {
    const MOST_EDITS: usize = 3;
    let names = KNOWN
        .iter()
        .filter(|known| known.api_version != FILE_VERSION)
        .map(|known| (known.api_version, known.kind))
        .chain(LATER.iter().map(|later| (later.group, later.kind)))
        .filter(|(place, _)| {
            place.rsplit_once('/').map_or("", |(group, _)| group) == group
                || (*place == group && place.contains('.'))
        })
        .map(|(_, name)| name)
        .filter(|name| closeness(kind, name).is_some_and(|edits| edits <= MOST_EDITS));
    nearest(kind, names)
}
