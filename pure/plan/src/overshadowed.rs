//! Routes that no request gets to, since another one goes first wherever they match; and of those
//! the ones that would have asked who it is, where the other asks nobody.
//!
//! Only what is sure is said: the rule of the one covers that of the other, and both are on the
//! ladder of numbers, which serves its own best whatever the other ladder bids; or they are on
//! different ladders, and the one bids more: than that route on the ladder of numbers, or than
//! anybody on the other one. What is compared is bounded, so of thousands of routes for one host
//! some go unsaid. Ingresses among themselves are no business of this: narrower ones go first
//! there, and of equal ones the join says so.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use smallvec::SmallVec;
use steelyard_model::routing::backend::{Backend, Internal};
use steelyard_model::routing::filter::{Filter, Use};
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::rank::Ladder;
use steelyard_model::routing::route::{Destination, Route, RouteKind};
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Code, Diagnostic, Severity};
use steelyard_pipeline::codes::ROUTE_DUPLICATE;
use steelyard_route::{covers, exact_hosts};

use crate::codes;

/// Of those that go before a route, the first so many of its host are compared with it, and as many
/// of those for any host.
const MOST_AHEAD: usize = 64;

/// Which routes are behind which; kept from plan to plan.
#[derive(Debug, Default)]
pub(crate) struct Overshadowed {
    /// Routes by each host that they name; those for others below none.
    by_host: HashMap<Option<Arc<str>>, Ladders>,
    /// How many fallbacks stand at hosts: each makes its ladder bid the least where it is the best.
    fallbacks: usize,
    behind: BTreeMap<RouteId, Behind>,
    found: Vec<Diagnostic>,
}

/// The routes of a host; of nearly every one there is one. Those on the ladder of numbers, in their
/// order, then those on the other one, the highest number first.
#[derive(Debug, Default)]
struct Ladders(SmallVec<[Arc<Route>; 1]>);

/// A route, and those that cover it: of each of its listeners the first on each ladder, if there is
/// one.
#[derive(Debug)]
struct Behind {
    route: Arc<Route>,
    ahead: Vec<Arc<Route>>,
    is_everywhere: bool,
}

impl Overshadowed {
    /// Comes to be that of `now`.
    pub(crate) fn follow(&mut self, before: &RoutingMap, now: &RoutingMap) {
        let differing = now.routes.differing(&before.routes);
        let mut touched: HashSet<Option<Arc<str>>> = HashSet::new();
        let fallbacks = self.fallbacks;
        for id in &differing {
            self.behind.remove(*id);
            if let Some(route) = before.routes.get(*id).filter(|route| is_judged(route)) {
                for host in hosts(route) {
                    self.take_out(&host, route);
                    touched.insert(host);
                }
            }
            if let Some(route) = now.routes.get(*id).filter(|route| is_judged(route)) {
                for host in hosts(route) {
                    self.put_in(&host, route);
                    touched.insert(host);
                }
            }
        }
        if touched.contains(&None) {
            touched = self.by_host.keys().cloned().collect();
        } else {
            let firsts = touched.iter().flat_map(|host| self.firsts(host)).collect::<Vec<_>>();
            touched.extend(firsts);
            touched.extend(((fallbacks == 0) != (self.fallbacks == 0)).then_some(None));
        }
        for host in touched {
            self.judge(&host);
        }
        let concerns = !self.behind.is_empty() || !self.found.is_empty();
        let is_other = || {
            let is_passed = now.filters != before.filters || now.listeners != before.listeners;
            is_passed || now.backends != before.backends
        };
        if concerns && (!differing.is_empty() || is_other()) {
            self.found = self.behind.values().filter_map(|behind| said(now, behind)).collect();
        }
    }

    /// Routes that no request gets to, and of each the first that goes before it wherever it
    /// matches.
    pub(crate) fn unreached(&self) -> BTreeMap<RouteId, RouteId> {
        let all = self.behind.iter().filter_map(|(id, it)| Some((id, it.everywhere()?)));
        all.map(|(id, first)| (id.clone(), first.id.clone())).collect()
    }

    /// What there is to say, by name.
    pub(crate) fn found(&self) -> &[Diagnostic] {
        &self.found
    }

    fn put_in(&mut self, host: &Option<Arc<str>>, route: &Arc<Route>) {
        self.by_host.entry(host.clone()).or_default().insert(route);
        self.fallbacks += usize::from(host.is_some() && route.rank.specific.is_fallback);
    }

    fn take_out(&mut self, host: &Option<Arc<str>>, route: &Route) {
        self.fallbacks -= usize::from(host.is_some() && route.rank.specific.is_fallback);
        let Some(all) = self.by_host.get_mut(host) else { return };
        all.0.retain(|other| other.id != route.id);
        if all.0.is_empty() {
            self.by_host.remove(host);
        }
    }

    /// The hosts by which those of several are looked at that stand at this one too.
    fn firsts(&self, host: &Option<Arc<str>>) -> Vec<Option<Arc<str>>> {
        let here = self.by_host.get(host).into_iter().flat_map(|all| &all.0);
        here.filter_map(|route| hosts(route).into_iter().next()).collect()
    }

