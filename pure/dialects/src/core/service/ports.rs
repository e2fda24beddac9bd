//! `spec.ports` of a Service.

use std::collections::BTreeSet;

use steelyard_manifest::kinds::IntOrString;
use steelyard_manifest::kinds::service as raw;
use steelyard_model::routing::transport::OriginScheme;
use steelyard_model::{FieldPath, ServicePort, TargetPort};

use crate::codes;
use crate::findings::Findings;

/// All valid ports; `needed` says whether there must be one.
pub(crate) fn lower(
    spec: &raw::ServiceSpec,
    needed: bool,
    findings: &mut Findings<'_>,
) -> Vec<ServicePort> {
    let path = FieldPath::from("spec.ports");
    let written = spec.ports.as_deref().unwrap_or_default();
    if needed && written.is_empty() {
        findings.missing(&path, "add at least one port, such as `- port: 80`");
    }
    let mut ports = Vec::new();
    for (index, port) in written.iter().enumerate() {
        let path = path.index(index);
        if written.len() > 1 && port.name.as_deref().unwrap_or_default().is_empty() {
            findings.missing(&path.key("name"), "name each port where there are several");
        }
        ports.extend(one(port, &path, findings).map(|port| (path, port)));
    }
    report_duplicates(&ports, findings);
    ports.into_iter().map(|(_, port)| port).collect()
}

fn one(
    written: &raw::ServicePort,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Option<ServicePort> {
    let protocol = written.protocol.as_deref().filter(|protocol| !protocol.is_empty());
    let protocol = findings.protocol(&path.key("protocol"), protocol);
    let node_port = written.node_port.filter(|number| *number != 0);
    let node_port = node_port.and_then(|number| findings.port(&path.key("nodePort"), number));
    let target = written.target_port.as_ref().map(|target| self::target(target, path, findings));
    let Some(number) = written.port else {
        findings.missing(&path.key("port"), "add the port that clients use, such as `port: 80`");
        return None;
    };
    let port = findings.port(&path.key("port"), number)?;
    let target = match target {
        None => TargetPort::Number(port),
        Some(target) => target?,
    };
    let name = written.name.clone().filter(|name| !name.is_empty());
    let scheme = written.app_protocol.as_deref().and_then(scheme);
    Some(ServicePort { name, protocol, port, target, node_port, scheme })
}

/// What `appProtocol` says where something else than HTTP/1.1 is spoken (KEP-3726, and names of
/// IANA), and what people write for it.
fn scheme(app_protocol: &str) -> Option<OriginScheme> {
    match app_protocol {
        "kubernetes.io/h2c" | "h2c" => Some(OriginScheme::H2c),
        "https" | "kubernetes.io/wss" | "wss" => Some(OriginScheme::Https),
        _ => None,
    }
}

fn target(
    written: &IntOrString,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Option<TargetPort> {
    let path = path.key("targetPort");
    let name = match written {
        IntOrString::Int(number) => return findings.port(&path, *number).map(TargetPort::Number),
        IntOrString::String(name) => name,
    };
    if name.parse::<u16>().is_ok() {
        let message = format!("targetPort \"{name}\" is a name made of digits, not a number");
        let help = format!("write {name} without quotes");
        findings.invalid(codes::INVALID_VALUE, &path, message, help);
        return None;
    }
    if !is_port_name(name) {
        findings.invalid(
            codes::INVALID_VALUE,
            &path,
            format!("`{name}` is not the name of a port"),
            "use a number, or up to 15 lower-case letters, digits and dashes with a letter",
        );
        return None;
    }
    Some(TargetPort::Name(name.clone()))
}

/// RFC 6335 §5.1, as Kubernetes applies it.
fn is_port_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && name.bytes().any(|b| b.is_ascii_lowercase())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

fn report_duplicates(ports: &[(FieldPath, ServicePort)], findings: &mut Findings<'_>) {
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for (path, port) in ports {
        if let Some(name) = port.name.as_deref().filter(|name| !names.insert(*name)) {
            let message = format!("two ports are named `{name}`");
            let help = "give each port a name of its own";
            findings.invalid(codes::ENTRY_DUPLICATE, &path.key("name"), message, help);
        }
        if !numbers.insert((port.protocol, port.port)) {
            let message = format!("port {} is listed twice for {}", port.port, port.protocol);
            let path = path.key("port");
            findings.invalid(codes::ENTRY_DUPLICATE, &path, message, "remove one of the two");
        }
    }
}
