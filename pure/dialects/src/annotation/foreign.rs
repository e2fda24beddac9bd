//! Annotations of other load balancers on a Service, for which we have another name: kube-vip,
//! Cilium, PureLB, OpenELB. Nobody reads them here; who moves from there is told what to write.

use steelyard_model::{FieldPath, Labels, Severity};

use super::metallb::{OLD_PREFIX, PREFIX};
use crate::codes;
use crate::findings::Findings;

/// What an annotation asks for.
#[derive(Clone, Copy)]
enum Wish {
    /// Addresses, in its value.
    Addresses,
    /// A pool, in its value.
    Pool,
    /// To share the address with others that say the same.
    Sharing,
    /// Nothing that has a name here.
    Nothing(&'static str),
}

/// Name, whose it is, and what it asks for.
const ALL: [(&str, &str, Wish); 18] = [
    ("kube-vip.io/loadbalancerIPs", "kube-vip", Wish::Addresses),
    ("kube-vip.io/loadbalancerHostname", "kube-vip", Wish::Nothing(NAME)),
    ("kube-vip.io/serviceInterface", "kube-vip", Wish::Nothing(INTERFACE)),
    ("kube-vip.io/ignore", "kube-vip", Wish::Nothing(CLASS)),
    ("io.cilium/lb-ipam-ips", "Cilium", Wish::Addresses),
    ("lbipam.cilium.io/ips", "Cilium", Wish::Addresses),
    ("io.cilium/lb-ipam-sharing-key", "Cilium", Wish::Sharing),
    ("lbipam.cilium.io/sharing-key", "Cilium", Wish::Sharing),
    ("io.cilium/lb-ipam-sharing-cross-namespace", "Cilium", Wish::Nothing(ACROSS)),
    ("lbipam.cilium.io/sharing-cross-namespace", "Cilium", Wish::Nothing(ACROSS)),
    ("purelb.io/addresses", "PureLB", Wish::Addresses),
    ("purelb.io/service-group", "PureLB", Wish::Pool),
    ("purelb.io/allow-shared-ip", "PureLB", Wish::Sharing),
    ("eip.openelb.kubesphere.io/v1alpha1", "OpenELB", Wish::Addresses),
    ("eip.openelb.kubesphere.io/v1alpha2", "OpenELB", Wish::Pool),
    ("eip.porter.kubesphere.io/v1alpha1", "OpenELB", Wish::Addresses),
    ("lb.kubesphere.io/v1alpha1", "OpenELB", Wish::Nothing(ELSE)),
    ("protocol.openelb.kubesphere.io/v1alpha1", "OpenELB", Wish::Nothing(ELSE)),
];

const ACROSS: &str = "remove it: Services of all namespaces share by metallb.io/allow-shared-ip";
const CLASS: &str = "to have a Service left alone, set `loadBalancerClass` to another's";
const ELSE: &str = "remove it: a pool and an L2Advertisement say the same for all Services";
const INTERFACE: &str = "name the interface in `interfaces` of an L2Advertisement";
const NAME: &str = "remove it: names are not registered for Services";

/// Reports them; what is asked for already in our words needs no more advice.
pub(crate) fn check(annotations: &Labels, findings: &mut Findings<'_>) {
    for (key, whose, wish) in ALL {
        let Some(value) = annotations.get(key).map(|value| value.trim()) else { continue };
        let ours = match wish {
            Wish::Addresses => "loadBalancerIPs",
            Wish::Pool => "address-pool",
            Wish::Sharing => "allow-shared-ip",
            Wish::Nothing(_) => "",
        };
        let said = |prefix: &str| annotations.contains_key(&format!("{prefix}{ours}"));
        if !ours.is_empty() && (said(PREFIX) || said(OLD_PREFIX)) {
            continue;
        }
        let help = match wish {
            Wish::Nothing(help) => help.to_owned(),
            // kube-vip's word for DHCP.
            Wish::Addresses if value == "0.0.0.0" => {
                "remove it: addresses come from IPAddressPools, not by DHCP".to_owned()
            }
            _ => format!("say the same with {}{ours}: {value:?}", PREFIX),
        };
        findings.say(
            Severity::Warning,
            codes::ANNOTATION_FOREIGN,
            &FieldPath::annotation(key),
            format!("annotation `{key}` is {whose}'s, and is not read here"),
            help,
        );
    }
}
