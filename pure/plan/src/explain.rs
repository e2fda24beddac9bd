//! Why, in sentences: for each Service why it has its addresses or none, and who announces them.

use std::collections::BTreeMap;

use steelyard_ipam::{Assignment, Assignments, Reason};
use steelyard_model::{
    Code, Diagnostic, FieldPath, NamespacedName, ResolvedService, Severity, Snapshot,
};

use crate::codes;
use crate::layer2::{Layer2, Obstacle};
use crate::rows::AnnouncementRow;

/// Sentences per Service, without periods.
pub(crate) fn explanations(
    assignments: &Assignments,
    layer2: &Layer2<'_>,
) -> BTreeMap<NamespacedName, Vec<String>> {
    let mut rows: BTreeMap<&NamespacedName, Vec<&AnnouncementRow>> = BTreeMap::new();
    for row in &layer2.rows {
        rows.entry(&row.service).or_default().push(row);
    }
    let explain = |(id, assignment): (&NamespacedName, &Assignment)| {
        let mut said = vec![reason(assignment)];
        let excluded = assignments.exclusions.get(id).into_iter().flatten();
        said.extend(excluded.map(|it| format!("{}: {}", it.message, it.help)));
        said.extend(rows.get(id).into_iter().flatten().map(|row| announced(row)));
        let obstacle = layer2.outlooks.get(id).and_then(|outlook| outlook.obstacle);
        said.extend(obstacle.map(|obstacle| hindered(obstacle).0.to_owned()));
        (id.clone(), said)
    };
    assignments.services.iter().map(explain).collect()
}

fn reason(assignment: &Assignment) -> String {
    let pool = assignment.pool_name().map(|name| &**name).unwrap_or_default();
    match &assignment.reason {
        Reason::Status => format!("kept: its status has it (pool {pool})"),
        Reason::Held => format!("kept: it holds it already (pool {pool})"),
        Reason::KeptOne => format!("kept one of two: the other family is not wanted (pool {pool})"),
        Reason::Requested => format!("the Service asks for it (pool {pool})"),
        Reason::FirstOfRequestedPool => {
            format!("first free of pool {pool}, which the Service asks for")
        }
        Reason::FirstOfItsPool => format!("first free of pool {pool}, which is meant for it"),
        Reason::FirstFree => format!("first free of pool {pool}"),
        Reason::Pending(refusal) => format!("pending: {refusal}"),
        Reason::ForeignClass => "left alone: it is of another load balancer class".to_owned(),
    }
}

fn announced(row: &AnnouncementRow) -> String {
    let Some(owner) = &row.owner else { return format!("{} is not announced", row.address) };
    let mut line = format!("{} is announced by {owner}", row.address);
    if !row.interfaces.is_empty() {
        line += &format!(" on {}", row.interfaces.join(", "));
    }
    if !row.standbys.is_empty() {
        line += &format!(", then {}", row.standbys.join(", "));
    }
    line
}

/// What stands in the way, and what to do.
fn hindered(obstacle: Obstacle) -> (&'static str, &'static str) {
    match obstacle {
        Obstacle::PoolNotAdvertised => (
            "no L2Advertisement selects the pool of its address",
            "add an L2Advertisement whose ipAddressPools names the pool",
        ),
        Obstacle::NotAdvertised => (
            "the L2Advertisements of its pool select other Services",
            "give the Service the labels that spec.serviceSelectors of an L2Advertisement wants",
        ),
        Obstacle::SharedAndSelected => (
            "its address may be shared and an L2Advertisement selects Services, so that part of \
             the sharers could be left out",
            "remove the allow-shared-ip annotation, or spec.serviceSelectors of the L2Advertisement",
        ),
        Obstacle::NoNode => (
            "no node may announce it: those that its L2Advertisements select are excluded, \
             without network, or there are none",
            "select other nodes in spec.nodeSelectors of the L2Advertisement, or remove the label \
             node.kubernetes.io/exclude-from-external-load-balancers",
        ),
        Obstacle::NoEndpoint => (
            "no endpoint of the Service is ready, so nobody announces its address",
            "add an EndpointSlice with a ready endpoint, or annotate it with \
             steelyard.dev/endpoints: HOST:PORT",
        ),
        Obstacle::NoLocalEndpoint => (
            "externalTrafficPolicy is Local and no endpoint is on a node that may announce it",
            "use externalTrafficPolicy: Cluster, or run an endpoint on a node that the \
             L2Advertisement selects",
        ),
    }
}

fn has_endpoint(service: &ResolvedService) -> bool {
    service.ports.iter().any(|port| !port.endpoints.is_empty())
}

/// What keeps addresses from being announced. Pools that nobody advertises are reported where
/// pools and advertisements are joined, and so are Services without any endpoint.
pub(crate) fn diagnostics(snapshot: &Snapshot, layer2: &Layer2<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (id, outlook) in &layer2.outlooks {
        let (Some(resolved), Some(obstacle)) = (snapshot.services.get(id), outlook.obstacle) else {
            continue;
        };
        let for_now =
            obstacle == Obstacle::NoNode && layer2.nodes.are_down(outlook.advertisements());
        let told = obstacle == Obstacle::NoEndpoint && !has_endpoint(resolved);
        let Some((code, path)) = place(obstacle).filter(|_| !for_now && !told) else { continue };
        let object = &resolved.service.object;
        let (message, help) = hindered(obstacle);
        found.push(Diagnostic::new(Severity::Warning, code, object, path, message, help));
    }
    found
}

/// Which kind of finding, and the field to change.
fn place(obstacle: Obstacle) -> Option<(Code, FieldPath)> {
    let shared = || FieldPath::annotation("metallb.io/allow-shared-ip");
    Some(match obstacle {
        Obstacle::PoolNotAdvertised => return None,
        Obstacle::NotAdvertised => (codes::NOT_ADVERTISED, "metadata.labels".into()),
        Obstacle::SharedAndSelected => (codes::SHARED_AND_SELECTED, shared()),
        Obstacle::NoNode => (codes::NO_ELIGIBLE_NODE, FieldPath::root()),
        Obstacle::NoLocalEndpoint => (codes::NO_ELIGIBLE_NODE, "spec.externalTrafficPolicy".into()),
        Obstacle::NoEndpoint => (codes::NO_READY_ENDPOINT, "spec.selector".into()),
    })
}
