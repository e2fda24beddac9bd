use steelyard_model::routing::belief::NginxBelief;
use steelyard_model::routing::nginx_log::{LogEscape, LogText, USUAL, USUAL_OF_STREAMS};
use steelyard_model::routing::tls::{Resumption, TlsVersion};
use steelyard_model::routing::trust::Trust;

use super::*;

/// What a ConfigMap of these lines comes to, and the keys of which something is said.
fn read(lines: &[(&str, &str)]) -> (NginxSettings, Vec<String>) {
    let object = Arc::new(ObjectRef::new("ConfigMap", "ingress-nginx", "settings"));
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let data: Labels = lines.iter().map(own).collect();
    let mut said = Vec::new();
    let settings = settings(Some((&object, &data)), &mut said);
    (settings, said.iter().map(|it| it.path.to_string()).collect())
}

fn passes(settings: &NginxSettings) -> Vec<&str> {
    settings.passes.iter().map(|it| &*it.name).collect()
}

fn strict(settings: &NginxSettings) -> Option<&str> {
    let site = settings.passes.iter().find_map(|it| match &it.filter {
        Filter::Nginx(step) => match &**step {
            NginxStep::Site(site) => Some(site),
            _ => None,
        },
        _ => None,
    });
    site?.strict.as_deref()
}

#[test]
fn what_is_so_where_nothing_is_said() {
    let (usual, said) = read(&[]);
    let none = NginxSettings { logs: (None, None), handshakes: None, ..usual.clone() };
    assert_eq!((settings(None, &mut Vec::new()), said.len()), (none, 0));
    assert!(usual.redirects && !usual.always_redirects && usual.redirect_status == 308);
    assert_eq!(usual.open_paths, [CHALLENGES.into()]);
    assert_eq!(strict(&usual), Some("max-age=31536000; includeSubDomains"));
    assert_eq!(usual.timeouts.idle_read, Some(Duration::from_secs(60)));
    assert_eq!(passes(&usual), ["site", "body"]);
    let hour = Some(Duration::from_hours(1));
    let idle = Some(Duration::from_mins(1));
    assert_eq!(usual.timeouts.reuse, ReuseTerms { idle, age: hour, requests: Some(10_000) });
}

#[test]
fn how_long_connections_to_endpoints_are_used() {
    let reuse = |lines: &[(&str, &str)]| {
        let (settings, said) = read(lines);
        (settings.timeouts.reuse, said)
    };
    let (said, all) = reuse(&[
        ("upstream-keepalive-requests", "200"),
        ("upstream-keepalive-time", "90m"),
        ("upstream-keepalive-timeout", "5"),
        ("upstream-keepalive-connections", "7"),
    ]);
    let (idle, age) = (Some(Duration::from_secs(5)), Some(Duration::from_mins(90)));
    assert_eq!((said, all.len()), (ReuseTerms { idle, age, requests: Some(200) }, 0));
    let (none, _) = reuse(&[("upstream-keepalive-connections", "0")]);
    assert_eq!(none.requests, Some(1));
    let (_, said) = reuse(&[("upstream-keepalive-time", "long")]);
    assert_eq!(said, ["data.upstream-keepalive-time"]);
}

#[test]
fn what_is_said_counts() {
    let (settings, said) = read(&[
        ("hsts-max-age", "86400"),
        ("hsts-include-subdomains", "false"),
        ("hsts-preload", "true"),
        ("http-redirect-code", "301"),
        ("no-tls-redirect-locations", "/a,/b"),
        ("proxy-read-timeout", "20"),
        ("use-gzip", "true"),
        ("limit-rate", "1"),
        ("block-user-agents", "~*curl,AlphaBot"),
        ("whitelist-source-range", "10.0.0.0/8"),
        ("block-cidrs", "192.0.2.1"),
        ("worker-processes", "8"),
        ("proxy-cookie-path", "/ /a"),
        ("proxy-redirect-from", "http://a"),
        ("proxy-redirect-to", "http://b"),
        ("hide-headers", "X-A,X-B"),
        ("limit-req-status-code", "429"),
    ]);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(strict(&settings), Some("max-age=86400; preload"));
    assert_eq!((settings.redirect_status, settings.open_paths.len()), (301, 2));
    assert_eq!(settings.timeouts.idle_read, Some(Duration::from_secs(20)));
    assert_eq!(settings.limited, (429, 503));
    let of = |text| read(&[("limit-conn-zone-variable", text)]).0.counted;
    assert_eq!(of("$binary_remote_addr"), None);
    assert_eq!(of("$server_name"), Some(Counted::Host));
    assert_eq!(of("${http_x_user}"), Some(Counted::Header("x-user".into())));
    let expected = [
        "site",
        "smaller",
        "body",
        "pace",
        "blocked",
        "denied",
        "allowed",
        "cookie-path",
        "location",
        "hidden",
    ];
    assert_eq!(passes(&settings), expected);
}

