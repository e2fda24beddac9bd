//! Every row of the tables of annotations: what becomes of it is to be seen on an object that has
//! it, a typo is told what was meant, and docs/annotations.md says the same.

use std::fmt::Write;

use steelyard_model::{Code, Diagnostic};

use super::*;
use crate::annotation::{ALL, Annotation, Carrier, KUBERNETES, Miss, State, Vocabulary};
use crate::codes;

/// A value for each annotation that is read, with which it makes a difference.
const READ: &[(&str, &str)] = &[
    ("kubernetes.io/ingress.class", "traefik"),
    ("ingressclass.kubernetes.io/is-default-class", "true"),
    ("gateway", "true"),
    ("endpoints", "10.0.0.5:8080,nas.lan:80"),
    ("address-pool", "reserved"),
    ("loadBalancerIPs", "10.0.0.1,fd00::1"),
    ("allow-shared-ip", "key"),
    ("ip-allocated-from-pool", "pool"),
    ("router.entrypoints", "websecure"),
    ("router.middlewares", "default-auth@kubernetescrd"),
    ("service.serversscheme", "h2c"),
    ("backend-protocol", "GRPC"),
    ("router.tls", "true"),
    ("router.tls.options", "default-strong@kubernetescrd"),
    ("router.priority", "7"),
    ("router.observability.accesslogs", "false"),
    ("router.observability.metrics", "false"),
    ("router.observability.tracing", "false"),
    ("router.observability.traceverbosity", "detailed"),
    ("router.pathmatcher", "Path"),
    ("service.nativelb", "true"),
    ("service.nodeportlb", "true"),
    ("service.serverstransport", "default-own@kubernetescrd"),
    ("service.passhostheader", "false"),
    ("service.middlewares", "default-auth@kubernetescrd"),
    ("service.sticky.cookie", "true"),
    ("service.sticky.cookie.name", "a"),
    ("service.sticky.cookie.secure", "true"),
    ("service.sticky.cookie.samesite", "lax"),
    ("service.sticky.cookie.domain", "a.b"),
    ("service.sticky.cookie.httponly", "true"),
    ("service.sticky.cookie.maxage", "60"),
    ("service.sticky.cookie.path", "/a"),
    ("ssl-redirect", "false"),
    ("app-root", "/app"),
    ("affinity", "cookie"),
    ("affinity-canary-behavior", "legacy"),
    ("affinity-mode", "persistent"),
    ("session-cookie-domain", "a.b"),
    ("session-cookie-expires", "5"),
    ("session-cookie-max-age", "5"),
    ("session-cookie-name", "a"),
    ("session-cookie-path", "/a"),
    ("session-cookie-samesite", "Lax"),
    ("session-cookie-secure", "true"),
    ("canary", "true"),
    ("canary-by-cookie", "a"),
    ("canary-by-header", "a"),
    ("canary-by-header-pattern", "a"),
    ("canary-by-header-value", "a"),
    ("canary-weight", "5"),
    ("canary-weight-total", "200"),
    ("upstream-hash-by", "$host"),
    ("upstream-hash-by-subset", "true"),
    ("upstream-hash-by-subset-size", "5"),
    ("upstream-vhost", "a.b"),
    ("connection-proxy-header", "keep-alive"),
    ("proxy-http-version", "1.0"),
    ("mirror-host", "b.c"),
    ("mirror-request-body", "off"),
    ("mirror-target", "http://a.b/$request_uri"),
    ("session-cookie-change-on-failure", "true"),
    ("session-cookie-conditional-samesite-none", "true"),
    ("load-balance", "ewma"),
    ("auth-realm", "a"),
    ("auth-secret", "b"),
    ("auth-secret-type", "auth-map"),
    ("auth-type", "digest"),
    ("auth-url", "https://a.b/verify?a=$http_a"),
    ("auth-signin", "https://$host/start"),
    ("auth-signin-redirect-param", "to"),
    ("auth-method", "POST"),
    ("auth-response-headers", "X-User, X-Groups"),
    ("auth-request-redirect", "/a"),
    ("auth-always-set-cookie", "true"),
    ("auth-proxy-set-headers", "default/a"),
    ("enable-global-auth", "false"),
    ("auth-cache-key", "$cookie_a"),
    ("auth-cache-duration", "200 10s"),
    ("satisfy", "any"),
    ("auth-tls-secret", "default/a"),
    ("auth-tls-verify-client", "optional"),
    ("auth-tls-verify-depth", "3"),
    ("auth-tls-match-cn", "CN=a"),
    ("auth-tls-error-page", "https://a.b/c"),
    ("auth-tls-pass-certificate-to-upstream", "true"),
    ("allowlist-source-range", "10.0.0.0/8"),
    ("whitelist-source-range", "10.0.0.0/8"),
    ("denylist-source-range", "10.0.0.0/8"),
    ("limit-burst-multiplier", "7"),
    ("limit-connections", "7"),
    ("limit-rpm", "7"),
    ("limit-rps", "7"),
    ("enable-cors", "true"),
    ("cors-allow-credentials", "false"),
    ("cors-allow-headers", "X-A"),
    ("cors-allow-methods", "GET"),
    ("cors-allow-origin", "https://a.b"),
    ("cors-expose-headers", "X-A"),
    ("cors-max-age", "5"),
    ("permanent-redirect", "https://a.b"),
    ("permanent-redirect-code", "308"),
    ("temporal-redirect", "https://a.b"),
    ("temporal-redirect-code", "307"),
    ("relative-redirects", "true"),
    ("use-regex", "true"),
    ("rewrite-target", "/a"),
    ("x-forwarded-prefix", "/b"),
    ("force-ssl-redirect", "true"),
    ("ssl-passthrough", "true"),
    ("proxy-ssl-secret", "default/a"),
    ("proxy-ssl-verify", "on"),
    ("proxy-ssl-name", "a.test"),
    ("proxy-ssl-server-name", "on"),
    ("proxy-ssl-protocols", "TLSv1.3"),
    ("custom-headers", "default/a"),
    ("custom-http-errors", "404"),
    ("default-backend", "b"),
    ("disable-proxy-intercept-errors", "true"),
    ("from-to-www-redirect", "true"),
    ("limit-allowlist", "10.0.0.0/8"),
    ("limit-whitelist", "10.0.0.0/8"),
    ("limit-rate", "5"),
    ("limit-rate-after", "5"),
    ("preserve-trailing-slash", "true"),
    ("proxy-body-size", "5m"),
    ("proxy-connect-timeout", "7"),
    ("proxy-cookie-domain", "a b"),
    ("proxy-cookie-path", "/a /b"),
    ("proxy-next-upstream", "http_502"),
    ("proxy-next-upstream-timeout", "5"),
    ("proxy-next-upstream-tries", "2"),
    ("proxy-read-timeout", "7"),
    ("proxy-redirect-from", "http://a"),
    ("proxy-redirect-to", "http://b"),
    ("proxy-send-timeout", "7"),
    ("server-alias", "b.c"),
    ("service-upstream", "true"),
    ("enable-access-log", "false"),
    ("use-port-in-redirects", "true"),
];

