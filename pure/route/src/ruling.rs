//! What becomes of a request, and why: the route that serves it, and each other one with what kept
//! it from that. For people; a request itself asks [`RoutingTable`] alone, which this agrees with.

use std::fmt;
use std::sync::Arc;

use steelyard_model::routing::id::{EntryPointId, RouteId};
use steelyard_model::routing::rank::Ladder;
use steelyard_model::routing::route::{Destination, Route};
use steelyard_model::routing::subject::Subject;

use crate::choice::{Bid, Choice};
use crate::compile::RoutingTable;
use crate::why_not::WhyNot;

/// Most routes that lead on to others: deeper than people nest them.
const DEEPEST: usize = 16;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub struct Ruling<'t> {
    /// The route that serves, after those that lead to it; empty where none does.
    pub winners: Vec<Winner<'t>>,
    /// All others, in the order they are tried.
    pub losers: Vec<Loser<'t>>,
}

/// A route that a request goes by.
#[derive(Clone, Debug)]
pub struct Winner<'t> {
    /// The route.
    pub route: &'t Arc<Route>,
    /// Why it, and not another.
    pub by: WonBy,
}

/// A route that a request does not go by.
#[derive(Clone, Debug)]
pub struct Loser<'t> {
    /// The route.
    pub route: &'t Arc<Route>,
    /// Why not.
    pub why: Defeat,
}

/// Why a route serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WonBy {
    /// Nothing else matches.
    Alone,
    /// All that match are on its ladder, whose order it is first in.
    Order(Ladder),
    /// Both ladders have routes that match: its own bids more.
    Bid {
        /// Its ladder.
        ladder: Ladder,
        /// What that bids.
        own: Bid,
        /// What the other one does.
        other: Bid,
    },
}

/// Why a route that is there does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defeat {
    /// It does not match: the first condition that fails.
    Matcher(WhyNot),
    /// It matches, and stands behind on the same ladder.
    Order,
    /// It matches, and the other ladder bids more.
    Ladder,
    /// It matches, and nothing leads to it.
    Unreached,
}

impl RoutingTable {
    /// What becomes of a request at an entry point.
    pub fn ruling<S: Subject>(
        &self,
        entry_point: &EntryPointId,
        is_tls: bool,
        subject: &S,
    ) -> Ruling<'_> {
        self.ruling_through(entry_point, is_tls, std::slice::from_ref(subject))
    }

    /// The same of a request that filters change on its way through routes that lead to others:
    /// as it comes, then as it is behind the first of them, and so on; as the last from there.
    ///
    /// # Panics
    /// When there is none.
    pub fn ruling_through<S: Subject>(
        &self,
        entry_point: &EntryPointId,
        is_tls: bool,
        subjects: &[S],
    ) -> Ruling<'_> {
        let at = |depth: usize| &subjects[depth.min(subjects.len() - 1)];
        let mut winners = Vec::new();
        let table = self.entry_point(entry_point);
        let mut next = table.and_then(|it| it.choose(is_tls, at(0)));
        while let Some(choice) = next {
            let route = choice.candidate;
            let by = self.decision(&choice, at(winners.len()));
            winners.push(Winner { route, by });
            let leads_on = matches!(route.to, Destination::Routes(_)) && winners.len() < DEEPEST;
            next = leads_on.then(|| self.child(&route.id, at(winners.len()))).flatten();
        }
        let won = |route: &Route| winners.iter().any(|it: &Winner<'_>| it.route.id == route.id);
        let others = self.routes().filter(|it| it.kind.is_of_requests() && !won(it));
        let ladder = winners.last().map(|it| it.route.rank.ladder);
        let lost = |route: &Route| {
            let parent = winners.iter().position(|it| leads_to(it.route, &route.id));
            let subject = at(parent.map_or(0, |parent| parent + 1));
            self.defeat(route, (entry_point, is_tls), ladder, subject)
        };
        let mut losers: Vec<Loser<'_>> =
            others.map(|route| Loser { route, why: lost(route) }).collect();
        losers.sort_by(|a, b| {
            let (a, b) = (&a.route.rank, &b.route.rank);
            a.ladder.cmp(&b.ladder).then_with(|| a.before(b))
        });
        Ruling { winners, losers }
    }

    fn decision(&self, choice: &Choice<'_, Route>, subject: &impl Subject) -> WonBy {
        let route = choice.candidate;
        let ladder = route.rank.ladder;
        if let Some((own, other)) = choice.bids {
            return WonBy::Bid { ladder, own, other };
        }
        let is_rival = |it: &&Arc<Route>| {
            let shares = it.listeners.iter().any(|id| route.listeners.contains(id));
            it.id != route.id && it.kind == route.kind && shares && it.rule.holds(subject)
        };
        match self.routes().any(|it| is_rival(&it)) {
            true => WonBy::Order(ladder),
            false => WonBy::Alone,
        }
    }

    fn defeat(
        &self,
        route: &Route,
        (entry_point, is_tls): (&EntryPointId, bool),
        won: Option<Ladder>,
        subject: &impl Subject,
    ) -> Defeat {
        let listeners = || route.listeners.iter().filter_map(|id| self.listeners.get(id));
        let of = self.entry_points_of(route);
        if !of.is_empty() && !of.contains(entry_point) {
            let asked = entry_point.clone();
            return Defeat::Matcher(WhyNot::EntryPoint { of, asked });
        }
        let here = || listeners().filter(|it| it.entry_point == *entry_point);
        if here().next().is_some() && here().all(|it| it.security.is_tls() != is_tls) {
            return Defeat::Matcher(WhyNot::Tls(!is_tls));
        }
        match WhyNot::of(&route.rule, subject) {
            Some(why) => Defeat::Matcher(why),
            None if of.is_empty() => Defeat::Unreached,
            None if won == Some(route.rank.ladder) => Defeat::Order,
            None => Defeat::Ladder,
        }
    }
}

