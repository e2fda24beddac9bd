//! What is to be written so that objects report what is decided: nothing where they do.
//!
//! Whose a status is comes first. What Steelyard wrote it changes, and takes back; what MetalLB
//! wrote it takes over once that runs no more; what anybody else wrote is left as it is, and said
//! ([`LeftAlone`]). Of a Service that is not understood, or that no pool can be named for, nothing
//! is taken back: an address that is in use is worth more than a tidy status.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::routing::route::{Manner, Route};
use steelyard_model::{Labels, NamespacedName, Snapshot};
use steelyard_plan::{Plan, ServiceRow};

use crate::kind::StatusKind;
use crate::published::PublishedIngresses;
use crate::reported::{
    IpMode, Reported, ReportedBalance, ReportedPool, Reporter, Revision, StatusAddress,
};
use crate::rivals::{LeftAlone, Rivals, Whose};
use crate::scope::Scope;
use crate::{Component, ConfigurationState, Owner, PoolStatus, condition};

/// Something to write about one object.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusWrite {
    /// Of what kind it is.
    pub kind: StatusKind,
    /// Which.
    pub id: NamespacedName,
    /// What it was decided on; none where the object is not there yet.
    pub revision: Option<Revision>,
    /// What is written.
    pub change: StatusChange,
}

/// What is written about an object.
#[derive(Clone, Debug, PartialEq)]
pub enum StatusChange {
    /// `status.loadBalancer.ingress`, and of a Service the note of its pool.
    Addresses {
        /// In order.
        addresses: Vec<StatusAddress>,
        /// Of a Service.
        pool: Option<String>,
        /// Whether it was MetalLB's.
        by_force: bool,
    },
    /// That there are none, and no note of a pool.
    NoAddresses,
    /// `status` of a pool.
    Counts {
        /// How much of it is used.
        counts: PoolStatus,
        /// Whether somebody else wrote there.
        by_force: bool,
    },
    /// `status` of a ConfigurationState.
    State(ConfigurationState),
    /// A ConfigurationState itself.
    Establish {
        /// `metadata.labels`.
        labels: Labels,
        /// The pod with which it goes.
        owner: Option<Owner>,
    },
}

/// What of a decision is reported.
#[derive(Clone, Copy, Debug)]
pub struct Reportable<'a> {
    /// What was decided.
    pub plan: &'a Plan,
    /// By what.
    pub snapshot: &'a Snapshot,
    /// Who else gives addresses.
    pub rivals: &'a Rivals,
    /// How it is reported.
    pub options: &'a StatusOptions,
    /// RFC 3339, UTC.
    pub now: &'a str,
}

/// How it is reported.
#[derive(Clone, Debug, Default)]
pub struct StatusOptions {
    /// Of Services.
    pub ip_mode: IpMode,
    /// By what Ingresses are reached; none writes nothing of any.
    pub ingresses: Option<PublishedIngresses>,
    /// Whether Ingresses in words of ingress-nginx have events once they are taken up.
    pub tells_ingresses: bool,
    /// The namespace of the controller; where one is given, it has a ConfigurationState there.
    pub namespace: Option<String>,
    /// The pod of the controller.
    pub owner: Option<Owner>,
}

/// What is to be written, and what is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// What is to be written.
    pub writes: Vec<StatusWrite>,
    /// What would be, were it not somebody else's.
    pub left: Vec<LeftAlone>,
}

/// What is to be written, given what is reported now; of Services and Ingresses, those in the scope
/// alone are looked at.
pub fn wanted(reportable: Reportable<'_>, reported: &Reported, scope: &Scope) -> Wanted {
    let mut wanted = Wanted::default();
    reportable.services(reported, scope, &mut wanted);
    reportable.ingresses(reported, scope, &mut wanted);
    for usage in &reportable.plan.pools {
        let found = reported.pools.get(&usage.pool);
        let change = found.and_then(|found| reportable.counts(usage.status, found));
        let revision = found.map(|it| it.revision.clone());
        wanted.put(StatusKind::Pool, &usage.pool, revision, change);
    }
    reportable.state(reported, &mut wanted);
    wanted
}

/// What is not to be written, since it is somebody else's, of the Services in the scope.
pub fn left_alone(
    reportable: Reportable<'_>,
    reported: &Reported,
    scope: &Scope,
) -> Vec<LeftAlone> {
    let mut wanted = Wanted::default();
    reportable.services(reported, scope, &mut wanted);
    wanted.left
}

