//! What of the program itself is shown on entry points: Traefik's `api`, `ping` and
//! `metrics.prometheus`.
//!
//! Nothing is, unless it is asked for; and what is asked for without saying so is on the entry
//! point `traefik`, which nobody else's routes are on.

use std::sync::Arc;

use serde_json::{Map, Value};
use steelyard_dialects::traefik::options::{self, Form};
use steelyard_exhibit::Features;
use steelyard_model::routing::backend::Internal;
use steelyard_model::routing::entry_point::{OWN, PLAIN, SECURE};
use steelyard_model::routing::exposure::{ExposedRoute, Exposure};

use super::{OptionMistake, StaticOptions};

const API: &str = "api";
const INSECURE: &str = "api.insecure";
const DASHBOARD: &str = "api.dashboard";
const BASE: &str = "api.basepath";
const PING: &str = "ping";
const PROMETHEUS: &str = "metrics.prometheus";
const TERMINATING: &str = "ping.terminatingstatuscode";

/// What Traefik answers to a ping while it ends.
const UNAVAILABLE: u16 = 503;

impl StaticOptions {
    /// Which services of the program itself there are, and where.
    pub fn exposure(&self) -> Exposure {
        let mut all = Exposure::default();
        if self.is_asked(API) {
            all.services.insert(Internal::Api);
            all.services.extend(self.has_dashboard().then_some(Internal::Dashboard));
            if self.is_on(INSECURE) {
                let base = self.api_base();
                let prefix = format!("{base}/api").into();
                all.routes.push(route("api", OWN, prefix, Internal::Api, i64::MAX - 1));
                if self.has_dashboard() {
                    let any = if base.is_empty() { "/".into() } else { base };
                    let number = i64::MAX - 2;
                    all.routes.push(route("dashboard", OWN, any, Internal::Dashboard, number));
                }
            }
        }
        for (of, name, prefix, service) in [
            (PING, "ping", "/ping", Internal::Ping),
            (PROMETHEUS, "prometheus", "/metrics", Internal::Prometheus),
        ] {
            if self.is_asked(of) {
                all.services.insert(service);
                if !self.is_on(&format!("{of}.manualrouting")) {
                    let point = self.place_of(of);
                    all.routes.push(route(name, &point, prefix.into(), service, i64::MAX));
                }
            }
        }
        all
    }

    /// What paths of the API begin with; empty, or with a slash at its begin and none at its end.
    pub fn api_base(&self) -> Arc<str> {
        let base = self.values.get(BASE).map_or("", String::as_str).trim_matches('/');
        if base.is_empty() { "".into() } else { format!("/{base}").into() }
    }

    /// What a ping is answered while this ends.
    pub fn terminating_status(&self) -> u16 {
        let said = self.values.get(TERMINATING).and_then(|it| it.parse().ok());
        said.unwrap_or(UNAVAILABLE)
    }

    /// Entry points as they are set, in the shape of Traefik's files, each with its `name`.
    pub fn shown_entry_points(&self) -> Vec<Value> {
        let points = self.entry_points((PLAIN.port, SECURE.port));
        let shown = points.iter().map(|point| {
            let name = point.id.as_str();
            let mut shown = Map::new();
            let of = format!("entrypoints.{name}.");
            for (option, value) in self.values.iter().filter(|(it, _)| it.starts_with(&of)) {
                if let Some(row) = options::find(option) {
                    let path: Vec<&str> = row.name.split('.').skip(2).collect();
                    put(&mut shown, &path, typed(row.form, value));
                }
            }
            let address = format!(":{}", point.port);
            shown.entry("address").or_insert_with(|| address.into());
            shown.insert("name".into(), name.into());
            Value::Object(shown)
        });
        shown.collect()
    }

