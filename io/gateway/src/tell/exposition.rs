//! Counters of all cores, summed and written in the text format of Prometheus, under Traefik's
//! names.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::tell::metrics::{BUCKETS, Labels, Sample, Totals, code_text};

/// What is known of configurations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) total: u64,
    /// Seconds since 1970.
    pub(crate) last_success: u64,
}

/// Label names and values.
type Pairs<'l> = Vec<(&'static str, &'l str)>;

/// One of the three views on the same series.
struct Family {
    /// `entrypoint`, `router` or `service`.
    name: &'static str,
    /// Its label pairs, in order of their names; `None` when the series is not of this view.
    labels: fn(&Labels) -> Option<Pairs<'_>>,
}

const FAMILIES: [Family; 3] = [
    Family { name: "entrypoint", labels: entry_point_labels },
    Family { name: "router", labels: router_labels },
    Family { name: "service", labels: service_labels },
];

/// Everything a scrape gets.
pub(crate) fn render(samples: &[Sample], reloads: Reloads) -> String {
    let mut out = String::new();
    head(&mut out, "config_reloads_total", "counter", "Config reloads");
    line(&mut out, "config_reloads_total", "", reloads.total);
    head(&mut out, "config_last_reload_success", "gauge", "Last config reload success");
    line(&mut out, "config_last_reload_success", "", reloads.last_success);
    open_connections(&mut out, samples);
    for family in &FAMILIES {
        family.render(&mut out, samples);
    }
    retries(&mut out, samples);
    room(&mut out, samples);
    out
}

fn open_connections(out: &mut String, samples: &[Sample]) {
    let mut sums = BTreeMap::<&Arc<str>, i64>::new();
    for (entry_point, count) in samples.iter().flat_map(|sample| &sample.open) {
        *sums.entry(entry_point).or_default() += count;
    }
    head(out, "open_connections", "gauge", "Open connections, by entry point and protocol");
    for (entry_point, count) in sums {
        let labels = pairs(&[("entrypoint", entry_point), ("protocol", "TCP")]);
        line(out, "open_connections", &labels, count);
    }
}

fn retries(out: &mut String, samples: &[Sample]) {
    let mut sums = BTreeMap::<&Arc<str>, u64>::new();
    for (service, count) in samples.iter().flat_map(|sample| &sample.retries) {
        *sums.entry(service).or_default() += count;
    }
    head(out, "service_retries_total", "counter", "Attempts at another endpoint, by service");
    for (service, count) in sums {
        line(out, "service_retries_total", &pairs(&[("service", service)]), count);
    }
}

/// Traefik has no word for it.
fn room(out: &mut String, samples: &[Sample]) {
    let mut sums = BTreeMap::<String, u64>::new();
    for ((entry_point, awaited), count) in samples.iter().flat_map(|sample| &sample.room) {
        let labels = pairs(&[("awaited", awaited), ("entrypoint", entry_point)]);
        *sums.entry(labels).or_default() += count;
    }
    let name = "steelyard_connections_made_room_total";
    let help = "Connections ended because others needed their place, by what was awaited of them";
    let _ = writeln!(out, "# HELP {name} {help}.\n# TYPE {name} counter");
    for (labels, count) in sums {
        let _ = writeln!(out, "{name}{{{labels}}} {count}");
    }
}

impl Family {
    fn render(&self, out: &mut String, samples: &[Sample]) {
        let mut sums = BTreeMap::<String, Totals>::new();
        for (labels, totals) in samples.iter().flat_map(|sample| &sample.series) {
            if let Some(labels) = (self.labels)(labels) {
                sums.entry(pairs(&labels)).or_default().add(totals);
            }
        }
        self.counter(out, &sums, "requests_total", "Requests", |totals| totals.requests);
        self.durations(out, &sums);
        let bytes = "Bytes of request bodies";
        self.counter(out, &sums, "requests_bytes_total", bytes, |totals| totals.bytes_in);
        let bytes = "Bytes of response bodies";
        self.counter(out, &sums, "responses_bytes_total", bytes, |totals| totals.bytes_out);
    }

    fn counter(
        &self,
        out: &mut String,
        sums: &BTreeMap<String, Totals>,
        name: &str,
        help: &str,
        value: fn(&Totals) -> u64,
    ) {
        let name = format!("{}_{name}", self.name);
        head(out, &name, "counter", &format!("{help}, by {}", self.name));
        for (labels, totals) in sums {
            line(out, &name, labels, value(totals));
        }
    }