    /// Looks anew who is behind whom at a host.
    fn judge(&mut self, host: &Option<Arc<str>>) {
        let none = Ladders::default();
        let both = self.standing(host, &none);
        // As most are, where Ingresses are alone.
        let is_alone = both.iter().all(|it| it.numbered().is_empty());
        if is_alone && self.behind.is_empty() {
            return;
        }
        // One of several hosts is looked at by its first: who covers it is at each of them.
        let looked_at = both[0].0.iter().filter(|route| hosts(route).first() == Some(host));
        let made = |route| if is_alone { None } else { self.judged(route, both) };
        let judged: Vec<_> = looked_at.map(|route| (route.id.clone(), made(route))).collect();
        for (id, made) in judged {
            match made {
                Some(made) => drop(self.behind.insert(id, made)),
                None => drop(self.behind.remove(&id)),
            }
        }
    }

    /// Those that name a host, and those that name none.
    fn standing<'a>(&'a self, host: &Option<Arc<str>>, none: &'a Ladders) -> [&'a Ladders; 2] {
        let here = self.by_host.get(host).unwrap_or(none);
        [here, self.by_host.get(&None).filter(|_| host.is_some()).unwrap_or(none)]
    }

    /// Who goes before a route, of those that stand at its first host and at none.
    fn judged(&self, route: &Arc<Route>, both: [&Ladders; 2]) -> Option<Behind> {
        let (own, across) = match route.rank.ladder {
            Ladder::Priority => {
                let own = both.map(|all| first_ahead(all.numbered(), route)).concat();
                (own, self.bidding_more(route, both))
            }
            Ladder::Specific => {
                // At none of its hosts does anybody of its own ladder bid more than this.
                let (none, mut bid) = (Ladders::default(), None);
                for host in hosts(route) {
                    let there = self.standing(&host, &none).into_iter();
                    let most =
                        there.filter_map(|it| Some(it.specific().first()?.rank.number)).max();
                    bid = bid.max(most);
                }
                let least = bid.unwrap_or(i64::MAX);
                (Vec::new(), both.map(|all| covering(all.numbered(), route, least)).concat())
            }
        };
        Behind::of(route, [&own, &across])
    }

    /// Ingresses that cover a route, and for which their ladder bids more than its number.
    fn bidding_more(&self, route: &Arc<Route>, both: [&Ladders; 2]) -> Vec<Arc<Route>> {
        let found = both.map(|all| covering(all.specific(), route, route.rank.number)).concat();
        if found.is_empty() || (self.fallbacks > 0 && hosts(route).contains(&None)) {
            // There, fallbacks of hosts that the rule does not name may be the best.
            return Vec::new();
        }
        // Where a fallback is the best of its ladder, this bids the least there is.
        let (none, hosts) = (Ladders::default(), hosts(route));
        let all = hosts.iter().flat_map(|host| self.standing(host, &none));
        let fallbacks = all.flat_map(|it| it.specific()).filter(|it| it.rank.specific.is_fallback);
        let first = fallbacks.min_by(|a, b| order(a, b));
        let is_sure = |it: &Arc<Route>| first.is_none_or(|first| goes_before(it, first));
        found.into_iter().filter(is_sure).collect()
    }
}

impl Ladders {
    fn numbered(&self) -> &[Arc<Route>] {
        &self.0[..self.border()]
    }

    fn specific(&self) -> &[Arc<Route>] {
        &self.0[self.border()..]
    }

    /// How many are on the ladder of numbers.
    fn border(&self) -> usize {
        self.0.partition_point(|route| route.rank.ladder == Ladder::Priority)
    }

    fn insert(&mut self, route: &Arc<Route>) {
        let border = self.border();
        let at = match route.rank.ladder {
            Ladder::Priority => self.0[..border].partition_point(|other| goes_before(other, route)),
            Ladder::Specific => {
                let number = route.rank.number;
                border + self.0[border..].partition_point(|other| other.rank.number > number)
            }
        };
        self.0.insert(at, route.clone());
    }
}

impl Behind {
    /// The first that goes before it, where no request gets to it.
    fn everywhere(&self) -> Option<&Arc<Route>> {
        self.ahead.first().filter(|_| self.is_everywhere)
    }

    /// Of a route, by all on either ladder that are known to go before it and cover it.
    fn of(route: &Arc<Route>, covering: [&[Arc<Route>]; 2]) -> Option<Self> {
        let (mut ahead, mut is_everywhere) = (Vec::<Arc<Route>>::new(), true);
        for listener in &route.listeners {
            let first = |all: &[Arc<Route>]| {
                let there = all.iter().filter(|other| other.listeners.contains(listener));
                there.min_by(|a, b| order(a, b)).cloned()
            };
            let firsts = covering.map(first);
            is_everywhere &= firsts.iter().any(Option::is_some);
            for first in firsts.into_iter().flatten() {
                if ahead.iter().all(|known| known.id != first.id) {
                    ahead.push(first);
                }
            }
        }
        (!ahead.is_empty()).then(|| Self { route: route.clone(), ahead, is_everywhere })
    }
}

