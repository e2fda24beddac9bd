//! Asking a case: which route serves a request, what it passes, and where it may end.

use std::collections::BTreeMap;

use steelyard_model::routing::backend::{Backend, Edge};
use steelyard_model::routing::filter::{Filter, Use};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::listener::Security;
use steelyard_model::routing::route::{Destination, Route};
use steelyard_route::{Misdirection, Opening, PlainPath, RoutingTable, TlsPath};
use steelyard_testbed::Probe;
use steelyard_testbed::probe::hello;

use crate::build::Draft;

/// A compiled case.
pub(crate) struct World {
    table: RoutingTable,
    pub(crate) backends: BTreeMap<String, Backend>,
    pub(crate) filters: BTreeMap<String, Filter>,
    listeners: BTreeMap<String, Vec<Use>>,
}

/// Where a request went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Went {
    /// The routes, from the outermost parent.
    pub(crate) routes: Vec<String>,
    /// What it passes, outermost first, down to the backend of the route.
    pub(crate) uses: Vec<String>,
    /// The backend; none where a parent's children do not match (404).
    pub(crate) backend: Option<String>,
}

impl Draft {
    pub(crate) fn world(self) -> World {
        let uses = self.listeners.iter().map(|one| (one.id.to_string(), one.uses.clone()));
        World {
            table: RoutingTable::compile(&self.listeners, &self.routes),
            listeners: uses.collect(),
            backends: self.backends,
            filters: self.filters,
        }
    }
}

impl World {
    /// Sends a request to an entry point; none where no route serves it.
    pub(crate) fn ask(&self, entry_point: &str, probe: &Probe) -> Option<Went> {
        let table = self.table.entry_point(&EntryPointId::from(entry_point))?;
        let choice = table.choose(probe.sni.is_some(), probe)?;
        let mut route: &Route = choice.candidate;
        let mut went = Went { routes: Vec::new(), uses: Vec::new(), backend: None };
        let listener = route.listeners.iter().find_map(|id| self.listeners.get(id.as_str()));
        went.pass(listener.into_iter().flatten());
        loop {
            went.routes.push(route.id.to_string());
            went.pass(&route.uses);
            match &route.to {
                Destination::Backend(backend) => {
                    went.backend = Some(backend.to_string());
                    return Some(went);
                }
                Destination::Routes(_) => match self.table.child(&route.id, probe) {
                    Some(child) => route = child.candidate,
                    None => return Some(went),
                },
            }
        }
    }

    /// The route of a request by its name alone.
    #[track_caller]
    pub(crate) fn check(&self, entry_point: &str, probe: &Probe, expected: &str) {
        let went = self.ask(entry_point, probe);
        let route = went.and_then(|went| went.routes.last().cloned());
        assert_eq!(route.as_deref().unwrap_or("none"), expected);
    }

    /// Whether connections go to different protocols, whether TCP routes with TLS are among them,
    /// and whether handshakes for the routes of `listener` are passed on.
    pub(crate) fn divides(&self, entry_point: &str, listener: &str) -> [bool; 3] {
        let table = self.table.entry_point(&entry_point.into()).expect("the entry point is there");
        let end = table.end_of_tls(&hello("db.lan"), &[listener.into()]);
        let is_passed_on = end == Some(&Security::Passthrough);
        [table.is_divided(), table.has_tcp_over_tls(), is_passed_on]
    }

    /// Where a handshake goes, in words.
    pub(crate) fn hello(&self, entry_point: &str, probe: &Probe) -> String {
        let table = self.table.entry_point(&entry_point.into()).expect("the entry point is there");
        match table.hello(probe) {
            TlsPath::Challenge => "challenge".into(),
            TlsPath::Https(None) => "https".into(),
            TlsPath::Https(Some(policy)) => format!("https by {policy}"),
            TlsPath::Tcp(choice) => format!("tcp to {}", choice.candidate.id),
            TlsPath::Refuse => "refused".into(),
        }
    }

    /// The route of a handshake that Postgres' own message asked for.
    pub(crate) fn starttls(&self, entry_point: &str, probe: &Probe) -> Option<String> {
        let table = self.table.entry_point(&entry_point.into()).expect("the entry point is there");
        table.starttls(probe).map(|choice| choice.candidate.id.to_string())
    }

    /// Where a connection goes that begins without a handshake, in words.
    pub(crate) fn connection(&self, entry_point: &str, probe: &Probe) -> String {
        let table = self.table.entry_point(&entry_point.into()).expect("the entry point is there");
        match (table.opening(probe), table.plain(probe)) {
            (Opening::Serve(choice), _) => format!("at once to {}", choice.candidate.id),
            (Opening::Peek, PlainPath::Tcp(choice)) => format!("tcp to {}", choice.candidate.id),
            (Opening::Peek, PlainPath::Http) => "http".into(),
        }
    }

    /// The route of datagrams.
    pub(crate) fn datagrams(&self, entry_point: &str, probe: &Probe) -> Option<String> {
        let table = self.table.entry_point(&entry_point.into()).expect("the entry point is there");
        table.datagrams(probe).map(|choice| choice.candidate.id.to_string())
    }

    pub(crate) fn misdirection(
        &self,
        entry_point: &str,
        sni: &str,
        host: &str,
    ) -> Option<Misdirection> {
        let table = self.table.entry_point(&entry_point.into()).expect("the entry point is there");
        table.misdirection(sni, host)
    }

    /// The edges from a backend, each with its share and what it passes: `2×blue[auth]`.
    pub(crate) fn edges(&self, backend: &str) -> Vec<String> {
        let shown = |edge: &Edge| {
            let uses: Vec<&str> = edge.uses.iter().map(|one| one.filter.as_str()).collect();
            let uses = if uses.is_empty() { String::new() } else { format!("{uses:?}") };
            format!("{}×{}{}", edge.weight, edge.backend, uses.replace('"', ""))
        };
        self.backends[backend].edges().into_iter().map(shown).collect()
    }
}

impl Went {
    fn pass<'u>(&mut self, uses: impl IntoIterator<Item = &'u Use>) {
        self.uses.extend(uses.into_iter().map(|one| one.filter.to_string()));
    }
}
