//! Want of descriptors: connections, however many, take nothing from control, and the program
//! says what is the matter.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use steelyard_tests::http::{self, Connection};
use steelyard_tests::process::run;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress, load_balancer, service};
use steelyard_tests::{manifests, wait};

/// Far more than there are descriptors for.
const CROWD: usize = 300;
/// So many descriptors, and no right to more.
const FEW: &[&str] = &["prlimit", "--nofile=256:256"];

struct World {
    folder: Scratch,
    _backend: Backend,
    up: Up,
}

impl World {
    fn start(by: &[&str]) -> Result<Self> {
        let backend = Backend::start("shop")?;
        let folder = Scratch::new()?;
        folder.write("service.yaml", &service("shop", backend.address))?;
        folder.write("app.yaml", &ingress("app", "app.test", "shop", ""))?;
        folder.write("pool.yaml", &manifests::pool("192.0.2.100-192.0.2.150"))?;
        folder.write("b.yaml", &manifests::load_balancer("b", "b", 80))?;
        let state = folder.file(".state");
        let options = ["--state-dir".as_ref(), state.as_os_str()];
        let mut up = Up::launch(by, folder.path(), &options)?;
        up.wait_until_ready()?;
        Ok(Self { folder, _backend: backend, up })
    }

    /// Edits are followed, health is told, requests are served, and nobody lost an address.
    fn works(&self, round: &str) -> Result<()> {
        let health = http::get(self.up.admin, "localhost", "/healthz")?;
        ensure!(health.status == 200, "{health:?}");
        let host = format!("{round}.test");
        self.folder.write(&format!("{round}.yaml"), &ingress(round, &host, "shop", ""))?;
        self.up.wait_for(&host, 200)?;
        ensure!(self.up.address_of("b").as_deref() == Some("192.0.2.100"));
        let lock = std::fs::read_to_string(self.folder.file("steelyard.lock"))?;
        ensure!(lock.contains("default/b") && lock.contains("192.0.2.100"), "{lock}");
        Ok(())
    }

    fn metric(&self, line: &str) -> Result<u64> {
        let metrics = http::get(self.up.admin, "localhost", "/metrics")?.body;
        let value = metrics.lines().find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
        value.with_context(|| format!("no {line} in {metrics}"))
    }

    /// `/readyz` says so beside its answer.
    fn wait_for_note(&self, part: &str) -> Result<()> {
        let mut said = String::new();
        wait::until("a note", || {
            let answer = http::get(self.up.admin, "localhost", "/readyz");
            said = answer.map_or_else(|it| it.to_string(), |it| it.body);
            said.contains(&format!("note: {part}"))
        })
        .with_context(|| said)
    }

    fn says_once(&self, part: &str) -> Result<()> {
        let said = self.up.process.printed().matches(part).count();
        ensure!(said == 1, "said {said} times: {part}\n{}", self.up.process.printed());
        Ok(())
    }
}

/// Clients that connect and say nothing.
fn crowd(at: SocketAddr) -> Result<Vec<TcpStream>> {
    let connect = |_| TcpStream::connect_timeout(&at, Duration::from_secs(10));
    (0..CROWD).map(connect).collect::<std::io::Result<_>>().context("the kernel takes them in")
}

#[test]
fn the_limit_is_raised_as_far_as_allowed() -> Result<()> {
    let world = World::start(&["prlimit", "--nofile=256:5000"])?;
    ensure!(world.metric("process_max_fds")? == 5000);
    ensure!(world.metric("steelyard_connections_limit{part=\"gateway\"}")? > 500);
    Ok(())
}