/// Those of another ladder, the highest number first, that cover a route and have more than
/// `least`.
fn covering(all: &[Arc<Route>], route: &Route, least: i64) -> Vec<Arc<Route>> {
    let ahead = all.iter().take_while(|it| it.rank.number > least).take(MOST_AHEAD);
    let at_one = |it: &&Arc<Route>| it.listeners.iter().any(|at| route.listeners.contains(at));
    ahead.filter(at_one).filter(|it| covers(&it.rule, &route.rule)).cloned().collect()
}

/// Those of `all` that go before a route and cover it.
fn first_ahead(all: &[Arc<Route>], route: &Arc<Route>) -> Vec<Arc<Route>> {
    let ahead = all.iter().take_while(|other| goes_before(other, route)).take(MOST_AHEAD);
    let covering = ahead.filter(|other| other.id != route.id && covers(&other.rule, &route.rule));
    covering.cloned().collect()
}

fn is_judged(route: &Route) -> bool {
    let is_alike = route.kind.is_of_requests() || route.kind == RouteKind::Udp;
    is_alike && !route.listeners.is_empty()
}

/// Where a route stands: at each host that it names, or at none.
fn hosts(route: &Route) -> Vec<Option<Arc<str>>> {
    match exact_hosts(&route.rule) {
        Some(hosts) => hosts.into_iter().map(Some).collect(),
        None => vec![None],
    }
}

fn order(a: &Route, b: &Route) -> std::cmp::Ordering {
    a.rank.before(&b.rank).then_with(|| a.id.cmp(&b.id))
}

fn goes_before(one: &Route, other: &Route) -> bool {
    order(one, other).is_lt()
}

fn said(map: &RoutingMap, behind: &Behind) -> Option<Diagnostic> {
    let Behind { route, ahead, .. } = behind;
    if is_guarded(map, &route.uses) {
        let open = ahead.iter().find(|other| is_open(map, other));
        if let Some(other) = open {
            let message = format!(
                "nobody is asked who it is: {} goes first wherever this route matches, and has no \
                 such filter",
                name(other)
            );
            let help = "give that one the filter too, make its rule narrower, or give this one a \
                        higher priority";
            return Some(diagnostic(route, codes::PROTECTION_SHADOWED, message, help));
        }
    }
    let other = behind.everywhere()?;
    if route.kind == RouteKind::Udp {
        let message = format!(
            "no datagram gets here: {} has its entry point, which has one route",
            name(other)
        );
        let help = "give it another entry point, or remove one";
        let place = &route.place;
        return Some(Diagnostic::at(Severity::Error, ROUTE_DUPLICATE, place, message, help));
    }
    let (code, message) = if other.rule == route.rule {
        (ROUTE_DUPLICATE, format!("no request gets here: {} has the same rule", name(other)))
    } else {
        let message =
            format!("no request gets here: {} goes first wherever this route matches", name(other));
        (codes::ROUTE_SHADOWED, message)
    };
    let help = "give it a higher priority, make the rule of the other narrower, or remove one";
    Some(diagnostic(route, code, message, help))
}

fn diagnostic(route: &Route, code: Code, message: String, help: &str) -> Diagnostic {
    Diagnostic::at(Severity::Warning, code, &route.place, message, help)
}

/// A route as its users know it.
fn name(route: &Route) -> String {
    let (place, number) = (&route.place, route.rank.number);
    let field = if place.field.is_root() { String::new() } else { format!(" ({})", place.field) };
    format!("{}{field}, of priority {number},", place.object)
}

/// Whether one of these, or what stands within one, is such a filter: in chains, among several of
/// which one counts, and where a rule exempts some from it.
fn any_use(map: &RoutingMap, uses: &[Use], is: impl Fn(&Filter) -> bool) -> bool {
    let mut found = false;
    for usage in uses {
        usage.each_within(&map.filters, &mut |one| {
            found |= map.filters.get(&one.filter).is_some_and(|node| is(&node.filter));
        });
    }
    found
}

fn is_guarded(map: &RoutingMap, uses: &[Use]) -> bool {
    any_use(map, uses, Filter::restricts)
}

/// Whether requests get to somebody by a route, and nobody is asked who it is: neither there, nor
/// where all are asked that come in, nor on the way to a backend.
fn is_open(map: &RoutingMap, route: &Route) -> bool {
    let Destination::Backend(id) = &route.to else { return false };
    let Some(node) = map.backends.get(id) else { return false };
    let is_nobody =
        matches!(node.backend, Backend::Refused { .. } | Backend::Internal(Internal::Noop));
    let is_free = |uses: &[Use]| !any_use(map, uses, |it| it.restricts() || it.redirects());
    let mut entries = route.listeners.iter().filter_map(|id| map.listeners.get(id));
    let edges = node.backend.edges();
    let is_let_in = is_free(&route.uses) && entries.any(|it| is_free(&it.uses));
    !is_nobody && is_let_in && edges.iter().all(|edge| is_free(&edge.uses))
}