    /// What is switched on, as Traefik's API tells it.
    pub fn features(&self) -> Features {
        let is_exposed = self.is_asked(PROMETHEUS);
        let mut providers = vec!["KubernetesIngress".to_owned(), "KubernetesCRD".to_owned()];
        providers.extend((!self.dynamic_files().is_empty()).then(|| "File".to_owned()));
        Features {
            tracing: if self.tracing().is_some() { "OTLP" } else { "" }.to_owned(),
            metrics: if is_exposed { "Prometheus" } else { "" }.to_owned(),
            access_log: self.access_log().is_some(),
            providers,
        }
    }

    /// Whether something is to be on the entry point of the program's own services.
    pub(super) fn needs_own(&self) -> bool {
        self.is_asked(API) && self.is_on(INSECURE)
            || [PING, PROMETHEUS].iter().any(|of| self.is_asked(of) && self.place_of(of) == OWN)
    }

    /// What is shown is shown where there is something, below what is a path.
    pub(super) fn check_exposure(&self) -> Vec<OptionMistake> {
        let mut wrong = Vec::new();
        for of in [PING, PROMETHEUS].into_iter().filter(|of| self.is_asked(of)) {
            let (point, option) = (self.place_of(of), format!("{of}.entrypoint"));
            if !self.is_entry_point(&point) {
                let why = format!("there is no entry point {point:?}; {}", self.making(&point));
                wrong.push(self.said_of(&option, &why));
            }
        }
        if !(100..=599).contains(&self.terminating_status()) {
            wrong.push(self.said_of(TERMINATING, "it wants a status, 100 to 599"));
        }
        if self.values.get(BASE).is_some_and(|base| !is_base(base)) {
            wrong.push(self.said_of(BASE, "it wants a path as requests have it, such as /traefik"));
        }
        wrong
    }

    fn has_dashboard(&self) -> bool {
        self.values.get(DASHBOARD).is_none_or(|value| value == "true")
    }

    /// Whether it is asked for, itself or by what is said of it.
    fn is_asked(&self, of: &str) -> bool {
        let says = |name: &String| match name.strip_prefix(of).and_then(|it| it.strip_prefix('.')) {
            // What else is said of metrics is said of those of the admin interface, too.
            Some(below) if of == PROMETHEUS => matches!(below, "entrypoint" | "manualrouting"),
            below => below.is_some(),
        };
        let said = self.values.get(of);
        said.map_or_else(|| self.values.keys().any(says), |value| value == "true")
    }

    fn place_of(&self, of: &str) -> String {
        let said = self.values.get(&format!("{of}.entrypoint"));
        said.map_or_else(|| OWN.to_owned(), |name| name.to_ascii_lowercase())
    }
}

/// Whether paths may begin so: one of elements that stay as they are, from a slash on.
fn is_base(base: &str) -> bool {
    let Some(rest) = base.strip_prefix('/') else { return base.is_empty() };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte);
    let is_element = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_plain);
    rest.is_empty() || rest.strip_suffix('/').unwrap_or(rest).split('/').all(is_element)
}

/// Puts a value where it belongs in an object of objects.
fn put(all: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => {
            // What is there because something is below it says no more than that.
            let slot = all.entry(*last).or_insert(Value::Null);
            if !slot.is_object() {
                *slot = value;
            }
        }
        [first, rest @ ..] => {
            let slot = all.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            if let Value::Object(inner) = slot {
                put(inner, rest, value);
            }
        }
    }
}

/// A value as its option has it.
fn typed(form: Form, text: &str) -> Value {
    let number = || text.parse::<i64>().map_or_else(|_| text.into(), Value::from);
    match form {
        Form::Switch | Form::Below => (text == "true").into(),
        Form::Number => number(),
        Form::List => text.split(',').map(|it| Value::from(it.trim())).collect(),
        Form::Time | Form::Word(_) | Form::Text => text.into(),
    }
}

fn route(
    name: &str,
    entry_point: &str,
    prefix: Arc<str>,
    service: Internal,
    number: i64,
) -> ExposedRoute {
    ExposedRoute { name: name.into(), entry_point: entry_point.into(), prefix, service, number }
}