#[test]
fn what_cannot_be_read_is_said() {
    for (line, closes) in [
        (("hsts-max-age", "long"), false),
        (("proxy-body-size", "10Mi"), false),
        (("http-redirect-code", "404"), false),
        (("limit-req-status-code", "200"), false),
        (("load-balance", "chash"), false),
        (("proxy-http-version", "2"), false),
        (("relative-redirects", "maybe"), false),
        (("annotations-risk-level", "Huge"), false),
        (("strict-validate-path-type", "perhaps"), false),
        (("block-user-agents", "~*("), false),
        (("ssl-early-data", "true"), false),
        (("limit-conn-zone-variable", "$lua_x"), false),
        (("annotations-risk-levle", "Low"), true),
        (("proxy-cookie-domain", "a"), false),
        (("ssl-protocols", "TLSv1.1 TLSv1.2"), false),
        (("proxy-stream-responses", "0"), false),
        (("use-forwarded-headers", "on"), false),
        (("proxy-raed-timeout", "20"), false),
        (("whitelist-source-range", "nobody"), false),
        (("enable-modsecurity", "true"), true),
        (("whitelist-source-rang", "10.0.0.0/8"), true),
        (("server-snippet", "location /a { deny all; }"), true),
        (("http-snippet", "map $a $b { default 1; }"), false),
        (("global-auth-url", "ftp://a.b"), false),
    ] {
        let (settings, said) = read(&[line]);
        assert_eq!(said, [format!("data.{}", line.0)], "{line:?}");
        assert_eq!(settings.refusal.is_some(), closes, "{line:?}");
    }
    // Who may pass cannot be read, so nobody may.
    let (settings, _) = read(&[("whitelist-source-range", "nobody"), ("block-cidrs", "nobody")]);
    let denied = settings.passes.iter().find(|it| &*it.name == "denied").unwrap();
    assert_eq!(denied.filter, step(PassPhase::Access, "", NginxStep::Deny(everybody())).filter);
    let (settings, _) = read(&[("block-user-agents", "good,~*(")]);
    let blocked = settings.passes.iter().find(|it| &*it.name == "blocked").unwrap();
    assert_eq!(blocked.filter, denied.filter, "whom it means cannot be read");
    assert!(read(&[("enable-modsecurity", "false")]).0.refusal.is_none());
    // The value that asks for nothing is nothing to speak of.
    for line in [("ssl-early-data", "false"), ("ignore-invalid-headers", "true")] {
        assert_eq!(read(&[line]).1, Vec::<String>::new(), "{line:?}");
    }
    assert_eq!(read(&[("ignore-invalid-headers", "false")]).1.len(), 1);
}

#[test]
fn the_page_is_what_the_rows_say() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/nginx.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let docs = std::fs::read_to_string(&path).unwrap_or_default();
    let command = "UPDATE=1 cargo test -p steelyard-dialects nginx";
    assert!(docs == page, "docs/nginx.md is stale: {command}");
}

/// What notes and cases are about is there.
#[test]
fn nothing_is_said_of_what_is_not_there() {
    let annotations: Vec<&str> = crate::annotation::NGINX.rows().map(|it| it.name).collect();
    let noted = notes::DIFFERENT.iter().chain(&notes::REFUSED).chain(&notes::INSTEAD);
    let noted = noted.chain(&shown::ANNOTATIONS);
    for (name, _) in noted {
        assert!(annotations.contains(name), "{name}");
    }
    for (name, _) in shown::SETTINGS.into_iter().chain(notes::DIFFERENT_KEYS) {
        assert!(KEYS.iter().any(|(key, _)| *key == name), "{name}");
    }
    assert!(KEYS.is_sorted_by_key(|(key, _)| *key));
}

