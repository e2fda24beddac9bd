//! `v1` Service: what the API server takes, and what restricts access in ways we do not honour.

mod ports;

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_manifest::kinds::service as raw;
use steelyard_model::{
    ClassReading, Family, FamilyPolicy, FieldPath, Host, Item, Labels, Service, ServiceType,
    Severity, TrafficPolicy,
};

use crate::annotation::{self, Carrier, METALLB, STEELYARD, Scene, TRAEFIK};
use crate::findings::Findings;
use crate::host;
use crate::metallb::address_wish;
use crate::{LowerOptions, codes, restriction, swapped};

const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";

pub(crate) fn lower(findings: &mut Findings<'_>, options: &LowerOptions) -> Option<Item> {
    let raw: raw::Service = findings.read()?;
    let path = FieldPath::from("spec");
    let Some(spec) = raw.spec else {
        findings.missing(&path, "add a spec with ports and a selector");
        return None;
    };
    let annotations = raw.metadata.annotations.unwrap_or_default();
    let labels = raw.metadata.labels.unwrap_or_default();
    let mut effects = ClassReading::default();
    let scene = Scene { on: Carrier::Service, paths: &[], options };
    let read = [&METALLB, &STEELYARD, &TRAEFIK];
    let wishes = annotation::read(&read, &annotations, scene, &mut effects, findings);
    annotation::check_foreign(&annotations, findings);
    swapped::labels_of_service(&labels, &annotations, findings, options);
    let kind = kind(&spec, findings);
    let ranges = spec.load_balancer_source_ranges.as_deref().unwrap_or_default();
    let is_balanced = kind == ServiceType::LoadBalancer;
    let closed = restriction::of_service(&annotations, ranges, is_balanced, findings, options);
    let headless = spec.cluster_ip.as_deref() == Some("None");
    let service = Service {
        id: findings.id(),
        object: findings.object().clone(),
        labels,
        created: raw.metadata.creation_timestamp.map(Into::into),
        ports: ports::lower(&spec, kind_needs_ports(&kind, headless), findings),
        headless,
        cluster_ips: cluster_ips(&spec, findings),
        external_ips: external_ips(&spec, findings),
        ip_families: families(&spec, findings),
        family_policy: family_policy(&spec, findings),
        load_balancer_class: spec
            .load_balancer_class
            .as_deref()
            .filter(|it| !it.is_empty())
            .map(Into::into),
        external_traffic_policy: traffic_policy(&spec, findings),
        health_check_node_port: health_check_port(&spec, findings),
        stays_in_zone: stays_in_zone(&spec, &annotations),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        status_addresses: status_addresses(raw.status.as_ref(), findings),
        gateway: wishes.gateway,
        wish: address_wish::of(&wishes, spec.load_balancer_ip.as_deref(), &annotations).shared(),
        noted_pool: wishes.noted_pool.map(Into::into),
        static_endpoints: wishes.endpoints.into(),
        refusal: closed.address.map(Box::new),
        backend_refusal: effects.refusal.or(closed.routes).map(Box::new),
        backend_scheme: wishes.scheme,
        backend_wish: wishes.backend.map(Box::new),
        kind,
        selector: spec.selector.clone().unwrap_or_default(),
    };
    session_affinity(&spec, &service.kind, findings);
    Some(Item::Service(Arc::new(service)))
}

fn kind(spec: &raw::ServiceSpec, findings: &mut Findings<'_>) -> ServiceType {
    let path = FieldPath::from("spec");
    let known = [("ClusterIP", 0), ("NodePort", 1), ("LoadBalancer", 2), ("ExternalName", 3)];
    let written = spec.kind.as_deref().filter(|kind| !kind.is_empty());
    match findings.choice(&path.key("type"), written, &known) {
        Some(1) => ServiceType::NodePort,
        Some(2) => ServiceType::LoadBalancer,
        Some(3) => ServiceType::ExternalName(external_name(spec, findings)),
        _ => ServiceType::ClusterIp,
    }
}

fn kind_needs_ports(kind: &ServiceType, headless: bool) -> bool {
    !headless && !matches!(kind, ServiceType::ExternalName(_))
}

/// A name, as Kubernetes wants it, or an address, as it lets pass.
fn external_name(spec: &raw::ServiceSpec, findings: &mut Findings<'_>) -> Host {
    let path = FieldPath::from("spec.externalName");
    let name = spec.external_name.as_deref().unwrap_or_default();
    let canonical = name.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = name.parse::<IpAddr>() {
        return Host::Ip(address.to_canonical());
    }
    if name.is_empty() {
        findings.missing(&path, "name the host that the Service stands for");
    } else if !host::is_name(&canonical) {
        let message = format!("`{name}` is neither a host name nor an address");
        let help = "write a name such as nas.lan, or an address, without scheme, port and path";
        findings.invalid(codes::INVALID_VALUE, &path, message, help);
    }
    Host::Name(canonical.into())
}

fn cluster_ips(spec: &raw::ServiceSpec, findings: &mut Findings<'_>) -> Vec<IpAddr> {
    let path = FieldPath::from("spec");
    let is_address = |text: &&str| !text.is_empty() && *text != "None";
    let several = spec.cluster_ips.as_deref().unwrap_or_default();
    if several.is_empty() {
        let single = spec.cluster_ip.as_deref().filter(is_address);
        return single
            .and_then(|text| findings.address(&path.key("clusterIP"), text))
            .into_iter()
            .collect();
    }
    let mut addresses = Vec::new();
    for (index, text) in several.iter().enumerate().filter(|(_, text)| is_address(&text.as_str())) {
        addresses.extend(findings.address(&path.key("clusterIPs").index(index), text));
    }
    addresses
}

