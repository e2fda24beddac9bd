//! Traefik's own kinds, as `steelyard up` serves them: on real sockets, from a folder.

#[path = "traefik/databases.rs"]
mod databases;
#[path = "traefik/explained.rs"]
mod explained;
#[path = "traefik/led.rs"]
mod led;
#[path = "traefik/matchers.rs"]
mod matchers;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use steelyard_tests::http;
use steelyard_tests::process::Signal;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service};
use steelyard_tests::wait;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

const ROUTES: &str = r#"
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: shop}
spec:
  entryPoints: [web]
  routes:
  - match: Host(`shop.test`)
    services: [{name: shop, port: 80}]
  - match: Host(`shop.test`) && PathPrefix(`/api`) && !Header(`X-Old`, `yes`)
    services: [{name: api, port: 80}]
  - match: HostRegexp(`^[a-z]+\.any\.test$`) && Method(`GET`)
    priority: 1
    services: [{name: api, port: 80}]
  - match: Host(`both.test`)
    services:
    - {name: shop, port: 80, weight: 3}
    - {name: api, port: 80, weight: 1}
  - match: Host(`shared.test`)
    services: [{name: shared, kind: TraefikService}]
  - match: Host(`closed.test`)
    middlewares: [{name: users}]
    services: [{name: shop, port: 80}]
  - match: Host(`broken.test`) && Path(`no-slash`)
    services: [{name: shop, port: 80}]
---
apiVersion: traefik.io/v1alpha1
kind: TraefikService
metadata: {name: shared}
spec:
  weighted:
    services:
    - {name: shop, port: 80}
    - {name: api, port: 80, weight: 0}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: parent}
spec:
  entryPoints: [web]
  routes: [{match: Host(`layers.test`)}]
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: child}
spec:
  parentRefs: [{name: parent}]
  routes:
  - match: PathPrefix(`/shop`)
    services: [{name: shop, port: 80}]
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: thief, namespace: elsewhere}
spec:
  parentRefs: [{name: parent, namespace: default}]
  routes:
  - match: PathPrefix(`/shop/secret`)
    services: [{name: shop, port: 80}]
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: others}
spec:
  ingressClassName: somebody-elses
  routes:
  - match: Host(`others.test`)
    services: [{name: shop, port: 80}]
"#;

#[test]
fn requests_go_where_ingress_routes_say() -> Result<()> {
    let (folder, _shop, _api) = shop()?;
    folder.write("routes.yaml", ROUTES)?;
    let up = Up::start(folder.path())?;
    for (host, path, status, workload) in [
        ("shop.test", "/", 200, "shop"),
        ("shop.test", "/api/users", 200, "api"),
        ("x.any.test", "/", 200, "api"),
        ("1.any.test", "/", 404, ""),
        ("shared.test", "/", 200, "shop"),
        ("layers.test", "/shop/1", 200, "shop"),
        ("layers.test", "/", 404, ""),
        // An object of another namespace does not take what is under a parent.
        ("layers.test", "/shop/secret", 200, "shop"),
        ("closed.test", "/", 503, ""),
        ("broken.test", "/", 503, ""),
        ("others.test", "/", 404, ""),
    ] {
        let answer = up.get(host, path)?;
        ensure!(
            (answer.status, answer.workload()) == (status, workload),
            "{host}{path}: {answer:?}"
        );
    }
    let old = "GET /api HTTP/1.1\r\nHost: shop.test\r\nX-Old: yes\r\nConnection: close\r\n\r\n";
    let answer = http::exchange(&mut connect(up.web)?, old.as_bytes())?;
    ensure!(answer.workload() == "shop", "the negated matcher: {answer:?}");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..40 {
        *counts.entry(up.get("both.test", "/")?.workload().to_owned()).or_default() += 1;
    }
    // Each core takes turns by itself.
    ensure!((28..=32).contains(&counts["shop"]), "three to one: {counts:?}");
    Ok(())
}

