//! An endpoint of one of five thousand routes changes: until the gateway answers from the new one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use steelyard_tests::cluster::{Api, until};
use steelyard_tests::http::Connection;
use steelyard_tests::process::Running;

use super::figures::percentile;
use super::load::{service, slice};
use super::site::Site;
use crate::results::Row;

/// What its row begins with.
pub(super) const NAME: &str = "an endpoint of one of 5,000 routes changes";
const ROUTES: usize = 5_000;
const EDITS: u32 = 200;
const NAMESPACE: &str = "routes";
/// The host that is measured on, on the LAN of the cluster: its client.
const HERE: &str = "10.2.0.1";
const GOAL: f64 = 30.0;
/// An edit that is not served after this long never will be.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn rows() -> Result<Vec<Row>> {
    let site = Site::start("routes")?;
    site.cluster().kubectl(&["create", "namespace", NAMESPACE])?;
    let (host, address) = (site.cluster().client(), HERE.to_owned());
    let backends = host.run(|| [backend("a"), backend("b")])?;
    let [first, second] = backends;
    let ports = [first?, second?];
    fill(&site, &address, ports[0])?;
    let mut gateway = site.role("gateway", &["--workers", "1"])?;
    let times = host.run(|| measure(&site.cluster().api(), &address, ports, &gateway))??;
    gateway.stop()?;
    for percent in [50, 90, 99, 100] {
        println!("{NAME}: p{percent} {:.1} ms", percentile(times.clone(), percent));
    }
    let name = format!("{NAME}: until the gateway answers from it, p99");
    Ok(vec![Row::alone(&name, "ms", percentile(times, 99), GOAL, EDITS)])
}

fn fill(site: &Site, address: &str, port: u16) -> Result<()> {
    let api = site.cluster().api();
    let name = |at: usize| format!("s{at}");
    let class = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": { "name": "traefik" }, "spec": { "controller": "traefik.io/ingress-controller" },
    });
    api.create_many(1, |_| {
        ("/apis/networking.k8s.io/v1/ingressclasses".to_owned(), class.clone())
    })?;
    api.create_many(ROUTES, |at| service(NAMESPACE, &name(at), "ClusterIP"))?;
    api.create_many(ROUTES, |at| slice(NAMESPACE, &name(at), address, port))?;
    api.create_many(ROUTES, |at| ingress(&name(at)))
}

fn ingress(name: &str) -> (String, Value) {
    let backend = json!({ "service": { "name": name, "port": { "number": 80 } } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
    let object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": name },
        "spec": {
            "ingressClassName": "traefik",
            "rules": [{ "host": format!("{name}.example.com"), "http": { "paths": [path] } }],
        },
    });
    (format!("/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses"), object)
}

/// Milliseconds from the API server's answer to an edit to the first answer of the new endpoint.
fn measure(api: &Api, address: &str, ports: [u16; 2], gateway: &Running) -> Result<Vec<f64>> {
    let site = SocketAddr::from(([127, 0, 0, 1], 8080));
    let last = format!("s{}.example.com", ROUTES - 1);
    let serves = || {
        Connection::open(site)
            .and_then(|mut it| it.get(&last, "/"))
            .is_ok_and(|it| it.status == 200)
    };
    until("the gateway to serve", serves).with_context(|| gateway.printed())?;
    let mut times = Vec::new();
    for edit in 1..=EDITS as usize {
        let at = edit * 17 % ROUTES;
        let (host, now) = (format!("s{at}.example.com"), edit % 2);
        // Each is at the first before: of those that are edited twice the second edit is the other.
        let (path, mut object) = slice(NAMESPACE, &format!("s{at}"), address, ports[1]);
        object["metadata"]["annotations"] = json!({ "edit": now.to_string() });
        let mut client = Connection::open(site)?;
        ensure!(client.get(&host, "/")?.body.trim() == "a", "it is at the first");
        let answer = api.send("PATCH", &format!("{path}/s{at}"), &object.to_string())?;
        let edited = Instant::now();
        ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
        while client.get(&host, "/")?.body.trim() != "b" {
            ensure!(edited.elapsed() < PATIENCE, "{}", gateway.printed());
        }
        times.push(edited.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}

/// A server that answers with its name; it ends with the process.
fn backend(name: &'static str) -> Result<u16> {
    let listener = TcpListener::bind("0.0.0.0:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, name));
        }
    });
    Ok(port)
}

fn answer(mut stream: std::net::TcpStream, name: &str) {
    let (mut buffer, mut held) = ([0; 4096], Vec::new());
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        held.extend_from_slice(&buffer[..read]);
        while let Some(end) = memchr::memmem::find(&held, b"\r\n\r\n") {
            held.drain(..end + 4);
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{name}");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
