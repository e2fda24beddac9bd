//! Who is asked about requests by the ConfigMap of ingress-nginx (`global-auth-url`).

use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{AskedManner, NginxAsking};

use super::*;

const NGINX: &str = "nginx.ingress.kubernetes.io";
const SPEC: &str = "ingressClassName: nginx, ";
const URL: &str = "http://auth.default.svc:4180/verify";

fn settings(lines: &[(&str, &str)]) -> String {
    let lines: String = lines.iter().map(|(key, value)| format!("  {key}: '{value}'\n")).collect();
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ingress-nginx-controller, \
         namespace: ingress-nginx}}\ndata:\n{lines}"
    ) + &service("a", "{clusterIP: None, ports: [{port: 80}]}")
        + &service("auth", "{clusterIP: None, ports: [{port: 4180}]}")
}

fn annotations(lines: &[(&str, &str)]) -> String {
    let lines = lines.iter().map(|(name, value)| format!("{NGINX}/{name}: '{value}'"));
    format!(", annotations: {{{}}}", lines.collect::<Vec<_>>().join(", "))
}

/// By the name of each Ingress: whom its requests are asked of, or why they are closed.
fn asked(snapshot: &Snapshot) -> Vec<String> {
    let line = |route: &&Route| {
        let of = route.id.as_str().split('/').nth(1).unwrap_or_default();
        let who =
            route.uses.iter().filter_map(|it| match &snapshot.routing.filters[&it.filter].filter {
                Filter::ForwardAuth(auth) => Some(auth.address.to_string()),
                _ => None,
            });
        let who: Vec<String> = who.collect();
        let closed = if refusal(snapshot, route).is_some() { " closed" } else { "" };
        format!("{of}: {}{closed}", who.join(" "))
    };
    let mut lines: Vec<String> = routes(snapshot).iter().map(line).collect();
    lines.sort();
    lines.dedup();
    lines
}

fn world(lines: &[(&str, &str)]) -> Snapshot {
    let own = annotations(&[("auth-url", "http://10.0.0.9/own")]);
    let free = annotations(&[("enable-global-auth", "false")]);
    let odd = annotations(&[("enable-global-auth", "no")]);
    let of = |name: &str, metadata: &str, host: &str, path: &str| {
        ingress(name, metadata, SPEC, host, path, "a")
    };
    let others = "ingressClassName: traefik, ";
    joined(
        &(settings(lines)
            + &of("free", &free, "free.b", "/")
            + &of("odd", &odd, "odd.b", "/")
            + &of("own", &own, "own.b", "/")
            + &of("plain", "", "plain.b", "/")
            + &of("solver", "", "plain.b", "/.well-known/acme-challenge/x")
            + &of("wild", "", "*.c", "/")
            + &ingress("other", "", others, "other.b", "/", "a")),
    )
}

