//! Who is asked for a Service: its endpoints, or those that it is reached at.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::router_draft::AskedServers;
use steelyard_model::routing::backend::EndpointOrigin;
use steelyard_model::routing::id::EndpointSetId;
use steelyard_model::{Endpoint, EndpointState, Host, Provenance, Service, ServicePort};

use super::parts::set;
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::{Routed, Row};

/// Who is asked, and for which port.
pub(super) struct Asked<'a> {
    pub(super) who: AskedServers,
    pub(super) service: &'a Service,
    pub(super) port: &'a ServicePort,
    /// Its endpoints.
    pub(super) set: &'a EndpointSetId,
}

/// Who is asked where a Service's own address is (`nativeLBByDefault`) unless somebody says
/// otherwise: of one that has none its endpoints are.
pub(super) fn usual(natively: bool, service: &Service) -> AskedServers {
    match natively && !service.cluster_ips.is_empty() {
        true => AskedServers::ClusterAddress,
        false => AskedServers::Endpoints,
    }
}

impl Asked<'_> {
    /// The endpoints, put into `routed` where they are not the Service's own; else why there are
    /// none, and the field that asks for them.
    pub(super) fn set(
        &self,
        reads: &mut Reads<'_>,
        routed: &mut Routed,
    ) -> Result<EndpointSetId, (&'static str, &'static str)> {
        let Self { who, service, port, set: own } = self;
        let number = port.port;
        let (hosts, port, key, why): (Vec<IpAddr>, _, _, _) = match who {
            AskedServers::Endpoints => return Ok((*own).clone()),
            AskedServers::ClusterAddress => (
                service.cluster_ips.first().copied().into_iter().collect(),
                port.port,
                "nativeLB",
                "the Service has no address of its own",
            ),
            AskedServers::Nodes => (
                nodes(reads),
                port.node_port.unwrap_or_default(),
                "nodePortLB",
                "the Service has no node port, or no node is known",
            ),
        };
        if hosts.is_empty() || port == 0 {
            return Err((why, key));
        }
        let endpoint = |host| {
            let state = EndpointState::Ready;
            Endpoint { host: Host::Ip(host), port, state, node: None, zones: None }
        };
        let endpoints: Vec<Endpoint> = hosts.into_iter().map(endpoint).collect();
        let id = EndpointSetId::from(format!("{}:{number}#{key}", service.id));
        let origin = EndpointOrigin::Literal(Provenance::new(&service.object, "spec"));
        routed.written.push(Arc::new(set(id.clone(), origin, &endpoints)));
        Ok(id)
    }
}

fn nodes(reads: &mut Reads<'_>) -> Vec<IpAddr> {
    match reads.row(&Cell::Nodes) {
        Some(Row::Nodes(nodes)) => {
            nodes.iter().filter_map(|node| node.internal_ips.first().copied()).collect()
        }
        _ => Vec::new(),
    }
}
