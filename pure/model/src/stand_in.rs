//! What stands in for an object that has a mistake, as long as no version of it without one is
//! known: it answers nobody, so that what its rules name is not led elsewhere, to where more may
//! pass.

use std::sync::Arc;

use crate::handshake_draft::{AskedClients, PolicyDraft};
use crate::item::Item;
use crate::object::Provenance;
use crate::route_draft::{ClassReading, ClassReadings, NginxReading, RouteDraft, RouteSet};
use crate::router_draft::{RouterDraft, RouterSet, WayDraft, WayTarget};
use crate::routing::backend::RefusalReason;
use crate::routing::tls::DEFAULT_POLICY;

impl Item {
    /// What stands in for it; none where nobody is led by it, and who names it is refused without
    /// it. By terms of handshakes that stand in, nobody can be verified: none is held.
    pub fn stand_in(self) -> Option<Self> {
        match self {
            Self::Routers(set) if !set.routers.is_empty() => {
                Some(Self::Routers(Box::new(of_routers(*set))))
            }
            Self::Routes(set) if !set.routes.is_empty() => {
                Some(Self::Routes(Box::new(of_routes(*set))))
            }
            // What is for all who name nothing is not left out: they would be let in by less.
            Self::Policy(draft) if draft.policy.id.as_str() == DEFAULT_POLICY => {
                let (clients, authorities) = (AskedClients::RequireAndVerify, Vec::new());
                Some(Self::Policy(Box::new(PolicyDraft { clients, authorities, ..*draft })))
            }
            _ => None,
        }
    }
}

fn of_routers(mut set: RouterSet) -> RouterSet {
    set.routers = set.routers.into_iter().map(of_router).collect();
    set
}

fn of_router(draft: RouterDraft) -> RouterDraft {
    let place = draft.place.clone();
    let nowhere = WayDraft { to: WayTarget::Nowhere, weight: 1, filters: Vec::new(), place };
    RouterDraft {
        refusal: Some(RefusalReason::Mistake(draft.place.clone())),
        filters: Vec::new(),
        ways: vec![nowhere],
        ..draft
    }
}

fn of_routes(set: RouteSet) -> RouteSet {
    let whole = Provenance::new(&set.object, "");
    let ClassReadings { traefik, nginx, both } = &set.readings;
    let readings = ClassReadings {
        traefik: of_reading(traefik),
        nginx: of_reading(nginx),
        both: of_reading(both),
    };
    let routes = set.routes.into_iter().map(|draft| RouteDraft { backend: None, ..draft });
    let routes = routes.collect();
    RouteSet { refusal: Some(RefusalReason::Mistake(whole)), readings, routes, ..set }
}

/// The other names of its hosts.
fn aliases(reading: &NginxReading) -> Option<Box<NginxReading>> {
    let aliases = reading.aliases.clone()?;
    Some(Box::new(NginxReading { aliases: Some(aliases), ..NginxReading::default() }))
}

/// Of what annotations come to only where the routes are, and how they are compared.
fn of_reading(reading: &ClassReading) -> Arc<ClassReading> {
    ClassReading {
        entry_points: reading.entry_points.clone(),
        is_tls: reading.is_tls,
        has_expressions: reading.has_expressions,
        open_paths: reading.open_paths,
        is_unserved: reading.is_unserved,
        number: reading.number,
        observability: reading.observability,
        nginx: reading.nginx.as_deref().and_then(aliases),
        ..ClassReading::default()
    }
    .shared()
}
