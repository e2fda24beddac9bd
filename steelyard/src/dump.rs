//! What a cluster's objects lack: who pipes a part of them in is told once which kinds are missing,
//! and nothing that would only follow from that.
//!
//! Objects of a cluster bear a `uid`; a folder of manifests is complete as it is.

use std::collections::BTreeSet;

use steelyard_model::{Code, Diagnostic, Diagnostics, Location, Severity};
use steelyard_pipeline::{World, codes as of_join};

use crate::codes;

/// The command that fetches all that counts. Without MetalLB its last six kinds are left out;
/// Secrets stay where they are.
pub const KUBECTL: &str = "kubectl get services,endpointslices,ingresses,ingressclasses,nodes,\
                           namespaces,networkpolicies,ipaddresspools,l2advertisements,\
                           bgpadvertisements,bgppeers,bfdprofiles,communities -A -o yaml";

/// What is to be named besides where a cluster has Traefik's own kinds; who names a kind that is
/// not there gets nothing.
pub const OF_TRAEFIK: &str = "ingressroutes,ingressroutetcps,ingressrouteudps,traefikservices,\
                              tlsoptions,tlsstores,serverstransports,serverstransporttcps,\
                              middlewares,middlewaretcps";

/// A kind that is missed, by whom, and the findings that only say so.
struct Want {
    name: &'static str,
    /// Objects of one of these kinds say where things are.
    kinds: &'static [&'static str],
    /// Objects of this kind ask for them.
    by: &'static str,
    findings: &'static [Code],
}

const WANTS: [Want; 5] = [
    Want {
        name: "EndpointSlices",
        kinds: &["EndpointSlice", "Endpoints", "Pod"],
        by: "Service",
        findings: &[of_join::SERVICE_WITHOUT_ENDPOINTS, of_join::WORKLOAD_NOT_RUN],
    },
    Want {
        name: "IngressClasses",
        kinds: &["IngressClass"],
        by: "Ingress",
        findings: &[of_join::CLASS_NOT_OURS],
    },
    Want {
        name: "Services",
        kinds: &["Service"],
        by: "Ingress",
        findings: &[of_join::BACKEND_SERVICE_MISSING, of_join::BACKEND_EXTERNAL_NAME],
    },
    Want { name: "Nodes", kinds: &["Node"], by: "IPAddressPool", findings: &[] },
    Want { name: "Namespaces", kinds: &["Namespace"], by: "IPAddressPool", findings: &[] },
];

/// What a cluster's objects lack.
pub(crate) struct Lacking {
    /// Where the first of them is.
    first: Option<Location>,
    kinds: Vec<&'static str>,
    /// Findings that only follow from that.
    follows: BTreeSet<Code>,
}

impl Lacking {
    /// What `world` lacks; nothing where it is no cluster's.
    pub(crate) fn of(world: &World) -> Self {
        let first = world.place_in_cluster();
        let lacks = |want: &&Want| {
            first.is_some()
                && world.has_kind(want.by)
                && !want.kinds.iter().any(|kind| world.has_kind(kind))
        };
        let lacking: Vec<&Want> = WANTS.iter().filter(lacks).collect();
        let kinds = lacking.iter().map(|want| want.name).collect();
        let mut follows: BTreeSet<Code> =
            lacking.iter().flat_map(|want| want.findings).copied().collect();
        if first.is_some() && !world.has_kind("Secret") {
            follows.insert(of_join::TLS_SECRET_MISSING);
        }
        Self { first, kinds, follows }
    }

    /// Says it once, instead of all that follows from it.
    pub(crate) fn tell(self, diagnostics: &mut Diagnostics) {
        let Some(first) = self.first else { return };
        // A class that is nearly named like one of ours is a typo with its IngressClass too.
        let is_typo = |found: &Diagnostic| {
            found.code == of_join::CLASS_NOT_OURS && found.severity != Severity::Info
        };
        let follows = |found: &&Diagnostic| self.follows.contains(&found.code) && !is_typo(found);
        let gone: Vec<Diagnostic> = diagnostics.iter().filter(follows).cloned().collect();
        let said = (!self.kinds.is_empty()).then(|| incomplete(first, &self.kinds.join(", ")));
        diagnostics.change(gone, said);
    }
}

fn incomplete(first: Location, kinds: &str) -> Diagnostic {
    Diagnostic::in_file(
        Severity::Warning,
        codes::DUMP_INCOMPLETE,
        first,
        format!(
            "these objects are a cluster's, but without its {kinds}: what depends on those is not \
             judged"
        ),
        format!("take all that counts: {KUBECTL} | steelyard check -"),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{KUBECTL, OF_TRAEFIK};

    /// Kinds that are read where they are, but not needed where a cluster has EndpointSlices, and
    /// Secrets, which are to stay in it.
    const NOT_NEEDED: [&str; 7] =
        ["ConfigMap", "DaemonSet", "Deployment", "Endpoints", "Pod", "Secret", "StatefulSet"];

    #[test]
    fn the_command_fetches_all_that_is_read() {
        let listed = KUBECTL.split(' ').nth(2).unwrap_or_default();
        for kind in steelyard_dialects::kinds() {
            let lower = kind.to_ascii_lowercase();
            let plural = match lower.strip_suffix('y') {
                Some(stem) => format!("{stem}ies"),
                None if lower.ends_with('s') => format!("{lower}es"),
                None => format!("{lower}s"),
            };
            let mut all = listed.split(',').chain(OF_TRAEFIK.split(','));
            let is_listed = all.any(|name| name == plural);
            assert_eq!(is_listed, !NOT_NEEDED.contains(&kind), "{kind}");
        }
    }

    #[test]
    fn it_is_what_people_are_told() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for place in ["README.md", "docs/contracts.md", "steelyard/src/check.rs"] {
            let text = std::fs::read_to_string(root.join(place)).unwrap_or_default();
            let text = text.replace("\\\n", "");
            assert!(text.contains(KUBECTL), "{place}: {KUBECTL}");
            assert!(text.contains(OF_TRAEFIK), "{place}: {OF_TRAEFIK}");
        }
    }
}
