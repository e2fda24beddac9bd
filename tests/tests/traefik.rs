//! Traefik's own kinds, as `steelyard up` serves them: on real sockets, from a folder.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use steelyard_tests::http;
use steelyard_tests::process::Signal;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, service};
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
    ensure!(counts["shop"] == 30 && counts["api"] == 10, "three to one: {counts:?}");
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
    let up = Up::start(folder.path())?;
    ensure!(up.get("secure.test", "/")?.status == 404, "in plain it is nobody's");
    let asked = |version: &str| {
        let request = "GET / HTTP/1.1\r\nHost: secure.test\r\nConnection: close\r\n\r\n";
        openssl(up.websecure, &["-servername", "secure.test", version], request)
    };
    let answer = asked("-tls1_3")?;
    ensure!(answer.contains("HTTP/1.1 200"), "{answer}");
    let answer = asked("-tls1_2")?;
    ensure!(!answer.contains("HTTP/1.1"), "the option says TLS 1.3: {answer}");
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