#[test]
fn idle_clients_of_the_gateway_make_room() -> Result<()> {
    let world = World::start(FEW)?;
    let idle = crowd(world.up.web)?;
    world.wait_for_note("the gateway: all ")?;
    ensure!(world.up.is_ready(), "everybody is served");
    world.works("crowded")?;
    ensure!(world.up.is_ready(), "everybody was served");
    ensure!(world.metric("steelyard_connections_crowded_total{part=\"gateway\"}")? > 0);
    let limit = world.metric("steelyard_connections_limit{part=\"gateway\"}")?;
    ensure!(world.metric("steelyard_connections{part=\"gateway\"}")? <= limit);
    ensure!(world.metric("steelyard_connections_refused_total{part=\"gateway\"}")? == 0);
    ensure!(world.metric("process_open_fds")? < 256);
    world.says_once("the gateway: all ")?;
    drop(idle);
    wait::until("readiness", || world.up.is_ready())?;
    world.works("alone")
}

/// Who is served makes no room: then it is not ready, and is again when they are done.
#[test]
fn busy_clients_of_the_gateway_keep_others_waiting_and_it_says_so() -> Result<()> {
    let world = World::start(FEW)?;
    let slow = TcpListener::bind("127.0.0.1:0")?;
    world.folder.write("slow-service.yaml", &service("slow", slow.local_addr()?))?;
    world.folder.write("slow.yaml", &ingress("slow", "slow.test", "slow", ""))?;
    wait::until("its route", || {
        world.up.read("routes").is_ok_and(|rows| rows.to_string().contains("slow.test"))
    })?;
    let mut busy = crowd(world.up.web)?;
    for client in &mut busy {
        client.write_all(b"GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n")?;
    }
    world.up.wait_for_reason("the gateway: all ")?;
    world.says_once("and who is new waits")?;
    // Who is asked answers nobody any more, and so nobody waits for that.
    drop((busy, slow));
    wait::until("readiness", || world.up.is_ready())?;
    world.works("alone")
}

#[test]
fn idle_clients_of_the_admin_interface_do_not_stop_health() -> Result<()> {
    for by in [&["prlimit", "--nofile=4096"][..], FEW] {
        let world = World::start(by)?;
        let idle = crowd(world.up.admin)?;
        for round in ["first", "second"] {
            world.works(round)?;
        }
        drop(idle);
        wait::until("readiness", || world.up.is_ready())?;
    }
    Ok(())
}

#[test]
fn connections_in_process_have_a_share_of_their_own() -> Result<()> {
    let world = World::start(FEW)?;
    let endpoint = TcpListener::bind("127.0.0.1:0")?;
    let at = endpoint.local_addr()?;
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = endpoint.accept() {
            // Until the client leaves.
            std::thread::spawn(move || {
                let _ = stream.write_all(b"!");
                let _ = stream.read(&mut [0]);
            });
        }
    });
    let text = load_balancer("raw", at);
    world.folder.write("raw.yaml", &text)?;
    let reached = wait::until_some("a port in process", || {
        let services = world.up.read("services").ok()?;
        let row = services.as_array()?.iter().find(|row| row["name"] == "raw")?.clone();
        let at = row["ports"][0]["reached"][0]["at"].as_str()?;
        at.strip_suffix("/TCP")?.parse::<SocketAddr>().ok()
    })?;
    let clients = crowd(reached)?;
    world.wait_for_note("TCP carried in process: all ")?;
    world.works("crowded")?;
    world.says_once("TCP carried in process: all ")?;
    ensure!(world.metric("process_open_fds")? < 256);
    drop(clients);
    wait::until("readiness", || world.up.is_ready())?;
    let mut byte = [0];
    let mut again = TcpStream::connect(reached)?;
    again.set_read_timeout(Some(wait::PATIENCE))?;
    again.read_exact(&mut byte)?;
    ensure!(byte == *b"!");
    world.works("alone")
}

