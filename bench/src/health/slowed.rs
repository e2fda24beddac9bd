//! One of four backends takes ten times as long as the others: how slow the slowest of a hundred
//! requests is then, by the algorithm that each proxy has for it.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use steelyard_gateway::{Bind, Binding, Gateway, GatewayOptions};
use steelyard_model::Protocol;
use steelyard_model::routing::backend::Algorithm;
use steelyard_model::routing::care::Care;

use super::{read_head, routing, serve};
use crate::load::Report;
use crate::peer::Proxy;
use crate::results::{Row, median};

/// How long an answer takes, and so much longer at the one that is slowed.
const ANSWER: Duration = Duration::from_millis(2);
const SLOWED: u32 = 10;

/// What is asked: so many a second, over so many connections.
const RATE: &str = "1500";
const CONNECTIONS: &str = "64";

const NGINX: ([u8; 4], u16) = ([127, 0, 0, 1], 18102);
const HAPROXY: ([u8; 4], u16) = ([127, 0, 0, 1], 18103);

/// Ours beside the better one of the peers, and what each came to.
pub(super) fn row(rounds: u32, length: Duration) -> Result<(Row, String)> {
    let folder = std::env::temp_dir().join(format!("steelyard-slowed-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let found = measure(rounds, length, &folder);
    fs::remove_dir_all(&folder)?;
    let [ours, nginx, haproxy] = found?;
    let name = "p99 while one of four backends is slowed";
    let (best, theirs) = if haproxy < nginx { ("haproxy", haproxy) } else { ("nginx", nginx) };
    let told = format!("{name}: steelyard {ours} µs, nginx {nginx} µs, haproxy {haproxy} µs.");
    Ok((Row::alone(name, "µs", ours, 1.0, rounds).beside(best, theirs), told))
}

fn measure(rounds: u32, length: Duration, folder: &Path) -> Result<[f64; 3]> {
    let backends = [1, 1, 1, SLOWED].map(|times| answering(ANSWER * times));
    let backends = backends.into_iter().collect::<Result<Vec<_>>>()?;
    let gateway = Gateway::start(GatewayOptions { workers: 1, ..GatewayOptions::default() })?;
    gateway.apply(&routing(backends.iter().copied(), Care::default(), Algorithm::LeastTime), 1);
    let bind = Bind {
        entry_point: "web".into(),
        protocol: Protocol::Tcp,
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        binding: Binding::Host,
    };
    let ours = gateway.listen(&[bind]).remove(0).1?;
    let _peers = [nginx(folder, &backends)?, haproxy(folder, &backends)?];
    let targets = [ours, SocketAddr::from(NGINX), SocketAddr::from(HAPROXY)];
    let mut found = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for (target, found) in targets.iter().zip(&mut found) {
            found.push(p99(*target, length)?);
        }
    }
    Ok(found.map(median))
}

/// A backend that answers after so long, however many ask.
fn answering(after: Duration) -> Result<SocketAddr> {
    let port = serve(move |mut reader, mut stream| {
        while read_head(&mut reader).is_some() {
            std::thread::sleep(after);
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    })?;
    Ok((Ipv4Addr::LOCALHOST, port).into())
}

fn p99(target: SocketAddr, length: Duration) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .args(["load", "--target", &target.to_string(), "--connections", CONNECTIONS])
        .args(["--rate", RATE, "--seconds", &length.as_secs_f64().to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "load on {target}: {said}");
    let report: Report = serde_json::from_slice(&output.stdout).context("a report")?;
    ensure!(report.errors == 0, "{target}: {} requests failed", report.errors);
    Ok(f64::from(report.p99))
}

fn nginx(folder: &Path, backends: &[SocketAddr]) -> Result<Proxy> {
    let (path, place) = (folder.join("nginx.conf"), folder.display());
    let address = SocketAddr::from(NGINX);
    let servers = backends.iter().map(|it| format!("server {it}; ")).collect::<String>();
    fs::write(
        &path,
        format!(
            "daemon off;\nworker_processes 1;\npid {place}/nginx.pid;\n\
             events {{ worker_connections 8192; }}\nhttp {{\n  access_log off;\n  \
             client_body_temp_path {place}/body;\n  proxy_temp_path {place}/proxy;\n  \
             keepalive_requests 100000000;\n  upstream app {{ least_conn; {servers}\
             keepalive 256; keepalive_requests 100000000; }}\n  server {{\n    \
             listen {address} backlog=4096;\n    location / {{\n      proxy_pass http://app;\n      \
             proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n    }}\n  }}\n}}\n"
        ),
    )?;
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&path).arg("-e").arg(folder.join("nginx.log"));
    Proxy::start("nginx", address, command)
}

fn haproxy(folder: &Path, backends: &[SocketAddr]) -> Result<Proxy> {
    let path = folder.join("haproxy.cfg");
    let address = SocketAddr::from(HAPROXY);
    let server = |(at, it): (usize, &SocketAddr)| format!("  server s{at} {it}\n");
    let servers = backends.iter().enumerate().map(server).collect::<String>();
    fs::write(
        &path,
        format!(
            "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n  \
             timeout client 60s\n  timeout server 60s\n  http-reuse always\n\
             frontend web\n  bind {address}\n  default_backend app\n\
             backend app\n  balance leastconn\n{servers}"
        ),
    )?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&path);
    Proxy::start("haproxy", address, command)
}
