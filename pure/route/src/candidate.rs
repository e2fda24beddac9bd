//! What the table knows of a route.

use std::cmp::Ordering;

use steelyard_model::routing::rank::Rank;
use steelyard_model::routing::rule::Rule;

/// What the table is indexed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexed {
    /// By the host of a request.
    Host,
    /// By the server name of a TLS handshake.
    Sni,
}

/// A route as the table knows it.
pub trait Candidate {
    /// Its name, unique in a table.
    fn id(&self) -> &str;

    /// Its place in the order.
    fn rank(&self) -> &Rank;

    /// What must hold.
    fn rule(&self) -> &Rule;

    /// The order within a ladder, least first; no two candidates of a table are equal in it.
    fn before(&self, other: &Self) -> Ordering {
        self.rank().before(other.rank()).then_with(|| self.id().cmp(other.id()))
    }
}