#[test]
fn an_edit_of_an_ingress_route_is_live() -> Result<()> {
    let (folder, _shop, _api) = shop()?;
    folder.write("routes.yaml", ROUTES)?;
    let up = Up::start(folder.path())?;
    ensure!(up.get("shop.test", "/")?.status == 200, "before the edit");
    folder.write("routes.yaml", &ROUTES.replace("shop.test", "moved.test"))?;
    up.wait_for("moved.test", 200)?;
    up.wait_for("shop.test", 404)?;
    // A rule that cannot be read is no route, and others of its object are served.
    folder.write("routes.yaml", &ROUTES.replace("Host(`shop.test`)\n", "Host(`shop.test`\n"))?;
    up.wait_for("moved.test", 404)?;
    ensure!(up.get("shop.test", "/api/users")?.workload() == "api", "the next rule");
    let said = up.read("diagnostics")?.to_string();
    ensure!(said.contains("rule-invalid"), "{said}");
    Ok(())
}

#[test]
fn a_rule_of_requests_over_tls_is_none_in_plain() -> Result<()> {
    let (folder, _shop, _api) = shop()?;
    let text = "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: secure}\n\
        spec:\n  routes:\n  - match: Host(`secure.test`)\n    services: [{name: shop, port: 80}]\n  \
        tls: {options: {name: modern}}\n---\napiVersion: traefik.io/v1alpha1\nkind: TLSOption\n\
        metadata: {name: modern}\nspec: {minVersion: VersionTLS13}\n";
    folder.write("secure.yaml", text)?;
    // An Ingress names the same terms.
    let named = "traefik.ingress.kubernetes.io/router.tls.options: default-modern@kubernetescrd";
    let ingress = ingress("named", "named.test", "shop", named);
    folder.write("named.yaml", &ingress.replace("nginx", "traefik"))?;
    let up = Up::start(folder.path())?;
    ensure!(up.get("secure.test", "/")?.status == 404, "in plain it is nobody's");
    let asked_for = |host: &str, version: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        openssl(up.websecure, &["-servername", host, version], &request)
    };
    let asked = |version| asked_for("secure.test", version);
    ensure!(up.get("named.test", "/")?.status == 404, "in plain it is nobody's either");
    for host in ["secure.test", "named.test"] {
        let answer = asked_for(host, "-tls1_3")?;
        ensure!(answer.contains("HTTP/1.1 200"), "{host}: {answer}");
        let answer = asked_for(host, "-tls1_2")?;
        ensure!(!answer.contains("HTTP/1.1"), "{host}: the option says TLS 1.3: {answer}");
    }
    // An option that is not there is held by nobody.
    folder.write("secure.yaml", &text.replace("name: modern}}", "name: gone}}"))?;
    wait::until("no handshake", || asked("-tls1_3").is_ok_and(|it| !it.contains("HTTP/1.1")))
}

#[test]
fn connections_and_datagrams_go_where_their_routes_say() -> Result<()> {
    let folder = Scratch::new()?;
    let (first, second) = (Speaker::start("first")?, Speaker::start("second")?);
    folder.write("first.yaml", &service("first", first.0))?;
    folder.write("second.yaml", &service("second", second.0))?;
    let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    datagrams.set_read_timeout(Some(PATIENCE))?;
    let at = datagrams.local_addr()?;
    let udp = service("udp", at).replace("{port: 80}", "{port: 80, protocol: UDP}");
    folder.write("udp.yaml", &udp)?;
    folder.write(
        "routes.yaml",
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRouteTCP\nmetadata: {name: db}\nspec:\n  \
         entryPoints: [db]\n  routes:\n  - match: HostSNI(`*`)\n    services: [{name: first, port: \
         80}]\n---\napiVersion: traefik.io/v1alpha1\nkind: IngressRouteTCP\nmetadata: {name: \
         named}\nspec:\n  entryPoints: [db]\n  routes:\n  - match: HostSNI(`second.test`)\n    \
         services: [{name: second, port: 80}]\n  tls: {}\n---\napiVersion: \
         traefik.io/v1alpha1\nkind: IngressRouteUDP\nmetadata: {name: dns}\nspec:\n  entryPoints: \
         [dns]\n  routes:\n  - services: [{name: udp, port: 80}]\n",
    )?;
    let (db, dns) = (http::free_port()?, http::free_port()?);
    let options = [
        format!("--entrypoints.db.address=127.0.0.1:{db}"),
        format!("--entrypoints.dns.address=127.0.0.1:{dns}/udp"),
        format!("--state-dir={}", folder.file(".state").display()),
    ];
    let options: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    let mut up = Up::launch(&[], folder.path(), &options)?;
    up.wait_until_ready()?;
    let db = SocketAddr::from((Ipv4Addr::LOCALHOST, db));

    let mut plain = connect(db)?;
    plain.write_all(b"x")?;
    let mut said = [0; 5];
    plain.read_exact(&mut said)?;
    ensure!(&said == b"first", "plain bytes: {said:?}");
    let answer = openssl(db, &["-servername", "second.test"], "x")?;
    ensure!(answer.contains("second"), "TLS by its name ends here: {answer}");

    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.send_to(b"question", (Ipv4Addr::LOCALHOST, dns))?;
    let mut buffer = [0; 64];
    let (length, from) = datagrams.recv_from(&mut buffer)?;
    ensure!(&buffer[..length] == b"question", "{:?}", &buffer[..length]);
    datagrams.send_to(b"answer", from)?;
    let (length, from) = client.recv_from(&mut buffer)?;
    ensure!(&buffer[..length] == b"answer" && from.port() == dns, "{from}");
    Ok(())
}

