//! What Helm's values for Traefik (a k3s HelmChartConfig, or a HelmChart) ask for, as far as it is
//! static options: said by `check`, and nothing more. The chart is not installed by this program.
//!
//! Values of the chart have names of their own; those that come to static options are translated
//! by the rows below, and `additionalArguments` are such options already.

use std::borrow::Cow;

use steelyard_manifest::{ReadLimits, Setting, Source, settings};
use steelyard_model::discretion::shown_value;
use steelyard_model::{FieldPath, Item, Severity};

use super::{Judged, judge};
use crate::codes;
use crate::findings::Findings;

/// Where the values are.
const VALUES: &str = "spec.valuesContent";

/// Values of the chart and the options that they come to; `*` is the name of a port.
const TRANSLATED: [(&str, &str); 39] = [
    ("ports.*.forwardedheaders.", "entrypoints.*.forwardedheaders."),
    ("ports.*.proxyprotocol.", "entrypoints.*.proxyprotocol."),
    ("ports.*.transport.", "entrypoints.*.transport."),
    ("ports.*.http.tls.enabled", "entrypoints.*.http.tls"),
    ("ports.*.http.", "entrypoints.*.http."),
    ("ports.*.http2.", "entrypoints.*.http2."),
    ("ports.*.observability.", "entrypoints.*.observability."),
    ("ports.*.allowacmebypass", "entrypoints.*.allowacmebypass"),
    ("ports.*.http3.enabled", "entrypoints.*.http3"),
    ("ports.*.http3.advertisedport", "entrypoints.*.http3.advertisedport"),
    ("ports.*.tls.enabled", "entrypoints.*.http.tls"),
    ("ports.*.tls.", "entrypoints.*.http.tls."),
    ("ports.*.middlewares", "entrypoints.*.http.middlewares"),
    ("ports.*.asdefault", "entrypoints.*.asdefault"),
    ("ports.*.redirections.entrypoint.", "entrypoints.*.http.redirections.entrypoint."),
    ("ports.*.redirectto.port", "entrypoints.*.http.redirections.entrypoint.to"),
    ("providers.kubernetescrd.", "providers.kubernetescrd."),
    ("providers.kubernetesingress.publishedservice.", ""),
    ("providers.kubernetesingress.", "providers.kubernetesingress."),
    ("providers.kubernetesingressnginx.", "providers.kubernetesingressnginx."),
    ("providers.kubernetesgateway.enabled", "providers.kubernetesgateway"),
    ("api.", "api."),
    ("certificatesresolvers.", "certificatesresolvers."),
    ("experimental.fastproxy.enabled", "experimental.fastproxy"),
    ("experimental.plugins.", "experimental.plugins."),
    ("global.checknewversion", "global.checknewversion"),
    ("global.notappendxforwardedfor", "global.notappendxforwardedfor"),
    ("global.sendanonymoususage", "global.sendanonymoususage"),
    ("hub.", "hub."),
    ("ocsp.", "ocsp."),
    ("tracing.", "tracing."),
    ("logs.access.enabled", "accesslog"),
    ("logs.access.", "accesslog."),
    ("logs.general.", "log."),
    ("metrics.prometheus.", "metrics.prometheus."),
    ("metrics.addinternals", "metrics.addinternals"),
    ("core.defaultrulesyntax", "core.defaultrulesyntax"),
    ("globalarguments", "="),
    ("additionalarguments", "="),
];

/// Values that are the chart's own business, below what is translated.
const OF_THE_CHART: [&str; 9] = [
    "enabled",
    "service",
    "servicemonitor",
    "prometheusrule",
    "disableapicheck",
    "file",
    "timezone",
    "generalfilepath",
    "experimentalchannel",
];

/// Says what comes of the values; there is no object in it.
pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: Chart = findings.read_lenient()?;
    let spec = raw.spec.unwrap_or_default();
    let is_traefik = findings.object().name.contains("traefik")
        || spec.chart.as_deref().is_some_and(|chart| chart.contains("traefik"));
    let text = spec.values_content.filter(|_| is_traefik)?;
    let source = Source::new("values", text.as_bytes());
    let path = FieldPath::from(VALUES);
    let values = match settings(&source, &ReadLimits::default()) {
        Ok(values) => values,
        Err(fault) => {
            let line = fault.location.as_ref().map_or(1, |at| at.line);
            let message = format!("line {line} of the values: {}", fault.message);
            findings.say(Severity::Error, codes::STATIC_OPTION, &path, message, &*fault.help);
            return None;
        }
    };
    let asked: Vec<(String, String)> = values.iter().flat_map(asked).collect();
    for (name, value) in &asked {
        let (severity, message) = match judge(name, value) {
            Judged::Fine => continue,
            Judged::Idle(so) => (Severity::Warning, so),
            Judged::Compared(why) | Judged::Wrong(why) => (Severity::Error, why),
        };
        let help = "the options that there are: docs/traefik-options.md";
        findings.say(severity, codes::STATIC_OPTION, &path, message, help);
    }
    let flags = asked.iter().filter(|(name, value)| judge(name, value) == Judged::Fine);
    let flags: Vec<String> =
        flags.map(|(name, value)| format!("--{name}={}", shown(name, value))).collect();
    if !flags.is_empty() {
        let message = format!("these values come to {}", flags.join(" "));
        let help = "start the gateway with these options to have the same";
        findings.say(Severity::Info, codes::STATIC_OPTION, &path, message, help);
    }
    None
}

/// A value, unless it may be a secret. What the log shows of headers is none, whatever they are
/// called.
fn shown<'v>(name: &str, value: &'v str) -> Cow<'v, str> {
    match name.starts_with("accesslog.fields.") {
        true => value.into(),
        false => shown_value(name, value),
    }
}

/// The options that a value comes to.
fn asked(value: &Setting) -> Vec<(String, String)> {
    let name = value.name.to_ascii_lowercase();
    for (from, to) in TRANSLATED {
        let Some((port, rest)) = below(&name, from) else { continue };
        if to == "=" {
            return value.value.split(',').filter_map(argument).collect();
        }
        let own = rest.split('.').next().unwrap_or_default();
        // Whether something is switched on is said by what else is said of it, but where it is not.
        let is_own = OF_THE_CHART.contains(&own) || rest.ends_with(".enabled");
        let is_own = from.ends_with('.') && is_own;
        if to.is_empty() || is_own || value.value.is_empty() {
            return Vec::new();
        }
        return vec![(format!("{}{rest}", to.replacen('*', port, 1)), value.value.clone())];
    }
    Vec::new()
}

/// `--name=value`.
fn argument(text: &str) -> Option<(String, String)> {
    let text = text.trim().strip_prefix("--")?;
    let (name, value) = text.split_once('=').unwrap_or((text, "true"));
    Some((name.to_ascii_lowercase(), value.to_owned()))
}

/// What `*` stands for, and what follows; none where it is another value.
fn below<'n>(name: &'n str, from: &str) -> Option<(&'n str, &'n str)> {
    let (port, rest) = match from.split_once("*.") {
        None => ("", name.strip_prefix(from)?),
        Some((before, after)) => {
            let (port, rest) = name.strip_prefix(before)?.split_once('.')?;
            (port, rest.strip_prefix(after)?)
        }
    };
    (from.ends_with('.') || rest.is_empty()).then_some((port, rest))
}

/// A HelmChart or HelmChartConfig.
#[derive(serde::Deserialize)]
struct Chart {
    spec: Option<ChartSpec>,
}

/// What is read of it.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ChartSpec {
    chart: Option<String>,
    values_content: Option<String>,
}
