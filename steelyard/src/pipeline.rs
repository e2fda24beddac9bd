//! Files, or what is heard of a cluster → changes by object → world: the stages before planning,
//! wired and kept.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use steelyard_manifest::{
    Awaited, ClusterEvent, ClusterFront, DynamicPlaces, Front, Object, Selection, Sight, Source,
};
use steelyard_model::Item;
use steelyard_pipeline::{LoweredObject, ObjectTrial, ResolveOptions, World};

/// Where objects come from, and what is derived from them.
pub struct Pipeline {
    intake: Intake,
    derived: steelyard_pipeline::Pipeline,
}

enum Intake {
    Files(Front<LoweredObject>),
    Cluster(ClusterFront<LoweredObject>),
}

impl Pipeline {
    /// Of files, without any.
    pub fn new(options: ResolveOptions) -> Self {
        Self::of(Intake::Files(Front::reading(options.reading.clone())), options)
    }

    /// Of a cluster, in which `awaited` have to be listed before anything can be decided.
    pub fn of_cluster(
        options: ResolveOptions,
        awaited: impl IntoIterator<Item = Selection>,
    ) -> Self {
        let front = ClusterFront::new(awaited, options.reading.clone());
        Self::of(Intake::Cluster(front), options)
    }

    /// Without files, before any is taken in: those under these names are Traefik's dynamic
    /// configuration.
    #[must_use]
    pub fn with_dynamic(mut self, names: Vec<Arc<str>>) -> Self {
        if let Intake::Files(front) = &mut self.intake {
            *front = std::mem::take(front).with_dynamic(DynamicPlaces(names));
        }
        self
    }

    fn of(intake: Intake, options: ResolveOptions) -> Self {
        Self { intake, derived: steelyard_pipeline::Pipeline::new(options) }
    }

    /// Adds items of our own to every world from now on.
    pub fn set_own(&mut self, items: impl IntoIterator<Item = Item>) {
        self.derived.set_own(items);
    }

    /// Services hold addresses: before the first manifest is seen, that there is none is not taken
    /// as an answer.
    pub fn expect_manifests(&mut self) {
        if let Intake::Files(front) = &mut self.intake {
            front.expect_manifests();
        }
    }

    /// Takes in what stands after a look at `now`: what could not be seen is not gone, and a loss
    /// is believed when it has stood for a moment. Also the losses that are not
    /// believed yet. Where objects come from a cluster, takes in what was heard of it.
    pub fn follow(&mut self, sight: &Sight, now: Instant) -> (World, Awaited) {
        let (changes, awaited) = match &mut self.intake {
            Intake::Files(front) => front.follow(sight, now),
            Intake::Cluster(front) => (front.changes(), Awaited::default()),
        };
        (self.derived.take(changes), awaited)
    }

    /// Takes `sources` as the complete set of files.
    pub fn update(&mut self, sources: &[Source]) -> World {
        let changes = match &mut self.intake {
            Intake::Files(front) => front.update(sources),
            Intake::Cluster(front) => front.changes(),
        };
        self.derived.take(changes)
    }

    /// What would be said of an object, were it there.
    pub fn tried(&self, object: &Object) -> ObjectTrial {
        self.derived.tried(object)
    }

    /// This was heard of the cluster.
    pub fn hear(&mut self, events: impl IntoIterator<Item = ClusterEvent>) {
        if let Intake::Cluster(front) = &mut self.intake {
            front.hear(events);
        }
    }

    /// What has to be listed before anything can be decided.
    pub fn awaited(&self) -> Vec<Selection> {
        match &self.intake {
            Intake::Files(_) => Vec::new(),
            Intake::Cluster(front) => front.awaited().cloned().collect(),
        }
    }

    /// Whether all is there that has to be before anything can be decided.
    pub fn is_known(&self) -> bool {
        self.awaited().is_empty()
    }

    /// Whether something of the cluster is being listed again.
    pub fn is_renewing(&self) -> bool {
        match &self.intake {
            Intake::Files(_) => false,
            Intake::Cluster(front) => front.is_renewing(),
        }
    }

    /// Lists this too before anything is decided.
    pub fn await_also(&mut self, watch: Selection) {
        if let Intake::Cluster(front) = &mut self.intake {
            front.await_also(watch);
        }
    }

    /// Whether what was heard of the cluster differs from what was taken in.
    pub fn has_news(&self) -> bool {
        match &self.intake {
            Intake::Files(_) => false,
            Intake::Cluster(front) => front.has_news(),
        }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new(ResolveOptions::default())
    }
}