/// And no longer than is said.
#[test]
fn a_long_connection_outlives_an_edit_and_is_waited_for_at_the_end() -> Result<()> {
    const DRAIN: u64 = 3;
    let folder = Scratch::new()?;
    let (long, other) = (echo()?, Speaker::start("other")?);
    folder.write("services.yaml", &(service("long", long) + &service("other", other.0)))?;
    let route = |to: &str| {
        format!(
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRouteTCP\nmetadata: {{name: db}}\nspec:\n  \
             entryPoints: [db]\n  routes:\n  - match: HostSNI(`*`)\n    services: [{{name: {to}, port: \
             80}}]\n"
        )
    };
    folder.write("route.yaml", &route("long"))?;
    let db = SocketAddr::from((Ipv4Addr::LOCALHOST, http::free_port()?));
    let options = [
        format!("--entrypoints.db.address={db}"),
        format!("--state-dir={}", folder.file(".state").display()),
        format!("--drain={DRAIN}"),
    ];
    let options: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    let mut up = Up::launch(&[], folder.path(), &options)?;
    up.wait_until_ready()?;
    let says = |stream: &mut TcpStream| -> Result<Vec<u8>> {
        let mut heard = vec![0; 4];
        stream.write_all(b"ping")?;
        stream.read_exact(&mut heard)?;
        Ok(heard)
    };
    let mut open = connect(db)?;
    ensure!(says(&mut open)? == b"ping");
    folder.write("route.yaml", &route("other"))?;
    wait::until("the edit", || {
        connect(db).and_then(|mut it| says(&mut it)).is_ok_and(|it| it == b"othe")
    })?;
    ensure!(says(&mut open)? == b"ping", "after the edit");
    up.process.signal(Signal::TERM)?;
    let asked = Instant::now();
    wait::until("nobody to listen", || TcpStream::connect(db).is_err())?;
    ensure!(says(&mut open)? == b"ping", "while it is waited for");
    let end = open.read(&mut [0]).map_err(|error| error.kind());
    ensure!(end == Err(ErrorKind::ConnectionReset), "it is no orderly end: {end:?}");
    let took = asked.elapsed().as_secs();
    ensure!((DRAIN - 1..PATIENCE.as_secs()).contains(&took), "{took} s");
    ensure!(up.process.wait_for_end()?.success(), "{}", up.process.printed());
    Ok(())
}

/// It says meanwhile that it is to end.
#[test]
fn who_is_to_end_takes_requests_for_as_long_as_is_said() -> Result<()> {
    const GRACE: Duration = Duration::from_secs(2);
    let (folder, _shop, _api) = shop()?;
    folder.write("routes.yaml", ROUTES)?;
    let own = format!("--entrypoints.traefik.address=127.0.0.1:{}", http::free_port()?);
    let grace = "--entrypoints.web.transport.lifeCycle.requestAcceptGraceTimeout=2s";
    let options: Vec<&OsStr> = [&*own, grace, "--ping=true"].map(OsStr::new).to_vec();
    let mut up = Up::launch(&[], folder.path(), &options)?;
    up.wait_until_ready()?;
    let at: SocketAddr = own.split_once('=').context("an address")?.1.parse()?;
    let pinged = |status: u16| http::get(at, "", "/ping").is_ok_and(|it| it.status == status);
    ensure!(pinged(200), "before");
    up.process.signal(Signal::TERM)?;
    let asked = Instant::now();
    wait::until("pings to say so", || pinged(503))?;
    let mut served = 0;
    wait::until("nobody to be taken in", || {
        let is_served = up.get("shop.test", "/").is_ok_and(|it| it.status == 200);
        served += usize::from(is_served);
        !is_served
    })?;
    let took = asked.elapsed();
    ensure!(served > 1 && took >= GRACE && took < PATIENCE, "{served} in {took:?}");
    ensure!(up.process.wait_for_end()?.success(), "{}", up.process.printed());
    Ok(())
}

