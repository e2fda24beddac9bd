//! Why, for each Service: why it has its addresses or none, and who announces them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_ipam::{Assignment, Exclusion, Occupant, Reason, Refusal};
use steelyard_model::{Diagnostic, ObjectRef, ResolvedService, Severity, Snapshot};

use crate::bgp::Reach;
use crate::codes;
use crate::impediment::Impediment;
use crate::layer2::Outlook;
use crate::rows::{AnnouncementRow, BgpRow, Layer2Row};
use crate::scene::Scene;

const LAYER2: &str = "L2Advertisement";
const BGP: &str = "BGPAdvertisement";

/// One reason why a Service is as it is. [`fmt::Display`] says it: one sentence, no trailing
/// period.
#[derive(Clone, Debug, PartialEq)]
pub enum Explanation {
    /// Why its addresses, or why none.
    Assigned {
        /// Why.
        reason: Reason,
        /// Of this pool.
        pool: Option<Arc<str>>,
    },
    /// Why a pool does not serve it.
    Excluded(Exclusion),
    /// Another machine has an address of it as its own, so that nobody announces it.
    Withheld {
        /// The address.
        address: IpAddr,
        /// Who has it.
        occupant: Occupant,
    },
    /// Who announces an address of it.
    Announced(AnnouncementRow),
    /// Why nobody announces its addresses.
    Hindered {
        /// What is in the way.
        obstacle: Impediment,
        /// The kind of advertisements that it is about.
        kind: &'static str,
    },
}

impl Explanation {
    /// Whether it says that a controller is to give addresses, and has not yet.
    pub fn is_left_to_a_controller(&self) -> bool {
        let Self::Assigned { reason: Reason::Pending(refusal), .. } = self else { return false };
        **refusal == Refusal::NotWritten
    }
}

/// All about a Service; `rows` are those that announce it.
pub(crate) fn explain(
    assignment: &Assignment,
    exclusions: &[Exclusion],
    rows: &[&AnnouncementRow],
    announcing: Option<(&Outlook, &Reach)>,
) -> Vec<Explanation> {
    let pool = assignment.pool_name().cloned();
    let hindrance = announcing.and_then(|(outlook, reach)| hindrance(outlook, reach));
    let count = 1 + exclusions.len() + rows.len() + usize::from(hindrance.is_some());
    let mut said = Vec::with_capacity(count);
    said.push(Explanation::Assigned { reason: assignment.reason.clone(), pool });
    said.extend(exclusions.iter().cloned().map(Explanation::Excluded));
    let withheld = assignment.withheld().cloned();
    said.extend(withheld.map(|(address, occupant)| Explanation::Withheld { address, occupant }));
    said.extend(rows.iter().map(|row| Explanation::Announced(AnnouncementRow::clone(row))));
    said.extend(hindrance.map(|(obstacle, kind)| Explanation::Hindered { obstacle, kind }));
    said
}

impl Explanation {
    /// The same where it is plain already that there is no address, or no announcement.
    pub fn in_short(&self) -> String {
        match self {
            Self::Assigned { reason: Reason::Pending(refusal), .. } => refusal.to_string(),
            Self::Hindered { obstacle, kind } => obstacle.in_short(kind),
            Self::Withheld { occupant, .. } => format!("it is an address of {occupant}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assigned { reason, pool } => {
                f.write_str(&assigned(reason, pool.as_deref().unwrap_or_default()))
            }
            Self::Excluded(Exclusion { message, help, .. }) => write!(f, "{message}: {help}"),
            Self::Withheld { address, occupant } => write!(
                f,
                "{address} is an address of {occupant} too, so nobody answers for it as the Service's"
            ),
            Self::Announced(row) => f.write_str(&row.sentence()),
            Self::Hindered { obstacle, kind } => f.write_str(&obstacle.words(kind).0),
        }
    }
}

fn assigned(reason: &Reason, pool: &str) -> String {
    match reason {
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

impl AnnouncementRow {
    /// Who announces it as planned: one sentence, no trailing period.
    pub fn sentence(&self) -> String {
        match self {
            Self::Layer2(row) => row.sentence(),
            Self::Bgp(row) => row.told("is"),
        }
    }
}

impl Layer2Row {
    /// Who announces the address, and who would next: one sentence, no trailing period.
    pub fn sentence(&self) -> String {
        let Some(owner) = &self.owner else { return format!("{} is not announced", self.address) };
        let mut line = format!("{} is announced by {owner}", self.address);
        if !self.interfaces.is_empty() {
            line += &format!(" on {}", self.interfaces.join(", "));
        }
        if !self.standbys.is_empty() {
            line += &format!(", then {}", self.standbys.join(", "));
        }
        line
    }
}

impl BgpRow {
    /// Who announces the prefix, as long as nobody speaks BGP: one sentence, no trailing period.
    pub fn prospect(&self) -> String {
        format!("{}; BGP is not spoken yet", self.told("would be"))
    }

    fn told(&self, verb: &str) -> String {
        let Self { address, nodes, peers, .. } = self;
        if nodes.is_empty() || peers.is_empty() {
            return format!("{address} is not announced to any router");
        }
        format!("{address} {verb} announced by {} to {}", nodes.join(", "), peers.join(", "))
    }
}

fn has_endpoint(service: &ResolvedService) -> bool {
    service.ports.iter().any(|port| !port.endpoints.is_empty())
}

/// What keeps a Service's addresses from being announced, by either protocol. Pools that nobody
/// advertises are reported where pools and advertisements are joined, and so are Services without
/// any endpoint.
pub(crate) fn diagnostic(
    scene: &Scene<'_>,
    resolved: &ResolvedService,
    outlook: &Outlook,
    reach: &Reach,
) -> Option<Diagnostic> {
    let object = &resolved.service.object;
    if let Some((early, late)) = reach.contradiction {
        return Some(contradiction(scene.snapshot, object, early, late));
    }
    let (obstacle, kind) = hindrance(outlook, reach)?;
    let for_now = obstacle == Impediment::NoNode && scene.nodes.are_down(outlook.advertisements());
    let told = obstacle == Impediment::NoEndpoint && !has_endpoint(resolved);
    let (code, path) = obstacle.place().filter(|_| !for_now && !told)?;
    let (message, help) = obstacle.words(kind);
    Some(Diagnostic::new(Severity::Warning, code, object, path, message, help))
}

/// Why neither protocol announces a Service; of two reasons the one that is nearer to success.
fn hindrance(outlook: &Outlook, reach: &Reach) -> Option<(Impediment, &'static str)> {
    let (lan, routed) = (outlook.obstacle?, reach.obstacle?);
    match (lan, routed) {
        (Impediment::PoolNotAdvertised, Impediment::PoolNotAdvertised) => Some((lan, LAYER2)),
        (Impediment::PoolNotAdvertised, _) => Some((routed, BGP)),
        _ => Some((lan, LAYER2)),
    }
}

fn contradiction(snapshot: &Snapshot, object: &ObjectRef, early: usize, late: usize) -> Diagnostic {
    let name = |index: usize| {
        let ad = &snapshot.bgp.advertisements[index].advertisement;
        format!("{} (localPref {})", ad.id.name, ad.local_pref)
    };
    let (_, help) = Impediment::Contradiction.words(BGP);
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