fn leads_to(route: &Route, other: &RouteId) -> bool {
    matches!(&route.to, Destination::Routes(children) if children.contains(other))
}

/// What a ladder orders by.
fn order(ladder: Ladder) -> &'static str {
    match ladder {
        Ladder::Specific => "the narrowest first, as Kubernetes says",
        Ladder::Priority => "the highest number first, as Traefik says",
    }
}

impl fmt::Display for WonBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => f.write_str("no other route matches"),
            Self::Order(ladder) => write!(f, "first of those that match: {}", order(*ladder)),
            Self::Bid { ladder, own, other } => {
                let (number, than) = (Shown(own.number), Shown(other.number));
                let tie =
                    if own.number == other.number { ", and its provider is first" } else { "" };
                write!(
                    f,
                    "Traefik's choice names the ladder, {number} against {than}{tie}; the ladder's \
                     own order names the route: {}",
                    order(*ladder)
                )
            }
        }
    }
}

/// A number of a bid; the least there is has a name.
struct Shown(i64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == i64::MIN { f.write_str("a fallback") } else { self.0.fmt(f) }
    }
}

impl fmt::Display for Defeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Matcher(why) => return why.fmt(f),
            Self::Order => "it matches, and comes after",
            Self::Ladder => "it matches, and the other ladder bids more",
            Self::Unreached => {
                "it matches, and is at no entry point, nor does a route that matches lead to it"
            }
        })
    }
}

impl WonBy {
    /// A word for it that scripts may rely on.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Order(Ladder::Specific) => "specific-order",
            Self::Order(Ladder::Priority) => "priority-order",
            Self::Bid { ladder: Ladder::Specific, .. } => "specific-bid",
            Self::Bid { ladder: Ladder::Priority, .. } => "priority-bid",
        }
    }
}

impl Ruling<'_> {
    /// The route that serves; none where requests are answered 404.
    pub fn served_by(&self) -> Option<&Arc<Route>> {
        let last = self.winners.last()?.route;
        matches!(last.to, Destination::Backend(_)).then_some(last)
    }

    /// The ids of the routes that it goes by.
    pub fn path(&self) -> impl Iterator<Item = &RouteId> {
        self.winners.iter().map(|it| &it.route.id)
    }
}