impl Wanted {
    fn put(
        &mut self,
        kind: StatusKind,
        id: &NamespacedName,
        revision: Option<Revision>,
        change: Option<StatusChange>,
    ) {
        let write = |change| StatusWrite { kind, id: id.clone(), revision, change };
        self.writes.extend(change.map(write));
    }
}

impl Reportable<'_> {
    fn services(&self, reported: &Reported, scope: &Scope, wanted: &mut Wanted) {
        for (id, found) in scope.of(StatusKind::Service, &reported.services) {
            self.service(id, found, wanted);
        }
    }

    fn service(&self, id: &NamespacedName, found: &ReportedBalance, wanted: &mut Wanted) {
        let Some(resolved) = self.snapshot.services.get(id) else { return };
        let row = self.plan.services.get(id);
        let addressed = row.filter(|row| !row.addresses.is_empty());
        let change = match addressed {
            Some(row)
                if found.says(&self.points(&row))
                    && found.pool.as_deref() == row.pool.map(|it| &**it) =>
            {
                None
            }
            Some(row) => {
                match self.whose(id, found, resolved.service.load_balancer_class.is_some()) {
                    Some(whose) => {
                        let addresses = row.addresses.to_vec();
                        wanted.left.push(LeftAlone { service: id.clone(), whose, addresses });
                        None
                    }
                    None => Some(self.addresses(&row, found)),
                }
            }
            None if self.takes_back(row.is_some(), found) => Some(StatusChange::NoAddresses),
            None => None,
        };
        wanted.put(StatusKind::Service, id, Some(found.revision.clone()), change);
    }

    fn addresses(&self, row: &ServiceRow<'_>, found: &ReportedBalance) -> StatusChange {
        StatusChange::Addresses {
            addresses: self.points(row),
            pool: row.pool.map(ToString::to_string),
            by_force: found.reporter != Reporter::Nobody,
        }
    }

    /// What a Service reports.
    fn points(&self, row: &ServiceRow<'_>) -> Vec<StatusAddress> {
        let ip_mode = Some(self.options.ip_mode.as_str().to_owned());
        let of =
            |ip: &IpAddr| StatusAddress { ip_mode: ip_mode.clone(), ..StatusAddress::of_ip(*ip) };
        row.addresses.iter().map(of).collect()
    }

    /// Who else the status is of; none where it is ours to write.
    fn whose(&self, id: &NamespacedName, found: &ReportedBalance, classed: bool) -> Option<Whose> {
        if let Some(daemon_set) = self.rivals.service_lb.get(id) {
            return Some(Whose::ServiceLb { daemon_set: daemon_set.clone() });
        }
        match &found.reporter {
            Reporter::Other(manager) => Some(Whose::Manager(manager.clone())),
            Reporter::Steelyard => None,
            // Of a class that is ours, MetalLB has another.
            Reporter::Nobody if classed => None,
            Reporter::Nobody | Reporter::MetalLb => {
                self.rivals.metallb.clone().map(|deployment| Whose::MetalLb { deployment })
            }
        }
    }

    /// Whether addresses that are reported are to go: the Service has none, or is none of ours
    /// any more (then it is not `planned`).
    fn takes_back(&self, planned: bool, found: &ReportedBalance) -> bool {
        let is_there = !found.addresses.is_empty() || found.pool.is_some();
        // Without pools nobody knows whether they were lost.
        let is_sure = !planned || !self.snapshot.pools.is_empty();
        is_there
            && match found.reporter {
                Reporter::Steelyard => is_sure,
                Reporter::MetalLb => planned && is_sure && self.rivals.metallb.is_none(),
                Reporter::Nobody | Reporter::Other(_) => false,
            }
    }

    fn ingresses(&self, reported: &Reported, scope: &Scope, wanted: &mut Wanted) {
        let Some(published) = &self.options.ingresses else { return };
        let looked_at = scope.of(StatusKind::Ingress, &reported.ingresses);
        if looked_at.is_empty() {
            return;
        }
        let balanced = |id: &NamespacedName| self.balanced(id, reported);
        let points = |manner| published.of(manner).points(self.snapshot, balanced);
        let (traefik, nginx) = (points(Manner::Traefik), points(Manner::Nginx));
        let ids: BTreeSet<&NamespacedName> = looked_at.iter().map(|(id, _)| *id).collect();
        let routed = self.routed(&ids);
        for (id, found) in looked_at {
            let is_ours = matches!(found.reporter, Reporter::Nobody | Reporter::Steelyard);
            let points = match routed.get(id) {
                _ if !is_ours => continue,
                Some(Manner::Traefik) => &traefik[..],
                Some(Manner::Nginx) => &nginx,
                None => &[],
            };
            let change = match points {
                [] if found.addresses.is_empty() => None,
                [] => Some(StatusChange::NoAddresses),
                points if found.says(points) => None,
                points => Some(StatusChange::Addresses {
                    addresses: points.to_vec(),
                    pool: None,
                    by_force: false,
                }),
            };
            wanted.put(StatusKind::Ingress, id, Some(found.revision.clone()), change);
        }
    }

    /// The addresses of a LoadBalancer: ours, or those that somebody else gave it.
    fn balanced(&self, id: &NamespacedName, reported: &Reported) -> Vec<StatusAddress> {
        let row = self.plan.services.get(id);
        if let Some(row) = row.as_ref().filter(|row| !row.addresses.is_empty()) {
            return row.addresses.iter().map(|ip| StatusAddress::of_ip(*ip)).collect();
        }
        let found = reported.services.get(id);
        let stays = |it: &&ReportedBalance| !self.takes_back(row.is_some(), it);
        let points = found.filter(stays).map(|it| it.addresses.clone()).unwrap_or_default();
        points.into_iter().map(|point| StatusAddress { ip_mode: None, ..point }).collect()
    }

    /// In whose words those of these Ingresses are that have a route.
    fn routed(&self, ids: &BTreeSet<&NamespacedName>) -> BTreeMap<NamespacedName, Manner> {
        let routes = self.snapshot.routing.routes.values();
        let of = |route: &Arc<Route>| Some((ingress_of(route)?, route.manner));
        routes.filter_map(of).filter(|(id, _)| ids.contains(id)).collect()
    }

    fn counts(&self, counts: PoolStatus, found: &ReportedPool) -> Option<StatusChange> {
        let is_left = found.reporter == Reporter::MetalLb && self.rivals.metallb.is_some();
        let counts = counts.over(found.status).filter(|_| !is_left)?;
        Some(StatusChange::Counts { counts, by_force: found.reporter != Reporter::Nobody })
    }

    fn state(&self, reported: &Reported, wanted: &mut Wanted) {
        let Some(namespace) = &self.options.namespace else { return };
        let id = NamespacedName::new(namespace.as_str(), Component::Controller.object_name());
        let labels = Component::Controller.labels();
        let owner = self.options.owner.clone();
        let found = reported.states.get(&id);
        let is_owned = |owners: &[String]| match &owner {
            Some(owner) => owners.contains(&owner.uid),
            None => true,
        };
        let change = match found {
            Some(found) if found.labels == labels && is_owned(&found.owners) => {
                let mut state = found.status.clone().unwrap_or_default();
                state.set(condition(Component::Controller, &self.plan.diagnostics, self.now));
                (found.status.as_ref() != Some(&state)).then_some(StatusChange::State(state))
            }
            _ => Some(StatusChange::Establish { labels, owner }),
        };
        wanted.put(StatusKind::State, &id, found.map(|it| it.revision.clone()), change);
    }
}

