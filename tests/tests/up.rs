//! `steelyard up` follows a folder: edits, mistakes, and who keeps which address.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use steelyard_tests::http::{self, Connection};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, service, tls_endpoint};
use steelyard_tests::{manifests, wait};

const REQUESTS: usize = 1000;
const THREADS: usize = 4;

/// A folder with one application at `app.test`, and its backend.
fn application() -> Result<(Scratch, Backend)> {
    let backend = Backend::start("shop")?;
    let folder = Scratch::new()?;
    folder.write("service.yaml", &service("shop", backend.address))?;
    folder.write("app.yaml", &ingress("app", "app.test", "shop", ""))?;
    Ok((folder, backend))
}

#[test]
fn an_edit_during_requests_is_live_and_none_fails() -> Result<()> {
    let (folder, _backend) = application()?;
    let up = Up::start(folder.path())?;
    let (sent, live) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| -> Result<()> {
        let clients: Vec<_> = (0..THREADS)
            .map(|number| {
                let (sent, live, web) = (&sent, &live, up.web);
                scope.spawn(move || send(web, sent, live, number % 2 == 0))
            })
            .collect();
        let edited = (|| {
            wait::until("some requests", || sent.load(Ordering::Relaxed) > REQUESTS / 4)?;
            folder.write("new.yaml", &ingress("new", "new.test", "shop", ""))?;
            up.wait_for("new.test", 200).map(drop)
        })();
        // Also when that failed, else the clients would go on for ever.
        live.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        edited
    })?;
    let sent = sent.load(Ordering::Relaxed);
    ensure!(sent >= REQUESTS, "only {sent} were sent");
    Ok(())
}

/// Sends requests on one connection, or on one each, until there were enough and the edit is
/// live. All must succeed.
fn send(web: SocketAddr, sent: &AtomicUsize, live: &AtomicBool, keep: bool) -> Result<()> {
    let mut kept = Connection::open(web)?;
    while !(live.load(Ordering::Relaxed) && sent.load(Ordering::Relaxed) >= REQUESTS) {
        let answer = if keep { kept.get("app.test", "/") } else { http::get(web, "app.test", "/") };
        let number = sent.fetch_add(1, Ordering::Relaxed);
        let answer = answer.with_context(|| format!("request {number}, kept: {keep}"))?;
        ensure!(answer.status == 200 && answer.workload() == "shop", "{number}: {answer:?}");
    }
    Ok(())
}

#[test]
fn an_edit_with_a_mistake_keeps_the_last_good_version() -> Result<()> {
    let (folder, _backend) = application()?;
    let up = Up::start(folder.path())?;
    ensure!(up.get("app.test", "/")?.status == 200, "before the edit");
    let good = ingress("app", "app.test", "shop", "");
    for (mistake, bad) in [
        ("a wrong value", good.replace("pathType: Prefix", "pathType: Prefixed")),
        ("a wrong type", good.replace("number: 80", "number: eighty")),
        ("no YAML", good.replace("paths:", "paths: [")),
    ] {
        folder.write("app.yaml", &bad)?;
        // A route beside it shows when the edit has been taken in.
        let beside = format!("{}.test", mistake.to_lowercase().replace(' ', "-"));
        folder.write("beside.yaml", &ingress("beside", &beside, "shop", ""))?;
        up.wait_for(&beside, 200)?;
        let answer = up.get("app.test", "/")?;
        ensure!(answer.status == 200, "{mistake}: {answer:?}");
        let said = up.read("diagnostics")?.to_string();
        ensure!(said.contains("app.yaml") && said.contains("error"), "{mistake}: {said}");
        ensure!(said.contains("last-good-kept"), "{mistake}: it says what is in force: {said}");
    }
    folder.write("app.yaml", &good.replace("app.test", "mended.test"))?;
    up.wait_for("mended.test", 200)?;
    up.wait_for("app.test", 404)?;
    wait::until("no complaint", || {
        up.read("diagnostics").is_ok_and(|said| !said.to_string().contains("last-good-kept"))
    })
}