/// The path that the document of the API shows, and the status that it is answered with.
fn documented() -> Result<Vec<(String, u16)>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/traefik-api.md");
    let text = std::fs::read_to_string(path)?;
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `GET ")?.split_once("` | "));
    let row = |(target, rest): (&str, &str)| {
        let status = rest.split(' ').next().context("a status")?.parse()?;
        Ok((target.to_owned(), status))
    };
    rows.map(row).collect()
}

const DASHBOARD: &str = r#"
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: local}
spec: {ipAllowList: {sourceRange: [127.0.0.0/8]}}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: nobody}
spec: {ipAllowList: {sourceRange: [192.0.2.0/24]}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: traefik-dashboard}
spec:
  entryPoints: [web]
  routes:
  - match: Host(`dash.test`) && (PathPrefix(`/dashboard`) || PathPrefix(`/api`))
    kind: Rule
    middlewares: [{name: local}]
    services: [{name: api@internal, kind: TraefikService}]
  - match: Host(`shut.test`)
    middlewares: [{name: nobody}]
    services: [{name: api@internal, kind: TraefikService}]
  - match: Host(`noop.test`)
    services: [{name: noop@internal, kind: TraefikService}]
  - match: Host(`metrics.test`)
    services: [{name: prometheus@internal, kind: TraefikService}]
"#;

#[test]
fn the_api_answers_as_its_document_says_and_nowhere_else() -> Result<()> {
    let (folder, _shop, _api) = shop()?;
    folder.write("routes.yaml", ROUTES)?;
    folder.write("dashboard.yaml", DASHBOARD)?;
    let own = format!("--entrypoints.traefik.address=127.0.0.1:{}", http::free_port()?);
    let options: Vec<&OsStr> =
        [&*own, "--api.insecure=true", "--ping=true"].into_iter().map(OsStr::new).collect();
    let mut up = Up::launch(&[], folder.path(), &options)?;
    up.wait_until_ready()?;
    let at: SocketAddr = own.split_once('=').context("an address")?.1.parse()?;
    let documented = documented()?;
    ensure!(documented.len() > 20, "too few: {documented:?}");
    for (target, status) in &documented {
        let answer = http::get(at, "any.test", target)?;
        ensure!(answer.status == *status, "{target}: {answer:?}");
        let is_json = answer.header("content-type") == Some("application/json");
        ensure!(is_json == target.starts_with("/api/"), "{target}: {answer:?}");
    }
    // What is in force is shown, and an edit at once.
    let routers = || -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&http::get(at, "", "/api/http/routers?search=shop.test")?.body)?)
    };
    ensure!(routers()?.as_array().is_some_and(|all| all.len() == 2), "{:#}", routers()?);
    folder.write("routes.yaml", &ROUTES.replace("shop.test", "moved.test"))?;
    let is_gone = || routers().is_ok_and(|all| all.as_array().is_some_and(Vec::is_empty));
    wait::until("the edit is shown", is_gone)?;
    // By a route of the user's, behind a filter of his; and not by any other way.
    for (host, path, status) in [
        ("dash.test", "/api/overview", 200),
        ("dash.test", "/dashboard/", 200),
        ("dash.test", "/dashboard/page.js", 200),
        ("shut.test", "/api/overview", 403),
        ("noop.test", "/", 418),
        // Nobody has asked for metrics.
        ("metrics.test", "/", 503),
        ("layers.test", "/api/overview", 404),
        ("any.test", "/ping", 404),
        ("any.test", "/api/rawdata", 404),
    ] {
        let answer = up.get(host, path)?;
        ensure!(answer.status == status, "{host}{path}: {answer:?}");
    }
    let routes = http::get(at, "shop.test", "/shop/1")?;
    ensure!(routes.status == 404, "no route of users is on the entry point: {routes:?}");
    // It is read, and by nothing else than reading.
    for (request, status) in [
        ("POST /api/rawdata HTTP/1.1\r\nContent-Length: 2\r\n", 405),
        ("PUT /api/providers/rest HTTP/1.1\r\nContent-Length: 2\r\n", 405),
        ("DELETE /api/http/routers HTTP/1.1\r\n", 405),
    ] {
        let bytes = format!("{request}Host: x\r\nConnection: close\r\n\r\n{{}}");
        let answer = http::exchange(&mut connect(at)?, bytes.as_bytes())?;
        ensure!(answer.status == status, "{request}: {answer:?}");
    }
    Ok(())
}