#[test]
fn whose_word_is_taken() {
    let belief = |lines: &[(&str, &str)]| read(lines).0.belief;
    assert_eq!(belief(&[]), NginxBelief::default());
    // What backends are told hangs on nobody who is believed.
    let told = belief(&[
        ("enable-underscores-in-headers", "true"),
        ("forwarded-for-header", "CF-Connecting-IP"),
    ]);
    assert!(told.keeps_underscores && told.forwarded.is_none());
    assert_eq!(told.list.as_deref(), Some("CF-Connecting-IP"));
    let usual = belief(&[("use-forwarded-headers", "true")]).forwarded.unwrap();
    assert_eq!((usual.list.as_deref(), usual.has_lines), (Some("X-Forwarded-For"), true));
    assert!(usual.trust.covers([192, 0, 2, 1].into()) && !usual.is_full);
    let named = belief(&[
        ("enable-real-ip", "true"),
        ("forwarded-for-header", "CF-Connecting-IP"),
        ("compute-full-forwarded-for", "true"),
    ]);
    let forwarded = named.forwarded.unwrap();
    assert_eq!(forwarded.list.as_deref(), Some("CF-Connecting-IP"));
    assert!(!forwarded.has_lines && !forwarded.is_full);
    // Connections say who is there, and lines do not.
    let proxied = belief(&[("use-proxy-protocol", "true"), ("enable-real-ip", "true")]);
    assert!(proxied.forwarded.is_none());
    assert_eq!(proxied.proxied.unwrap().wait, Duration::from_secs(5));
    let both = belief(&[
        ("use-proxy-protocol", "true"),
        ("use-forwarded-headers", "true"),
        ("proxy-protocol-header-timeout", "800ms"),
    ]);
    assert!(both.forwarded.is_some());
    assert_eq!(both.proxied.unwrap().wait, Duration::from_millis(800));
}

/// Who may speak for others and cannot be read may not.
#[test]
fn nobody_is_believed_by_mistake() {
    for ranges in ["10.0.0.0/33", "10.0.0.0/8,x", "10.0.0.0/8 192.0.2.0/24", "*"] {
        let lines = [("use-forwarded-headers", "true"), ("proxy-real-ip-cidr", ranges)];
        let (settings, said) = read(&lines);
        assert_eq!(said, ["data.proxy-real-ip-cidr"]);
        let trust = settings.belief.forwarded.unwrap().trust;
        assert_eq!(trust, Trust::Nobody, "{ranges}");
    }
    let (settings, said) = read(&[("proxy-real-ip-cidr", "10.0.0.0/8")]);
    assert_eq!((settings.belief, said.len()), (NginxBelief::default(), 1));
}

#[test]
fn handshakes_are_held_as_it_says() {
    let held = |lines: &[(&str, &str)]| {
        let (settings, said) = read(lines);
        let handshakes = settings.handshakes.unwrap();
        ((*handshakes.policy).clone(), handshakes.staples, said)
    };
    let (usual, staples, said) = held(&[]);
    assert_eq!((usual.resumes, usual.is_strict, staples), (Resumption::Kept, false, false));
    assert!(said.is_empty() && usual.ciphers.is_empty() && usual.groups.is_empty());
    let (policy, staples, said) = held(&[
        ("enable-ocsp", "true"),
        ("ssl-protocols", "TLSv1.2"),
        ("ssl-ecdh-curve", "X25519:secp384r1"),
        ("ssl-reject-handshake", "true"),
        ("ssl-session-tickets", "true"),
        ("use-http2", "false"),
    ]);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(policy.versions, (TlsVersion::V1_2, TlsVersion::V1_2));
    assert_eq!(policy.groups, ["X25519".into(), "secp384r1".into()]);
    assert_eq!(policy.alpn, ["http/1.1".into()]);
    assert_eq!((policy.resumes, policy.is_strict, staples), (Resumption::Tickets, true, true));
    for (written, count) in [("TLSv1 TLSv1.1 TLSv1.2", 1), ("TLSv1", 1), ("tls", 1)] {
        let (policy, _, said) = held(&[("ssl-protocols", written)]);
        assert_eq!((policy.versions.0, said.len()), (TlsVersion::V1_2, count), "{written}");
    }
}

