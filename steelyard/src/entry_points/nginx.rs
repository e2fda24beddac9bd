//! Flags of ingress-nginx, behind `nginx.`: `--nginx.ingress-class=lb` is its `--ingress-class=lb`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use steelyard_dialects::host::is_name;
use steelyard_dialects::traefik::options::switched;
use steelyard_gateway::NginxMetrics;
use steelyard_metrics::{BadBounds, BucketBounds};
use steelyard_model::suggest::nearest;
use steelyard_model::{Labels, NamespacedName, NginxOptions};
use steelyard_statuses::StatusAddress;

use super::names::OF_NGINX;

/// What their names begin with here.
pub(super) const PREFIX: &str = "nginx.";

/// What a value is, of those that change something.
#[derive(Clone, Copy)]
enum Value {
    Text,
    Switch,
    /// `NAMESPACE/NAME`.
    Object,
    /// `key=value`, with commas between several.
    Labels,
    Port,
    /// One of this machine.
    Address,
    /// Addresses and names, with commas between.
    Points,
    Seconds,
    Path,
    /// Bounds that rise, with commas between.
    Bounds,
    /// Names, with commas between.
    Names,
}

const READ: [(&str, Value); 31] = [
    ("configmap", Value::Object),
    ("controller-class", Value::Text),
    ("default-backend-service", Value::Object),
    ("default-ssl-certificate", Value::Object),
    ("disable-catch-all", Value::Switch),
    ("disable-svc-external-name", Value::Switch),
    ("disable-sync-events", Value::Switch),
    ("enable-ssl-passthrough", Value::Switch),
    ("enable-topology-aware-routing", Value::Switch),
    ("exclude-socket-metrics", Value::Names),
    ("health-check-path", Value::Path),
    ("healthz-host", Value::Address),
    ("healthz-port", Value::Port),
    ("ingress-class", Value::Text),
    ("ingress-class-by-name", Value::Switch),
    ("length-buckets", Value::Bounds),
    ("metrics-per-host", Value::Switch),
    ("metrics-per-undefined-host", Value::Switch),
    ("publish-service", Value::Object),
    ("publish-status-address", Value::Points),
    ("report-node-internal-ip-address", Value::Switch),
    ("report-status-classes", Value::Switch),
    ("shutdown-grace-period", Value::Seconds),
    ("size-buckets", Value::Bounds),
    ("tcp-services-configmap", Value::Object),
    ("time-buckets", Value::Bounds),
    ("udp-services-configmap", Value::Object),
    ("update-status", Value::Switch),
    ("watch-ingress-without-class", Value::Switch),
    ("watch-namespace", Value::Text),
    ("watch-namespace-selector", Value::Labels),
];

/// Options of Traefik's provider of class nginx, and the flags that they are.
const PROVIDER: [(&str, &str); 10] = [
    ("controllerclass", "controller-class"),
    ("defaultbackendservice", "default-backend-service"),
    ("disablesvcexternalname", "disable-svc-external-name"),
    ("ingressclass", "ingress-class"),
    ("ingressclassbyname", "ingress-class-by-name"),
    ("publishservice", "publish-service"),
    ("publishstatusaddress", "publish-status-address"),
    ("watchingresswithoutclass", "watch-ingress-without-class"),
    ("watchnamespace", "watch-namespace"),
    ("watchnamespaceselector", "watch-namespace-selector"),
];

/// Other options of that provider, and the settings that they are.
const SETTINGS: [(&str, &str); 12] = [
    ("allowcrossnamespaceresources", "allow-cross-namespace-resources"),
    ("customhttperrors", "custom-http-errors"),
    ("globalallowedresponseheaders", "global-allowed-response-headers"),
    ("globalauthurl", "global-auth-url"),
    ("proxybodysize", "proxy-body-size"),
    ("proxyconnecttimeout", "proxy-connect-timeout"),
    ("proxynextupstream", "proxy-next-upstream"),
    ("proxynextupstreamtimeout", "proxy-next-upstream-timeout"),
    ("proxynextupstreamtries", "proxy-next-upstream-tries"),
    ("proxyreadtimeout", "proxy-read-timeout"),
    ("proxysendtimeout", "proxy-send-timeout"),
    ("strictvalidatepathtype", "strict-validate-path-type"),
];
/// And where routes are: in plain, and over TLS.
pub(super) const POINTS: [&str; 2] = ["httpentrypoint", "httpsentrypoint"];

/// What it does that is said by other options here.
const ELSEWHERE: [(&str, &str); 4] = [
    ("http-port", "--entrypoints.web.address=:PORT"),
    ("https-port", "--entrypoints.websecure.address=:PORT"),
    ("status-port", "--nginx.healthz-port=PORT, which has /healthz, /metrics and /nginx_status"),
    ("annotations-prefix", "the usual prefix, nginx.ingress.kubernetes.io"),
];