#[test]
fn an_entry_point_has_filters_of_its_own() -> Result<()> {
    let (folder, _shop, _api) = shop()?;
    folder.write("routes.yaml", ROUTES)?;
    folder.write("dashboard.yaml", DASHBOARD)?;
    let other = format!("--entrypoints.other.address=127.0.0.1:{}", http::free_port()?);
    let options: Vec<&OsStr> = [
        &*other,
        "--entrypoints.web.http.middlewares=default-local@kubernetescrd",
        "--entrypoints.web.http.encodedCharacters.allowEncodedSlash=false",
        "--entrypoints.web.http.underscoreHeadersStrategy=delete",
        "--entrypoints.web.forwardedHeaders.insecure=true",
        "--entrypoints.web.forwardedHeaders.notAppendXForwardedFor=true",
        "--entrypoints.other.http.underscoreHeadersStrategy=reject",
        "--entrypoints.other.http.middlewares=default-nobody@kubernetescrd",
    ]
    .into_iter()
    .map(OsStr::new)
    .collect();
    let mut up = Up::launch(&[], folder.path(), &options)?;
    up.wait_until_ready()?;
    ensure!(up.get("shop.test", "/")?.status == 200, "who may come in");
    // What the entry point says of characters, names of headers and whom requests have passed.
    ensure!(up.get("shop.test", "/a%2Fb")?.status == 400, "an encoded slash");
    ensure!(up.get("shop.test", "/a%3Bb")?.status == 200, "an encoded semicolon");
    let lines = |more: &str| {
        let bytes = format!("GET / HTTP/1.1\r\nHost: shop.test\r\n{more}Connection: close\r\n\r\n");
        http::exchange(&mut connect(up.web)?, bytes.as_bytes())
    };
    let answer = lines("X-Forwarded-For: 192.0.2.7\r\nX_A: 1\r\nX-B: 2\r\n")?;
    let body = answer.body.to_ascii_lowercase();
    ensure!(answer.status == 200 && body.contains("192.0.2.7"), "{answer:?}");
    ensure!(!body.contains("192.0.2.7, 127.0.0.1"), "nobody is added: {answer:?}");
    ensure!(body.contains("x-b") && !body.contains("x_a"), "as if it had not come: {answer:?}");
    let anywhere = ROUTES.replace("entryPoints: [web]", "entryPoints: [web, other]");
    folder.write("routes.yaml", &anywhere)?;
    let at: SocketAddr = other.split_once('=').context("an address")?.1.parse()?;
    let is_closed = || http::get(at, "shop.test", "/").is_ok_and(|it| it.status == 403);
    wait::until("the other entry point lets nobody in", is_closed)?;
    ensure!(up.get("shop.test", "/")?.status == 200, "it is another one");
    // What is not there any more closes the entry point, and no other.
    folder
        .write("dashboard.yaml", &DASHBOARD.replace("name: local}\nspec", "name: gone}\nspec"))?;
    up.wait_for("shop.test", 503)?;
    // What is shown of it comes after it is so.
    wait::until("it to be said", || {
        up.read("diagnostics").is_ok_and(|it| it.to_string().contains("entry-point-closed"))
    })?;
    ensure!(http::get(at, "shop.test", "/")?.status == 403, "the other one is as it was");
    // And the same the other way round: what the other one asks for is not there any more.
    folder
        .write("dashboard.yaml", &DASHBOARD.replace("name: nobody}\nspec", "name: gone}\nspec"))?;
    up.wait_for("shop.test", 200)?;
    // Each core takes it in when it comes to it.
    let is_closed = || http::get(at, "shop.test", "/").is_ok_and(|it| it.status == 503);
    wait::until("closed where it is asked for", is_closed)
}