/// What another annotation must stand beside to be read.
fn beside(name: &str) -> &'static str {
    match name {
        "proxy-ssl-secret" => "",
        "permanent-redirect-code" => "nginx.ingress.kubernetes.io/permanent-redirect: /a",
        "temporal-redirect-code" => "nginx.ingress.kubernetes.io/temporal-redirect: /a",
        "x-forwarded-prefix" => "nginx.ingress.kubernetes.io/rewrite-target: /a",
        name if name.starts_with("proxy-ssl-") => {
            "nginx.ingress.kubernetes.io/proxy-ssl-secret: default/a"
        }
        "affinity" | "canary" => "",
        "auth-secret" => "nginx.ingress.kubernetes.io/auth-type: basic",
        "canary-by-header-pattern" | "canary-by-header-value" => {
            "nginx.ingress.kubernetes.io/canary: \"true\", \
             nginx.ingress.kubernetes.io/canary-by-header: a"
        }
        "affinity-canary-behavior" => "nginx.ingress.kubernetes.io/canary: \"true\"",
        "limit-burst-multiplier" | "limit-allowlist" | "limit-whitelist" => {
            "nginx.ingress.kubernetes.io/limit-rps: \"7\""
        }
        "upstream-hash-by-subset" => "nginx.ingress.kubernetes.io/upstream-hash-by: $host",
        "upstream-hash-by-subset-size" => {
            "nginx.ingress.kubernetes.io/upstream-hash-by: $host, \
             nginx.ingress.kubernetes.io/upstream-hash-by-subset: \"true\""
        }
        "mirror-host" | "mirror-request-body" => {
            "nginx.ingress.kubernetes.io/mirror-target: \"http://a.b/\""
        }
        "limit-rate-after" => "nginx.ingress.kubernetes.io/limit-rate: \"7\"",
        "proxy-next-upstream-timeout" | "proxy-next-upstream-tries" => {
            "nginx.ingress.kubernetes.io/proxy-next-upstream: error"
        }
        "proxy-redirect-from" => "nginx.ingress.kubernetes.io/proxy-redirect-to: /a",
        "proxy-redirect-to" => "nginx.ingress.kubernetes.io/proxy-redirect-from: /a",
        "auth-type" => "nginx.ingress.kubernetes.io/auth-secret: a",
        "auth-url" | "satisfy" | "auth-tls-secret" => "",
        name if name.starts_with("auth-tls-") => {
            "nginx.ingress.kubernetes.io/auth-tls-secret: default/a"
        }
        "auth-signin-redirect-param" => {
            "nginx.ingress.kubernetes.io/auth-url: \"http://a/\", \
             nginx.ingress.kubernetes.io/auth-signin: \"http://a/\""
        }
        "auth-cache-duration" => {
            "nginx.ingress.kubernetes.io/auth-url: \"http://a/\", \
             nginx.ingress.kubernetes.io/auth-cache-key: a"
        }
        "auth-always-set-cookie"
        | "auth-proxy-set-headers"
        | "auth-cache-key"
        | "auth-method"
        | "auth-request-redirect"
        | "auth-response-headers"
        | "auth-signin" => "nginx.ingress.kubernetes.io/auth-url: \"http://a/\"",
        name if name.starts_with("auth-realm") || name.starts_with("auth-secret") => {
            "nginx.ingress.kubernetes.io/auth-type: basic, \
             nginx.ingress.kubernetes.io/auth-secret: a"
        }
        name if name.starts_with("affinity-") || name.starts_with("session-cookie-") => {
            "nginx.ingress.kubernetes.io/affinity: cookie"
        }
        name if name.starts_with("canary-") => "nginx.ingress.kubernetes.io/canary: \"true\"",
        name if name.starts_with("cors-") => "nginx.ingress.kubernetes.io/enable-cors: \"true\"",
        _ => "",
    }
}

