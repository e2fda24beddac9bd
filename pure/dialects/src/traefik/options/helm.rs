//! What Helm's values for Traefik (a k3s HelmChartConfig, or a HelmChart) ask for, as far as it is
//! static options: said by `check`, and nothing more. The chart is not installed by this program.
//!
//! Values of the chart have names of their own; those that come to static options are translated
//! by the rows below, and `additionalArguments` are such options already.

use std::borrow::Cow;
use std::ops::Range;

use steelyard_manifest::{ReadLimits, Setting, Source, settings};
use steelyard_model::discretion::shown_value;
use steelyard_model::{FieldPath, Item, Location, Severity};

use super::{Judged, chart, judge};
use crate::findings::Findings;
use crate::{LowerOptions, codes};

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

/// An option that a value comes to.
struct AskedOption {
    name: String,
    value: String,
    /// Where the value is, in the values.
    at: Location,
}

/// Says what comes of the values; there is no object in it.
pub(crate) fn lower(findings: &mut Findings<'_>, options: &LowerOptions) -> Option<Item> {
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
            if let Some(at) = &fault.location {
                findings.part(&text, bytes_at(&text, at));
            }
            return None;
        }
    };
    for (value, said) in values.iter().filter_map(|value| Some((value, chart::unknown(value)?))) {
        let (message, help) = said;
        findings.say(Severity::Warning, codes::STATIC_OPTION, &path, message, help);
        findings.part(&text, bytes_at(&text, &value.location));
    }
    let mut asked: Vec<AskedOption> = values.iter().flat_map(asked).collect();
    asked.extend(addresses(&values));
    let taken = judged(&asked, &text, findings, options);
    let flags: Vec<String> =
        taken.iter().map(|it| format!("--{}={}", it.name, shown(&it.name, &it.value))).collect();
    if !flags.is_empty() {
        let message = format!("these values come to {}", flags.join(" "));
        let help = "start the gateway with these options to have the same";
        findings.say(Severity::Info, codes::STATIC_OPTION, &path, message, help);
    }
    None
}

/// Says what is not honoured, or wrong; the options that may be written so.
fn judged<'a>(
    asked: &'a [AskedOption],
    text: &str,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) -> Vec<&'a AskedOption> {
    let path = FieldPath::from(VALUES);
    let pair = |it: &AskedOption| (it.name.clone(), it.value.clone());
    let mut pairs: Vec<(String, String)> = asked.iter().map(pair).collect();
    // Those that the chart has by itself.
    pairs.extend(chart::ENTRY_POINTS.iter().filter_map(|(name, address)| {
        let name = format!("entrypoints.{name}.address");
        let is_there = asked.iter().any(|it| it.name == name);
        (!is_there).then(|| (name, (*address).to_owned()))
    }));
    let wrong = (options.judge_options)(&pairs);
    let mut taken = Vec::new();
    for (index, one) in asked.iter().enumerate() {
        let beside = || wrong.iter().find(|(at, _)| *at == index).map(|(_, why)| why.clone());
        let (severity, message) = match (judge(&one.name, &one.value), beside()) {
            (Judged::Compared(why) | Judged::Wrong(why), _) | (_, Some(why)) => {
                (Severity::Error, why)
            }
            (Judged::Idle(so), None) => (Severity::Warning, so),
            (Judged::Fine, None) => {
                taken.push(one);
                continue;
            }
        };
        let help = "the options that there are: docs/traefik-options.md";
        findings.say(severity, codes::STATIC_OPTION, &path, message, help);
        findings.part(text, bytes_at(text, &one.at));
    }
    taken
}

/// The entry points that the chart makes of ports.
fn addresses(values: &[Setting]) -> Vec<AskedOption> {
    let of_port = |setting: &Setting| {
        let name = setting.name.to_ascii_lowercase();
        let port = name.strip_prefix("ports.")?.strip_suffix(".port")?.to_owned();
        (!port.is_empty() && !port.contains('.')).then_some(port)
    };
    let ports = values.iter().filter_map(|setting| Some((of_port(setting)?, setting)));
    let address = |(name, setting): (String, &Setting)| {
        let protocol = format!("ports.{name}.protocol");
        let is_it = |it: &&Setting| it.name.eq_ignore_ascii_case(&protocol);
        let is_udp = |it: &Setting| it.value.eq_ignore_ascii_case("udp");
        let suffix = if values.iter().find(is_it).is_some_and(is_udp) { "/udp" } else { "" };
        AskedOption {
            name: format!("entrypoints.{name}.address"),
            value: format!(":{}{suffix}", setting.value),
            at: setting.location.clone(),
        }
    };
    ports.map(address).collect()
}

/// The bytes of what is written at a place of the values: to the end of the word.
fn bytes_at(text: &str, at: &Location) -> Range<usize> {
    let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let before = text.split_inclusive('\n').take(index(at.line)).map(str::len).sum::<usize>();
    let line = text.get(before..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let start = line.char_indices().nth(index(at.column)).map_or(line.len(), |(at, _)| at);
    let word = line[start..].trim_start_matches(['"', '\'']);
    let end = word.find([':', ' ', ',', '}', ']', '"']).unwrap_or(word.len());
    before + start..before + line.len() - word.len() + end
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
fn asked(value: &Setting) -> Vec<AskedOption> {
    let name = value.name.to_ascii_lowercase();
    for (from, to) in TRANSLATED {
        let Some((port, rest)) = below(&name, from) else { continue };
        if to == "=" {
            let whole = || vec![(value.value.clone(), value.location.clone())];
            let items = value.items.clone().unwrap_or_else(whole);
            return items.into_iter().filter_map(|(text, at)| argument(&text, at)).collect();
        }
        let own = rest.split('.').next().unwrap_or_default();
        // Whether something is switched on is said by what else is said of it, but where it is not.
        let is_own = OF_THE_CHART.contains(&own) || rest.ends_with(".enabled");
        let is_own = from.ends_with('.') && is_own;
        if to.is_empty() || is_own || value.value.is_empty() {
            return Vec::new();
        }
        let name = format!("{}{rest}", to.replacen('*', port, 1));
        return vec![AskedOption { name, value: value.value.clone(), at: value.location.clone() }];
    }
    Vec::new()
}

/// `--name=value`.
fn argument(text: &str, at: Location) -> Option<AskedOption> {
    let text = text.trim().strip_prefix("--")?;
    let (name, value) = text.split_once('=').unwrap_or((text, "true"));
    Some(AskedOption { name: name.to_ascii_lowercase(), value: value.to_owned(), at })
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
