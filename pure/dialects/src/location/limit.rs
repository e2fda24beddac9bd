//! `limit-rps`, `limit-rpm` and `limit-connections`: how many requests of one address are let in.

use std::time::Duration;

use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{AnswerPage, ClientSource};
use steelyard_model::routing::filter::limit::{Counted, InFlightLimit, RateLimit};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::rule::Rule;
use steelyard_model::{OwnFilter, PassPhase};

use super::Asked;
use super::access::ranges;

/// The status of who is one too many.
const TOO_MANY: u16 = 503;
/// How many times the rate may come at once, where nothing is said.
const BURST: u64 = 5;

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let first = asked.reading.passes.len();
    limits(asked);
    // The second is the older name, which counts where the first is absent.
    if let Some(spared) = ranges(asked, &["limit-allowlist", "limit-whitelist"]) {
        let passes = asked.reading.passes.iter_mut().skip(first);
        let nets = spared.nets().iter().map(|net| Rule::One(Matcher::ClientIp(*net)));
        let spared = Rule::Any(nets.collect());
        passes.for_each(|it| it.spares = Some(spared.clone()));
    }
}

fn limits(asked: &mut Asked<'_, '_>) {
    if let Some(amount) = count(asked, "limit-connections") {
        let (of, status, page) = (of(), TOO_MANY, AnswerPage::Nginx);
        pass(asked, "connections", Filter::InFlight(InFlightLimit { amount, of, status, page }));
    }
    let burst = asked.number("limit-burst-multiplier").and_then(|it| u64::try_from(it).ok());
    let burst = burst.filter(|it| *it > 0).unwrap_or(BURST);
    for (name, seconds) in [("limit-rps", 1), ("limit-rpm", 60)] {
        let Some(average) = count(asked, name) else { continue };
        let limit = RateLimit {
            average,
            period: Duration::from_secs(seconds),
            // The one that fills the bucket is let in too.
            burst: average.saturating_mul(burst).saturating_add(1),
            of: of(),
            redis: None,
            status: TOO_MANY,
            page: AnswerPage::Nginx,
        };
        pass(asked, name, Filter::RateLimit(Box::new(limit)));
    }
}

fn of() -> Counted {
    Counted::Client(ClientSource::default())
}

/// A count above 0; what is none closes the routes.
fn count(asked: &mut Asked<'_, '_>, name: &str) -> Option<u64> {
    let read = asked.written(name)?.parse::<i64>();
    if read.is_err() {
        asked.close(name, "write a whole number");
    }
    u64::try_from(read.ok()?).ok().filter(|it| *it > 0)
}

fn pass(asked: &mut Asked<'_, '_>, name: &str, filter: Filter) {
    asked.reading.passes.push(OwnFilter::new(PassPhase::Limit, name, filter));
}