/// All that say nothing are asked about; what cannot be read closes those, and no others.
#[test]
fn what_the_config_map_says_is_for_who_says_nothing() {
    let others = |each: &str| {
        [
            "free: ".to_owned(),
            format!("odd: {each}"),
            "other: ".to_owned(),
            "own: http://10.0.0.9/own".to_owned(),
            format!("plain: {each}"),
            "solver: ".to_owned(),
        ]
    };
    let with = |each: &str, wild: &str| {
        let mut all = others(each).to_vec();
        all.push(format!("wild: {wild}"));
        all
    };
    let read = |lines: &[(&str, &str)]| asked(&world(lines));
    assert_eq!(read(&[]), with("", ""));
    assert_eq!(read(&[("global-auth-url", URL)]), with(URL, URL));
    // Where nobody can be asked, nobody gets in; nor where it is not known who is meant.
    for url in [
        "not a url",
        "http://nobody.default.svc/",
        "http://auth.default.svc:81/",
        "http://$http_x/",
    ] {
        let found = read(&[("global-auth-url", url)]);
        assert_eq!(found, with(" closed", " closed"), "{url}");
    }
    for (key, value) in [
        ("global-auth-method", "GET;}"),
        ("global-auth-signin", "$arg_x"),
        ("global-auth-response-headers", "a b"),
        ("global-auth-cache-duration", "soon"),
        ("global-auth-request-redirect", "$x"),
        ("global-auth-always-set-cookie", "yes"),
    ] {
        let snapshot = world(&[("global-auth-url", URL), (key, value)]);
        let (found, said) = (asked(&snapshot), findings(&snapshot));
        assert!(found.contains(&"plain:  closed".to_owned()), "{key}: {found:?}");
        assert!(said.iter().any(|it| it.contains(key)), "{key}: {said:?}");
    }
    let snapshot = world(&[("global-auth-url", "https://$host/verify")]);
    let found = asked(&snapshot);
    assert!(found.contains(&"plain: https://plain.b/verify".to_owned()), "{found:?}");
    assert!(found.contains(&"wild:  closed".to_owned()), "a host that nobody names: {found:?}");
    // Who is asked may be another one in each namespace.
    let found = read(&[("global-auth-url", "http://auth.$namespace.svc:4180/of/$service_name")]);
    assert!(found.contains(&"plain:  closed".to_owned()), "{found:?}");
    let found = read(&[("global-auth-url", "http://auth.$namespace.svc:4180/verify")]);
    assert_eq!(found, with(URL, URL));
    // A snippet is text of nginx's, and closes all there is.
    let found = read(&[("global-auth-url", URL), ("global-auth-snippet", "auth_request off;")]);
    assert!(found.iter().filter(|it| it.ends_with(" closed")).count() == 6, "{found:?}");
}

/// Paths of which nobody is asked are those of the rule, and said by the ConfigMap alone.
#[test]
fn places_of_which_nobody_is_asked() {
    let plain = format!("plain: {URL}");
    for (places, solver) in [
        ("", "solver: "),
        ("/nowhere", &*format!("solver: {URL}")),
        ("/nowhere,/.well-known/acme-challenge", "solver: "),
    ] {
        let mut lines = vec![("global-auth-url", URL)];
        lines.extend((!places.is_empty()).then_some(("no-auth-locations", places)));
        let found = asked(&world(&lines));
        assert!(found.contains(&solver.to_owned()), "{places}: {found:?}");
        assert!(found.contains(&plain), "{places}: {found:?}");
    }
}

/// Lines for who is asked are those of a ConfigMap; what cannot be had closes the routes.
#[test]
fn lines_for_who_is_asked() {
    let world = |named: &str, data: &str, more: &[(&str, &str)]| {
        let lines = annotations(&[("auth-url", URL), ("auth-proxy-set-headers", named)]);
        let map = format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: lines}}\ndata: {{{data}}}\n"
        );
        joined(&(settings(more) + &map + &ingress("i", &lines, SPEC, "a.b", "/", "a")))
    };
    let told = |snapshot: &Snapshot| {
        snapshot.routing.filters.values().find_map(|node| match &node.filter {
            Filter::ForwardAuth(auth) => match &auth.manner {
                AskedManner::Nginx(it) => Some(NginxAsking::clone(it).lines),
                AskedManner::Traefik => None,
            },
            _ => None,
        })
    };
    let snapshot = world("default/lines", "X-A: '42', X-B: 'of $host'", &[]);
    let names: Vec<String> =
        told(&snapshot).unwrap().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["X-A", "X-B"]);
    assert_eq!(told(&world("lines", "X-A: '42'", &[])).unwrap().len(), 1);
    for (named, data) in [
        ("default/none", "X-A: a"),
        ("other/lines", "X-A: a"),
        ("default/lines", "'X A': a"),
        ("default/lines", "X-A: \"a\\r\\nX-B: c\""),
        ("default/lines", "X-A: '$lua_x'"),
        ("default/lines", "Content-Length: '5'"),
        ("default/lines", "Transfer-Encoding: chunked"),
        ("default/a;}", "X-A: a"),
        ("/lines", "X-A: a"),
    ] {
        let snapshot = world(named, data, &[]);
        assert!(refusal(&snapshot, routes(&snapshot)[0]).is_some(), "{named} {data}");
    }
}
