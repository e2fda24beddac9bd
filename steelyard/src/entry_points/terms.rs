//! What holds at one entry point: how long what may take there, how much of it there may be, and
//! how it is spelled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steelyard_gateway::EntryTerms;
use steelyard_http::{Semicolons, Spelling};

use super::StaticOptions;
use super::duration::duration;
use super::names::{
    ACCEPTS, AGE, ANSWER, COUNTED, DETAILED, GRACE, HEAD, IDLE, LOGGED, READ, REQUESTS,
    SANITIZE_PATH, SEMICOLONS, STREAMS, TABLE, TRACED, UDP_TIMEOUT, entry_point_name,
};
use super::nginx;

/// What an option says of an entry point.
type Says = fn(&mut EntryTerms, &str);

/// The options of one entry point that are about what the gateway does there.
const ROWS: [(&str, Says); 15] = [
    (AGE, |terms, value| terms.age = duration(value).filter(|it| !it.is_zero())),
    (ANSWER, |terms, value| terms.answer = duration(value).filter(|it| !it.is_zero())),
    (COUNTED, |terms, value| terms.observability.metrics = Some(value == "true")),
    (DETAILED, |terms, value| terms.observability.detailed = Some(value == "detailed")),
    (LOGGED, |terms, value| terms.observability.access_logs = Some(value == "true")),
    (TRACED, |terms, value| terms.observability.tracing = Some(value == "true")),
    (HEAD, |terms, value| terms.head = value.parse().ok().filter(|it| *it > 0)),
    (IDLE, |terms, value| terms.idle = duration(value).map(limit)),
    (READ, |terms, value| terms.read = duration(value).map(limit)),
    (REQUESTS, |terms, value| terms.requests = value.parse().ok().filter(|it| *it > 0)),
    (SANITIZE_PATH, |terms, value| {
        terms.path = if value == "false" { Spelling::Unresolved } else { Spelling::Normal };
    }),
    (SEMICOLONS, |terms, value| {
        terms.semicolons = if value == "true" { Semicolons::Encoded } else { Semicolons::Split };
    }),
    (STREAMS, |terms, value| terms.streams = value.parse().ok().filter(|it| *it > 0)),
    (TABLE, |terms, value| terms.table = value.parse().ok()),
    (UDP_TIMEOUT, |terms, value| terms.udp_silent = duration(value)),
];

/// As with Traefik none is no limit; what waits a day waits for nothing.
fn limit(said: Duration) -> Duration {
    const NONE: Duration = Duration::from_hours(24);
    if said.is_zero() { NONE } else { said }
}

impl StaticOptions {
    /// How long requests may finish after SIGTERM: the longest that an entry point says.
    pub fn grace(&self) -> Option<Duration> {
        self.longest(GRACE)
    }

    /// How long it goes on as it was after SIGTERM, while pings say that it ends.
    pub fn accepts_on(&self) -> Option<Duration> {
        self.longest(ACCEPTS).max(nginx::grace(&self.values))
    }

    fn longest(&self, of: &str) -> Option<Duration> {
        let said = self.values.iter().filter(|(option, _)| entry_point_name(option, of).is_some());
        said.filter_map(|(_, value)| duration(value)).max()
    }

    /// What holds at entry points of which something is said.
    pub fn terms(&self) -> BTreeMap<String, Arc<EntryTerms>> {
        let mut all = BTreeMap::<String, EntryTerms>::new();
        for (option, value) in &self.values {
            for (of, says) in ROWS {
                if let Some(name) = entry_point_name(option, of) {
                    says(all.entry(name.to_owned()).or_default(), value);
                }
            }
        }
        for (name, policy) in self.forwarded() {
            all.entry(name).or_default().forwarded = policy;
        }
        for (name, trust) in self.proxied() {
            all.entry(name).or_default().proxied = trust;
        }
        all.into_iter().map(|(name, terms)| (name, Arc::new(terms))).collect()
    }
}