/// What makes no difference.
const IDLE: [&str; 32] = [
    "apiserver-host",
    "bucket-factor",
    "certificate-authority",
    "deep-inspect",
    "default-server-port",
    "disable-full-test",
    "disable-leader-election",
    "dynamic-configuration-retries",
    "election-id",
    "election-ttl",
    "enable-annotation-validation",
    "enable-metrics",
    "enable-ssl-chain-completion",
    "health-check-timeout",
    "internal-logger-address",
    "kubeconfig",
    "maxmind-edition-ids",
    "maxmind-license-key",
    "maxmind-mirror",
    "monitor-max-batch-size",
    "post-shutdown-grace-period",
    "profiler-port",
    "profiling",
    "ssl-passthrough-proxy-port",
    "status-update-interval",
    "stream-port",
    "sync-period",
    "update-status-on-shutdown",
    "v",
    "validating-webhook",
    "validating-webhook-certificate",
    "validating-webhook-key",
];

/// What there is to say of a flag: nothing, that it makes no difference, or why it is not taken.
pub(super) fn judge(name: &str, value: &str) -> Result<Option<String>, String> {
    let flag = name.strip_prefix(PREFIX).unwrap_or(name);
    if IDLE.contains(&flag) {
        return Ok(Some(format!("{name} makes no difference here")));
    }
    if let Some((_, instead)) = ELSEWHERE.iter().find(|(known, _)| *known == flag) {
        return Ok(Some(format!("{name} makes no difference here; use {instead}")));
    }
    let Some((_, form)) = READ.iter().find(|(known, _)| *known == flag) else {
        let near = nearest(flag, READ.iter().map(|(name, _)| *name).chain(IDLE));
        return Err(match near {
            Some(near) => format!("{name} is not an option; did you mean {PREFIX}{near}?"),
            None => format!("{name} is not an option; docs/nginx.md lists those there are"),
        });
    };
    form.check(name, value).map(|()| None)
}

/// The same of an option of Traefik's provider that is one of the flags.
pub(super) fn check_provider(name: &str, value: &str) -> Result<(), String> {
    let Some(option) = name.strip_prefix(OF_NGINX) else { return Ok(()) };
    let flag = PROVIDER.iter().find(|(own, _)| *own == option && !value.is_empty());
    let read = flag.and_then(|(_, flag)| READ.iter().find(|(known, _)| known == flag));
    read.map_or(Ok(()), |(_, form)| form.check(name, value))
}

impl Value {
    fn check(self, name: &str, value: &str) -> Result<(), String> {
        let wanted = match self {
            Self::Switch if switched(value).is_none() => "true or false",
            Self::Object if object(value).is_none() => "NAMESPACE/NAME",
            Self::Labels if labels(value).is_none() => "labels: key=value",
            Self::Port if value.parse::<u16>().map_or(true, |it| it == 0) => "a port",
            Self::Address if !value.is_empty() && value.parse::<IpAddr>().is_err() => "an address",
            Self::Points if points(value).is_none() => {
                "addresses and names: 192.0.2.1,lb.example.com"
            }
            Self::Seconds if value.parse::<u32>().is_err() => "seconds",
            Self::Path if !value.starts_with('/') => "a path, from / on",
            Self::Text if value.is_empty() => "a name",
            Self::Bounds => match BucketBounds::parse(value) {
                Ok(_) => return Ok(()),
                Err(BadBounds::TooMany) => "at most 16 bounds",
                Err(_) => "numbers above 0 that rise: 10,100,1000",
            },
            _ => return Ok(()),
        };
        Err(format!("{name} wants {wanted}, not {value:?}"))
    }
}

/// Whether a flag without a value means `true`.
pub(super) fn is_switch(name: &str) -> bool {
    let Some(flag) = name.strip_prefix(PREFIX) else { return false };
    let is_it = |(known, form): &(&str, Value)| *known == flag && matches!(form, Value::Switch);
    READ.iter().any(is_it) || IDLE.contains(&flag)
}

