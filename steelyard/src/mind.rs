//! The mind of a role: what it has taken in, and what it makes of that.
//!
//! It does nothing, and asks nobody: what changed and what is known of this machine come in, what
//! is to be so comes out ([`Decided`]). Its hands make it so.

mod decided;
mod own_facts;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use steelyard_manifest::{ClusterEvent, Selection, Sight};
use steelyard_model::{Holdings, Item};
use steelyard_pipeline::{NeededObject, ResolveOptions};
use steelyard_plan::Planner;

use crate::pipeline::Pipeline;
use crate::planning;
pub(crate) use decided::{Decided, is_gateway};
pub(crate) use own_facts::{Company, OwnFacts};

/// Files as they were last seen, or what was heard of a cluster, and all that was made of it so
/// far.
pub(crate) struct Mind {
    pipeline: Pipeline,
    planner: Planner,
    /// Who has which address, as it is written down.
    held: Holdings,
    /// What was last seen of the files.
    sight: Sight,
    /// When what was seen comes to something else: a loss is believed then.
    due: Option<Instant>,
    /// Secrets that something refers to.
    needed: Arc<BTreeSet<NeededObject>>,
}

impl Mind {
    /// Has seen nothing yet, but who holds which address. Files under the names in `dynamic` are
    /// Traefik's dynamic configuration.
    pub(crate) fn new(options: ResolveOptions, held: Holdings, dynamic: Vec<Arc<str>>) -> Self {
        let mut pipeline = Pipeline::new(options).with_dynamic(dynamic);
        if !held.0.is_empty() {
            pipeline.expect_manifests();
        }
        Self::with(pipeline, held)
    }

    /// Of a cluster, of which nothing was heard yet; before `awaited` have been listed, nothing can
    /// be decided.
    pub(crate) fn of_cluster(
        options: ResolveOptions,
        held: Holdings,
        awaited: impl IntoIterator<Item = Selection>,
    ) -> Self {
        Self::with(Pipeline::of_cluster(options, awaited), held)
    }

    fn with(pipeline: Pipeline, held: Holdings) -> Self {
        let (planner, sight, due) = (Planner::default(), Sight::default(), None);
        Self { pipeline, planner, held, sight, due, needed: Arc::default() }
    }

    /// Adds items that do not come from files.
    pub(crate) fn set_own(&mut self, items: Vec<Item>) {
        self.pipeline.set_own(items);
    }

    /// This is how the files stand from now on.
    pub(crate) fn see(&mut self, sight: Sight) {
        self.sight = sight;
    }

    /// This was heard of the cluster.
    pub(crate) fn see_cluster(&mut self, events: Vec<ClusterEvent>) {
        self.pipeline.hear(events);
    }

    /// What has to be listed before anything can be decided.
    pub(crate) fn awaited(&self) -> Vec<Selection> {
        self.pipeline.awaited()
    }

    /// Whether something of the cluster is being listed again: what is known of it may be half of
    /// one time and half of another.
    pub(crate) fn is_renewing(&self) -> bool {
        self.pipeline.is_renewing()
    }

    /// Whether what was heard of the cluster differs from what was last decided by.
    pub(crate) fn has_news(&self) -> bool {
        self.pipeline.has_news()
    }

    /// Secrets and ConfigMaps that something refers to, as last decided: of a cluster no others are
    /// read.
    pub(crate) fn needed(&self) -> &Arc<BTreeSet<NeededObject>> {
        &self.needed
    }

    /// Who has which address from now on, as it is written down.
    pub(crate) fn hold(&mut self, held: &Holdings) {
        self.held.clone_from(held);
    }

    /// Whether what was seen comes to something else at `now`, though nothing new is seen.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Decides by what was seen, on the machine that `own` tells of.
    pub(crate) fn take(&mut self, own: &OwnFacts, now: Instant) -> Decided {
        let (world, awaited) = self.pipeline.follow(&self.sight, now);
        self.due = awaited.due;
        self.needed.clone_from(&world.needed);
        let (generation, known, places) = (world.generation, world.known.clone(), world.places());
        let facts = own.facts(&world.snapshot);
        let (snapshot, plan) = planning::again(&mut self.planner, world, &self.held, &facts);
        Decided {
            seen: now,
            generation,
            node: facts.node,
            own: own.addresses.clone(),
            snapshot,
            plan,
            known,
            places,
            doubted: awaited.files,
        }
    }

    /// Does ahead what the next decision would otherwise begin with.
    pub(crate) fn look_ahead(&mut self) {
        self.planner.look_ahead();
    }
}

#[cfg(test)]
mod tests;
