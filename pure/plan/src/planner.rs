//! Planning again and again: what an edit does not concern is kept.
//!
//! From scratch means that nothing is kept and every Service is new; after a change the same code
//! runs over the Services that the change concerns. So the two cannot differ in what they do with
//! a Service, only in which ones they look at, which is decided here:
//!
//! - those whose object, endpoints or server differ from the last Snapshot;
//! - those whose assignment comes out different, and those that wait for one;
//! - those on addresses whose election turned out differently;
//! - where pools, namespaces or machines' own addresses in pools differ, or somebody else changed
//!   what is held, addresses are given out anew, and those are looked at that come out otherwise,
//!   or have something to be told;
//! - where entry points differ, those that the gateway serves;
//! - all, where nodes, advertisements or facts differ: who announces may hang on any of them. Who
//!   has which address hangs on nothing of them but machines' own addresses, so that stays.
//!
//! Nobody has to say what changed: the inputs are compared, which is quick where they share memory,
//! as the derivation takes care that they do.

mod made;
mod piece;

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_ipam::{Absent, Allocator, Author, EXCLUSIONS, Options};
use steelyard_model::{Holdings, NamespacedName, Service, Snapshot};

use crate::occupants::reserved;
use crate::scene::Scene;
use crate::{Facts, Plan};
use made::Made;
pub(crate) use piece::Piece;

/// The planner and its last plan.
#[derive(Debug, Default)]
pub struct Planner {
    last: Option<Last>,
}

/// A plan, what it was made of, and what the next one can be made of.
#[derive(Debug)]
struct Last {
    snapshot: Snapshot,
    facts: Facts,
    allocator: Allocator,
    made: Made,
}

impl Planner {
    /// Plans, exactly as [`crate::plan`] does.
    pub fn plan(&mut self, snapshot: &Snapshot, held: &Holdings, facts: &Facts) -> Plan {
        let kept = self.last.take();
        let last = match kept.and_then(|last| last.after(snapshot, held, facts)) {
            Some(last) => last,
            None => Last::from_scratch(snapshot, held, facts),
        };
        self.last.insert(last).made.plan.clone()
    }

    /// Does ahead what the next plan would otherwise begin with: what was just told as news is
    /// history by then.
    pub fn look_ahead(&mut self) {
        let ahead = |last: Last| {
            let (snapshot, facts) = (last.snapshot.clone(), last.facts.clone());
            let held = last.made.plan.held.clone();
            last.after(&snapshot, &held, &facts)
        };
        self.last = self.last.take().and_then(ahead);
    }
}

impl Last {
    fn from_scratch(snapshot: &Snapshot, held: &Holdings, facts: &Facts) -> Self {
        let mut scene = Scene::new(snapshot, facts);
        let allocator = allocator(snapshot, held, facts);
        let mut made = Made::nothing(&scene);
        made.plan.held = allocator.held();
        made.follow_routes(snapshot, &facts.node);
        let touched: Vec<NamespacedName> = allocator.services().cloned().collect();
        made.decide(&mut scene, &allocator, (&Snapshot::default(), &touched), EXCLUSIONS);
        made.pack();
        Self { snapshot: snapshot.clone(), facts: facts.clone(), allocator, made }
    }

    /// Whether who has which address hangs on nothing else than before.
    fn fits_assigning(&self, snapshot: &Snapshot, held: &Holdings, facts: &Facts) -> bool {
        // Everything is named, so that nobody forgets what comes to be.
        let Snapshot {
            pools,
            l2_advertisements: _,
            pool_advertisements: _,
            bgp: _,
            // Of them only their addresses count, as far as pools have them.
            nodes,
            namespaces,
            services: _,
            workloads: _,
            // Of it entry points alone concern Services: `by_entry_points`.
            routing: _,
            load_balancer_class,
            left_out: _,
            diagnostics: _,
        } = &self.snapshot;
        *held == self.made.plan.held
            && facts.author == self.facts.author
            && *pools == snapshot.pools
            && *namespaces == snapshot.namespaces
            && (*nodes == snapshot.nodes && facts.occupants == self.facts.occupants
                || reserved(snapshot, facts) == *self.allocator.reserved())
            && *load_balancer_class == snapshot.load_balancer_class
            && self.fits_absent(snapshot, &facts.absent)
    }

