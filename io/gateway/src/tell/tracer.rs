//! Which requests are traced, and what is told of them: the gateway's part of a distributed trace
//! (W3C Trace Context). Who sends the parts away is handed in, and never waited for.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use steelyard_http::{LineEdits, SpanSink, TraceParent};
use steelyard_model::routing::filter::{Filter, Rewrite};
use steelyard_model::routing::id::FilterId;

use crate::options::{HeaderLabel, LogFields, Shown, Tracing};
use crate::tell::headed::Headed;

/// A request that is traced, on its way.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) parent: Option<TraceParent>,
    pub(crate) trace: u128,
    pub(crate) span: u64,
    /// Of the part that endpoints see.
    pub(crate) attempt: u64,
    /// What it goes through is told too.
    pub(crate) is_detailed: bool,
    /// What it went through, as far as that takes time.
    pub(crate) passed: Passed,
}

/// The filters that a request came to, from outside in, and when; and when it was inside of all.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(crate) filters: Vec<(FilterId, Instant)>,
    pub(crate) inside: Option<Instant>,
}

/// Which lines of requests' heads somebody is told of.
#[derive(Clone, Copy)]
pub(crate) struct WantedLines<'w> {
    log: Option<&'w LogFields>,
    traced: &'w [Box<str>],
    counted: &'w [HeaderLabel],
}

impl<'w> WantedLines<'w> {
    /// Those that the log shows, that counts are told apart by, and of a request that is traced
    /// those that a trace does (its `tracer`); none where nobody is told of any.
    pub(crate) fn of(
        log: Option<&'w LogFields>,
        tracer: Option<&'w Tracer>,
        headed: Option<&'w Headed>,
    ) -> Option<Self> {
        let traced = tracer.map_or(&[][..], |it| &it.lines[0]);
        let counted = headed.map_or(&[][..], |it| &it.labels);
        let is_any = log.is_some() || !traced.is_empty() || !counted.is_empty();
        is_any.then_some(Self { log, traced, counted })
    }

    /// Whether lines of this name are among them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.log.is_some_and(|log| log.of_header(name) != Shown::Drop)
            || is_among(name, self.traced)
            || self.counted.iter().any(|it| it.header.eq_ignore_ascii_case(name))
    }
}