const POOL: &str = "192.0.2.100-192.0.2.150";

fn load_balancer(name: &str) -> String {
    manifests::load_balancer(name, name, 80)
}

fn addresses(up: &Up, names: &[&str]) -> Result<BTreeMap<String, String>> {
    let address = |name: &&str| {
        let found = wait::until_some(&format!("an address for {name}"), || up.address_of(name))?;
        Ok(((*name).to_owned(), found))
    };
    names.iter().map(address).collect()
}

#[test]
fn nobody_moves_when_services_come_and_go() -> Result<()> {
    let folder = Scratch::new()?;
    folder.write("pool.yaml", &manifests::pool(POOL))?;
    for name in ["b", "c", "d"] {
        folder.write(&format!("{name}.yaml"), &load_balancer(name))?;
    }
    let mut up = Up::start(folder.path())?;
    let first = addresses(&up, &["b", "c", "d"])?;
    ensure!(first["b"] == "192.0.2.100" && first["d"] == "192.0.2.102", "{first:?}");

    folder.remove("b.yaml")?;
    folder.write("a.yaml", &load_balancer("a"))?;
    let before = addresses(&up, &["a", "c", "d"])?;
    ensure!(before["c"] == first["c"] && before["d"] == first["d"], "{first:?} {before:?}");
    up.process.kill()?;

    // While nobody looks: one more that sorts before all.
    folder.write("0.yaml", &load_balancer("a0"))?;
    let again = Up::start(folder.path())?;
    let mut after = addresses(&again, &["a", "a0", "c", "d"])?;
    let new = after.remove("a0").context("the new one")?;
    ensure!(after == before, "moved: {before:?} to {after:?}");
    ensure!(!before.values().any(|held| *held == new), "{new} was taken already");
    let lock = std::fs::read_to_string(folder.file("steelyard.lock"))?;
    ensure!(before.values().all(|held| lock.contains(held.as_str())), "{lock}");
    Ok(())
}

#[test]
fn what_cannot_be_noted_is_not_announced_and_costs_nothing_else() -> Result<()> {
    let (folder, _backend) = application()?;
    folder.write("pool.yaml", &manifests::pool(POOL))?;
    let up = Up::start(folder.path())?;
    // What the lock is written to before it takes the place of the old one.
    let obstacle = folder.file(".steelyard.lock.new");
    std::fs::create_dir(&obstacle)?;
    folder.write("b.yaml", &load_balancer("b"))?;
    wait::until("a reason", || {
        up.read("overview").is_ok_and(|told| told["reasons"].to_string().contains("lock file"))
    })?;
    ensure!(up.address_of("b").is_none(), "an address that nobody would remember");
    ensure!(up.get("app.test", "/")?.status == 200, "what was in force still is");

    std::fs::remove_dir(&obstacle)?;
    addresses(&up, &["b"])?;
    ensure!(std::fs::read_to_string(folder.file("steelyard.lock"))?.contains("default/b"));
    Ok(())
}

#[test]
fn a_restriction_that_is_not_honoured_never_stands_open() -> Result<()> {
    let (folder, _backend) = application()?;
    for (name, annotation) in [
        ("range", "nginx.ingress.kubernetes.io/whitelist-source-range: nobody"),
        ("basic", "nginx.ingress.kubernetes.io/auth-type: basic"),
        ("login", "nginx.ingress.kubernetes.io/auth-url: \"http://$http_x/\""),
        ("firewall", "nginx.ingress.kubernetes.io/enable-modsecurity: \"true\""),
    ] {
        let text = ingress(name, &format!("{name}.test"), "shop", annotation);
        folder.write(&format!("{name}.yaml"), &text)?;
    }
    let up = Up::start(folder.path())?;
    ensure!(up.get("app.test", "/")?.status == 200, "the open one is open");
    for name in ["range", "basic", "login", "firewall"] {
        let answer = up.get(&format!("{name}.test"), "/")?;
        ensure!(answer.status == 503 && answer.replica().is_empty(), "{name}: {answer:?}");
        let said = up.read("diagnostics")?.to_string();
        ensure!(said.contains(&format!("Ingress/default/{name}")), "{name} is explained: {said}");
    }
    Ok(())
}