/// Lists of OpenSSL's: what is named and to be had is offered, nothing else is, and what is not to
/// be had is told.
#[test]
fn lists_of_cipher_suites() {
    for (written, offered, is_told) in [
        ("ECDHE-RSA-AES256-GCM-SHA384", &["RSA_WITH_AES_256"][..], false),
        ("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-SHA", &["RSA_WITH_AES_256"], true),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", &["ECDSA_WITH_CHACHA20"], false),
        ("EECDH+AESGCM+aRSA:!AES128:!aNULL", &["RSA_WITH_AES_256"], false),
        ("HIGH:!ECDSA:-AES", &["ECDHE_RSA_WITH_CHACHA20"], false),
        ("ALL:!AES256:!CHACHA20:@SECLEVEL=0", &["ECDSA_WITH_AES_128", "RSA_WITH_AES_128"], false),
        // Nothing is left: as if it were not there.
        ("AES128-SHA", &[], true),
        ("HIGH:!ECDHE", &[], true),
    ] {
        let (settings, said) = read(&[("ssl-ciphers", written)]);
        let ciphers = settings.handshakes.unwrap().policy.ciphers.clone();
        let of_1_2: Vec<_> = ciphers.iter().filter(|it| it.contains("_WITH_")).collect();
        assert_eq!(of_1_2.len(), offered.len(), "{written}: {of_1_2:?}");
        for part in offered {
            assert!(of_1_2.iter().any(|it| it.contains(part)), "{written}: {of_1_2:?}");
        }
        assert_eq!(ciphers.len() - of_1_2.len(), if offered.is_empty() { 0 } else { 3 });
        assert_eq!(!said.is_empty(), is_told, "{written}: {said:?}");
    }
}

#[test]
fn what_is_logged_and_where() {
    let logs = |lines: &[(&str, &str)]| {
        let (settings, said) = read(lines);
        assert_eq!(said, Vec::<String>::new(), "{lines:?}");
        settings.logs
    };
    let (requests, connections) = logs(&[]);
    let (requests, connections) = (requests.unwrap(), connections.unwrap());
    assert!(requests.path.is_none() && !requests.is_asked && !requests.has_strays);
    assert_eq!(connections.text, LogText::read(USUAL_OF_STREAMS, LogEscape::Usual).unwrap().0);
    let path = |lines: &[(&str, &str)]| {
        let (requests, connections) = logs(lines);
        [requests, connections].map(|it| it.and_then(|it| it.path).map(|it| it.to_string()))
    };
    let (a, b) = (Some("/a".to_owned()), Some("/b".to_owned()));
    assert_eq!(path(&[("access-log-path", "/a")]), [a.clone(), a.clone()]);
    assert_eq!(path(&[("access-log-path", "/a"), ("http-access-log-path", "/b")]), [b, a]);
    assert_eq!(path(&[("access-log-path", "/var/log/nginx/access.log")]), [None, None]);
    for (key, kept) in [
        ("disable-access-log", (false, false)),
        ("disable-http-access-log", (false, true)),
        ("disable-stream-access-log", (true, false)),
    ] {
        let (requests, connections) = logs(&[(key, "true")]);
        assert_eq!((requests.is_some(), connections.is_some()), kept, "{key}");
    }
    let json = logs(&[
        ("log-format-upstream", "{\"a\": \"$http_x_a\"}"),
        ("log-format-escape-json", "true"),
        ("skip-access-log-urls", "/healthz,~^/static/"),
    ]);
    let requests = json.0.unwrap();
    assert_eq!((requests.text.escape, requests.skips.len()), (LogEscape::Json, 2));
    assert!(requests.is_asked);
}

/// Lines look as usual, or have nothing in the place of what is not known.
#[test]
fn formats_that_cannot_be_read() {
    for (format, is_usual) in [("$", true), ("${a", true), ("$geoip2_city $status", false)] {
        let (settings, said) = read(&[("log-format-upstream", format)]);
        assert_eq!(said, ["data.log-format-upstream"], "{format}");
        let usual = LogText::read(USUAL, LogEscape::Usual).unwrap().0;
        assert_eq!(settings.logs.0.unwrap().text == usual, is_usual, "{format}");
    }
    let no_places = [
        "syslog:server=a",
        "log",
        "/var/../etc/passwd",
        "/proc/self/fd/2",
        "/proc/sys/kernel/core_pattern",
        "/sys/power/state",
        "/dev/sda",
        "/var//log",
        "/var/log/",
        "/",
        "/a\nb",
    ];
    for place in no_places {
        let (settings, said) = read(&[("access-log-path", place)]);
        assert_eq!(said, ["data.access-log-path", "data.access-log-path"], "{place}");
        assert!(settings.logs.0.unwrap().path.is_none(), "{place}");
    }
    for place in ["/var/log/nginx/a..b.log", "/dev/stderr", "/device/log", "/srv/..a/log"] {
        let (settings, said) = read(&[("access-log-path", place)]);
        assert_eq!((settings.logs.0.unwrap().path.as_deref(), said.len()), (Some(place), 0));
    }
}

