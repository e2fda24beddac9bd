//! A rule of each matcher, on real sockets: who matches is answered by the backend, who does not by
//! nobody.

use super::*;

/// A rule, and what is asked of who has it: whether the rule takes that.
type Matched<'r> = (&'r str, &'r [(&'r str, bool)]);

/// A rule, and requests with whether it is for them. `HOST` is a host of the rule's own, which
/// stands before the rule.
const REQUESTS: &[Matched<'static>] = &[
    (
        "Host(`HOST`)",
        &[
            ("GET / HTTP/1.1\nHost: HOST", true),
            ("GET / HTTP/1.1\nHost: HOST.:80", true),
            ("GET / HTTP/1.1\nHost: a.HOST", false),
        ],
    ),
    (
        "Host(`*.HOST`)",
        &[
            ("GET / HTTP/1.1\nHost: A.HOST", true),
            ("GET / HTTP/1.1\nHost: b.a.HOST", false),
            ("GET / HTTP/1.1\nHost: HOST", false),
        ],
    ),
    (
        "HostRegexp(`^[a-z]+\\.HOST$`)",
        &[("GET / HTTP/1.1\nHost: abc.HOST", true), ("GET / HTTP/1.1\nHost: 1.HOST", false)],
    ),
    (
        "Host(`HOST`) && Path(`/a`)",
        &[
            ("GET /a?b HTTP/1.1\nHost: HOST", true),
            ("GET /a/ HTTP/1.1\nHost: HOST", false),
            ("GET /A HTTP/1.1\nHost: HOST", false),
        ],
    ),
    (
        "Host(`HOST`) && PathPrefix(`/a`)",
        &[
            ("GET /ab HTTP/1.1\nHost: HOST", true),
            ("GET /x/../a/b HTTP/1.1\nHost: HOST", true),
            ("GET /b/a HTTP/1.1\nHost: HOST", false),
        ],
    ),
    (
        "Host(`HOST`) && PathRegexp(`^/v[0-9]+/(a|b)$`)",
        &[
            ("GET /v1/b HTTP/1.1\nHost: HOST", true),
            ("GET /v/b HTTP/1.1\nHost: HOST", false),
            ("GET /v1/b/c HTTP/1.1\nHost: HOST", false),
        ],
    ),
    (
        "Host(`HOST`) && Method(`DELETE`)",
        &[("DELETE / HTTP/1.1\nHost: HOST", true), ("GET / HTTP/1.1\nHost: HOST", false)],
    ),
    (
        "Host(`HOST`) && Header(`X-A`, `1`)",
        &[
            ("GET / HTTP/1.1\nHost: HOST\nx-a: 1", true),
            ("GET / HTTP/1.1\nHost: HOST\nX-A: 0\nX-A: 1", true),
            ("GET / HTTP/1.1\nHost: HOST\nX-A: 11", false),
            ("GET / HTTP/1.1\nHost: HOST", false),
        ],
    ),
    (
        "Host(`HOST`) && HeaderRegexp(`X-A`, `^b+$`)",
        &[
            ("GET / HTTP/1.1\nHost: HOST\nX-A: bb", true),
            ("GET / HTTP/1.1\nHost: HOST\nX-A: bc", false),
        ],
    ),
    (
        "Host(`HOST`) && Query(`q`, `1 2`)",
        &[
            ("GET /?p=0&q=1%202 HTTP/1.1\nHost: HOST", true),
            ("GET /?q=1 HTTP/1.1\nHost: HOST", false),
        ],
    ),
    (
        "Host(`HOST`) && QueryRegexp(`q`, `^[0-9]+$`)",
        &[
            ("GET /?q=12 HTTP/1.1\nHost: HOST", true),
            ("GET /?q=1a HTTP/1.1\nHost: HOST", false),
            ("GET / HTTP/1.1\nHost: HOST", false),
        ],
    ),
    // What a client says of its address is not believed.
    ("Host(`HOST`) && ClientIP(`127.0.0.0/8`)", &[("GET / HTTP/1.1\nHost: HOST", true)]),
    (
        "Host(`HOST`) && ClientIP(`192.0.2.1`)",
        &[("GET / HTTP/1.1\nHost: HOST\nX-Forwarded-For: 192.0.2.1", false)],
    ),
    (
        "Host(`HOST`) && !(Path(`/a`) || Header(`X-A`, `1`))",
        &[
            ("GET /b HTTP/1.1\nHost: HOST", true),
            ("GET /a HTTP/1.1\nHost: HOST", false),
            ("GET /b HTTP/1.1\nHost: HOST\nX-A: 1", false),
        ],
    ),
];

