//! Files → changes by object → world: the stages before planning, wired and kept.

#[cfg(test)]
mod tests;

use std::time::Instant;

use steelyard_manifest::{Awaited, Front, Sight, Source};
use steelyard_model::Item;
use steelyard_pipeline::{LoweredObject, ResolveOptions, World};

/// The files, and what is derived from them.
#[derive(Default)]
pub struct Pipeline {
    front: Front<LoweredObject>,
    derived: steelyard_pipeline::Pipeline,
}

impl Pipeline {
    /// Without any file.
    pub fn new(options: ResolveOptions) -> Self {
        Self { front: Front::default(), derived: steelyard_pipeline::Pipeline::new(options) }
    }

    /// Adds items of our own to every world from now on.
    pub fn set_own(&mut self, items: impl IntoIterator<Item = Item>) {
        self.derived.set_own(items);
    }

    /// Services hold addresses: before the first manifest is seen, that there is none is not taken
    /// as an answer.
    pub fn expect_manifests(&mut self) {
        self.front.expect_manifests();
    }

    /// Takes in what stands after a look at `now`: what could not be seen is not gone, and a loss
    /// is believed when it has stood for a moment. Also the losses that are not
    /// believed yet.
    pub fn follow(&mut self, sight: &Sight, now: Instant) -> (World, Awaited) {
        let (changes, awaited) = self.front.follow(sight, now);
        (self.derived.take(changes), awaited)
    }

    /// Takes `sources` as the complete set of files.
    pub fn update(&mut self, sources: &[Source]) -> World {
        let changes = self.front.update(sources);
        self.derived.take(changes)
    }
}