/// What is taken for a row of the table of snippets, where that says no value.
const TAKEN: [(&str, &str); 13] = [
    ("allowlist-source-range", "10.0.0.0/8"),
    ("auth-signin", "http://a.b/start"),
    ("auth-url", "http://a.b/"),
    ("cors-allow-origin", "https://a.b"),
    ("custom-headers", "default/lines"),
    ("enable-cors", "true"),
    ("from-to-www-redirect", "true"),
    ("limit-allowlist", "10.0.0.0/8"),
    ("limit-burst-multiplier", "3"),
    ("limit-rps", "5"),
    ("permanent-redirect", "https://a.b/c"),
    ("upstream-vhost", "a.b"),
    ("use-regex", "true"),
];

/// What annotations of an Ingress come to, and whether anything is said of them.
fn annotated(lines: &[(&str, &str)]) -> (steelyard_model::ClassReading, bool) {
    let prefix = "nginx.ingress.kubernetes.io";
    let lines = lines.iter().map(|(name, value)| format!("{prefix}/{name}: {value:?}"));
    let yaml = format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: a, namespace: default, \
         annotations: {{{}}}}}\nspec: {{ingressClassName: nginx, rules: [{{host: a.b, http: {{paths: \
         [{{path: '/api/(.*)', pathType: ImplementationSpecific, backend: {{service: {{name: a, \
         port: {{number: 80}}}}}}}}]}}}}]}}\n",
        lines.collect::<Vec<_>>().join(", ")
    );
    let source = steelyard_manifest::Source::new("a.yaml", yaml.into_bytes());
    let loaded = steelyard_manifest::load(&source, &steelyard_manifest::ReadLimits::default());
    let lowered = crate::lower(&loaded.objects[0], &crate::LowerOptions::default());
    let [steelyard_model::Item::Routes(set)] = &lowered.items[..] else { panic!("{lowered:?}") };
    let reading = (*set.readings.nginx).clone();
    let code = |it: &Diagnostic| it.code == codes::PATH_REGEX;
    let is_said = !reading.said.iter().all(code);
    (reading, is_said)
}

/// Each snippet of the table is refused, and what is named in its place is taken.
#[test]
fn what_stands_beside_a_snippet_is_taken_in_its_place() {
    for (snippet, instead) in crate::snippets::SNIPPETS {
        let (refused, is_said) = annotated(&[("configuration-snippet", snippet)]);
        assert!(refused.refusal.is_some() && is_said, "{snippet}");
        let meant = instead.strip_prefix("nothing: ").unwrap_or(instead);
        let is_named = refused.said.iter().any(|found| found.help.contains(meant));
        assert!(is_named, "{snippet}: {:?}", refused.said);
        let words = instead.split('`').skip(1).step_by(2).filter(|word| !word.starts_with('/'));
        let named: Vec<(&str, &str)> = words
            .map(|word| match word.split_once(": ") {
                Some((name, value)) => (name, value.trim_matches('"')),
                None => {
                    let sample = TAKEN.iter().find(|(name, _)| *name == word);
                    (word, sample.map_or("", |(_, value)| value))
                }
            })
            .collect();
        assert!(!named.is_empty() || instead.starts_with("nothing"), "{snippet}: {instead}");
        let is_key = |name: &'static str| KEYS.contains(&(name, KeyFate::Reads));
        let (keys, annotations): (Vec<_>, Vec<_>) = named.into_iter().partition(|it| is_key(it.0));
        let is_known = |(name, value): &(&str, &str)| {
            !value.is_empty() && crate::annotation::NGINX.rows().any(|row| row.name == *name)
        };
        let of_all = keys.iter().all(|(_, value)| value.is_empty());
        assert!(of_all || annotations.iter().all(is_known), "{snippet}: {annotations:?}");
        let (taken, is_said) = annotated(&annotations);
        assert!(taken.refusal.is_none() && !is_said, "{snippet}: {:?}", taken.said);
        let nothing = annotated(&[]).0;
        assert_eq!(taken == nothing, annotations.is_empty(), "{snippet}: {annotations:?}");
    }
}