/// Ingresses in words of ingress-nginx of which a route is new, or otherwise than before.
pub fn taken_up(before: &Snapshot, now: &Snapshot) -> BTreeSet<NamespacedName> {
    let routes = &now.routing.routes;
    let differing = routes.differing(&before.routing.routes).into_iter();
    let of_nginx =
        differing.filter_map(|id| routes.get(id)).filter(|it| it.manner == Manner::Nginx);
    of_nginx.filter_map(|it| ingress_of(it)).collect()
}

/// The Ingress that asks for a route, if it is one.
pub(crate) fn ingress_of(route: &Route) -> Option<NamespacedName> {
    let object = &route.place.object;
    (&*object.kind == StatusKind::Ingress.name()).then(|| object.id())
}

impl ReportedBalance {
    /// Whether just this is reported.
    fn says(&self, addresses: &[StatusAddress]) -> bool {
        self.addresses.len() == addresses.len()
            && self.addresses.iter().zip(addresses).all(|(found, wanted)| found.says(wanted))
    }
}

impl StatusAddress {
    /// Whether it is what is wanted, however the address is written.
    fn says(&self, wanted: &Self) -> bool {
        let ip = |it: &Self| {
            it.ip.as_deref().map(|text| text.parse::<IpAddr>().map_err(|_| text.to_owned()))
        };
        let is_it = ip(self) == ip(wanted) && self.hostname == wanted.hostname;
        // Services say how they are reached; Ingresses, what is served there.
        is_it
            && match &wanted.ip_mode {
                Some(mode) => self.ip_mode.as_deref().unwrap_or(IpMode::Vip.as_str()) == mode,
                None => self.ports == wanted.ports,
            }
    }
}