/// Whether a name, in whatever case, is one of these.
fn is_among(name: &str, all: &[Box<str>]) -> bool {
    all.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// Lines of these names as attributes of a span: `http.request.header.NAME`.
pub(crate) fn captured<'l>(
    of: &str,
    names: &[Box<str>],
    lines: impl Iterator<Item = (&'l [u8], &'l [u8])> + Clone,
) -> Vec<(String, Vec<String>)> {
    let values = |name: &str| -> Vec<String> {
        let own = lines.clone().filter(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
        own.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    };
    let all = names.iter().map(|name| (format!("http.{of}.header.{name}"), values(name)));
    all.filter(|(_, values)| !values.is_empty()).collect()
}

/// One core's choice of requests.
pub(crate) struct Tracer {
    pub(crate) sink: Arc<dyn SpanSink>,
    /// Lines of requests and of responses that are told of.
    pub(crate) lines: [Vec<Box<str>>; 2],
    /// Of all 64-bit numbers those below it are chosen.
    below: f64,
    /// A keyed hash of a counter is as good as chance, and nobody outside can foresee it.
    keys: RandomState,
    count: Cell<u64>,
}

impl Tracer {
    pub(crate) fn new(tracing: &Tracing) -> Self {
        let (keys, count) = (RandomState::new(), Cell::new(0));
        let below = tracing.sample_rate * 2_f64.powi(64);
        let lines = [tracing.request_lines.clone(), tracing.response_lines.clone()];
        Self { sink: tracing.sink.clone(), lines, below, keys, count }
    }

    /// Whether a request with this `traceparent` line is traced, and as what.
    pub(crate) fn begin(&self, line: Option<&[u8]>) -> Option<Box<Traced>> {
        let parent = line.and_then(TraceParent::parse);
        let is_chosen = match &parent {
            Some(parent) => parent.is_sampled,
            None => self.is_chosen(),
        };
        is_chosen.then(|| {
            let fresh = || (u128::from(self.number()) << 64) | u128::from(self.number());
            let trace = parent.map_or_else(fresh, |parent| parent.trace);
            let (is_detailed, passed) = Default::default();
            let (span, attempt) = (self.number(), self.number());
            Box::new(Traced { parent, trace, span, attempt, is_detailed, passed })
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of requests needs no more than that")]
    fn is_chosen(&self) -> bool {
        self.below > 0.0 && (self.number() as f64) < self.below
    }

    /// Never zero, which stands for none.
    pub(crate) fn number(&self) -> u64 {
        self.count.set(self.count.get().wrapping_add(1));
        self.keys.hash_one(self.count.get()).max(1)
    }
}

impl Traced {
    /// What endpoints are told instead of what the client said. What others wrote beside a line
    /// that means nothing means nothing either (Trace Context §4.3).
    pub(crate) fn tell(&self, lines: &mut LineEdits) {
        let (trace, span) = (self.trace, self.attempt);
        let parent = TraceParent { trace, span, is_sampled: true }.to_string();
        lines.set("traceparent", parent.as_bytes()).expect("it may stand in a line");
        if self.parent.is_none() {
            lines.remove("tracestate").expect("it is a name");
        }
    }
}

/// What a part of a trace is called that is a filter's: as Traefik calls it, where it has one.
pub(crate) fn part_of(filter: &Filter) -> &'static str {
    match filter {
        Filter::RedirectScheme(_) => "RedirectScheme",
        Filter::RedirectRegex(_) => "RedirectRegex",
        Filter::Rewrite(Rewrite::AddPrefix(_)) => "AddPrefix",
        Filter::Rewrite(Rewrite::StripPrefix(_)) => "StripPrefix",
        Filter::Rewrite(Rewrite::StripExpression(_)) => "StripPrefixRegex",
        Filter::Rewrite(Rewrite::Replace(_)) => "ReplacePath",
        Filter::Rewrite(Rewrite::Expression(..)) => "ReplacePathRegex",
        Filter::EncodedCharacters(_) => "EncodedCharacters",
        Filter::AllowAddresses(_) => "IPAllowLister",
        Filter::BasicAuth(_) => "BasicAuth",
        Filter::DigestAuth(_) => "DigestAuth",
        Filter::ForwardAuth(_) => "ForwardAuth",
        Filter::ClientCertificate(_) => "PassClientTLSCert",
        Filter::Headers(_) => "Headers",
        Filter::RateLimit(_) => "RateLimiterType",
        Filter::InFlight(_) => "InFlightReq",
        Filter::Buffers(_) => "Buffer",
        Filter::CircuitBreaker(_) => "CircuitBreaker",
        Filter::Retry(_) => "Retry",
        Filter::ErrorPages(_) => "CustomError",
        Filter::Compress(_) => "Compress",
        Filter::ContentType => "ContentType",
        Filter::GrpcWeb(_) => "GRPCWeb",
        other => other.kind(),
    }
}

#[cfg(test)]
mod tests {
    use steelyard_http::{RequestSpan, SpanCounts};

    use super::*;

    struct Nowhere;

    impl SpanSink for Nowhere {
        fn take(&self, _: RequestSpan) {}

        fn counts(&self) -> SpanCounts {
            SpanCounts::default()
        }
    }

    fn tracer(sample_rate: f64) -> Tracer {
        let (request_lines, response_lines) = Default::default();
        let sink = Arc::new(Nowhere);
        Tracer::new(&Tracing { sink, sample_rate, request_lines, response_lines })
    }

    fn line(flags: &str) -> String {
        format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}")
    }

    #[test]
    fn a_share_of_requests_is_traced() {
        for (rate, least, most) in [(0.0, 0, 0), (0.5, 400, 600), (1.0, 1000, 1000)] {
            let tracer = tracer(rate);
            let traced = (0..1000).filter(|_| tracer.begin(None).is_some()).count();
            assert!((least..=most).contains(&traced), "{traced} at {rate}");
        }
    }

    #[test]
    fn whoever_began_a_trace_has_decided() {
        for rate in [0.0, 1.0] {
            let tracer = tracer(rate);
            let traced = tracer.begin(Some(line("01").as_bytes())).expect("it is recorded");
            assert_eq!(traced.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
            assert_eq!(traced.parent.map(|parent| parent.span), Some(0x00f0_67aa_0ba9_02b7));
            assert!(tracer.begin(Some(line("00").as_bytes())).is_none());
        }
        assert!(tracer(1.0).begin(Some(b"nonsense")).expect("a new one").parent.is_none());
    }

    #[test]
    fn no_two_parts_are_one() {
        let tracer = tracer(1.0);
        let all: Vec<_> = (0..100).filter_map(|_| tracer.begin(None)).collect();
        let parts = all.iter().flat_map(|it| [it.span, it.attempt]);
        let parts: std::collections::BTreeSet<u64> = parts.collect();
        assert_eq!(parts.len(), 200);
        assert!(!parts.contains(&0));
        let traces: std::collections::BTreeSet<u128> = all.iter().map(|it| it.trace).collect();
        assert_eq!(traces.len(), 100);
    }
}
