//! A plan with all that it was put together from, so that a part can be replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_ipam::Allocator;
use steelyard_model::{Diagnostic, NamespacedName, Snapshot};

use super::piece::{Cut, Piece};
use crate::Plan;
use crate::bgp::Bgp;
use crate::circles::{self, Leads};
use crate::layer2::{Alike, Layer2, Moved};
use crate::nearby::Nearby;
use crate::overshadowed::Overshadowed;
use crate::rounds::Rounds;
use crate::scene::Scene;

/// Pieces, and what becomes of them together.
#[derive(Debug)]
pub(super) struct Made {
    /// What there is to say about each, where there is something.
    pub(super) found: BTreeMap<NamespacedName, Vec<Diagnostic>>,
    layer2: Layer2,
    bgp: Bgp,
    leads: Leads,
    nearby: Nearby,
    rounds: Rounds,
    overshadowed: Overshadowed,
    pub(super) plan: Plan,
}

impl Made {
    pub(super) fn nothing(scene: &Scene<'_>) -> Self {
        Self {
            found: BTreeMap::new(),
            layer2: Layer2::default(),
            bgp: Bgp::new(scene),
            leads: Leads::default(),
            nearby: Nearby::default(),
            rounds: Rounds::default(),
            overshadowed: Overshadowed::default(),
            plan: Plan::default(),
        }
    }

    /// Forgets all but what does not hang on who announces what.
    pub(super) fn empty(&mut self, scene: &Scene<'_>) {
        let nothing = Self::nothing(scene);
        let Self { nearby, rounds, overshadowed, plan: Plan { held, routes, .. }, .. } =
            std::mem::replace(self, nothing);
        (self.nearby, self.rounds, self.overshadowed) = (nearby, rounds, overshadowed);
        (self.plan.held, self.plan.routes) = (held, routes);
    }

    /// Takes routes over as they are now on `node`.
    pub(super) fn follow_routes(&mut self, snapshot: &Snapshot, node: &str) {
        let now = &self.nearby.follow(snapshot, node);
        let before = self.plan.routes.routing();
        self.rounds.follow(before, now);
        self.overshadowed.follow(before, now);
        self.plan.routes.follow(now);
        self.plan.routes.set_unreached(self.overshadowed.unreached());
    }

    /// Gives back what maps that grow one by one keep free.
    pub(super) fn pack(&mut self) {
        self.layer2.pack();
    }

    /// Plans for the Services `touched`, which are or were there `before`, and ascend; of
    /// exclusions up to about `left`. What is left then.
    pub(super) fn decide(
        &mut self,
        scene: &mut Scene<'_>,
        allocator: &Allocator,
        (before, touched): (&Snapshot, &[NamespacedName]),
        mut left: usize,
    ) -> usize {
        let (mut cuts, mut alike) = (Vec::with_capacity(touched.len()), Alike::default());
        for id in touched {
            let cut = Cut::new(scene, (allocator, &self.bgp), id, left > 0, &mut alike);
            left = left.saturating_sub(cut.as_ref().map_or(0, |cut| cut.exclusions.len()));
            cuts.push((id.clone(), cut));
        }
        let moved = self.put(scene, cuts);
        self.follow(scene, before, touched, &moved);
        self.plan.pools = allocator.usage();
        self.plan.node.update(scene, &self.layer2, &moved);
        self.bgp.report(scene, &mut self.plan.peers);
        let mut announced = touched.to_vec();
        announced.extend(self.layer2.services_on(&moved).cloned());
        announced.sort();
        announced.dedup();
        self.announce(scene, &announced);
        self.plan.diagnostics.clone_from(&scene.snapshot.diagnostics);
        self.plan.diagnostics.extend(self.found.values().flatten().cloned());
        self.plan.diagnostics.extend(circles::report(&self.leads, scene.snapshot));
        let of_routes = self.rounds.found().iter().chain(self.overshadowed.found());
        self.plan.diagnostics.extend(of_routes.cloned());
        left
    }

