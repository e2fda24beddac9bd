//! What `/readyz` adds although it may say yes: what does not work as it might be meant, and is not
//! this instance's to mend.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use steelyard_balance::eligible;
use steelyard_forward::{Carried, Observed, VipPort, Why};
use steelyard_kube::Gap;
use steelyard_model::routing::left_out::LeftOutReason;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{NamespacedName, ObjectRef, ResolvedPort, Snapshot};
use steelyard_pipeline::codes;
use steelyard_plan::Plan;

use super::unready::NeverRead;
use crate::hands::descriptors::Crowded;
use crate::lack::{Lack, Lacks, is_silent};

/// Notes of one kind, at most.
const MOST: usize = 5;

/// One note. Whoever knows of more adds a variant here, and its value where the view is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note<'a> {
    /// Something of the cluster is not known as it is now.
    Gap(&'a Gap),
    /// All places of a part are taken, and who is idle makes room for who is new.
    Crowded(&'a Crowded),
    /// A file could never be read to its end, and that is accepted.
    NeverRead(NeverRead),
    /// So many more gaps.
    MoreGaps(usize),
    /// A route answers nobody.
    Route { name: String, lack: Lack<'a> },
    /// So many more routes answer nobody.
    MoreRoutes(usize),
    /// An object is left out, or a part of it, and why.
    LeftOut { object: &'a ObjectRef, why: &'a LeftOutReason },
    /// So many more are.
    MoreLeftOut(usize),
    /// A port of a Service is carried nowhere.
    NotCarried { port: VipPort, why: &'a Why },
    /// The endpoints of a port take no connections.
    Silent(VipPort),
    /// So many more ports lead nowhere.
    MorePorts(usize),
    /// A Service of the gateway has no address yet, which others give it.
    NoAddress(&'a NamespacedName),
    /// So many objects stay as they were before an edit with a mistake.
    Kept(usize),
    /// So many have a mistake, and what their rules name answers nobody.
    Closed(usize),
    /// So many addresses this node may not answer for, whoever else does.
    NotCandidate(usize),
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(gap) => gap.fmt(f),
            Self::Crowded(crowded) => crowded.fmt(f),
            Self::NeverRead(found) => found.fmt(f),
            Self::MoreGaps(more) => write!(f, "{more} more of the cluster may not be looked at"),
            Self::Route { name, lack } => write!(f, "route {name} answers {lack}"),
            Self::MoreRoutes(1) => f.write_str("1 more route serves nobody"),
            Self::MoreRoutes(more) => write!(f, "{more} more routes serve nobody"),
            Self::LeftOut { object, why } => write!(f, "{object} serves nobody: {why}"),
            Self::MoreLeftOut(1) => f.write_str("1 more object serves nobody"),
            Self::MoreLeftOut(more) => write!(f, "{more} more objects serve nobody"),
            Self::NotCarried { port, why } => write!(f, "{port} is not carried: {why}"),
            Self::Silent(port) => write!(f, "{port}: its endpoints take no connections"),
            Self::MorePorts(1) => f.write_str("1 more port leads nowhere"),
            Self::MorePorts(more) => write!(f, "{more} more ports lead nowhere"),
            Self::NoAddress(service) => {
                write!(f, "the gateway's Service {service} has no address yet")
            }
            Self::Kept(1) => f.write_str("1 object stays as it was before an edit with a mistake"),
            Self::Kept(count) => {
                write!(f, "{count} objects stay as they were before an edit with a mistake")
            }
            Self::Closed(1) => f.write_str("1 object has a mistake, and its routes answer 503"),
            Self::Closed(count) => {
                write!(f, "{count} objects have mistakes, and their routes answer 503")
            }
            Self::NotCandidate(1) => {
                f.write_str("this node may not answer for 1 address: others have to")
            }
            Self::NotCandidate(count) => {
                write!(f, "this node may not answer for {count} addresses: others have to")
            }
        }
    }
}

/// What of the cluster is not known as it is now.
pub(crate) fn of_gaps(gaps: &[Gap]) -> Vec<Note<'_>> {
    first(gaps.iter().map(Note::Gap), Note::MoreGaps)
}

/// Objects that are not as they are written.
pub(crate) fn of_mistakes(plan: &Plan) -> Vec<Note<'static>> {
    let count = |code| {
        let count = plan.diagnostics.iter().filter(|it| it.code == code).count();
        Some(count).filter(|count| *count > 0)
    };
    let kept = count(codes::LAST_GOOD_KEPT).map(Note::Kept);
    kept.into_iter().chain(count(codes::CLOSED_UNTIL_MENDED).map(Note::Closed)).collect()
}

/// Routes that answer nobody.
pub(crate) fn of_routes<'a>(
    plan: &'a Plan,
    routing: &'a RoutingMap,
    silent: &'a BTreeSet<SocketAddr>,
) -> Vec<Note<'a>> {
    let lacks = Lacks::new(plan, routing, silent);
    let lack = |route: &'a Arc<Route>| {
        let lack = lacks.of(route)?;
        Some(Note::Route { name: route.id.traefik_name(), lack })
    };
    first(plan.routes.in_order().filter_map(lack), Note::MoreRoutes)
}

/// Objects that are left out, each once.
pub(crate) fn of_left_out(snapshot: &Snapshot) -> Vec<Note<'_>> {
    let mut seen = BTreeSet::new();
    let each = snapshot.left_out.values().filter_map(|it| {
        let object = &*it.place.object;
        seen.insert(object).then_some(Note::LeftOut { object, why: &it.why })
    });
    first(each, Note::MoreLeftOut)
}

/// Ports that lead nowhere.
pub(crate) fn of_ports<'a>(
    snapshot: &'a Snapshot,
    observed: &'a Observed,
    silent: &BTreeSet<SocketAddr>,
) -> Vec<Note<'a>> {
    let of = |id, key: &VipPort| {
        let ports: &[ResolvedPort] = &snapshot.services.get(id)?.ports;
        ports.iter().find(|it| it.port.protocol == key.protocol && it.port.port == key.port)
    };
    let found = observed.ports.iter().filter_map(|port| {
        if let Carried::Not { why } = &port.carried {
            return Some(Note::NotCarried { port: port.key, why });
        }
        let endpoints = eligible(&of(port.service.as_ref()?, &port.key)?.endpoints);
        let leads_nowhere =
            !endpoints.is_empty() && endpoints.iter().all(|it| is_silent(it, silent));
        leads_nowhere.then_some(Note::Silent(port.key))
    });
    first(found, Note::MorePorts)
}

/// The first few, and how many there are besides.
fn first<'a>(found: impl Iterator<Item = Note<'a>>, more: fn(usize) -> Note<'a>) -> Vec<Note<'a>> {
    let mut found = found.fuse();
    let mut notes: Vec<Note<'a>> = found.by_ref().take(MOST).collect();
    let rest = found.count();
    notes.extend((rest > 0).then(|| more(rest)));
    notes
}
