//! Services as rows.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use steelyard_ipam::Reason;
use steelyard_model::{NamespacedName, Sorted};

use crate::planner::Piece;
use crate::rows::ServiceRow;

/// LoadBalancer Services that are ours, by name. A row says nothing that is not decided for its
/// Service alone, so it is read out of that.
#[derive(Clone, Debug, Default)]
pub struct ServiceRows {
    /// What was decided for each Service alone, also of those that are not ours.
    pub(crate) pieces: Sorted<NamespacedName, Arc<Piece>>,
}

impl ServiceRows {
    /// The row of a Service.
    pub fn get(&self, id: &NamespacedName) -> Option<ServiceRow<'_>> {
        let (id, piece) = self.pieces.starting_at(id).next().filter(|(known, _)| *known == id)?;
        row(id, piece)
    }

    /// The rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&NamespacedName, ServiceRow<'_>)> {
        self.pieces.iter().filter_map(|(id, piece)| Some((id, row(id, piece)?)))
    }

    /// The Services.
    pub fn keys(&self) -> impl Iterator<Item = &NamespacedName> {
        self.iter().map(|(id, _)| id)
    }

    /// The rows.
    pub fn values(&self) -> impl Iterator<Item = ServiceRow<'_>> {
        self.iter().map(|(_, row)| row)
    }

    /// Services whose rows differ, or may: more is decided for them than rows say.
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a NamespacedName> {
        self.pieces.differing(&other.pieces)
    }
}

impl Serialize for ServiceRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.values())
    }
}

/// None of a Service that is another load balancer's.
fn row<'a>(id: &'a NamespacedName, piece: &'a Piece) -> Option<ServiceRow<'a>> {
    let assignment = &piece.assignment;
    (assignment.reason != Reason::ForeignClass).then(|| ServiceRow {
        namespace: &id.namespace,
        name: &id.name,
        addresses: &assignment.addresses,
        pool: assignment.pool_name(),
        served_by: (!assignment.addresses.is_empty()).then_some(piece.served_by),
        events: &assignment.events,
    })
}
