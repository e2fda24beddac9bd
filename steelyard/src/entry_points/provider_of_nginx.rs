//! Options of Traefik's provider of class nginx: `--providers.kubernetesingressnginx.…`. Those that
//! ingress-nginx has as flags are honoured as these (`nginx`); the others count for
//! `plan -o traefik` alone.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use steelyard_dialects::traefik::options;
use steelyard_dynamic::NginxProviderOptions;
use steelyard_model::Protocol;
use steelyard_model::routing::entry_point::{EntryPoint, OWN, SECURE};

use super::names::{ADDRESS, OF_NGINX, entry_point_name};
use super::nginx::labels;

/// Options that are set and count for `plan -o traefik` alone.
pub(super) fn idle(options: &BTreeMap<String, String>) -> Vec<String> {
    let is_idle = |name: &&String| {
        let fate = options::find(name).map(|row| row.fate);
        name.starts_with(OF_NGINX) && fate.is_some_and(|it| it.is_for_comparison())
    };
    options.keys().filter(is_idle).cloned().collect()
}

/// What they say; entry points that nobody names are told apart by whether they have TLS.
pub(super) fn chosen(
    options: &BTreeMap<String, String>,
    points: Vec<EntryPoint>,
) -> NginxProviderOptions {
    let usual = NginxProviderOptions::default();
    let value = |name: &str| options.get(&format!("{OF_NGINX}{name}")).map(String::as_str);
    let text = |name: &str, usual: String| value(name).map_or(usual, str::to_owned);
    let is = |name: &str, usual: bool| value(name).map_or(usual, |it| it == "true");
    let number = |name: &str, usual| value(name).and_then(|it| it.parse().ok()).unwrap_or(usual);
    let list = |name: &str| parts(value(name).unwrap_or_default());
    let points = named(options, points);
    let (secure, plain): (Vec<_>, Vec<_>) = points.into_iter().partition(|(_, it)| *it);
    let entry_points = |name: &str, others: Vec<(String, bool)>| match value(name) {
        Some(point) if !point.is_empty() => vec![point.to_owned()],
        _ => others.into_iter().map(|(name, _)| name).collect(),
    };
    NginxProviderOptions {
        namespaces: list("watchnamespace").into_iter().collect(),
        labels: value("watchnamespaceselector").and_then(labels).unwrap_or_default(),
        ingress_class: text("ingressclass", usual.ingress_class),
        controller_class: text("controllerclass", usual.controller_class),
        serves_without_class: is("watchingresswithoutclass", false),
        class_by_name: is("ingressclassbyname", false),
        default_backend: value("defaultbackendservice").and_then(NginxProviderOptions::service),
        without_external_names: is("disablesvcexternalname", false),
        global_auth_url: text("globalauthurl", usual.global_auth_url),
        plain_entry_points: entry_points("httpentrypoint", plain),
        secure_entry_points: entry_points("httpsentrypoint", secure),
        ip_strategy: strategy(&value),
        buffers_requests: is("proxyrequestbuffering", false),
        client_body_buffer: number("clientbodybuffersize", usual.client_body_buffer),
        body_size: number("proxybodysize", usual.body_size),
        buffers_responses: is("proxybuffering", false),
        buffer_size: number("proxybuffersize", usual.buffer_size),
        buffers: number("proxybuffersnumber", usual.buffers),
        connect_timeout: number("proxyconnecttimeout", usual.connect_timeout),
        read_timeout: number("proxyreadtimeout", usual.read_timeout),
        send_timeout: number("proxysendtimeout", usual.send_timeout),
        keepalive_timeout: number("upstreamkeepalivetimeout", usual.keepalive_timeout),
        next_upstream: text("proxynextupstream", usual.next_upstream),
        next_upstream_tries: number("proxynextupstreamtries", usual.next_upstream_tries),
        next_upstream_timeout: number("proxynextupstreamtimeout", usual.next_upstream_timeout),
        custom_http_errors: list("customhttperrors"),
        allows_cross_namespace: is("allowcrossnamespaceresources", false),
        allowed_headers: list("globalallowedresponseheaders"),
        allows_snippets: is("allowsnippetannotations", false),
        validates_paths: is("strictvalidatepathtype", usual.validates_paths),
    }
}

fn parts(list: &str) -> Vec<String> {
    let parts = list.split(',').map(str::trim).filter(|it| !it.is_empty());
    parts.map(str::to_owned).collect()
}

