//! The filters that a request passes, in their order, and what one of them says to it: by the very
//! frames that the gateway has, as long as nobody else is to be asked.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Serialize;
use steelyard_filters::{
    Answerer, Ask, Context, Flight, Got, Inward, Journey, Memory, Recipe, Response, Stack,
};
use steelyard_http::{Head, RequestEdits, RequestView};
use steelyard_model::routing::filter::{Filter, Use};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::listener::{Listener, Security};
use steelyard_model::routing::world::RoutingMap;
use steelyard_plan::FilterRow;
use steelyard_route::Ruling;

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
        ruling: &Ruling<'_>,
    ) -> Self {
        let is_own = |it: &&std::sync::Arc<Listener>| {
            let is_held = it.security.is_tls() == is_tls && it.security != Security::Passthrough;
            it.entry_point == *point && it.gateway.is_none() && is_held
        };
        let shared = routing.listeners.values().find(is_own).into_iter().flat_map(|it| &it.uses);
        let routed = ruling.winners.iter().flat_map(|won| &won.route.uses);
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
        let mut memory = Memory::seeded(0);
        let recipe = |one: &Use| Recipe::among(one, &routing.filters, &mut memory);
        let recipes: Vec<Option<Recipe>> = self.uses.iter().map(recipe).collect();
        // What is not built closes all that pass it.
        if let Some(closed) = recipes.iter().position(Option::is_none) {
            return self.said(closed, UNSERVED);
        }
        let recipes: Vec<Recipe> = recipes.into_iter().flatten().collect();
        let mut stack = Stack::new(recipes);
        let journey = Journey { is_tls, ..Journey::of(peer) };
        let (mut notes, mut edits, mut got) = (Vec::new(), RequestEdits::new(head), Got::Nothing);
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
            got = match stack.enter(&mut cx, &mut edits, got) {
                Inward::Inside => return None,
                Inward::Answer(response) => {
                    return self.told(stack.answered()?, Some(&response));
                }
                Inward::Ask(Ask::Body { .. }) => Got::Body(Bytes::new()),
                Inward::Ask(Ask::Shared(_)) => Got::Flight(Flight::Lead),
                Inward::Ask(Ask::Work(job)) => Got::Done((job.work)()),
                Inward::Ask(Ask::Sleep(_)) => Got::Nothing,
                Inward::Ask(Ask::Begin { .. } | Ask::Fetch { .. } | Ask::Run { .. }) => {
                    return self.told(stack.entering()?, None);
                }
            };
        }
        None
    }

    fn told(&self, at: usize, response: Option<&Response>) -> Option<FilterAnswer> {
        let location = response.and_then(|it| it.first("location"));
        Some(FilterAnswer {
            filter: self.rows.get(at)?.name.clone(),
            status: response.map(|it| it.status),
            location: location.map(|it| String::from_utf8_lossy(it).into_owned()),
        })
    }
}

fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