/// As when others use up what the machine has.
#[test]
fn without_any_descriptor_everything_stays() -> Result<()> {
    let world = World::start(&["prlimit", "--nofile=1024:1024"])?;
    let pid = world.up.process.pid()?.as_raw_nonzero().to_string();
    let limit = |count: usize| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &pid, &format!("--nofile={count}:1024")]);
        run(command).map(drop)
    };
    let mut admin = Connection::open(world.up.admin)?;
    let mut client = Connection::open(world.up.web)?;
    ensure!(client.get("app.test", "/")?.status == 200);
    ensure!(admin.get("localhost", "/readyz")?.status == 200);
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    // Descriptors with lower numbers that are free are of no use to anybody either.
    limit(open.min(3))?;
    let mut said = String::new();
    let outcome = wait::until("a reason", || {
        said = admin.get("localhost", "/readyz").map_or_else(|it| it.to_string(), |it| it.body);
        said.contains("Too many open files")
    });
    let outcome = outcome.with_context(|| said.clone()).and_then(|()| {
        let answer = client.get("app.test", "/")?;
        ensure!(answer.status == 200, "{answer:?}");
        let services = admin.get("localhost", "/api/v1/services")?.body;
        ensure!(services.contains("192.0.2.100"), "{services}");
        Ok(())
    });
    limit(1024)?;
    outcome?;
    wait::until("readiness", || world.up.is_ready())?;
    world.works("again")
}

/// Ports that a ConfigMap asks for, more than there are descriptors for: it is said of each, where
/// one looks, and is gone when there are descriptors again.
#[test]
fn ports_without_a_descriptor_are_told_and_opened_later() -> Result<()> {
    const PORTS: usize = 60;
    let backend = Backend::start("shop")?;
    let folder = Scratch::new()?;
    folder.write("service.yaml", &service("shop", backend.address))?;
    let state = folder.file(".state");
    let named = "--nginx.tcp-services-configmap=ingress-nginx/tcp";
    let options = ["--state-dir".as_ref(), state.as_os_str(), named.as_ref()];
    let mut up = Up::launch(&["prlimit", "--nofile=1024:1024"], folder.path(), &options)?;
    up.wait_until_ready()?;
    let pid = up.process.pid()?.as_raw_nonzero().to_string();
    let limit = |count: usize| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &pid, &format!("--nofile={count}:1024")]);
        run(command).map(drop)
    };
    let mut admin = Connection::open(up.admin)?;
    ensure!(admin.get("localhost", "/readyz")?.status == 200);
    let bind = |_| TcpListener::bind((web_host(&up), 0));
    let held = (0..PORTS).map(bind).collect::<std::io::Result<Vec<_>>>()?;
    let ports = held.iter().map(|it| it.local_addr().map(|at| at.port()));
    let ports = ports.collect::<std::io::Result<Vec<u16>>>()?;
    drop(held);
    // Enough to read what is edited, and for a few of the ports.
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?
        .filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok())
        .collect::<BTreeSet<usize>>();
    let first = (0..1024).find(|it| !open.contains(it)).unwrap_or_default();
    limit(first + 12)?;
    let data: String = ports.iter().map(|it| format!("  \"{it}\": default/shop:80\n")).collect();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tcp, namespace: ingress-nginx}\n";
    folder.write("tcp.yaml", &format!("{map}data:\n{data}"))?;
    let mut said = String::new();
    let mut tells = |path: &str, part: &str| {
        let outcome = wait::until(part, || {
            said = admin.get("localhost", path).map_or_else(|it| it.to_string(), |it| it.body);
            said.contains(part)
        });
        outcome.with_context(|| said.clone())
    };
    let last = ports.iter().max().context("there are ports")?;
    let told = tells("/readyz", "@nginx cannot listen on")
        .and_then(|()| tells("/api/v1/diagnostics", "not-listening"))
        .and_then(|()| tells("/api/v1/diagnostics", "ConfigMap/ingress-nginx/tcp"))
        .and_then(|()| tells("/api/v1/routes", &format!("nobody: tcp-{last}@nginx cannot listen")));
    limit(1024)?;
    told?;
    wait::until("readiness", || up.is_ready())?;
    let found = up.read("diagnostics")?.to_string();
    ensure!(!found.contains("not-listening"), "{found}");
    for port in ports {
        let at = SocketAddr::new(web_host(&up), port);
        ensure!(http::get(at, "any.test", "/")?.status == 200, "{at}");
    }
    Ok(())
}

fn web_host(up: &Up) -> std::net::IpAddr {
    up.web.ip()
}
