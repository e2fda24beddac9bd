//! kube-proxy in IPVS mode makes each vip an address of every node, on an interface of its own.
//! Unless it is told to be strict, the kernel of each node then answers ARP for it, whoever owns
//! it.

use std::fmt;

use steelyard_host::{links, sysctl};
use steelyard_model::{Diagnostic, FieldPath, Severity};

use crate::codes::IPVS_ANSWERS_ARP;

/// How that interface begins.
pub(crate) const INTERFACE: &str = "kube-ipvs";
/// From this value on an interface is asked for its own addresses alone.
const STRICT: u8 = 1;

/// The kernel answers for vips of all nodes. [`fmt::Display`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LooseArp {
    /// The interface that has the vips.
    interface: String,
}

impl LooseArp {
    /// Looks whether it is so.
    pub(crate) fn look() -> Option<Self> {
        let links = links::list().unwrap_or_default();
        let names = links.into_iter().map(|link| link.name);
        let ignored = |name: &str| sysctl::read(&format!("net.ipv4.conf.{name}.arp_ignore"));
        Self::among(names, ignored("all").ok().flatten().as_deref())
    }

    /// Among these interfaces, where `ignored` is what goes for all of them.
    fn among(mut names: impl Iterator<Item = String>, ignored: Option<&str>) -> Option<Self> {
        let is_strict = ignored.and_then(|it| it.parse::<u8>().ok()).is_some_and(|it| it >= STRICT);
        let interface = names.find(|name| name.starts_with(INTERFACE))?;
        (!is_strict).then_some(Self { interface })
    }

    /// As a finding.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: IPVS_ANSWERS_ARP,
            object: None,
            beside: None,
            path: FieldPath::root(),
            location: None,
            part: None,
            message: self.to_string(),
            help: "set `ipvs: {strictARP: true}` in kube-proxy's configuration (`kubectl -n \
                   kube-system edit configmap kube-proxy`) and restart it; or let it use nftables"
                .to_owned(),
            missing: None,
        }
    }
}

impl fmt::Display for LooseArp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface } = self;
        write!(
            f,
            "kube-proxy's IPVS makes each vip an address of this node ({interface}), and the \
             kernel answers for it, whichever node is to"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_is_ipvs_without_strict_arp() {
        let among = |names: &[&str], ignored| {
            LooseArp::among(names.iter().map(|&name| name.to_owned()), ignored)
        };
        let (ipvs, other) = (["lo", "eth0", "kube-ipvs0"], ["lo", "eth0"]);
        for (names, ignored, is_loose) in [
            (&ipvs[..], Some("0"), true),
            (&ipvs[..], None, true),
            (&ipvs[..], Some("1"), false),
            (&ipvs[..], Some("2"), false),
            (&other[..], Some("0"), false),
        ] {
            assert_eq!(among(names, ignored).is_some(), is_loose, "{names:?} {ignored:?}");
        }
        let found = among(&ipvs, Some("0")).unwrap().diagnostic();
        let said = format!("error[{}]: {}\n  help: {}\n", found.code, found.message, found.help);
        let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/golden/host/ipvs.out.txt");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&golden, &said).unwrap();
        }
        assert_eq!(said, std::fs::read_to_string(&golden).unwrap());
    }
}
