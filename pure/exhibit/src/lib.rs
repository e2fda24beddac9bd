//! What is in force, as Traefik's API shows it (Traefik v3.7, `pkg/api`): routers, services and
//! middlewares by name, each with its status, its errors and who uses it.
//!
//! What is shown is what is served, not what was written: it is made of the same routing that the
//! gateway goes by, and of what was found. Names are Traefik's (`default-web@kubernetescrd`).
//!
//! Secrets are never shown: what Traefik's own logs leave out, and values of header lines that are
//! sent to servers, stand as `xxxx`; keys and certificates do not stand there at all.
//!
//! A row is kept as the text that is sent: with 10,000 routes that is a few megabytes, and a list
//! is made by putting texts together.

mod answer;
mod broken;
mod certificate;
mod fault;
mod guard;
mod hidden;
mod listing;
mod middleware;
mod names;
mod overview;
mod reached;
mod router;
mod row;
mod service;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;
use steelyard_model::Diagnostic;
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::world::RoutingMap;

pub use answer::{ShownAnswer, ShownBody};
pub use overview::Features;
pub use reached::{Idle, Reached};
use row::Rows;

/// What an exhibit is made of.
#[derive(Clone, Copy, Debug)]
pub struct Exhibited<'a> {
    /// By what requests are routed.
    pub routing: &'a RoutingMap,
    /// Routes that no request gets to, since another one goes first wherever they match.
    pub unreached: &'a BTreeMap<RouteId, RouteId>,
    /// What was found.
    pub findings: &'a [&'a Diagnostic],
    /// Whether endpoints take requests, by backend and endpoint as logs call them; those that are
    /// not there do.
    pub down: &'a [(String, String)],
    /// Entry points as static options have them, each an object with its `name`.
    pub entry_points: &'a [Value],
    /// What is switched on.
    pub features: &'a Features,
    /// The time, in seconds since 1970: certificates cease to be valid.
    pub now: i64,
}

/// All there is to show, of one moment.
#[derive(Debug)]
pub struct Exhibit {
    sections: BTreeMap<Section, Rows>,
    entry_points: Rows,
    certificates: Rows,
    overview: Bytes,
    raw: Bytes,
}

/// A list: of what, and for which protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Http(Part),
    Tcp(Part),
    Udp(Part),
}

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Routers,
    Services,
    Middlewares,
}

impl Exhibit {
    /// What there is to show now.
    pub fn of(exhibited: Exhibited<'_>) -> Self {
        let faults = fault::Faults::of(exhibited.findings);
        let (routing, mut known) = (exhibited.routing, broken::Known::default());
        let reached = reached::Reached::of(routing, exhibited.unreached);
        let mut sections = router::all(routing, &reached, &faults, &mut known);
        service::add(routing, (&faults, exhibited.down), &mut known, &mut sections);
        middleware::add(routing, &faults, &mut known, &mut sections);
        broken::add(&known, &faults, &mut sections);
        let entry_points = exhibited.entry_points.iter().map(row::Row::of_entry_point).collect();
        let shown = routing.certificates.iter().map(|(_, it)| &**it);
        let certificates = certificate::all(shown, exhibited.now);
        let overview = overview::overview(&sections, &certificates, exhibited.features);
        let raw = row::raw(&sections);
        Self { sections, entry_points, certificates, overview, raw }
    }
}