/// What becomes of an object with one annotation.
#[derive(PartialEq)]
struct Outcome {
    /// All but what is said.
    item: Item,
    /// What is said of the annotation.
    said: Vec<Diagnostic>,
    refused: bool,
    unserved: bool,
}

fn object(on: Carrier, vocabulary: &Vocabulary, annotation: &str) -> String {
    let (api_version, spec) = match on {
        Carrier::Service => ("v1", "{type: LoadBalancer, ports: [{port: 80}]}".to_owned()),
        Carrier::IngressClass => {
            ("networking.k8s.io/v1", "{controller: traefik.io/ingress-controller}".into())
        }
        Carrier::Ingress => {
            let class = match vocabulary.whose {
                "Traefik" => "ingressClassName: traefik, ",
                "ingress-nginx" => "ingressClassName: nginx, ",
                _ => "",
            };
            let backend = "{service: {name: a, port: {number: 80}}}";
            ("networking.k8s.io/v1", format!("{{{class}defaultBackend: {backend}}}"))
        }
    };
    let kind = on.kind();
    format!(
        "apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a, annotations: {{{annotation}}}}}\n\
         spec: {spec}\n"
    )
}

fn outcome(on: Carrier, vocabulary: &Vocabulary, key: &str, value: &str) -> Outcome {
    outcome_beside(on, vocabulary, (key, value), "")
}