    /// Whether it makes no difference whose holdings are kept for absence: it is asked only of
    /// Services that are there.
    fn fits_absent(&self, snapshot: &Snapshot, absent: &Absent) -> bool {
        let is_there = |id: &NamespacedName| {
            let author = self.facts.author;
            wanting(&self.snapshot, id, author).is_some() && wanting(snapshot, id, author).is_some()
        };
        let held = &self.made.plan.held.0;
        let makes_none = |id: &NamespacedName| is_there(id) || !held.contains_key(id);
        match (&self.facts.absent, absent) {
            (Absent::Keep(before), Absent::Keep(now)) => {
                before.symmetric_difference(now).all(makes_none)
            }
            (before, now) => before == now || held.keys().all(is_there),
        }
    }

    /// Whether who may announce what is as it was.
    fn fits_announcing(&self, snapshot: &Snapshot, facts: &Facts) -> bool {
        let Facts {
            node,
            alive,
            beside,
            ignore_exclude_lb,
            compat_election,
            absent: _,
            author: _,
            // Who may not announce such an address comes with who has it.
            occupants: _,
            leaves_forwarding,
            settles,
        } = facts;
        *node == self.facts.node
            && *alive == self.facts.alive
            && *beside == self.facts.beside
            && *ignore_exclude_lb == self.facts.ignore_exclude_lb
            && *compat_election == self.facts.compat_election
            && *leaves_forwarding == self.facts.leaves_forwarding
            && *settles == self.facts.settles
            && self.snapshot.l2_advertisements == snapshot.l2_advertisements
            && self.snapshot.pool_advertisements == snapshot.pool_advertisements
            && self.snapshot.bgp == snapshot.bgp
            && self.snapshot.nodes == snapshot.nodes
    }

    /// The plan after a change that fits; none where only a plan from scratch is right.
    fn after(mut self, snapshot: &Snapshot, held: &Holdings, facts: &Facts) -> Option<Self> {
        let keeps_assignments = self.fits_assigning(snapshot, held, facts);
        let keeps_pieces = self.fits_announcing(snapshot, facts);
        self.facts = facts.clone();
        let before = std::mem::replace(&mut self.snapshot, snapshot.clone());
        let differing = snapshot.services.differing(&before.services);
        let mut touched: BTreeSet<NamespacedName> = differing.into_iter().cloned().collect();
        if keeps_assignments {
            let concerned = self.reassign(&before, &touched);
            touched.extend(concerned.into_iter().filter(|id| self.comes_out_different(id)));
        } else {
            let all = self.reassign_all(held);
            let is_told = |id: &NamespacedName| {
                self.allocator.report(id, false).is_some_and(|it| !it.diagnostics.is_empty())
            };
            touched
                .extend(all.into_iter().filter(|it| self.comes_out_different(it) || is_told(it)));
        }
        touched.extend(self.by_entry_points(&before));
        self.made.follow_routes(snapshot, &facts.node);
        let mut touched: Vec<NamespacedName> = touched.into_iter().collect();
        self.hold(&touched);
        let mut scene = Scene::new(&self.snapshot, &self.facts);
        if !keeps_pieces {
            self.made.empty(&scene);
            touched = self.allocator.services().cloned().collect();
        }
        let exclusions = self.made.plan.exclusions.iter();
        let others = exclusions.filter(|(id, _)| touched.binary_search(id).is_err());
        let others: usize = others.map(|(_, exclusions)| exclusions.len()).sum();
        let left = EXCLUSIONS.checked_sub(others)?;
        let left = self.made.decide(&mut scene, &self.allocator, (&before, &touched), left);
        // Where not all can be explained, which ones are depends on all.
        (left > 0).then_some(self)
    }

