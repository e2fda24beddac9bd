//! `proxy-*`, `limit-rate`, `service-upstream`: how requests go on to backends, and answers back.

use std::sync::Arc;
use std::time::Duration;

use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::limit::RetryRule;
use steelyard_model::routing::filter::nginx::{NginxCookies, NginxLocation, NginxPace, NginxStep};
use steelyard_model::routing::times::RouteTimeouts;
use steelyard_model::{OwnFilter, PassPhase};

use super::{Asked, value};

/// Of limits of bandwidth, in bytes.
const UNIT: u64 = 1024;
/// What endpoints may be said to speak.
const PROTOCOLS: [&str; 6] = ["auto_http", "fcgi", "grpc", "grpcs", "http", "https"];
/// Attempts where none are said, and where any are.
const ATTEMPTS: (i64, u32) = (3, 10);
/// Bytes of a body that are kept to be sent again.
const KEPT: u64 = 1 << 20;

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let help = "write bytes, or a number with k, m or g behind it";
    if let Some(most) = asked.value("proxy-body-size", value::size, help) {
        asked.pass(PassPhase::Before, "body", body(most), None);
    }
    timeouts(asked);
    again(asked);
    cookies(asked);
    location(asked);
    if asked.written("limit-rate") == Some("0") {
        asked.without("pace");
    }
    if let Some(rate) = asked.number_above_0("limit-rate") {
        let after = asked.number_above_0("limit-rate-after").unwrap_or_default();
        asked.pass(PassPhase::Before, "pace", pace(rate, after), None);
    }
    if let Some(asks) = asked.boolean("service-upstream") {
        asked.own().asks_services = Some(asks);
    }
    let word =
        |text: &str| PROTOCOLS.iter().any(|it| it.eq_ignore_ascii_case(text.trim())).then_some(());
    let _ = asked.value("backend-protocol", word, "write HTTP, HTTPS, GRPC, GRPCS or AUTO_HTTP");
    if asked.written("backend-protocol").is_some_and(|it| it.eq_ignore_ascii_case("auto_http")) {
        asked.own().speaks_as_asked = true;
    }
}

/// Bodies of at most so many bytes; 0 is any.
pub(crate) fn body(most: u64) -> NginxStep {
    NginxStep::Body(if most == 0 { u64::MAX } else { most })
}

/// So many KiB a second, once so many have gone on.
pub(crate) fn pace(rate: u64, after: u64) -> NginxStep {
    let bytes = |it: u64| it.saturating_mul(UNIT);
    NginxStep::Pace(NginxPace { rate: bytes(rate), after: bytes(after) })
}

fn timeouts(asked: &mut Asked<'_, '_>) {
    let mut read = |name: &str| asked.number_above_0(name).map(Duration::from_secs);
    let [connect, idle_send, idle_read] =
        ["proxy-connect-timeout", "proxy-send-timeout", "proxy-read-timeout"].map(&mut read);
    let said = RouteTimeouts { connect, idle_read, idle_send, ..RouteTimeouts::default() };
    if said != RouteTimeouts::default() {
        asked.own().timeouts = said;
    }
}

/// Endpoints that take no connection are passed over in any case. A request that one has got is
/// sent to another as it is asked for here; where nothing is said the gateway's own rule holds.
fn again(asked: &mut Asked<'_, '_>) {
    let help = "write error, timeout, http_502 and the like, non_idempotent, or off";
    let Some(words) = asked.value("proxy-next-upstream", value::next_upstream, help) else {
        return;
    };
    asked.without("next-upstream");
    let tries = asked.number("proxy-next-upstream-tries").unwrap_or(ATTEMPTS.0);
    let timeout = asked.number_above_0("proxy-next-upstream-timeout").map(Duration::from_secs);
    asked.reading.passes.push(next_upstream(&words, tries, timeout));
}

/// What asks again, or sees to it that nobody does.
pub(crate) fn next_upstream(
    words: &value::NextUpstream,
    tries: i64,
    timeout: Option<Duration>,
) -> OwnFilter {
    let attempts = match u32::try_from(tries) {
        _ if words.is_off => 1,
        Ok(0) | Err(_) => ATTEMPTS.1,
        Ok(tries) => tries.min(ATTEMPTS.1),
    };
    let rule = RetryRule {
        attempts,
        timeout,
        interval: None,
        max_body: Some(KEPT),
        statuses: words.statuses.iter().map(|it| (*it, *it)).collect(),
        is_by_status_alone: !words.after_faults,
        is_for_all_methods: words.for_all_methods,
    };
    OwnFilter::new(PassPhase::Content, "next-upstream", Filter::Retry(rule))
}

fn cookies(asked: &mut Asked<'_, '_>) {
    for (name, pass, step) in COOKIES {
        let Some(read) = asked.value(name, step, COOKIES_HELP) else { continue };
        match read {
            Some(step) => asked.pass(PassPhase::Content, pass, step, None),
            None => asked.without(pass),
        }
    }
}

/// What changes cookies of backends: who says it, by which name it is passed, and how it is read.
pub(crate) const COOKIES: [(&str, &str, ReadStep); 2] = [
    ("proxy-cookie-domain", "cookie-domain", |text| {
        pair(text, |it| value::basic(it, ""), |domain| NginxCookies { domain, path: None })
    }),
    ("proxy-cookie-path", "cookie-path", |text| {
        pair(text, value::location, |path| NginxCookies { domain: None, path })
    }),
];

pub(crate) const COOKIES_HELP: &str = "write what is there, a blank, and what it becomes; or off";

/// Reads a value; none is one that is no value, and a step that is none is `off`.
type ReadStep = fn(&str) -> Option<Option<NginxStep>>;
type Pair = Option<(Arc<str>, Arc<str>)>;

fn pair(
    text: &str,
    read: impl Fn(&str) -> Option<&str>,
    cookies: impl FnOnce(Pair) -> NginxCookies,
) -> Option<Option<NginxStep>> {
    match value::pair(text) {
        Some((from, to)) => {
            let pair = (read(from)?.into(), read(to)?.into());
            Some(Some(NginxStep::Cookies(cookies(Some(pair)))))
        }
        None => (text == "off").then_some(None),
    }
}

fn location(asked: &mut Asked<'_, '_>) {
    let help = "write the begin of an URL, or off";
    let mut read = |name: &str| asked.value(name, value::location, help);
    let (from, to) = (read("proxy-redirect-from"), read("proxy-redirect-to"));
    match (from, to) {
        (Some(from), Some(to)) => match led(from, to) {
            Some(step) => asked.pass(PassPhase::Content, "location", step, None),
            None => asked.without("location"),
        },
        (Some("off"), _) => asked.without("location"),
        _ => {}
    }
}

/// What changes where answers lead; none where nothing is to be changed.
pub(crate) fn led(from: &str, to: &str) -> Option<NginxStep> {
    let is_word = |text: &str| matches!(text, "off" | "default");
    let is_led = !is_word(from) && !is_word(to);
    let location = || NginxLocation { from: from.into(), to: to.into(), is_relative: false };
    is_led.then(|| NginxStep::Location(location()))
}