/// What the flags say; `options` are those that were taken.
pub(super) fn chosen(options: &BTreeMap<String, String>) -> NginxOptions {
    let value = |name: &str| value(options, name);
    let is = |name: &str| value(name).map(|it| it == "true");
    let usual = NginxOptions::default();
    NginxOptions {
        settings: value("configmap").and_then(object).unwrap_or(usual.settings),
        class: value("ingress-class").map_or(usual.class, str::to_owned),
        controller: value("controller-class").map_or(usual.controller, str::to_owned),
        is_by_name: is("ingress-class-by-name").unwrap_or_default(),
        takes_unnamed: is("watch-ingress-without-class"),
        namespace: value("watch-namespace").map(str::to_owned),
        selector: value("watch-namespace-selector").and_then(labels).unwrap_or_default(),
        default_backend: value("default-backend-service").and_then(object),
        disables_catch_all: is("disable-catch-all").unwrap_or_default(),
        disables_names: is("disable-svc-external-name").unwrap_or_default(),
        ends_all_tls: is("enable-ssl-passthrough") == Some(false),
        health: value("health-check-path").map_or(usual.health, str::to_owned),
        keeps_zones: is("enable-topology-aware-routing").unwrap_or_default(),
        tcp_services: value("tcp-services-configmap").and_then(object),
        udp_services: value("udp-services-configmap").and_then(object),
        usual: usual_settings(options),
        entry_points: POINTS.map(|name| {
            let said = options.get(&format!("{OF_NGINX}{name}"))?;
            Some(said.to_ascii_lowercase().as_str().into()).filter(|_| !said.is_empty())
        }),
    }
}

/// What the provider's options say in words of the ConfigMap.
fn usual_settings(options: &BTreeMap<String, String>) -> Labels {
    let said = SETTINGS.iter().filter_map(|(option, key)| {
        let value = options.get(&format!("{OF_NGINX}{option}")).filter(|it| !it.is_empty())?;
        Some(((*key).to_owned(), value.clone()))
    });
    said.collect()
}

/// What is said of a flag, as such or as an option of Traefik's provider.
pub(super) fn value<'o>(options: &'o BTreeMap<String, String>, flag: &str) -> Option<&'o str> {
    let own = options.get(&format!("{PREFIX}{flag}"));
    own.or_else(|| of_provider(options, flag)).map(String::as_str)
}

/// What is said of a flag as an option of Traefik's provider; empty is nothing.
fn of_provider<'o>(options: &'o BTreeMap<String, String>, flag: &str) -> Option<&'o String> {
    let (option, _) = PROVIDER.iter().find(|(_, own)| *own == flag)?;
    let name = format!("{}{option}", OF_NGINX);
    options.get(&name).filter(|it| !it.is_empty())
}

/// The Secret with the certificate for all other names.
pub(super) fn certificate(options: &BTreeMap<String, String>) -> Option<NamespacedName> {
    object(options.get(&format!("{PREFIX}default-ssl-certificate"))?)
}

/// Where health is told, and by which path besides the usual one.
pub(super) fn health(options: &BTreeMap<String, String>) -> Option<(SocketAddr, String)> {
    let value = |name: &str| options.get(&format!("{PREFIX}{name}")).map(String::as_str);
    let port = value("healthz-port")?.parse().ok()?;
    let host = value("healthz-host").and_then(|it| it.parse().ok());
    let host = host.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let path = value("health-check-path").unwrap_or("/healthz");
    Some((SocketAddr::new(host, port), path.to_owned()))
}

/// What is told of requests under its names.
pub(super) fn metrics(options: &BTreeMap<String, String>) -> NginxMetrics {
    let value = |name: &str| options.get(&format!("{PREFIX}{name}")).map(String::as_str);
    let is = |name: &str, usual: bool| value(name).map_or(usual, |it| it == "true");
    let usual = NginxMetrics::default();
    let bounds = |name: &str, usual| {
        value(name).and_then(|it| BucketBounds::parse(it).ok()).unwrap_or(usual)
    };
    let excluded = value("exclude-socket-metrics").unwrap_or_default().split(',');
    NginxMetrics {
        counts_strays: is("metrics-per-undefined-host", usual.counts_strays),
        tells_hosts: is("metrics-per-host", usual.tells_hosts),
        tells_classes: is("report-status-classes", usual.tells_classes),
        times: bounds("time-buckets", usual.times),
        lengths: bounds("length-buckets", usual.lengths),
        sizes: bounds("size-buckets", usual.sizes),
        excluded: excluded.map(|it| it.trim().into()).collect(),
    }
}

/// How long it goes on as it was after SIGTERM, while its health says that it ends.
pub(super) fn grace(options: &BTreeMap<String, String>) -> Option<Duration> {
    let written = options.get(&format!("{PREFIX}shutdown-grace-period"))?;
    written.parse().ok().filter(|it| *it > 0).map(Duration::from_secs)
}

/// Addresses and names, with commas between.
pub(super) fn points(text: &str) -> Option<Vec<StatusAddress>> {
    let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let point = |part: &str| match part.parse::<IpAddr>() {
        Ok(ip) => Some(StatusAddress::of_ip(ip)),
        Err(_) => is_name(part).then(|| StatusAddress::of_name(part)),
    };
    parts.map(point).collect()
}

