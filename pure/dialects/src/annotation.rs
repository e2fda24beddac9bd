//! Annotations of Services under MetalLB's and our own prefixes.

mod foreign;

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::suggest::nearest;
use steelyard_model::{FieldPath, Host, Labels, Severity};

use crate::codes;
use crate::findings::Findings;
use crate::ingress::host;

const METALLB: &str = "metallb.io/";
const METALLB_DEPRECATED: &str = "metallb.universe.tf/";
const STEELYARD: &str = "steelyard.dev/";

const METALLB_NAMES: [&str; 4] =
    ["address-pool", "loadBalancerIPs", "allow-shared-ip", "ip-allocated-from-pool"];

const OWN_NAMES: [&str; 2] = ["gateway", "endpoints"];

/// Annotation that pins or forbids that the gateway serves a Service.
pub(crate) const GATEWAY: &str = "steelyard.dev/gateway";
/// Annotation that lists endpoints outside Kubernetes.
pub(crate) const ENDPOINTS: &str = "steelyard.dev/endpoints";

/// Reports names under MetalLB's prefixes and ours that mean nothing. That a prefix is deprecated
/// is said where its annotations are used, with the addresses.
pub(crate) fn check_service(annotations: &Labels, findings: &mut Findings<'_>) {
    for key in annotations.keys() {
        if let Some(name) = key.strip_prefix(METALLB) {
            metallb(key, name, findings);
        } else if let Some(name) = key.strip_prefix(METALLB_DEPRECATED) {
            metallb(key, name, findings);
        }
    }
    foreign::check(annotations, findings);
    check_own(annotations, &OWN_NAMES, findings);
}

/// Whether `key` is, or is meant to be, an annotation that MetalLB or we read on Services.
pub(crate) fn is_for_services(key: &str) -> bool {
    let metallb = key.strip_prefix(METALLB).or_else(|| key.strip_prefix(METALLB_DEPRECATED));
    metallb.is_some_and(|name| nearest(name, METALLB_NAMES).is_some())
        || key.strip_prefix(STEELYARD).is_some_and(|name| nearest(name, OWN_NAMES).is_some())
}

/// Whether `key` has a prefix under which all names are ours to judge.
pub(crate) fn has_known_prefix(key: &str) -> bool {
    [METALLB, METALLB_DEPRECATED, STEELYARD].iter().any(|prefix| key.starts_with(prefix))
}

/// Reports MetalLB's annotations on an object that is no Service: they are read there only.
pub(crate) fn check_elsewhere(annotations: &Labels, findings: &mut Findings<'_>) {
    let is_metallb =
        |key: &&String| key.starts_with(METALLB) || key.starts_with(METALLB_DEPRECATED);
    for key in annotations.keys().filter(is_metallb) {
        let kind = findings.object().kind.clone();
        let message = format!("annotation `{key}` means nothing on objects of kind {kind}");
        let path = FieldPath::annotation(key);
        let help = "write it on the Service that gets the address";
        findings.say(Severity::Warning, codes::ANNOTATION_UNKNOWN, &path, message, help);
    }
}

/// Reports names under our prefix that are none of `known`.
pub(crate) fn check_own(annotations: &Labels, known: &[&str], findings: &mut Findings<'_>) {
    for key in annotations.keys() {
        let Some(name) = key.strip_prefix(STEELYARD) else { continue };
        if !known.contains(&name) {
            let kind = findings.object().kind.clone();
            let message = format!("annotation `{key}` means nothing on objects of kind {kind}");
            unknown(key, STEELYARD, name, known, message, findings);
        }
    }
}

/// Reports `name` if MetalLB does not know it.
fn metallb(key: &str, name: &str, findings: &mut Findings<'_>) {
    if !METALLB_NAMES.contains(&name) {
        let message = format!("MetalLB has no annotation `{key}`; it does nothing");
        unknown(key, METALLB, name, &METALLB_NAMES, message, findings);
    }
}

fn unknown(
    key: &str,
    prefix: &str,
    name: &str,
    known: &[&str],
    message: String,
    findings: &mut Findings<'_>,
) {
    let help = match nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{prefix}{meant}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("remove it; known there are {}", known.join(", ")),
    };
    let path = FieldPath::annotation(key);
    findings.say(Severity::Warning, codes::ANNOTATION_UNKNOWN, &path, message, help);
}

/// `steelyard.dev/gateway`.
pub(crate) fn gateway(annotations: &Labels, findings: &mut Findings<'_>) -> Option<bool> {
    let written = annotations.get(GATEWAY)?;
    let path = FieldPath::annotation(GATEWAY);
    findings.choice(&path, Some(written), &[("true", true), ("false", false)])
}

/// `steelyard.dev/endpoints`: `10.0.0.5:8080,nas.lan:5000,[fd00::5]:80`.
pub(crate) fn endpoints(annotations: &Labels, findings: &mut Findings<'_>) -> Vec<(Host, u16)> {
    let Some(written) = annotations.get(ENDPOINTS) else { return Vec::new() };
    let path = FieldPath::annotation(ENDPOINTS);
    let mut endpoints = Vec::new();
    for text in written.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match endpoint(text) {
            Some(endpoint) => endpoints.push(endpoint),
            None => findings.invalid(
                codes::INVALID_VALUE,
                &path,
                format!("`{text}` is not an endpoint"),
                "write address:port or name:port, such as 10.0.0.5:8080, [fd00::5]:8080 or \
                 nas.lan:5000",
            ),
        }
    }
    if endpoints.is_empty() && written.split(',').all(|text| text.trim().is_empty()) {
        let message = format!("annotation `{ENDPOINTS}` is empty");
        let help = "list endpoints such as 10.0.0.5:8080, or remove it";
        findings.invalid(codes::INVALID_VALUE, &path, message, help);
    }
    endpoints
}

fn endpoint(text: &str) -> Option<(Host, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
    if let Some(inner) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some((Host::Ip(IpAddr::V6(address).to_canonical()), port));
    }
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return Some((Host::Ip(address.into()), port));
    }
    let name = host.to_ascii_lowercase();
    host::is_name(&name).then(|| (Host::Name(Arc::from(name)), port))
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn endpoints() {
        for (text, expected) in [
            ("10.0.0.5:8080", Some("10.0.0.5 8080")),
            ("nas.lan:5000", Some("nas.lan 5000")),
            ("NAS:5000", Some("nas 5000")),
            ("[fd00::5]:80", Some("fd00::5 80")),
            ("fd00::5:80", None),
            ("10.0.0.5", None),
            ("10.0.0.5:0", None),
            ("10.0.0.5:70000", None),
            ("10.0.0.555:80", None),
            ("http://nas.lan:80", None),
            (":80", None),
        ] {
            let read = endpoint(text).map(|(host, port)| format!("{host} {port}"));
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
