//! The filters that a request passes, in their order, and what one of them says to it: by the very
//! frames that the gateway has, as long as nobody else is to be asked.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Serialize;
use steelyard_filters::{
    Answerer, Ask, Context, Flight, Got, Inward, Journey, Memory, Recipe, Response, Stack,
};
use steelyard_http::edits::RequestChanges;
use steelyard_http::{Head, RequestEdits, RequestView};
use steelyard_model::routing::filter::{Filter, Use};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::world::RoutingMap;
use steelyard_plan::FilterRow;
use steelyard_route::Winner;

/// Answers that are given to filters before it is given up: more than any has questions.
const MOST_QUESTIONS: usize = 64;

/// What is answered where something that is to be passed cannot be had.
const UNSERVED: u16 = 503;

/// What is passed, outermost first.
pub(crate) struct Passing {
    uses: Vec<Use>,
    rows: Vec<FilterRow>,
}

/// What a filter says to a request.
#[derive(Serialize)]
pub(crate) struct FilterAnswer {
    filter: String,
    /// None where that hangs on somebody else.
    status: Option<u16>,
    /// Where to, of a redirection.
    location: Option<String>,
}

impl Passing {
    /// What a request passes at an entry point: what all pass there, then what its routes use.
    pub(crate) fn of(
        routing: &RoutingMap,
        (point, is_tls): (&EntryPointId, bool),
        winners: &[Winner<'_>],
    ) -> Self {
        let is_own = |it: &&std::sync::Arc<Listener>| {
            let is_held = it.security.is_tls() == is_tls && it.security != Security::Passthrough;
            it.entry_point == *point && it.gateway.is_none() && is_held
        };
        let shared = routing.listeners.values().find(is_own).into_iter().flat_map(|it| &it.uses);
        let routed = winners.iter().flat_map(|won| &won.route.uses);
        let kind = |one: &Use| routing.filters.get(&one.filter).map(|node| &node.filter);
        let each = |usage: &Use| usage.expanded(&routing.filters).unwrap_or_default();
        let mut uses: Vec<Use> = shared.flat_map(each).collect();
        // How long things may take is no filter of a route's.
        let routed = routed.flat_map(each);
        uses.extend(routed.filter(|it| !matches!(kind(it), Some(Filter::Timeouts(_)))));
        let row = |one: &Use| FilterRow {
            name: one.filter.to_string(),
            kind: kind(one).map_or("it is not there", Filter::kind).to_owned(),
        };
        Self { rows: uses.iter().map(row).collect(), uses }
    }

    /// As they are told.
    pub(crate) fn rows(&self) -> &[FilterRow] {
        &self.rows
    }

    /// What the filter at a place has said.
    pub(crate) fn said(&self, at: usize, status: u16) -> Option<FilterAnswer> {
        let filter = self.rows.get(at)?.name.clone();
        Some(FilterAnswer { filter, status: Some(status), location: None })
    }

    /// What a filter says to a request that has no body; none where all let it in.
    pub(crate) fn answer(
        &self,
        routing: &RoutingMap,
        head: &dyn RequestView,
        (peer, is_tls): (IpAddr, bool),
    ) -> Option<FilterAnswer> {
        let recipes = self.recipes(routing);
        // What is not built closes all that pass it.
        if let Some(closed) = recipes.iter().position(Option::is_none) {
            return self.said(closed, UNSERVED);
        }
        let recipes = recipes.into_iter().flatten().collect();
        match entered(recipes, &mut RequestEdits::new(head), (peer, is_tls)) {
            Entered::Inside => None,
            Entered::Answered(at, response) => Some(self.told(at, Some(&response))),
            Entered::Asking(at) => Some(self.told(at, None)),
        }
    }

    /// What the filters that let a request in make of it; and by name those that do not, or that
    /// ask somebody else: as if those let it in, and changed nothing.
    pub(super) fn let_in(
        &self,
        routing: &RoutingMap,
        head: &dyn RequestView,
        caller: (IpAddr, bool),
    ) -> (RequestChanges, Vec<String>) {
        let mut left_out = Vec::new();
        loop {
            let recipes = self.recipes(routing).into_iter().enumerate();
            let (places, recipes): (Vec<usize>, Vec<Recipe>) = recipes
                .filter(|(at, _)| !left_out.contains(at))
                .filter_map(|(at, recipe)| Some((at, recipe?)))
                .unzip();
            let mut edits = RequestEdits::new(head);
            let stopped = match entered(recipes, &mut edits, caller) {
                Entered::Inside => None,
                Entered::Answered(at, _) | Entered::Asking(at) => places.get(at).copied(),
            };
            let Some(stopped) = stopped else {
                let names = left_out.into_iter().map(|at| self.rows[at].name.clone());
                return (edits.into_changes(), names.collect());
            };
            left_out.push(stopped);
        }
    }

    /// What each does; none of what is not built.
    fn recipes(&self, routing: &RoutingMap) -> Vec<Option<Recipe>> {
        let mut memory = Memory::seeded(0);
        let recipe = |one: &Use| Recipe::among(one, &routing.filters, &mut memory);
        self.uses.iter().map(recipe).collect()
    }

    fn told(&self, at: usize, response: Option<&Response>) -> FilterAnswer {
        let location = response.and_then(|it| it.first("location"));
        FilterAnswer {
            filter: self.rows.get(at).map(|row| row.name.clone()).unwrap_or_default(),
            status: response.map(|it| it.status),
            location: location.map(|it| String::from_utf8_lossy(it).into_owned()),
        }
    }
}

/// How far a request has come.
enum Entered {
    /// All let it in.
    Inside,
    /// The one at this place answers.
    Answered(usize, Box<Response>),
    /// The one at this place asks somebody else.
    Asking(usize),
}

/// Has a request without a body pass filters.
fn entered(
    recipes: Vec<Recipe>,
    edits: &mut RequestEdits<'_>,
    (peer, is_tls): (IpAddr, bool),
) -> Entered {
    let mut stack = Stack::new(recipes);
    let journey = Journey { is_tls, ..Journey::of(peer) };
    let (mut notes, mut got) = (Vec::new(), Got::Nothing);
    for _ in 0..MOST_QUESTIONS {
        let mut cx = Context {
            now: Instant::now(),
            clock,
            wall: || Duration::from_secs(clock()),
            random: || None,
            journey: &journey,
            cause: Answerer::Gateway,
            notes: &mut notes,
        };
        got = match stack.enter(&mut cx, edits, got) {
            Inward::Inside => return Entered::Inside,
            Inward::Answer(response) => {
                return stack
                    .answered()
                    .map_or(Entered::Inside, |at| Entered::Answered(at, response));
            }
            Inward::Ask(Ask::Body { .. }) => Got::Body(Bytes::new()),
            Inward::Ask(Ask::Shared(_)) => Got::Flight(Flight::Lead),
            Inward::Ask(Ask::Work(job)) => Got::Done((job.work)()),
            Inward::Ask(Ask::Sleep(_)) => Got::Nothing,
            Inward::Ask(Ask::Begin { .. } | Ask::Fetch { .. } | Ask::Run { .. }) => {
                return stack.entering().map_or(Entered::Inside, Entered::Asking);
            }
        };
    }
    Entered::Inside
}

fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