/// Names of entry points for requests, and whether they have TLS; where somebody has given any an
/// address, the built-in ones are none.
fn named(options: &BTreeMap<String, String>, points: Vec<EntryPoint>) -> Vec<(String, bool)> {
    let given = options.keys().filter_map(|name| entry_point_name(name, ADDRESS));
    let given: Vec<&str> = given.collect();
    let is_one = |it: &EntryPoint| {
        let is_given = given.is_empty() || given.contains(&it.id.as_str());
        is_given && it.protocol == Protocol::Tcp && it.id.as_str() != OWN
    };
    let has_tls = |it: &EntryPoint| {
        it.is_secure || it.port == SECURE.port || it.port == 443 || it.id.as_str() == "https"
    };
    let all = points.into_iter().filter(is_one);
    all.map(|it| (it.id.to_string(), has_tls(&it))).collect()
}

/// `ipStrategy` of allow lists; null where nothing is said of it.
fn strategy<'o>(value: &impl Fn(&str) -> Option<&'o str>) -> Value {
    let mut strategy = Map::new();
    let said = |name: &str| value(&format!("ipallowliststrategy.{name}"));
    for (key, name) in [("depth", "depth"), ("ipv6Subnet", "ipv6subnet")] {
        if let Some(number) = said(name).and_then(|it| it.parse::<i64>().ok()) {
            strategy.insert(key.to_owned(), json!(number));
        }
    }
    if let Some(list) = said("excludedips") {
        strategy.insert("excludedIPs".to_owned(), json!(parts(list)));
    }
    if strategy.is_empty() { Value::Null } else { Value::Object(strategy) }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::StaticOptions;
    use super::*;

    #[test]
    fn what_is_not_said_is_as_with_traefik() {
        let nothing = chosen(&BTreeMap::new(), Vec::new());
        assert_eq!(nothing, NginxProviderOptions::default());
    }

    #[test]
    fn options_of_the_provider() {
        let options = [
            ("providers.kubernetesingressnginx.defaultbackendservice", "a/b"),
            ("providers.kubernetesingressnginx.proxybodysize", "7"),
            ("providers.kubernetesingressnginx.customhttperrors", "404, 503"),
            ("providers.kubernetesingressnginx.ipallowliststrategy.depth", "2"),
            ("providers.kubernetesingressnginx.watchnamespaceselector", "a=b"),
            ("providers.kubernetesingressnginx.strictvalidatepathtype", "false"),
            ("entrypoints.http.address", ":80"),
            ("entrypoints.https.address", ":443"),
            ("entrypoints.dns.address", ":53/udp"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut udp = EntryPoint::new("dns", 53);
        udp.protocol = Protocol::Udp;
        let points = ["http", "https", "web", "websecure"]
            .map(|name| EntryPoint::new(name, if name.ends_with('s') { 443 } else { 80 }));
        let made = chosen(&options, points.into_iter().chain([udp]).collect());
        assert_eq!(made.default_backend, Some(("a".to_owned(), "b".to_owned())));
        assert_eq!((made.body_size, made.validates_paths), (7, false));
        assert_eq!(made.custom_http_errors, ["404", "503"]);
        assert_eq!(made.ip_strategy, json!({ "depth": 2 }));
        assert_eq!(made.labels, [("a".to_owned(), "b".to_owned())]);
        assert_eq!(made.plain_entry_points, ["http"]);
        assert_eq!(made.secure_entry_points, ["https"]);
        let idle = idle(&options);
        assert_eq!(idle.len(), 1, "{idle:?}");
    }

    #[test]
    fn what_restricts_is_taken_for_comparison_alone() {
        let take = |command: &str, option: &str| {
            let line = format!("{command} --{OF_NGINX}{option}");
            let taken = StaticOptions::take(line.split(' ').map(OsString::from), []);
            taken.map(|(options, _)| options).map_err(|wrong| wrong.join("\n"))
        };
        let option = "ipAllowListStrategy.depth=1";
        assert!(take("up", option).is_err_and(|why| why.contains("is refused")));
        let options = take("plan", option).unwrap();
        assert_eq!(options.idle().len(), 1);
        assert_ne!(options.providers(), StaticOptions::default().providers());
        assert!(take("up", "disableSvcExternalName").unwrap().nginx().disables_names);
        let honoured = take("up", "ingressClass=lb").unwrap();
        assert_eq!((&*honoured.nginx().class, honoured.idle().len()), ("lb", 0));
        let said = take("up", "globalAuthURL=http://a.b").unwrap();
        assert_eq!(said.nginx().usual["global-auth-url"], "http://a.b");
        let said = take("up", "httpEntryPoint=web").unwrap().nginx().entry_points;
        assert_eq!(said, [Some("web".into()), None]);
        assert!(take("up", "httpsEntryPoint=other").is_err_and(|it| it.contains("makes one")));
        assert!(take("up", "defaultBackendService=b").is_err());
        assert!(take("plan", "proxyBodySize=many").is_err());
    }
}