    /// Lets the allocator take the change of `differing` Services in. All Services for which
    /// something else may have come out.
    fn reassign(
        &mut self,
        before: &Snapshot,
        differing: &BTreeSet<NamespacedName>,
    ) -> BTreeSet<NamespacedName> {
        let author = self.facts.author;
        let wishes = differing.iter().map(|id| (id.clone(), wanting(&self.snapshot, id, author)));
        let wishes = wishes.filter(|(id, wish)| wanting(before, id, author) != *wish);
        let wishes: Vec<(NamespacedName, Option<Arc<Service>>)> = wishes.collect();
        if wishes.iter().any(|(id, wish)| wish.is_none() && self.keeps_for_absent(id)) {
            return self.reassign_all(&self.made.plan.held.clone());
        }
        let mut concerned: BTreeSet<NamespacedName> = self.allocator.decided().cloned().collect();
        self.allocator.change(wishes);
        concerned.extend(self.allocator.decided().cloned());
        concerned
    }

    /// Takes over what `touched` Services hold. What is as before stays where it is, so that it is
    /// quickly compared.
    fn hold(&mut self, touched: &[NamespacedName]) {
        let held = &mut self.made.plan.held.0;
        let now = touched.iter().map(|id| (id, self.allocator.holding_of(id)));
        let other = now.filter(|(id, holding)| held.get(*id) != holding.as_ref());
        let other: Vec<_> = other.map(|(id, holding)| (id.clone(), holding)).collect();
        held.change(other);
    }

    /// Decides about all Services together. All that there are or were.
    fn reassign_all(&mut self, held: &Holdings) -> BTreeSet<NamespacedName> {
        self.allocator = allocator(&self.snapshot, held, &self.facts);
        self.made.plan.held = self.allocator.held();
        self.made.plan.services.pieces.keys().chain(self.allocator.services()).cloned().collect()
    }

    /// Services at whose addresses the gateway does something else, since entry points differ.
    fn by_entry_points(&self, before: &Snapshot) -> Vec<NamespacedName> {
        if before.routing.entry_points == self.snapshot.routing.entry_points {
            return Vec::new();
        }
        self.made.plan.node.serve.keys().map(|(id, _)| id.clone()).collect()
    }

    /// Whether a Service keeps what it holds when it is not there.
    fn keeps_for_absent(&self, id: &NamespacedName) -> bool {
        match &self.facts.absent {
            Absent::Release => false,
            Absent::Keep(services) => services.contains(id),
            Absent::KeepAll => true,
        }
    }

    fn comes_out_different(&self, id: &NamespacedName) -> bool {
        let Some(piece) = self.made.plan.services.pieces.get(id) else { return true };
        // What a Service without an address is told depends on all others.
        let told = self.made.found.contains_key(id) || piece.assignment.addresses.is_empty();
        told || self.allocator.assignment(id).as_ref() != Some(&piece.assignment)
    }
}

/// The part of a Service that wants an address.
fn wanting(snapshot: &Snapshot, id: &NamespacedName, author: Author) -> Option<Arc<Service>> {
    let service = &snapshot.services.get(id)?.service;
    (author != Author::Nobody && service.is_load_balancer()).then(|| service.clone())
}

fn allocator(snapshot: &Snapshot, held: &Holdings, facts: &Facts) -> Allocator {
    let options = Options {
        load_balancer_class: snapshot.load_balancer_class.clone(),
        absent: facts.absent.clone(),
        author: facts.author,
        reserved: reserved(snapshot, facts),
    };
    let services = snapshot.services.values().map(|resolved| resolved.service.clone());
    let wanting = services.filter(|it| facts.author != Author::Nobody && it.is_load_balancer());
    Allocator::new(&snapshot.pools, &snapshot.namespaces, wanting, held, &options)
}