fn outcome_beside(
    on: Carrier,
    vocabulary: &Vocabulary,
    (key, value): (&str, &str),
    beside: &str,
) -> Outcome {
    let own = if key.is_empty() { String::new() } else { format!("{key:?}: {value:?}, ") };
    let annotation = own + beside;
    let mut lowered = lowered(&object(on, vocabulary, &annotation));
    let of_it = |it: &&Diagnostic| it.path.as_annotation() == Some(key);
    let said = lowered.diagnostics.iter().filter(of_it).cloned().collect();
    assert_eq!(lowered.items.len(), 1, "{key}: {:?}", lowered.diagnostics);
    let mut item = lowered.items.remove(0);
    let (refused, unserved) = match &mut item {
        Item::Routes(set) => {
            let reading = ClassReading { said: Vec::new(), written: None, ..reading(set).clone() };
            let closed = reading.refusal.is_some() || set.refusal.is_some();
            let unserved = reading.is_unserved;
            let reading = Arc::new(reading);
            let (traefik, nginx) = (reading.clone(), reading.clone());
            set.readings = ClassReadings { traefik, nginx, both: reading };
            (closed, unserved)
        }
        Item::Service(service) => (service.backend_refusal.is_some(), false),
        _ => (false, false),
    };
    Outcome { item, said, refused, unserved }
}

/// All rows, with what they are part of.
fn rows() -> impl Iterator<Item = (&'static Vocabulary, &'static Annotation)> {
    ALL.into_iter().flat_map(|vocabulary| vocabulary.rows().map(move |row| (vocabulary, row)))
}

fn key(vocabulary: &Vocabulary, name: &str) -> String {
    format!("{}{name}", vocabulary.prefix(&LowerOptions::default()))
}

fn codes_of(outcome: &Outcome) -> Vec<Code> {
    outcome.said.iter().map(|it| it.code).collect()
}

#[test]
fn what_becomes_of_each_row_is_seen() {
    for (vocabulary, row) in rows() {
        let key = key(vocabulary, row.name);
        let beside = beside(row.name);
        let outcome =
            |key: &str, value: &str| outcome_beside(row.on, vocabulary, (key, value), beside);
        let without = outcome("", "");
        let read = READ.iter().find(|(name, _)| *name == row.name);
        let value = read.map_or("something/of-users", |(_, value)| value);
        let with = outcome(&key, value);
        let (codes, closed) = match row.state {
            State::Reads(_) | State::Guards | State::Speaks(_) => {
                assert!(read.is_some(), "{key} is read: give it a value here");
                assert!(with.item != without.item, "{key}: {value} makes no difference");
                (vec![], false)
            }
            // There is no host whose handshakes could be passed on.
            State::PassesOn => (vec![codes::ANNOTATION_NOT_HONOURED], false),
            State::Cosmetic => {
                assert!(with == without, "{key} makes a difference");
                (vec![], false)
            }
            State::Refused => (vec![codes::ACCESS_NOT_HONOURED], true),
            State::Later(_) => {
                assert!(!with.unserved, "{key}");
                (vec![codes::ANNOTATION_NOT_HONOURED], false)
            }
        };
        assert_eq!((codes_of(&with), with.refused), (codes, closed), "{key}: {value}");
        let neutral = row.neutral.iter().filter(|value| !value.starts_with('('));
        for value in neutral {
            assert!(outcome(&key, value) == without, "{key}: {value}");
        }
        if vocabulary.empty_is_absent {
            // Of what would keep somebody out it is said that it does not.
            let mut with = outcome(&key, "");
            let said = if row.guards() { vec![codes::ANNOTATION_NOT_HONOURED] } else { vec![] };
            assert_eq!(codes_of(&with), said, "{key}");
            with.said.clear();
            assert!(with == without, "{key}");
        }
    }
}