/// Says back what it hears.
fn echo() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    Ok(address)
}

/// A folder with two Services, and what answers for them.
/// What is said of a Service counts where Traefik's words do: how its endpoints are asked, and what
/// is passed on the way. What it names and is not there closes it.
#[test]
fn services_say_how_they_are_asked() -> Result<()> {
    let (folder, shop, _api) = shop()?;
    let traefik = "traefik.ingress.kubernetes.io/service";
    let said = |name: &str, says: &str| {
        let to = format!("annotations: {{{says}, ");
        service(name, shop.address).replace("annotations: {", &to)
    };
    let own = format!(
        "{traefik}.passhostheader: 'false', {traefik}.middlewares: default-inner@kubernetescrd"
    );
    let gone = format!("{traefik}.serverstransport: default-gone@kubernetescrd");
    folder.write("own.yaml", &said("own", &own))?;
    folder.write("gone.yaml", &said("gone", &gone))?;
    let mut routes = String::from(PASSED);
    for (name, class) in
        [("shop", "traefik"), ("own", "traefik"), ("gone", "traefik"), ("own", "nginx")]
    {
        let host = format!("{name}.{class}.test");
        let route = ingress(&format!("{name}-{class}"), &host, name, "");
        routes.push_str(&route.replace("Name: nginx", &format!("Name: {class}")));
    }
    folder.write("routes.yaml", &routes)?;
    let up = Up::start(folder.path())?;
    let endpoint = shop.address.to_string();
    for (host, asked, target) in [
        ("shop.traefik.test", "shop.traefik.test", "GET / "),
        ("own.traefik.test", &*endpoint, "GET /inner/ "),
        ("own.nginx.test", "own.nginx.test", "GET / "),
        ("crd.test", &*endpoint, "GET / "),
    ] {
        let answer = up.wait_for(host, 200)?;
        let lines = answer.body.lines().filter_map(|line| line.split_once(':'));
        let value = |name: &str| {
            let mut lines = lines.clone();
            let found = lines.find(|(its, _)| its.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim())
        };
        ensure!(value("host") == Some(asked), "{host}: {answer:?}");
        ensure!(value("x-forwarded-host") == Some(host), "{host}: {answer:?}");
        ensure!(answer.body.contains(target), "{host}: {answer:?}");
    }
    let answer = up.get("gone.traefik.test", "/")?;
    ensure!(answer.status == 503, "nobody knows who is believed: {answer:?}");
    Ok(())
}

const PASSED: &str = "
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: inner}
spec: {addPrefix: {prefix: /inner}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: crd}
spec:
  entryPoints: [web]
  routes: [{match: Host(`crd.test`), services: [{name: shop, port: 80, passHostHeader: false}]}]
";

fn shop() -> Result<(Scratch, Backend, Backend)> {
    let (shop, api) = (Backend::start("shop")?, Backend::start("api")?);
    let folder = Scratch::new()?;
    folder.write("shop.yaml", &service("shop", shop.address))?;
    folder.write("api.yaml", &service("api", api.address))?;
    Ok((folder, shop, api))
}

fn connect(to: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Says its name to whoever sends it something.
struct Speaker(SocketAddr);

impl Speaker {
    fn start(name: &'static str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || answer(stream, name));
            }
        });
        Ok(Self(address))
    }
}

fn answer(mut stream: TcpStream, name: &str) {
    let mut byte = [0];
    if stream.read_exact(&mut byte).is_ok() {
        let _ = stream.write_all(name.as_bytes());
    }
}

/// What `openssl s_client` prints, who sends `request`.
fn openssl(to: SocketAddr, options: &[&str], request: &str) -> Result<String> {
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &to.to_string()])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("openssl")?;
    let mut input = client.stdin.take().context("a pipe")?;
    // Where no handshake was held there is nobody to write to.
    let _ = input.write_all(request.as_bytes());
    let output = client.wait_with_output()?;
    drop(input);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
