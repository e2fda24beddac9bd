//! Listeners and routes to what the gateway asks.
//!
//! A change takes out what it concerns, as it was put in, and puts in what is there now: the routes
//! that changed, and those of listeners that did. Compiling from nothing is a change of everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::Sorted;
use steelyard_model::routing::id::{EntryPointId, ListenerId, RouteId, TlsPolicyId};
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::rank::Rank;
use steelyard_model::routing::route::{Destination, Manner, Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::subject::Subject;
use steelyard_model::routing::world::{Changed, RoutingDelta};

use crate::asking::asked_terms;
use crate::candidate::{Candidate, Indexed};
use crate::choice::Choice;
use crate::entry_table::{EntryTable, Stand};
use crate::necessary::named_hosts;
use crate::table::RuleTable;

/// All entry points, and the routes that others lead to. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    entry_points: Sorted<EntryPointId, Arc<EntryTable<Route>>>,
    children: Sorted<RouteId, Arc<RuleTable<Route>>>,
    pub(crate) listeners: Sorted<ListenerId, Arc<Listener>>,
    routes: Sorted<RouteId, Arc<Route>>,
    /// Parents by a route that they lead to, whether it is there or not.
    parents: Sorted<(RouteId, RouteId), ()>,
}

impl RoutingTable {
    /// Compiles `listeners` and `routes`, in any order. A listener that a route names and that is
    /// not there has no such route: the join says so.
    pub fn compile(listeners: &[Arc<Listener>], routes: &[Arc<Route>]) -> Self {
        let listeners = listeners.iter().map(|it| (it.id.clone(), Some(it.clone())));
        let routes = routes.iter().map(|it| (it.id.clone(), Some(it.clone())));
        let mut table = Self::default();
        table.change(&RoutingDelta {
            listeners: listeners.collect(),
            routes: routes.collect(),
            ..RoutingDelta::default()
        });
        table
    }

    /// Takes a change in, at the cost of what it concerns. Endpoints and backends concern nothing
    /// here.
    pub fn change(&mut self, delta: &RoutingDelta) {
        let concerned = self.concerned(delta);
        let before = self.present(&concerned);
        before.iter().for_each(|route| self.detach(route));
        self.follow_listeners(&delta.listeners);
        self.routes.change(delta.routes.iter().cloned());
        let now = self.present(&concerned);
        self.follow_names(&before, &now);
        let parents = self.join_children(&now);
        for route in &now {
            self.attach(route);
            for parent in self.parents_of(&route.id) {
                if !parents.contains(&parent) {
                    self.child_table(&parent, |table| table.insert(route.clone()));
                }
            }
        }
    }

    /// An entry point.
    pub fn entry_point(&self, id: &EntryPointId) -> Option<&EntryTable<Route>> {
        self.entry_points.get(id).map(|table| &**table)
    }

    /// All entry points.
    pub(crate) fn entry_points(&self) -> impl Iterator<Item = (&EntryPointId, &EntryTable<Route>)> {
        self.entry_points.iter().map(|(id, table)| (id, &**table))
    }