#[test]
fn a_typo_is_told_what_was_meant_and_closes_what_that_closes() {
    let closed_world = rows().filter(|(vocabulary, _)| vocabulary.whose != KUBERNETES.whose);
    for (vocabulary, row) in closed_world {
        let typo = format!("{}{}", row.name, &row.name[row.name.len() - 1..]);
        let key = key(vocabulary, &typo);
        let out = outcome(row.on, vocabulary, &key, "x");
        let help: Vec<&str> = out.said.iter().map(|it| it.help.as_str()).collect();
        let meant = format!("did you mean `{}`?", self::key(vocabulary, row.name));
        if row.name != "router.tls.domains" {
            assert_eq!(help, [meant], "{key}");
            assert_eq!(out.refused, row.guards(), "{key}");
        }
    }
}

#[test]
fn on_another_kind_it_is_told_where_it_belongs() {
    for (vocabulary, row) in rows() {
        let other = if row.on == Carrier::Service { Carrier::Ingress } else { Carrier::Service };
        let has_it = vocabulary.rows().any(|one| one.on == other && one.name == row.name);
        let is_judged = vocabulary.rows().any(|one| one.on == Carrier::Service);
        if has_it || !is_judged || vocabulary.whose == KUBERNETES.whose {
            continue;
        }
        let out = outcome(other, vocabulary, &key(vocabulary, row.name), "true");
        let help: Vec<&str> = out.said.iter().map(|it| it.help.as_str()).collect();
        assert_eq!(help, [format!("move it to the {}", row.on.kind())], "{}", row.name);
    }
}

const HEAD: &str = "# Annotations

What becomes of every annotation that is known. Made from the rows in `pure/dialects/src/annotation`
by `UPDATE=1 cargo test -p steelyard-dialects annotations`; do not edit.

- **read**: it is honoured.
- **closes**: it is not honoured yet, and what it restricts must not be open: the routes of its
  object (on a Service: the routes to it) answer 503, and `check` says `access-not-honoured`. So
  does a name that is nearly one of these.
- **closes (protocol)**: the backend wants another protocol than HTTP/1.1 or HTTP/2; the
  routes answer 503 (`backend-protocol-not-honoured`).
- **later**: it is not honoured yet; routes are served without it (`annotation-not-honoured`).
- **no difference**: it changes nothing that is to be seen.

Values that ask for what is done anyway are as if the annotation were not there. Other names under
a prefix below are told as `annotation-unknown`. What an Ingress is annotated with counts by the
words of its class: `traefik` or `nginx`; without a class both do.
";

fn page() -> String {
    let mut out = HEAD.to_owned();
    for vocabulary in ALL {
        let prefix = vocabulary.prefix(&LowerOptions::default()).into_owned();
        let _ = write!(out, "\n## {}\n\n", vocabulary.whose);
        if !prefix.is_empty() {
            let _ = write!(out, "Prefix `{prefix}`{}.\n\n", also(vocabulary));
        }
        out += "| annotation | on | | as if it were not there |\n|---|---|---|---|\n";
        for row in vocabulary.rows() {
            let state = match row.state {
                State::Reads(_) | State::Guards => "read",
                State::Speaks(_) | State::PassesOn => "read, or closes (protocol)",
                State::Refused => "closes",
                State::Cosmetic => "no difference",
                State::Later(Miss::Function) => "later",
            };
            let neutral: Vec<_> = row.neutral.iter().map(|value| format!("`{value}`")).collect();
            let (name, kind, neutral) = (row.name, row.on.kind(), neutral.join(", "));
            let _ = writeln!(out, "| `{name}` | {kind} | {state} | {neutral} |");
        }
    }
    out
}

/// Other prefixes.
fn also(vocabulary: &Vocabulary) -> &'static str {
    match vocabulary.whose {
        "MetalLB" => {
            ", or the older `metallb.universe.tf/`, which counts where the other is absent"
        }
        "ingress-nginx" => ", or as its `--annotations-prefix` says",
        _ => "",
    }
}

#[test]
fn the_page_is_what_the_rows_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/annotations.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let docs = std::fs::read_to_string(&path).unwrap_or_default();
    let command = "UPDATE=1 cargo test -p steelyard-dialects annotations";
    assert!(docs == page, "docs/annotations.md is stale: {command}");
}