/// An endpoint that speaks HTTP/2 without TLS and nothing else, and answers 200 to everything.
fn http2_endpoint() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || drop(answer_http2(stream)));
        }
    });
    Ok(address)
}

/// Answers each HEADERS frame (RFC 9113 §6.2) by its like: `:status: 200`, which every table of
/// fields has at 8, and nothing behind it.
fn answer_http2(mut stream: TcpStream) -> Result<()> {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    ensure!(&preface == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "no HTTP/2");
    stream.write_all(&SETTINGS)?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, stream_id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload)?;
        match kind {
            1 => stream.write_all(&[&[0, 0, 1, 1, 5], &stream_id[..], &[0x88]].concat())?,
            // Who pings is told that we are there.
            6 if flags == 0 => {
                stream.write_all(&[&[0, 0, 8, 6, 1, 0, 0, 0, 0], &payload[..]].concat())?;
            }
            4 if flags == 0 => stream.write_all(&[0, 0, 0, 4, 1, 0, 0, 0, 0])?,
            _ => {}
        }
    }
}

/// By curl, which takes the server's own certificate and no other.
#[test]
fn handshakes_are_passed_on_to_who_has_the_certificate() -> Result<()> {
    let folder = Scratch::new()?;
    let (_server, at) = tls_endpoint(&folder)?;
    let plain = Backend::start("plain")?;
    folder.write("plain.yaml", &service("plain", plain.address))?;
    folder.write("own.yaml", &service("own", at))?;
    let passes = "nginx.ingress.kubernetes.io/ssl-passthrough: 'true'";
    folder.write("route.yaml", &ingress("own", "own.test", "own", passes))?;
    folder.write("other.yaml", &ingress("other", "plain.test", "plain", ""))?;
    let up = Up::start(folder.path())?;
    up.wait_for("plain.test", 200)?;
    let curl = || -> Result<String> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "20", "--cacert"]).arg(folder.file("own.pem"));
        curl.args(["--resolve", &format!("own.test:{}:127.0.0.1", up.websecure.port())]);
        let output = curl.arg(format!("https://own.test:{}/", up.websecure.port())).output()?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let said = curl()?;
    ensure!(said.contains("s_server -www"), "{said}");
    // Without the wish its TLS ends at the gateway, which has another certificate.
    folder.write("route.yaml", &ingress("own", "own.test", "own", ""))?;
    wait::until("the gateway's own certificate", || {
        curl().is_ok_and(|said| said.contains("curl: (60)"))
    })
}

/// What is spoken to an endpoint is what the annotations of its Service or its route say.
#[test]
fn annotations_choose_http2() -> Result<()> {
    let folder = Scratch::new()?;
    let at = http2_endpoint()?;
    let scheme = "annotations: {traefik.ingress.kubernetes.io/service.serversscheme: h2c, ";
    let protocol = |word| format!("nginx.ingress.kubernetes.io/backend-protocol: {word}");
    folder.write("plain.yaml", &service("plain", at))?;
    folder.write("h2c.yaml", &service("h2c", at).replace("annotations: {", scheme))?;
    let routes = [
        ingress("scheme", "scheme.test", "h2c", "").replace("Name: nginx", "Name: traefik"),
        ingress("grpc", "grpc.test", "plain", &protocol("GRPC")),
        ingress("grpcs", "grpcs.test", "plain", &protocol("GRPCS")),
        ingress("plain", "plain.test", "plain", ""),
    ];
    folder.write("routes.yaml", &routes.concat())?;
    let up = Up::start(folder.path())?;
    for (host, status) in
        [("scheme.test", 200), ("grpc.test", 200), ("grpcs.test", 502), ("plain.test", 502)]
    {
        up.wait_for(host, status).with_context(|| host)?;
    }
    Ok(())
}