    /// Of the routes that `parent` leads to, the one that serves `subject`.
    pub fn child(&self, parent: &RouteId, subject: &impl Subject) -> Option<Choice<'_, Route>> {
        self.children(parent)?.choose(subject)
    }

    /// The routes that `parent` leads to.
    pub(crate) fn children(&self, parent: &RouteId) -> Option<&RuleTable<Route>> {
        self.children.get(parent).map(|table| &**table)
    }

    /// All routes.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.values()
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Routes that changed, and those that name a listener that did. Listeners hardly ever change,
    /// so all routes are asked then, and none has to be known by its listeners.
    fn concerned(&self, delta: &RoutingDelta) -> BTreeSet<RouteId> {
        let mut concerned: BTreeSet<RouteId> =
            delta.routes.iter().map(|(id, _)| id.clone()).collect();
        let listeners: BTreeSet<&ListenerId> = delta.listeners.iter().map(|(id, _)| id).collect();
        if !listeners.is_empty() {
            let names =
                |route: &&Arc<Route>| route.listeners.iter().any(|it| listeners.contains(it));
            concerned.extend(self.routes.values().filter(names).map(|route| route.id.clone()));
        }
        concerned
    }

    fn present(&self, concerned: &BTreeSet<RouteId>) -> Vec<Arc<Route>> {
        concerned.iter().filter_map(|id| self.routes.get(id).cloned()).collect()
    }

    fn follow_listeners(&mut self, changed: &Changed<ListenerId, Listener>) {
        for (id, now) in changed {
            if let Some(before) = self.listeners.get(id).cloned() {
                self.entry_table(&before.entry_point, |table| table.silence(&before));
            }
            if let Some(now) = now {
                self.entry_table(&now.entry_point, |table| table.listen(now.clone()));
            }
        }
        self.listeners.change(changed.iter().cloned());
        let silent = self.entry_points.iter().filter(|(_, table)| table.is_silent());
        let silent: Vec<EntryPointId> = silent.map(|(id, _)| id.clone()).collect();
        for id in silent {
            self.entry_points.remove(&id);
        }
    }

    /// Keeps in step who names which route.
    fn follow_names(&mut self, before: &[Arc<Route>], now: &[Arc<Route>]) {
        let mut parents = Vec::new();
        for (routes, is_there) in [(before, None), (now, Some(()))] {
            for route in routes {
                let children = children_of(route).iter();
                parents.extend(children.map(|it| ((it.clone(), route.id.clone()), is_there)));
            }
        }
        self.parents.change(parents);
    }

    fn attach(&mut self, route: &Arc<Route>) {
        for (entry_point, stand) in self.stands(route) {
            self.entry_table(&entry_point, |it| it.table_mut(&stand).insert(route.clone()));
        }
        for (entry_point, host, policy) in self.policies(route) {
            self.entry_table(&entry_point, |it| it.ask_policy(&host, policy));
        }
    }

    fn detach(&mut self, route: &Arc<Route>) {
        for (entry_point, stand) in self.stands(route) {
            self.entry_table(&entry_point, |it| it.table_mut(&stand).remove(route));
        }
        for (entry_point, host, policy) in self.policies(route) {
            self.entry_table(&entry_point, |it| it.withdraw_policy(&host, policy.as_ref()));
        }
        for parent in self.parents_of(&route.id) {
            self.child_table(&parent, |table| table.remove(route));
        }
        self.children.remove(&route.id);
    }

    /// Where a route stands; each place once, however many of its listeners lead there.
    fn stands(&self, route: &Route) -> BTreeSet<(EntryPointId, Stand)> {
        let stand = |listener: &Arc<Listener>| match route.kind {
            RouteKind::Http | RouteKind::Grpc => Stand::Http(listener.id.clone()),
            RouteKind::Tcp if listener.security.is_tls() => {
                let is_named = || named_hosts(&route.rule, Indexed::Sni).is_some();
                if is_ahead(route, listener) && is_named() {
                    Stand::Ahead
                } else if !is_catch_all(&route.rule) || listener.host != HostPattern::Any {
                    Stand::TcpTls(listener.id.clone())
                } else {
                    Stand::TcpAny(listener.id.clone())
                }
            }
            RouteKind::Tcp => Stand::Tcp,
            RouteKind::Udp => Stand::Udp,
        };
        let listeners = route.listeners.iter().filter_map(|id| self.listeners.get(id));
        listeners.map(|it| (it.entry_point.clone(), stand(it))).collect()
    }

    /// What a route asks of handshakes for its hosts, at each of its listeners that ends TLS.
    fn policies(&self, route: &Route) -> Vec<(EntryPointId, HostPattern, Option<TlsPolicyId>)> {
        let mut asked = Vec::new();
        let listeners: BTreeSet<&ListenerId> = route.listeners.iter().collect();
        for listener in listeners.into_iter().filter_map(|id| self.listeners.get(id)) {
            let Some((hosts, policy)) = asked_terms(route, listener) else { continue };
            let at = |host| (listener.entry_point.clone(), host, policy.cloned());
            asked.extend(hosts.into_iter().map(at));
        }
        asked
    }

    /// Makes the tables of those of `routes` that lead to others: they have all of them, old and
    /// new. Whose they are.
    fn join_children(&mut self, routes: &[Arc<Route>]) -> BTreeSet<RouteId> {
        let mut parents = BTreeSet::new();
        for route in routes {
            if !matches!(route.to, Destination::Routes(_)) {
                continue;
            }
            let mut table = RuleTable::new(Indexed::Host);
            let children: BTreeSet<&RouteId> = children_of(route).iter().collect();
            for child in children.into_iter().filter_map(|id| self.routes.get(id)) {
                table.insert(child.clone());
            }
            self.children.insert(route.id.clone(), Arc::new(table));
            parents.insert(route.id.clone());
        }
        parents
    }

    fn parents_of(&self, child: &RouteId) -> Vec<RouteId> {
        let all = self.parents.starting_after(|(id, _)| id < child);
        all.take_while(|((id, _), ())| id == child).map(|((_, it), ())| it.clone()).collect()
    }

    fn entry_table(&mut self, id: &EntryPointId, change: impl FnOnce(&mut EntryTable<Route>)) {
        let mut table = self.entry_points.remove(id).unwrap_or_default();
        change(Arc::make_mut(&mut table));
        self.entry_points.insert(id.clone(), table);
    }

    fn child_table(&mut self, parent: &RouteId, change: impl FnOnce(&mut RuleTable<Route>)) {
        if let Some(mut table) = self.children.remove(parent) {
            change(Arc::make_mut(&mut table));
            self.children.insert(parent.clone(), table);
        }
    }
}

/// Whether handshakes are passed on in the manner of ingress-nginx, at a listener for every name.
fn is_ahead(route: &Route, listener: &Listener) -> bool {
    route.manner == Manner::Nginx
        && listener.security == Security::Passthrough
        && listener.host == HostPattern::Any
}

/// Whether a rule takes every handshake, and so comes behind all others: with Traefik only one that
/// is HostSNI(`*`) and nothing else.
fn is_catch_all(rule: &Rule) -> bool {
    *rule == Rule::always() || *rule == Rule::One(Matcher::Sni(HostPattern::Any))
}

fn children_of(route: &Route) -> &[RouteId] {
    match &route.to {
        Destination::Routes(children) => children,
        Destination::Backend(_) => &[],
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
