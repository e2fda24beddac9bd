//! By what Ingresses say that they are reached.
//!
//! Whoever runs DNS by them (external-dns) has its records from here. What a Service of another
//! type than LoadBalancer comes to, Traefik and ingress-nginx read each in a way of its own.

use steelyard_model::routing::route::Manner;
use steelyard_model::{Host, NamespacedName, Node, Service, ServiceType, Snapshot};

use crate::reported::{PortReport, StatusAddress};

/// What Ingresses report, by whose words they are in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedIngresses {
    /// Those in words of Kubernetes and Traefik.
    pub traefik: Publication,
    /// Those in words of ingress-nginx.
    pub nginx: Publication,
}

/// By what some Ingresses are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The Service by which they are.
    pub service: Option<NamespacedName>,
    /// What they report whatever that Service has; empty says nothing.
    pub said: Vec<StatusAddress>,
    /// What is read of it.
    pub reading: PublishedReading,
}

/// What is read of a Service by which Ingresses are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishedReading {
    /// The addresses that it has as a LoadBalancer.
    #[default]
    Balancer,
    /// As Traefik's `publishedService`: all that a LoadBalancer reports; `externalIPs` of a
    /// ClusterIP; of a NodePort the ExternalIPs of all nodes, where nodes are looked at.
    Traefik {
        /// Not with `disableClusterScopeResources`.
        sees_nodes: bool,
    },
    /// As `--publish-service` of ingress-nginx: addresses of a LoadBalancer and its `externalIPs`;
    /// `externalIPs` of a NodePort, or its cluster address; that of a ClusterIP.
    Nginx,
    /// The InternalIPs of all nodes.
    AllNodes,
    /// The InternalIPs of nodes where an endpoint of it is.
    ItsNodes,
}

impl PublishedIngresses {
    /// All by the addresses of this Service.
    pub fn by(service: NamespacedName) -> Self {
        let published = Publication { service: Some(service), ..Publication::default() };
        Self { traefik: published.clone(), nginx: published }
    }

    /// What those in these words report.
    pub fn of(&self, manner: Manner) -> &Publication {
        match manner {
            Manner::Traefik => &self.traefik,
            Manner::Nginx => &self.nginx,
        }
    }

    /// Whether something hangs on what this Service reports.
    pub fn hangs_on(&self, service: &NamespacedName) -> bool {
        [&self.traefik, &self.nginx].iter().any(|it| it.service.as_ref() == Some(service))
    }
}

impl Publication {
    /// What is reported, where this is what a Service has as a LoadBalancer.
    pub(crate) fn points(
        &self,
        snapshot: &Snapshot,
        balanced: impl FnOnce(&NamespacedName) -> Vec<StatusAddress>,
    ) -> Vec<StatusAddress> {
        if !self.said.is_empty() {
            return self.said.clone();
        }
        let nodes = &snapshot.nodes;
        if self.reading == PublishedReading::AllNodes {
            return internal(nodes.iter());
        }
        let Some(id) = &self.service else { return Vec::new() };
        let resolved = snapshot.services.get(id);
        let service = resolved.map(|it| &*it.service);
        let balanced = || balanced(id);
        match (self.reading, service) {
            (PublishedReading::Traefik { sees_nodes }, Some(service)) => {
                let nodes: &[Node] = if sees_nodes { nodes } else { &[] };
                as_traefik(service, nodes, balanced)
            }
            (PublishedReading::Nginx, Some(service)) => as_nginx(service, balanced),
            (PublishedReading::ItsNodes, _) => {
                let places = resolved.map(|it| &*it.places).unwrap_or_default();
                internal(nodes.iter().filter(|node| places.contains(&Some(node.name.clone()))))
            }
            _ => balanced(),
        }
    }

    /// Whether nodes are looked at for it.
    pub(crate) fn reads_nodes(&self) -> bool {
        match self.reading {
            PublishedReading::AllNodes | PublishedReading::ItsNodes => true,
            PublishedReading::Traefik { sees_nodes } => sees_nodes,
            PublishedReading::Balancer | PublishedReading::Nginx => false,
        }
    }
}

fn as_traefik(
    service: &Service,
    nodes: &[Node],
    balanced: impl FnOnce() -> Vec<StatusAddress>,
) -> Vec<StatusAddress> {
    let with = |ports: Vec<PortReport>, ips: Vec<std::net::IpAddr>| {
        let point = |ip| StatusAddress { ports: ports.clone(), ..StatusAddress::of_ip(ip) };
        ips.into_iter().map(point).collect()
    };
    let ports = |number: fn(&steelyard_model::ServicePort) -> Option<u16>| {
        let ports = service.ports.iter().filter_map(|it| Some((number(it)?, it.protocol)));
        ports.map(|(port, protocol)| PortReport::of(port, protocol)).collect()
    };
    match &service.kind {
        ServiceType::LoadBalancer => balanced(),
        ServiceType::ClusterIp => with(ports(|it| Some(it.port)), service.external_ips.to_vec()),
        ServiceType::NodePort => {
            let ips = nodes.iter().flat_map(|node| node.external_ips.iter().copied());
            with(ports(|it| it.node_port), ips.collect())
        }
        ServiceType::ExternalName(host) => vec![of_host(host)],
    }
}

fn as_nginx(
    service: &Service,
    balanced: impl FnOnce() -> Vec<StatusAddress>,
) -> Vec<StatusAddress> {
    let of_ips =
        |ips: &[std::net::IpAddr]| ips.iter().map(|ip| StatusAddress::of_ip(*ip)).collect();
    let own = || of_ips(service.cluster_ips.get(..1).unwrap_or_default());
    let mut points: Vec<StatusAddress> = match &service.kind {
        ServiceType::ClusterIp => own(),
        ServiceType::NodePort if service.external_ips.is_empty() => own(),
        ServiceType::NodePort => of_ips(&service.external_ips),
        ServiceType::LoadBalancer => {
            // A name counts where there is no address.
            let named = |point: StatusAddress| StatusAddress {
                hostname: point.hostname.filter(|_| point.ip.is_none()),
                ip: point.ip,
                ..StatusAddress::default()
            };
            let mut points: Vec<_> = balanced().into_iter().map(named).collect();
            for ip in &service.external_ips {
                let point = StatusAddress::of_ip(*ip);
                if !points.contains(&point) {
                    points.push(point);
                }
            }
            points
        }
        ServiceType::ExternalName(host) => vec![of_host(host)],
    };
    points.sort_by(|a, b| (&a.hostname, &a.ip).cmp(&(&b.hostname, &b.ip)));
    points
}

fn of_host(host: &Host) -> StatusAddress {
    match host {
        Host::Ip(ip) => StatusAddress::of_ip(*ip),
        Host::Name(name) => StatusAddress::of_name(name),
    }
}

fn internal<'n>(nodes: impl Iterator<Item = &'n Node>) -> Vec<StatusAddress> {
    nodes.flat_map(|node| &node.internal_ips).map(|ip| StatusAddress::of_ip(*ip)).collect()
}