    fn durations(&self, out: &mut String, sums: &BTreeMap<String, Totals>) {
        let name = format!("{}_request_duration_seconds", self.name);
        head(out, &name, "histogram", &format!("Time to answer, by {}", self.name));
        for (labels, totals) in sums {
            let bucket = format!("{name}_bucket");
            let mut cumulative = 0;
            for (bound, count) in BUCKETS.iter().zip(totals.buckets) {
                cumulative += count;
                line(out, &bucket, &format!("{labels},le=\"{bound}\""), cumulative);
            }
            line(out, &bucket, &format!("{labels},le=\"+Inf\""), totals.requests);
            line(out, &format!("{name}_sum"), labels, totals.seconds);
            line(out, &format!("{name}_count"), labels, totals.requests);
        }
    }
}

fn entry_point_labels(labels: &Labels) -> Option<Pairs<'_>> {
    Some(with_request(labels, ("entrypoint", &labels.entry_point), None))
}

fn router_labels(labels: &Labels) -> Option<Pairs<'_>> {
    let service = labels.service.as_deref().unwrap_or_default();
    Some(with_request(labels, ("router", labels.router.as_deref()?), Some(("service", service))))
}

fn service_labels(labels: &Labels) -> Option<Pairs<'_>> {
    Some(with_request(labels, ("service", labels.service.as_deref()?), None))
}

/// Adds code, method and protocol; the code comes as text, since all values are.
fn with_request<'l>(
    labels: &'l Labels,
    own: (&'static str, &'l str),
    more: Option<(&'static str, &'l str)>,
) -> Pairs<'l> {
    let mut all = vec![
        ("code", code_text(labels.code)),
        ("method", labels.method),
        ("protocol", labels.protocol),
        own,
    ];
    all.extend(more);
    all.sort_unstable();
    all
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP traefik_{name} {help}.\n# TYPE traefik_{name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = if labels.is_empty() {
        writeln!(out, "traefik_{name} {value}")
    } else {
        writeln!(out, "traefik_{name}{{{labels}}} {value}")
    };
}

/// `a="b",c="d"`, with values escaped as the format wants it.
fn pairs(labels: &[(&'static str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in labels {
        let comma = if out.is_empty() { "" } else { "," };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{comma}{name}=\"{value}\"");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(router: Option<&str>, code: u16, requests: u64) -> Sample {
        let labels = Labels {
            entry_point: "web".into(),
            router: router.map(Into::into),
            service: router.map(|_| "s\"\\\n".into()),
            code,
            method: "GET",
            protocol: "http",
        };
        let buckets = [requests, 1, 0, 0];
        let totals =
            Totals { requests: requests + 2, buckets, seconds: 0.5, bytes_in: 3, bytes_out: 4 };
        Sample {
            series: vec![(labels, totals)],
            open: vec![("web".into(), 2)],
            retries: vec![("s".into(), 1)],
            room: vec![(("web".into(), "progress"), 1)],
        }
    }

    #[test]
    fn cores_are_summed_and_values_escaped() {
        let samples = [sample(Some("r"), 200, 5), sample(Some("r"), 200, 7), sample(None, 404, 1)];
        let text = render(&samples, Reloads { total: 2, last_success: 1_700_000_000 });
        for expected in [
            "traefik_config_reloads_total 2\n",
            "traefik_config_last_reload_success 1700000000\n",
            "traefik_open_connections{entrypoint=\"web\",protocol=\"TCP\"} 6\n",
            "# TYPE traefik_entrypoint_requests_total counter\n",
            "traefik_entrypoint_requests_total{code=\"200\",entrypoint=\"web\",method=\"GET\",protocol=\"http\"} 16\n",
            "traefik_entrypoint_requests_total{code=\"404\",entrypoint=\"web\",method=\"GET\",protocol=\"http\"} 3\n",
            "traefik_router_requests_total{code=\"200\",method=\"GET\",protocol=\"http\",router=\"r\",service=\"s\\\"\\\\\\n\"} 16\n",
            "traefik_service_responses_bytes_total{code=\"200\",method=\"GET\",protocol=\"http\",service=\"s\\\"\\\\\\n\"} 8\n",
            "le=\"0.1\"} 12\n",
            "le=\"0.3\"} 14\n",
            "le=\"5\"} 14\n",
            "le=\"+Inf\"} 16\n",
            "traefik_service_retries_total{service=\"s\"} 3\n",
            "steelyard_connections_made_room_total{awaited=\"progress\",entrypoint=\"web\"} 3\n",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
        assert!(!text.contains("router=\"\""));
    }
}