/// The same of connections over TLS: what `openssl s_client` is told, and whether it comes to who
/// speaks there.
const CONNECTIONS: &[Matched<'static>] = &[
    ("HostSNI(`HOST`)", &[("-servername HOST", true), ("-servername a.HOST", false)]),
    (
        "HostSNIRegexp(`^[a-z]+\\.HOST$`)",
        &[("-servername a.HOST", true), ("-servername 1.HOST", false)],
    ),
    (
        "HostSNI(`HOST`) && ALPN(`smtp`)",
        &[
            ("-servername HOST -alpn http/1.1,smtp", true),
            ("-servername HOST -alpn http/1.1", false),
        ],
    ),
    ("HostSNI(`HOST`) && ClientIP(`127.0.0.1`)", &[("-servername HOST", true)]),
    ("HostSNI(`HOST`) && ClientIP(`192.0.2.0/24`)", &[("-servername HOST", false)]),
];

/// An object of so many routes, and the host of each.
fn object(kind: &str, rules: &[Matched<'_>], service: &str, point: &str) -> String {
    let route = |(at, (rule, _)): (usize, &Matched<'_>)| {
        let rule = rule.replace("HOST", &host(at));
        format!("  - match: '{rule}'\n    services: [{{name: {service}, port: 80}}]\n")
    };
    let routes: String = rules.iter().enumerate().map(route).collect();
    format!(
        "---\napiVersion: traefik.io/v1alpha1\nkind: {kind}\nmetadata: {{name: matchers}}\nspec:\n  \
         entryPoints: [{point}]\n  routes:\n{routes}"
    )
}

fn host(at: usize) -> String {
    format!("m{at}.test")
}

#[test]
fn each_matcher_tells_requests_and_connections_apart() -> Result<()> {
    let (folder, _shop, _api) = shop()?;
    let speaker = Speaker::start("spoken to")?;
    folder.write("speaker.yaml", &service("speaker", speaker.0))?;
    folder.write("http.yaml", &object("IngressRoute", REQUESTS, "shop", "web"))?;
    let tcp = object("IngressRouteTCP", CONNECTIONS, "speaker", "websecure") + "  tls: {}\n";
    folder.write("tcp.yaml", &tcp)?;
    let up = Up::start(folder.path())?;
    let mut wrong = Vec::new();
    for (at, (rule, requests)) in REQUESTS.iter().enumerate() {
        for (request, is_for_it) in *requests {
            let request = request.replace("HOST", &host(at)).replace('\n', "\r\n");
            let text = format!("{request}\r\nConnection: close\r\n\r\n");
            let answer = http::exchange(&mut connect(up.web)?, text.as_bytes())?;
            let found = (answer.status, answer.workload());
            if found != if *is_for_it { (200, "shop") } else { (404, "") } {
                wrong.push(format!("{rule}: {request}: {found:?}"));
            }
        }
    }
    for (at, (rule, connections)) in CONNECTIONS.iter().enumerate() {
        for (options, is_for_it) in *connections {
            let options = options.replace("HOST", &host(at));
            let options: Vec<&str> = options.split(' ').collect();
            let said = openssl(up.websecure, &options, "x\r\n\r\n")?;
            if said.contains("spoken to") != *is_for_it {
                wrong.push(format!("{rule}: {options:?}: {said:?}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
