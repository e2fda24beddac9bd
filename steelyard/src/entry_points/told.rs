//! What is told of requests: the access log, metrics, traces.

use std::collections::BTreeMap;
use std::sync::Arc;

use steelyard_gateway::{AccessLog, HeaderLabel, MetricViews, NginxMetrics};
use steelyard_metrics::BucketBounds;
use steelyard_model::routing::observability::Observability;

use super::names::{BUCKETS, HEADER_LABELS, SERVICE_NAME, TRACED_TO};
use super::{StaticOptions, access_log, nginx};

/// What is traced, and for whom.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// URL of the collector.
    pub endpoint: String,
    /// What it knows this by.
    pub service_name: String,
    /// The share of requests that are traced, 0 to 1.
    pub sample_rate: f64,
    /// More that it is told of this.
    pub resource: BTreeMap<String, String>,
    /// Header lines for it.
    pub headers: BTreeMap<String, String>,
    /// Attributes of every span.
    pub attributes: BTreeMap<String, String>,
    /// Parameters of queries whose values it is told.
    pub safe_query: Vec<String>,
    /// Lines of requests and of responses that it is told, names in lower case.
    pub lines: [Vec<Box<str>>; 2],
}

impl StaticOptions {
    /// Whether logs are written as JSON, if that is said.
    pub(crate) fn logs_json(&self) -> Option<bool> {
        Some(self.values.get("log.format")?.eq_ignore_ascii_case("json"))
    }

    /// What is logged, if that is said: in our words.
    pub(crate) fn log_level(&self) -> Option<&'static str> {
        Some(match self.values.get("log.level")?.to_ascii_lowercase().as_str() {
            "trace" => "trace",
            "debug" => "debug",
            "info" => "info",
            "warn" => "warn",
            // Nothing is worse here.
            _ => "error",
        })
    }

    /// Where traces go, and what of; none: nothing is traced.
    pub fn tracing(&self) -> Option<TraceSettings> {
        let all = |prefix: &str| {
            let named = self.named(prefix);
            named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let rate = self.values.get("tracing.samplerate").map(|rate| rate.parse());
        let name = self.values.get("tracing.servicename").map_or(SERVICE_NAME, String::as_str);
        Some(TraceSettings {
            endpoint: self.values.get(TRACED_TO)?.clone(),
            service_name: name.to_owned(),
            sample_rate: rate.map_or(1.0, |rate| rate.expect("checked when it was taken")),
            resource: all("tracing.resourceattributes."),
            headers: all("tracing.otlp.http.headers."),
            attributes: all("tracing.globalattributes."),
            safe_query: self
                .names("tracing.safequeryparams")
                .iter()
                .map(|it| (**it).into())
                .collect(),
            lines: ["request", "response"].map(|of| {
                let names = self.names(&format!("tracing.captured{of}headers"));
                names.iter().map(|name| name.to_ascii_lowercase().into()).collect()
            }),
        })
    }

    /// How requests are logged, if they are.
    pub fn access_log(&self) -> Option<AccessLog> {
        let is_named = self.values.keys().any(|name| name.starts_with("accesslog."));
        let is_wanted = self.values.get("accesslog").map_or(is_named, |value| value == "true");
        is_wanted.then(|| access_log::chosen(&self.values))
    }

    /// What is told of requests to services of the program's own (`addInternals`).
    pub fn internals(&self) -> Observability {
        let is_told = |of: &str| Some(self.is_on(&format!("{of}.addinternals")));
        Observability {
            access_logs: is_told("accesslog"),
            metrics: is_told("metrics"),
            tracing: is_told("tracing"),
            detailed: None,
        }
    }

    /// Which series of requests are told.
    pub fn views(&self) -> MetricViews {
        let is_told = |of: &str| {
            self.values
                .get(&format!("metrics.prometheus.add{of}labels"))
                .is_none_or(|it| it == "true")
        };
        let (entry_points, routers) = (is_told("entrypoints"), is_told("routers"));
        MetricViews { entry_points, routers, services: is_told("services") }
    }

    /// What counts of requests are told apart by, besides.
    pub fn header_labels(&self) -> Arc<[HeaderLabel]> {
        let all = self.named(HEADER_LABELS);
        all.map(|(label, header)| HeaderLabel { label: label.into(), header: header.into() })
            .collect()
    }

    /// What is told of requests under ingress-nginx's names.
    pub fn nginx_metrics(&self) -> NginxMetrics {
        nginx::metrics(&self.values)
    }

    /// The buckets that durations are counted in.
    pub fn buckets(&self) -> BucketBounds {
        let chosen = self.values.get(BUCKETS).map(|list| BucketBounds::parse(list));
        chosen.map_or_else(BucketBounds::default, |it| it.expect("checked when it was taken"))
    }
}
