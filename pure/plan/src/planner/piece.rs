//! What is decided for one Service alone, kept until something about it changes.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_ipam::{Allocator, Assignment};
use steelyard_model::{Diagnostic, NamespacedName, ServedBy};

use crate::bgp::{Bgp, Reach};
use crate::layer2::{Alike, Layer2, Outlook, Stake, outlook};
use crate::node_plan::{forward, serve};
use crate::rows::AnnouncementRow;
use crate::scene::Scene;
use crate::{Exclusion, Forward, Occupant, Serve, explain};

/// A LoadBalancer Service.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) assignment: Assignment,
    /// Who takes the traffic, where it has an address.
    pub(crate) served_by: ServedBy,
    /// With an address: what becomes of it, on the LAN and by BGP.
    announcing: Option<(Arc<Outlook>, Arc<Reach>)>,
}

/// Equal where the same was decided; what becomes of it by BGP is looked at only where it lies.
impl PartialEq for Piece {
    fn eq(&self, other: &Self) -> bool {
        let told = |it: &Self| it.announcing.as_ref().map(|(_, reach)| Arc::as_ptr(reach));
        self.assignment == other.assignment
            && self.served_by == other.served_by
            && self.outlook() == other.outlook()
            && told(self) == told(other)
    }
}

/// A piece, with what is not kept in it.
pub(super) struct Cut {
    pub(super) piece: Piece,
    pub(super) exclusions: Vec<Exclusion>,
    /// What there is to say about it.
    pub(super) found: Vec<Diagnostic>,
    /// What this node does at each of its addresses.
    pub(super) served: [Option<Serve>; 2],
    pub(super) forwarded: [Option<Forward>; 2],
}

impl Cut {
    /// Decides for the Service `id`; none unless it is of type LoadBalancer. `excluded` asks also
    /// for why no pool serves it.
    pub(super) fn new(
        scene: &mut Scene<'_>,
        (allocator, bgp): (&Allocator, &Bgp),
        id: &NamespacedName,
        excluded: bool,
        alike: &mut Alike,
    ) -> Option<Self> {
        let report = allocator.report(id, excluded)?;
        let (assignment, mut found) = (report.assignment, report.diagnostics);
        let resolved = scene.snapshot.services.get(id).expect("the allocator knows only these");
        let (mut served, mut forwarded) = ([None, None], [None, None]);
        let mut announcing = None;
        if !assignment.addresses.is_empty() {
            let outlook = outlook(scene, resolved, &assignment);
            let routed = bgp.reach(scene, resolved, &assignment);
            found.extend(explain::diagnostic(scene, resolved, &outlook, &routed));
            if outlook.concerns_this_node(scene) || routed.concerns_this_node(scene) {
                for (position, &address) in assignment.addresses.iter().enumerate() {
                    // Packets to it are the business of the machine that has it.
                    if assignment.is_withheld(address) {
                        continue;
                    }
                    match resolved.served_by {
                        ServedBy::Gateway => {
                            served[position] = Some(serve(scene.snapshot, resolved, address));
                        }
                        ServedBy::Forward if scene.facts.leaves_forwarding => {}
                        ServedBy::Forward => {
                            forwarded[position] = Some(forward(scene, resolved, address));
                        }
                    }
                }
            }
            announcing = Some((alike.outlook(outlook), routed));
        }
        let piece = Piece { assignment, served_by: resolved.served_by, announcing };
        Some(Self { piece, exclusions: report.exclusions, found, served, forwarded })
    }
}

impl Piece {
    /// Its addresses that are withheld, as changes of [`crate::Plan::withheld`]: that they are so,
    /// or that none of it is.
    pub(super) fn withheld(
        &self,
        id: &NamespacedName,
        is_so: bool,
    ) -> impl Iterator<Item = ((IpAddr, NamespacedName), Option<Occupant>)> {
        self.assignment.withheld().map(move |(address, occupant)| {
            ((*address, id.clone()), is_so.then(|| occupant.clone()))
        })
    }

    fn outlook(&self) -> Option<&Outlook> {
        self.announcing.as_ref().map(|(outlook, _)| &**outlook)
    }

    /// What becomes of its addresses, on the LAN and by BGP.
    pub(crate) fn announcing(&self) -> Option<(&Outlook, &Reach)> {
        self.announcing.as_ref().map(|(outlook, reach)| (&**outlook, &**reach))
    }

    /// Its part in what is settled on the LAN.
    pub(super) fn stake(&self) -> Option<Stake<'_>> {
        let (outlook, _) = self.announcing.as_ref()?;
        Some(Stake { assignment: &self.assignment, outlook })
    }

    /// Who announces its addresses.
    pub(super) fn rows(
        &self,
        scene: &Scene<'_>,
        id: &NamespacedName,
        layer2: &Layer2,
        alike: &mut Alike,
    ) -> Vec<AnnouncementRow> {
        let (Some(stake), Some((_, reach))) = (self.stake(), &self.announcing) else {
            return Vec::new();
        };
        let lan = layer2.rows(scene, id, stake, alike).into_iter().map(AnnouncementRow::Layer2);
        lan.chain(reach.rows.iter().cloned().map(AnnouncementRow::Bgp)).collect()
    }
}
