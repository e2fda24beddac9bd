//! Endpoints as requests on this node see them: where a Service asks that requests stay in the zone
//! they came in by, and each of its endpoints says which zones it is meant for, those for this
//! node's zone.
//!
//! Not here: who asks for that, which is for the derivation to say; endpoints have zones only then.

use std::sync::Arc;

use steelyard_model::routing::backend::EndpointSet;
use steelyard_model::routing::id::EndpointSetId;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Snapshot, Sorted};

/// Label of Nodes that says in which zone they are.
const ZONE: &str = "topology.kubernetes.io/zone";

/// Sets that have fewer endpoints here than elsewhere, kept from plan to plan.
#[derive(Debug, Default)]
pub(crate) struct Nearby {
    zone: Option<Arc<str>>,
    /// All sets, as they were last derived.
    whole: Sorted<EndpointSetId, Arc<EndpointSet>>,
    /// Those of them that are others here.
    narrowed: Sorted<EndpointSetId, Arc<EndpointSet>>,
}

impl Nearby {
    /// What there is to route by on `node`.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot, node: &str) -> RoutingMap {
        let zone = zone(snapshot, node);
        if zone != self.zone.as_deref() {
            *self = Self { zone: zone.map(Arc::from), ..Self::default() };
        }
        let now = &snapshot.routing.endpoint_sets;
        if let Some(zone) = zone {
            let differing = now.differing(&self.whole).into_iter();
            let narrowed = differing.map(|id| {
                let here = now.get(id).and_then(|set| set.within(zone));
                (id.clone(), here.map(Arc::new))
            });
            let narrowed =
                narrowed.filter(|(id, it)| it.is_some() || self.narrowed.contains_key(id));
            let narrowed: Vec<_> = narrowed.collect();
            self.narrowed.change(narrowed);
            self.whole.clone_from(now);
        }
        let mut routing = snapshot.routing.clone();
        let here = self.narrowed.iter().map(|(id, set)| (id.clone(), Some(set.clone())));
        routing.endpoint_sets.change(here.collect::<Vec<_>>());
        routing
    }
}

/// The zone that a node is in, where its object says it.
fn zone<'s>(snapshot: &'s Snapshot, node: &str) -> Option<&'s str> {
    let own = snapshot.nodes.iter().find(|it| *it.name == *node)?;
    own.labels.get(ZONE).map(String::as_str).filter(|zone| !zone.is_empty())
}
