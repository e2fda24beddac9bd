//! What ingress-nginx could be made to write into its configuration, by the numbers of its CVEs:
//! here values are data, so each is no value, closes the routes, or is compared as it stands.

use super::*;

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The routes answer 503.
    Closes,
    /// It is as if it were not there.
    Ignored,
}
use Fate::{Closes, Ignored};

const ANNOTATIONS: [(&str, &str, &str, Fate); 26] = [
    ("CVE-2021-25742", "configuration-snippet", "} location /x { alias /; #", Closes),
    ("CVE-2021-25742", "server-snippet", "set_by_lua $x 'return 1';", Closes),
    ("CVE-2021-25742", "auth-snippet", "proxy_pass http://evil;", Closes),
    ("CVE-2021-25742", "stream-snippet", "server { listen 1; }", Closes),
    ("CVE-2023-5043", "configuration-snippet", "content_by_lua_block { os.execute('x') }", Closes),
    ("CVE-2023-5044", "permanent-redirect", "https://a.b;}location /x {alias /;}", Closes),
    ("CVE-2023-5044", "temporal-redirect", "https://a.b$request_uri", Closes),
    ("CVE-2024-7646", "permanent-redirect", "https://a.b\r}", Closes),
    ("CVE-2024-7646", "upstream-vhost", "a.b\r\nEvil: 1", Closes),
    ("CVE-2025-1097", "auth-tls-match-cn", "CN=abc #(\n){}\n}}\nssl_engine x;", Closes),
    ("CVE-2025-1098", "mirror-target", "http://a.b#;\n}\nssl_engine x;", Ignored),
    ("CVE-2025-1098", "mirror-host", "a.b;}", Ignored),
    ("CVE-2025-24514", "auth-url", "http://a.b/#;load_module x", Closes),
    ("CVE-2025-24513", "auth-secret", "../../etc/passwd", Closes),
    ("CVE-2025-15566", "auth-proxy-set-headers", "default/a;}", Closes),
    ("CVE-2026-1580", "auth-method", "GET;}", Ignored),
    ("CVE-2026-3288", "rewrite-target", "/$1\";}location /x {", Ignored),
    ("CVE-2026-4342", "upstream-vhost", "a.b # comment", Closes),
    ("CVE-2026-4342", "x-forwarded-prefix", "/a#\n}", Closes),
    ("values with lua", "upstream-hash-by", "${lua(os.execute('x'))}", Closes),
    ("values with $(", "server-alias", "$(id)", Closes),
    ("values with }", "proxy-cookie-path", "/a /b;}", Ignored),
    ("values with include", "proxy-redirect-from", "include /etc/passwd;", Ignored),
    ("values with quotes", "cors-allow-methods", "GET\"; add_header X 1", Ignored),
    ("values with newlines", "session-cookie-name", "a\nSet-Cookie: b", Ignored),
    ("values with alias", "app-root", "/x;alias /etc/;", Ignored),
];

/// Paths that would end a location, or lead to files.
const PATHS: [(&str, &str); 6] = [
    ("CVE-2021-25745", "/x { alias /etc/; } location /y"),
    ("CVE-2021-25746", "/x\";}"),
    ("CVE-2021-25748", "/x\n}"),
    ("CVE-2022-4886", "/x;alias /var/run/secrets/;"),
    ("CVE-2026-24512", "/x' #"),
    ("CVE-2026-24512", "/$(id)`x`"),
];

fn ingress(annotations: &str, path: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{name: a, namespace: default, annotations: {{{annotations}}}}}\n\
         spec: {{ingressClassName: nginx, rules: [{{host: a.b, http: {{paths: [\
         {{path: {path:?}, pathType: ImplementationSpecific, \
         backend: {{service: {{name: a, port: {{number: 80}}}}}}}}]}}}}]}}\n"
    )
}

/// As ingress-nginx's words are read, without what is said.
fn read(yaml: &str) -> (RouteSet, ClassReading) {
    let lowered = lowered(yaml);
    let [Item::Routes(set)] = &lowered.items[..] else { panic!("{yaml}: {:?}", lowered.items) };
    let reading = ClassReading { said: Vec::new(), written: None, ..(*set.readings.nginx).clone() };
    ((**set).clone(), reading)
}

#[test]
fn no_value_gets_out_of_its_annotation() {
    let without = read(&ingress("", "/")).1;
    for (number, name, value, fate) in ANNOTATIONS {
        let beside = match name {
            "auth-secret" => "nginx.ingress.kubernetes.io/auth-type: basic, ",
            "auth-proxy-set-headers" => "nginx.ingress.kubernetes.io/auth-url: http://a.b, ",
            "auth-tls-match-cn" => "nginx.ingress.kubernetes.io/auth-tls-secret: default/a, ",
            "mirror-host" => "nginx.ingress.kubernetes.io/mirror-target: http://a.b/, ",
            "cors-allow-methods" => "nginx.ingress.kubernetes.io/enable-cors: \"true\", ",
            "session-cookie-name" => "nginx.ingress.kubernetes.io/affinity: cookie, ",
            _ => "",
        };
        let own = format!("{beside}nginx.ingress.kubernetes.io/{name}: {value:?}");
        let (_, with) = read(&ingress(&own, "/"));
        let found = if with.refusal.is_some() { Closes } else { Ignored };
        assert_eq!(found, fate, "{number} {name}: {value:?}");
        if fate == Ignored && beside.is_empty() {
            assert_eq!(with, without, "{number} {name}: {value:?}");
        }
        let text = format!("{with:?}");
        assert!(!text.contains(&format!("{value:?}")), "{number} {name}: {text}");
    }
}

#[test]
fn a_path_is_compared_as_it_stands() {
    for (number, path) in PATHS {
        let (set, reading) = read(&ingress("", path));
        assert_eq!(set.routes.len(), 1, "{number} {path:?}");
        let shape = &set.routes[0].rule.path().expect("a path").shape;
        assert_eq!(shape.len(), path.len(), "{number} {path:?}: {shape:?}");
        assert!(reading.passes.is_empty() && reading.refusal.is_none(), "{number} {path:?}");
        // As an expression it is one, or closes.
        let regex = "nginx.ingress.kubernetes.io/use-regex: \"true\"";
        let (_, reading) = read(&ingress(regex, path));
        assert!(reading.has_expressions, "{number} {path:?}");
    }
}
