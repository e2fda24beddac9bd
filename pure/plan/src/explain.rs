//! Why, in sentences: for each Service why it has its addresses or none, and who announces them.

use std::collections::BTreeMap;

use steelyard_ipam::{Assignment, Assignments, Reason};
use steelyard_model::{Diagnostic, NamespacedName, ObjectRef, ResolvedService, Severity, Snapshot};

use crate::bgp::{Bgp, Reach};
use crate::codes;
use crate::layer2::{Layer2, Outlook};
use crate::obstacle::Obstacle;
use crate::rows::{BgpRow, Layer2Row};

const LAYER2: &str = "L2Advertisement";
const BGP: &str = "BGPAdvertisement";

/// Sentences per Service, without periods.
pub(crate) fn explanations(
    assignments: &Assignments,
    layer2: &Layer2<'_>,
    bgp: &Bgp,
) -> BTreeMap<NamespacedName, Vec<String>> {
    let mut rows: BTreeMap<&NamespacedName, Vec<String>> = BTreeMap::new();
    for row in &layer2.rows {
        rows.entry(&row.service).or_default().push(announced(row));
    }
    for row in &bgp.rows {
        rows.entry(&row.service).or_default().push(routed(row));
    }
    let mut explain = |(id, assignment): (&NamespacedName, &Assignment)| {
        let mut said = vec![reason(assignment)];
        let excluded = assignments.exclusions.get(id).into_iter().flatten();
        said.extend(excluded.map(|it| format!("{}: {}", it.message, it.help)));
        said.extend(rows.remove(id).into_iter().flatten());
        let outlook = layer2.outlooks.get(id);
        let hindrance = outlook.and_then(|outlook| hindrance(outlook, bgp.reaches.get(id)));
        said.extend(hindrance.map(|(obstacle, kind)| obstacle.words(kind).0));
        (id.clone(), said)
    };
    assignments.services.iter().map(&mut explain).collect()
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

fn announced(row: &Layer2Row) -> String {
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

fn routed(row: &BgpRow) -> String {
    if row.nodes.is_empty() || row.peers.is_empty() {
        return format!("{} is not announced to any router", row.address);
    }
    let (nodes, peers) = (row.nodes.join(", "), row.peers.join(", "));
    format!("{} is announced by {nodes} to {peers}", row.address)
}

fn has_endpoint(service: &ResolvedService) -> bool {
    service.ports.iter().any(|port| !port.endpoints.is_empty())
}

/// What keeps addresses from being announced, by either protocol. Pools that nobody advertises are
/// reported where pools and advertisements are joined, and so are Services without any endpoint.
pub(crate) fn diagnostics(snapshot: &Snapshot, layer2: &Layer2<'_>, bgp: &Bgp) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (id, outlook) in &layer2.outlooks {
        let Some(resolved) = snapshot.services.get(id) else { continue };
        let object = &resolved.service.object;
        if let Some((early, late)) = bgp.reaches.get(id).and_then(|reach| reach.contradiction) {
            found.push(contradiction(snapshot, object, early, late));
            continue;
        }
        let Some((obstacle, kind)) = hindrance(outlook, bgp.reaches.get(id)) else { continue };
        let for_now =
            obstacle == Obstacle::NoNode && layer2.nodes.are_down(outlook.advertisements());
        let told = obstacle == Obstacle::NoEndpoint && !has_endpoint(resolved);
        let Some((code, path)) = obstacle.place().filter(|_| !for_now && !told) else { continue };
        let (message, help) = obstacle.words(kind);
        found.push(Diagnostic::new(Severity::Warning, code, object, path, message, help));
    }
    found
}

/// Why neither protocol announces a Service; of two reasons the one that is nearer to success.
fn hindrance(outlook: &Outlook, reach: Option<&Reach>) -> Option<(Obstacle, &'static str)> {
    let lan = outlook.obstacle?;
    let routed = match reach {
        Some(reach) => reach.obstacle?,
        None => Obstacle::PoolNotAdvertised,
    };
    match (lan, routed) {
        (Obstacle::PoolNotAdvertised, Obstacle::PoolNotAdvertised) => Some((lan, LAYER2)),
        (Obstacle::PoolNotAdvertised, _) => Some((routed, BGP)),
        _ => Some((lan, LAYER2)),
    }
}

fn contradiction(snapshot: &Snapshot, object: &ObjectRef, early: usize, late: usize) -> Diagnostic {
    let name = |index: usize| {
        let ad = &snapshot.bgp.advertisements[index].advertisement;
        format!("{} (localPref {})", ad.id.name, ad.local_pref)
    };
    let (_, help) = Obstacle::Contradiction.words(BGP);
    Diagnostic::new(
        Severity::Warning,
        codes::ADVERTISEMENTS_CONTRADICT,
        object,
        "metadata.labels",
        format!(
            "BGPAdvertisements {} and {} both select it and tell the same peers, so nodes that \
             both select do not announce it",
            name(early),
            name(late)
        ),
        help,
    )
}
