//! Listeners and routes to what the gateway asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_model::routing::id::{EntryPointId, ListenerId, RouteId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::rank::Rank;
use steelyard_model::routing::route::{Destination, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::subject::Subject;

use crate::candidate::{Candidate, Indexed};
use crate::choice::Choice;
use crate::entry_table::EntryTable;
use crate::necessary::named_hosts;
use crate::table::RuleTable;

/// All entry points, and the routes that others lead to.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    entry_points: BTreeMap<EntryPointId, EntryTable<Route>>,
    children: BTreeMap<RouteId, RuleTable<Route>>,
}

impl RoutingTable {
    /// Compiles `listeners` and `routes`, in any order. A listener that a route names and that is
    /// not there has no such route: the join says so.
    pub fn compile(listeners: &[Arc<Listener>], routes: &[Arc<Route>]) -> Self {
        let mut table = Self::default();
        for listener in listeners {
            let entry_point = table.entry_points.entry(listener.entry_point.clone()).or_default();
            entry_point.listen(listener.clone());
        }
        let by_id: BTreeMap<&ListenerId, &Arc<Listener>> =
            listeners.iter().map(|listener| (&listener.id, listener)).collect();
        for route in routes {
            for listener in route.listeners.iter().filter_map(|id| by_id.get(id)) {
                table.attach(listener, route);
            }
        }
        table.join_children(routes);
        table
    }

    /// An entry point.
    pub fn entry_point(&self, id: &EntryPointId) -> Option<&EntryTable<Route>> {
        self.entry_points.get(id)
    }

    /// Of the routes that `parent` leads to, the one that serves `subject`.
    pub fn child(&self, parent: &RouteId, subject: &impl Subject) -> Option<Choice<'_, Route>> {
        self.children.get(parent)?.choose(subject)
    }

    fn attach(&mut self, listener: &Listener, route: &Arc<Route>) {
        let entry_point = self.entry_points.entry(listener.entry_point.clone()).or_default();
        match route.kind {
            RouteKind::Http | RouteKind::Grpc => {
                entry_point.serve(&listener.id, route.clone());
                if let Security::Terminate { policy, .. } = &listener.security {
                    let hosts = named_hosts(&route.rule, Indexed::Host);
                    let hosts = hosts.unwrap_or_else(|| vec![listener.host.clone()]);
                    for host in hosts {
                        let policy = route.tls_policy.as_ref().or(policy.as_ref());
                        entry_point.ask_policy(&host, policy.cloned());
                    }
                }
            }
            RouteKind::Tcp if listener.security.is_tls() => {
                let hosts = named_hosts(&route.rule, Indexed::Sni);
                let is_named = hosts.is_some() || listener.host != HostPattern::Any;
                entry_point.carry_tls(route.clone(), is_named);
            }
            RouteKind::Tcp | RouteKind::Udp => entry_point.carry(route.clone()),
        }
    }

    fn join_children(&mut self, routes: &[Arc<Route>]) {
        let by_id: BTreeMap<&RouteId, &Arc<Route>> =
            routes.iter().map(|route| (&route.id, route)).collect();
        for route in routes {
            let Destination::Routes(children) = &route.to else { continue };
            let mut table = RuleTable::new(Indexed::Host);
            for child in children.iter().filter_map(|id| by_id.get(id)) {
                table.insert(Arc::clone(child));
            }
            self.children.insert(route.id.clone(), table);
        }
    }
}

impl Candidate for Route {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn rank(&self) -> &Rank {
        &self.rank
    }

    fn rule(&self) -> &Rule {
        &self.rule
    }
}
