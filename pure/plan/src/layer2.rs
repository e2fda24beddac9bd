//! Who answers for which address on the LAN.
//!
//! A node is eligible for a Service if an L2Advertisement of the address's pool selects both, the
//! node answers itself, is not excluded and has a network, and somebody serves: any endpoint
//! under externalTrafficPolicy Cluster, one on that node under Local, our own listener for a vip
//! of the gateway. The rest is the election's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use steelyard_ipam::{ALLOW_SHARED_IP, Assignment, Assignments, annotation};
use steelyard_model::{
    NamespacedName, ResolvedService, Selector, ServedBy, Snapshot, TrafficPolicy,
};

use crate::Facts;
use crate::election::{Candidate, Election, Rule};
use crate::endpoints::{serving, serving_places};
use crate::nodes::Nodes;
use crate::obstacle::Obstacle;
use crate::rows::{Layer2Row, Protocol};

/// What becomes of a Service's addresses on the LAN.
pub(crate) struct Outlook {
    /// Advertisements that select it, by index.
    advertisements: Vec<usize>,
    /// Nodes that could answer for it, did somebody serve there.
    pub(crate) could: Vec<usize>,
    /// Nodes that may.
    eligible: Vec<Candidate>,
    /// Why no node may.
    pub(crate) obstacle: Option<Obstacle>,
}

/// All of it.
pub(crate) struct Layer2<'a> {
    snapshot: &'a Snapshot,
    facts: &'a Facts,
    pub(crate) nodes: Nodes<'a>,
    pub(crate) outlooks: BTreeMap<NamespacedName, Outlook>,
    pub(crate) rows: Vec<Layer2Row>,
    /// Per address and Service: the nodes that may own it, best first, with their scores.
    pub(crate) contests: BTreeMap<(IpAddr, NamespacedName), Vec<Candidate>>,
}

impl<'a> Layer2<'a> {
    /// Decides for all Services with an address.
    pub(crate) fn new(snapshot: &'a Snapshot, facts: &'a Facts, assignments: &Assignments) -> Self {
        let nodes = Nodes::new(snapshot, facts);
        let mut layer2 = Self {
            snapshot,
            facts,
            nodes,
            outlooks: BTreeMap::new(),
            rows: Vec::new(),
            contests: BTreeMap::new(),
        };
        for (id, assignment) in &assignments.services {
            let resolved = snapshot.services.get(id).filter(|_| !assignment.addresses.is_empty());
            if let Some(resolved) = resolved {
                let outlook = layer2.outlook(resolved, assignment);
                layer2.outlooks.insert(id.clone(), outlook);
            }
        }
        layer2.elect(assignments);
        layer2
    }

    fn outlook(&mut self, resolved: &ResolvedService, assignment: &Assignment) -> Outlook {
        let (advertisements, obstacle) = self.advertisements(resolved, assignment);
        let candidates = self.nodes.candidates(&advertisements);
        let could: Vec<usize> = candidates.iter().map(|candidate| candidate.node).collect();
        let mut outlook = Outlook { advertisements, could, eligible: Vec::new(), obstacle };
        if outlook.obstacle.is_some() {
            return outlook;
        }
        outlook.eligible = self.with_endpoints(resolved, &candidates);
        if outlook.eligible.is_empty() {
            outlook.obstacle = Some(if candidates.is_empty() {
                Obstacle::NoNode
            } else if serving(resolved).next().is_none() {
                Obstacle::NoEndpoint
            } else {
                Obstacle::NoLocalEndpoint
            });
        }
        outlook
    }

    /// The advertisements that select a Service, or why it is not announced whatever they say.
    fn advertisements(
        &self,
        resolved: &ResolvedService,
        assignment: &Assignment,
    ) -> (Vec<usize>, Option<Obstacle>) {
        let pool = assignment.pool.as_ref();
        let of_pool = pool.and_then(|pool| self.snapshot.pool_advertisements.get(pool));
        let Some(of_pool) = of_pool.filter(|list| !list.is_empty()) else {
            return (Vec::new(), Some(Obstacle::PoolNotAdvertised));
        };
        let selectors = |index: &usize| &self.snapshot.l2_advertisements[*index].service_selectors;
        let service = &resolved.service;
        let selects = |index: &usize| {
            selectors(index).is_empty() || Selector::any(selectors(index), &service.labels)
        };
        let matching: Vec<usize> = of_pool.iter().copied().filter(selects).collect();
        let shares = annotation(service, ALLOW_SHARED_IP).is_some();
        let obstacle = if matching.is_empty() {
            Some(Obstacle::NotAdvertised)
        } else if shares && matching.iter().any(|index| !selectors(index).is_empty()) {
            Some(Obstacle::SharedAndSelected)
        } else {
            None
        };
        (matching, obstacle)
    }