fn families(spec: &raw::ServiceSpec, findings: &mut Findings<'_>) -> &'static [Family] {
    let path = FieldPath::from("spec.ipFamilies");
    let mut families = Vec::new();
    for (index, text) in spec.ip_families.iter().flatten().enumerate() {
        let known = [("IPv4", Family::V4), ("IPv6", Family::V6)];
        let Some(family) = findings.choice(&path.index(index), Some(text), &known) else {
            continue;
        };
        if families.contains(&family) {
            let message = format!("{family} is listed twice");
            let path = path.index(index);
            findings.invalid(codes::ENTRY_DUPLICATE, &path, message, "remove one of the two");
        }
        families.push(family);
    }
    Family::each(&families)
}

fn family_policy(spec: &raw::ServiceSpec, findings: &mut Findings<'_>) -> Option<FamilyPolicy> {
    findings.choice(
        &FieldPath::from("spec.ipFamilyPolicy"),
        spec.ip_family_policy.as_deref().filter(|policy| !policy.is_empty()),
        &[
            ("SingleStack", FamilyPolicy::SingleStack),
            ("PreferDualStack", FamilyPolicy::PreferDualStack),
            ("RequireDualStack", FamilyPolicy::RequireDualStack),
        ],
    )
}

fn traffic_policy(spec: &raw::ServiceSpec, findings: &mut Findings<'_>) -> TrafficPolicy {
    let known = [("Cluster", TrafficPolicy::Cluster), ("Local", TrafficPolicy::Local)];
    let written = spec.external_traffic_policy.as_deref().filter(|policy| !policy.is_empty());
    let path = FieldPath::from("spec.externalTrafficPolicy");
    findings.choice(&path, written, &known).unwrap_or_default()
}

/// Whether a Service asks that requests stay in their zone, in the old words or the new ones.
fn stays_in_zone(spec: &raw::ServiceSpec, annotations: &Labels) -> bool {
    let mode = annotations.get(TOPOLOGY_MODE);
    let is_near = |it: &str| matches!(it, "PreferClose" | "PreferSameZone");
    mode.is_some_and(|mode| mode.eq_ignore_ascii_case("auto"))
        || spec.traffic_distribution.as_deref().is_some_and(is_near)
}

fn health_check_port(spec: &raw::ServiceSpec, findings: &mut Findings<'_>) -> Option<u16> {
    let path = FieldPath::from("spec.healthCheckNodePort");
    let number = spec.health_check_node_port.filter(|number| *number != 0)?;
    let port = findings.port(&path, number)?;
    if spec.external_traffic_policy.as_deref() != Some("Local") {
        findings.say(
            Severity::Warning,
            codes::HEALTH_CHECK_NODE_PORT_UNUSED,
            &path,
            format!("healthCheckNodePort {port} does nothing without externalTrafficPolicy: Local"),
            "remove it, or set `externalTrafficPolicy: Local`",
        );
    }
    Some(port)
}

/// Addresses it got from somebody before; names, and what is no address, are nobody's request.
fn status_addresses(
    status: Option<&raw::ServiceStatus>,
    findings: &mut Findings<'_>,
) -> Vec<IpAddr> {
    let path = FieldPath::from("status.loadBalancer.ingress");
    let ingress = status
        .and_then(|status| status.load_balancer.as_ref())
        .and_then(|balancer| balancer.ingress.as_deref())
        .unwrap_or_default();
    let mut addresses = Vec::new();
    for (index, entry) in ingress.iter().enumerate() {
        let Some(text) = entry.ip.as_deref().filter(|text| !text.is_empty()) else { continue };
        addresses.extend(findings.address(&path.index(index).key("ip"), text));
    }
    addresses
}

fn session_affinity(spec: &raw::ServiceSpec, kind: &ServiceType, findings: &mut Findings<'_>) {
    if spec.session_affinity.as_deref() != Some("ClientIP") || *kind != ServiceType::LoadBalancer {
        return;
    }
    findings.say(
        Severity::Warning,
        codes::FIELD_NOT_HONOURED,
        &FieldPath::from("spec.sessionAffinity"),
        "sessionAffinity ClientIP is not honoured yet: connections of a client are spread",
        "remove it if the application keeps no state per client",
    );
}

/// Addresses that nobody announces; ours are requested.
fn external_ips(spec: &raw::ServiceSpec, findings: &mut Findings<'_>) -> Box<[IpAddr]> {
    let written = spec.external_ips.as_deref().unwrap_or_default();
    let Some(first) = written.first() else { return Box::default() };
    findings.say(
        Severity::Warning,
        codes::FIELD_NOT_HONOURED,
        &FieldPath::from("spec.externalIPs"),
        format!("externalIPs is not honoured: nothing answers for {}", written.join(", ")),
        format!(
            "request the address instead: `type: LoadBalancer`, the annotation \
             metallb.io/loadBalancerIPs: \"{first}\", and an IPAddressPool that has it"
        ),
    );
    written.iter().filter_map(|text| text.parse().ok()).collect()
}