/// `NAMESPACE/NAME`.
pub(super) fn object(text: &str) -> Option<NamespacedName> {
    let (namespace, name) = text.split_once('/')?;
    (!namespace.is_empty() && !name.is_empty()).then(|| NamespacedName::new(namespace, name))
}

pub(super) fn labels(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let label = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let value = value.strip_prefix('=').unwrap_or(value);
        (!key.is_empty() && !key.ends_with('!'))
            .then(|| (key.trim().to_owned(), value.trim().to_owned()))
    };
    parts.map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_taken_or_told() {
        for (name, value, is_taken, is_told) in [
            ("nginx.ingress-class", "lb", true, false),
            ("nginx.ingress-class", "", false, false),
            ("nginx.disable-catch-all", "true", true, false),
            ("nginx.disable-catch-all", "on", false, false),
            ("nginx.default-backend-service", "a/b", true, false),
            ("nginx.default-backend-service", "b", false, false),
            ("nginx.watch-namespace-selector", "a=b,c=d", true, false),
            ("nginx.watch-namespace-selector", "a!=b", false, false),
            ("nginx.tcp-services-configmap", "a/tcp", true, false),
            ("nginx.udp-services-configmap", "udp", false, false),
            ("nginx.election-id", "x", true, true),
            ("nginx.http-port", "8080", true, true),
            ("nginx.healthz-port", "10254", true, false),
            ("nginx.healthz-port", "http", false, false),
            ("nginx.healthz-host", "a.b", false, false),
            ("nginx.shutdown-grace-period", "90", true, false),
            ("nginx.shutdown-grace-period", "90s", false, false),
            ("nginx.health-check-path", "healthz", false, false),
            ("nginx.publish-status-address", "192.0.2.1,2001:db8::1", true, false),
            ("nginx.publish-status-address", "lb.example.com", true, false),
            ("nginx.publish-status-address", "lb.example.com:80", false, false),
            ("nginx.report-node-internal-ip-address", "true", true, false),
            ("nginx.update-status", "no", false, false),
            ("nginx.time-buckets", "0.1,1", true, false),
            ("nginx.size-buckets", "10,1", false, false),
            ("nginx.length-buckets", "a", false, false),
            ("nginx.report-status-classes", "true", true, false),
            ("nginx.exclude-socket-metrics", "nginx_ingress_controller_success", true, false),
            ("nginx.ingres-class", "lb", false, false),
        ] {
            let judged = judge(name, value);
            let told = matches!(&judged, Ok(Some(_)));
            assert_eq!((judged.is_ok(), told), (is_taken, is_told), "{name}={value}: {judged:?}");
        }
        assert!(is_switch("nginx.ingress-class-by-name") && !is_switch("nginx.ingress-class"));
        let own = |(name, value): (&str, &str)| (format!("{PREFIX}{name}"), value.to_owned());
        let options = chosen(&BTreeMap::from([
            own(("configmap", "a/b")),
            own(("watch-namespace-selector", "foo=bar")),
            own(("watch-ingress-without-class", "false")),
        ]));
        assert_eq!(options.settings, NamespacedName::new("a", "b"));
        assert_eq!(options.selector, [("foo".to_owned(), "bar".to_owned())]);
        assert_eq!((options.takes_unnamed, &*options.class), (Some(false), "nginx"));
    }

    #[test]
    fn options_of_traefiks_provider_are_flags() {
        let of = |name: &str| format!("{}{name}", OF_NGINX);
        let options = BTreeMap::from([
            (of("ingressclass"), "lb".to_owned()),
            (of("watchnamespace"), String::new()),
            (of("defaultbackendservice"), "a/b".to_owned()),
            ("nginx.controller-class".to_owned(), "own".to_owned()),
            (of("controllerclass"), "other".to_owned()),
            (of("disablesvcexternalname"), "true".to_owned()),
            (of("strictvalidatepathtype"), "false".to_owned()),
            ("nginx.enable-ssl-passthrough".to_owned(), "false".to_owned()),
        ]);
        let chosen = chosen(&options);
        assert_eq!((&*chosen.class, &*chosen.controller), ("lb", "own"));
        assert_eq!(chosen.namespace, None);
        assert!(chosen.disables_names && chosen.ends_all_tls);
        assert_eq!(chosen.usual["strict-validate-path-type"], "false");
        assert_eq!(chosen.default_backend, Some(NamespacedName::new("a", "b")));
        for (name, value, is_fine) in [
            ("defaultbackendservice", "b", false),
            ("defaultbackendservice", "", true),
            ("watchnamespaceselector", "a!=b", false),
            ("proxynextupstream", "off", true),
        ] {
            assert_eq!(check_provider(&of(name), value).is_ok(), is_fine, "{name}={value}");
        }
    }
}