    fn with_endpoints(
        &self,
        resolved: &ResolvedService,
        candidates: &[Candidate],
    ) -> Vec<Candidate> {
        if resolved.served_by == ServedBy::Gateway {
            return candidates.to_vec();
        }
        let places = serving_places(resolved);
        if resolved.service.external_traffic_policy == TrafficPolicy::Cluster {
            return if places.is_empty() { Vec::new() } else { candidates.to_vec() };
        }
        let here = |it: &&Candidate| self.nodes.is_among(it.node, &places);
        candidates.iter().filter(here).copied().collect()
    }

    /// Elects address by address, so that Services that share one have one owner.
    fn elect(&mut self, assignments: &Assignments) {
        let mut vips: BTreeMap<IpAddr, Vec<&NamespacedName>> = BTreeMap::new();
        for (id, assignment) in &assignments.services {
            for &address in &assignment.addresses {
                vips.entry(address).or_default().push(id);
            }
        }
        let compat = self.facts.compat_election;
        let rule = if compat { Rule::Compat } else { Rule::Balanced };
        let mut rows = Vec::new();
        let mut election = Election::new(self.nodes.names(), rule);
        for (address, ids) in vips {
            let mut owners = BTreeSet::new();
            for &id in &ids {
                let outlook = &self.outlooks[id];
                let (candidates, key) = if compat {
                    (outlook.eligible.clone(), assignments.services[id].addresses[0])
                } else {
                    (self.common(id, &ids), address)
                };
                let order = election.order(&candidates, key);
                owners.extend(order.first().copied());
                let score = |node: &usize| candidates.iter().find(|it| it.node == *node).copied();
                let contest = order.iter().filter_map(score).collect();
                self.contests.insert((address, id.clone()), contest);
                if !outlook.advertisements.is_empty() {
                    rows.push(self.row(address, id, &order));
                }
            }
            owners.into_iter().for_each(|owner| election.count(owner));
        }
        rows.sort_by(|a, b| (&a.service, a.address).cmp(&(&b.service, b.address)));
        self.rows = rows;
    }

    /// Nodes for `id` that are also eligible for the others on its address, if there are any.
    fn common(&self, id: &NamespacedName, sharers: &[&NamespacedName]) -> Vec<Candidate> {
        let own = &self.outlooks[id].eligible;
        let others = sharers.iter().map(|sharer| &self.outlooks[*sharer].eligible);
        let others: Vec<_> = others.filter(|eligible| !eligible.is_empty()).collect();
        let everywhere = |it: &&Candidate| {
            others.iter().all(|eligible| eligible.iter().any(|other| other.node == it.node))
        };
        let common: Vec<_> = own.iter().filter(everywhere).copied().collect();
        if common.is_empty() { own.clone() } else { common }
    }

    fn row(&self, address: IpAddr, id: &NamespacedName, order: &[usize]) -> Layer2Row {
        let mut names = order.iter().map(|&node| self.nodes.name(node).to_owned());
        let advertisements = &self.outlooks[id].advertisements;
        Layer2Row {
            address,
            service: id.clone(),
            protocol: Protocol::Layer2,
            owner: names.next(),
            standbys: names.collect(),
            interfaces: self.nodes.interfaces(advertisements, order.first().copied()),
            peers: Vec::new(),
        }
    }

    /// The only interfaces on which `node` would announce a Service; empty means every suitable
    /// one.
    pub(crate) fn interfaces(&self, id: &NamespacedName, node: usize) -> Vec<String> {
        self.nodes.interfaces(&self.outlooks[id].advertisements, Some(node))
    }

    /// Whether this node could answer for a Service, did somebody serve; also where nobody
    /// announces the pool, since packets may come another way.
    pub(crate) fn concerns(&self, id: &NamespacedName, node: &str) -> bool {
        self.outlooks.get(id).is_some_and(|outlook| {
            matches!(outlook.obstacle, Some(Obstacle::PoolNotAdvertised | Obstacle::NotAdvertised))
                || outlook.could.iter().any(|&could| self.nodes.name(could) == node)
        })
    }
}

impl Outlook {
    /// Advertisements that select the Service, by index.
    pub(crate) fn advertisements(&self) -> &[usize] {
        &self.advertisements
    }
}