    /// Puts pieces in the place of those before, and elects.
    fn put(&mut self, scene: &Scene<'_>, cuts: Vec<(NamespacedName, Option<Cut>)>) -> Moved {
        let mut moved = Moved::default();
        let mut exclusions = Vec::new();
        let (mut served, mut forwarded) = (Vec::new(), Vec::new());
        let (mut withheld, mut pieces) = (Vec::new(), Vec::new());
        for (id, cut) in cuts {
            let before = self.plan.services.pieces.get(&id);
            let (piece, excluded, found, here) = match cut {
                Some(cut) => {
                    let here = (cut.served, cut.forwarded);
                    (Some(cut.piece), cut.exclusions, cut.found, here)
                }
                None => (None, Vec::new(), Vec::new(), Default::default()),
            };
            withheld.extend(before.into_iter().flat_map(|it| it.withheld(&id, false)));
            withheld.extend(piece.iter().flat_map(|it| it.withheld(&id, true)));
            let (old, new) = (before.map(|it| &**it), piece.as_ref());
            let stakes = [old, new].map(|it| it.and_then(Piece::stake));
            self.layer2.replace(&id, stakes[0], stakes[1], &mut moved);
            let reach = [old, new].map(|it| it.and_then(|it| Some(it.announcing()?.1)));
            self.bgp.replace(&id, reach[0], reach[1]);
            for (position, serve) in here.0.into_iter().enumerate() {
                served.push(((id.clone(), position), serve));
            }
            for (position, forward) in here.1.into_iter().enumerate() {
                forwarded.push(((id.clone(), position), forward));
            }
            if found.is_empty() {
                self.found.remove(&id);
            } else {
                self.found.insert(id.clone(), found);
            }
            exclusions.push((id.clone(), (!excluded.is_empty()).then_some(excluded)));
            pieces.push((id, piece.map(Arc::new)));
        }
        self.plan.exclusions.change(exclusions);
        self.plan.withheld.change(withheld);
        self.plan.node.serve.change(served);
        self.plan.node.forward.change(forwarded);
        self.plan.services.pieces.change(pieces);
        self.layer2.elect(scene, &mut moved);
        moved
    }

    /// Takes note of where endpoints lead. Where addresses came or went, those of other Services
    /// may lead somewhere else.
    fn follow(
        &mut self,
        scene: &Scene<'_>,
        before: &Snapshot,
        touched: &[NamespacedName],
        moved: &Moved,
    ) {
        let Self { plan, leads, layer2, .. } = self;
        let has_address = |id: &&NamespacedName| plan.services.pieces.contains_key(*id);
        let services = &scene.snapshot.services;
        let now =
            |id| Some(id).filter(has_address).and_then(|id| services.get(id)).map(Arc::as_ref);
        let before = |id| before.services.get(id).map(Arc::as_ref);
        leads.replace(touched.iter().map(|id| (id, [before(id), now(id)])));
        let there = moved.addresses.iter().flat_map(|address| leads.with_endpoint(*address));
        let there: BTreeSet<NamespacedName> = there.cloned().collect();
        for id in there.iter().chain(touched) {
            leads.find(id, now(id), layer2);
        }
    }

    /// Who announces `services`.
    fn announce(&mut self, scene: &Scene<'_>, services: &[NamespacedName]) {
        let (mut rows, mut alike) = (Vec::new(), Alike::default());
        for id in services {
            let piece = self.plan.services.pieces.get(id);
            let of_service =
                piece.map_or_else(Vec::new, |it| it.rows(scene, id, &self.layer2, &mut alike));
            let first_gone = (id.clone(), of_service.len());
            let now = of_service.into_iter().enumerate();
            rows.extend(now.map(|(position, row)| ((id.clone(), position), Some(row))));
            let gone = self.plan.announcements.starting_at(&first_gone);
            let gone = gone.map(|(key, _)| key).take_while(|(of, _)| of == id);
            rows.extend(gone.map(|key| (key.clone(), None)));
        }
        self.plan.announcements.change(rows);
    }
}
