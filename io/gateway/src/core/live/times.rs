//! How long what may take on a route that says so.
//!
//! A whole request counts from its head to the end of its answer, whatever its filters do meanwhile
//! and however often it is sent; an attempt from its connection on (Gateway API's `request` and
//! `backendRequest`). Idle times begin anew with each piece (nginx's `proxy_read_timeout` and
//! `proxy_send_timeout`), also in a tunnel, which nothing else ends.

use std::rc::Rc;
use std::time::{Duration, Instant};

use steelyard_http::Limits;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::times::{ReuseTerms, RouteTimeouts};

use super::Scene;

/// How long what may take on one route.
#[derive(Debug)]
pub(crate) struct RouteTimes {
    of: RouteTimeouts,
    limits: Rc<Limits>,
}

/// The same for one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestTimes {
    of: Option<RouteTimeouts>,
    /// When all of it is to be over.
    pub(crate) due: Option<Instant>,
}

impl RouteTimes {
    /// Those of a request that came at `started`.
    pub(super) fn since(&self, started: Instant) -> RequestTimes {
        let due = self.of.total.and_then(|total| started.checked_add(total));
        RequestTimes { of: Some(self.of), due }
    }

    /// The body's pace is the entry point's business.
    pub(super) fn limits(&self, usual: &Rc<Limits>) -> Rc<Limits> {
        if self.limits.request_body == usual.request_body {
            return self.limits.clone();
        }
        Rc::new(Limits { request_body: usual.request_body, ..*self.limits })
    }
}

impl RequestTimes {
    /// The same where all of it is to be over a `limit` after it came, too.
    pub(super) fn within(self, started: Instant, limit: Option<Duration>) -> Self {
        let due = limit.and_then(|limit| started.checked_add(limit));
        Self { due: self.due.into_iter().chain(due).min(), ..self }
    }

    /// When an attempt is to be over that begins now.
    pub(crate) fn attempt(&self) -> Option<Instant> {
        let limit = self.of.and_then(|of| of.attempt);
        let own = limit.and_then(|limit| Instant::now().checked_add(limit));
        own.into_iter().chain(self.due).min()
    }

    /// How long connecting may take, where `usual` is usual and all is to be over at `due`.
    pub(crate) fn connect(&self, usual: Duration, due: Option<Instant>) -> Duration {
        let limit = self.of.and_then(|of| of.connect).unwrap_or(usual);
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        left.map_or(limit, |left| left.min(limit))
    }

    /// How long connections are used, where an endpoint's are idle for `most` at most.
    pub(crate) fn reuse(&self, most: Option<Duration>) -> ReuseTerms {
        let of = self.of.map(|of| of.reuse).unwrap_or_default();
        ReuseTerms { idle: of.idle.into_iter().chain(most).min(), ..of }
    }

    /// How long a tunnel may be silent.
    pub(crate) fn idle(&self) -> Option<Duration> {
        self.of?.idle_read
    }

    /// Whether no time is left.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

impl Scene<'_> {
    /// What a route says itself, and what it uses says where it does not.
    pub(super) fn times(&self, route: &Route) -> Option<Box<RouteTimes>> {
        let filters = &self.live.config.routing.filters;
        let mut of = route.timeouts.as_deref().copied().unwrap_or_default();
        for usage in route.uses.iter().filter_map(|it| it.expanded(filters)).flatten() {
            if let Some(Filter::Timeouts(more)) = filters.get(&usage.filter).map(|it| &it.filter) {
                of = of.or(more);
            }
        }
        if of == RouteTimeouts::default() {
            return None;
        }
        let usual = Limits::from(&self.shared.options.timeouts);
        let limits = Limits {
            endpoint_write: of.idle_send.unwrap_or(usual.endpoint_write),
            response_head: of.idle_read.or(usual.response_head),
            response_body: of.idle_read,
            ..usual
        };
        Some(Box::new(RouteTimes { of, limits: Rc::new(limits) }))
    }
}
