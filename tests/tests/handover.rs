//! Addresses that move on purpose, as clients see it: no connection attempt fails, nothing that is
//! under way breaks, and a node that dies afterwards leaves nobody waiting.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use steelyard_host::netns::Namespace;
use steelyard_tests::http::{self, Connection};
use steelyard_tests::lab::Lab;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, manifests, needs_lab, wait};

const ROUTE: &str = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: app}
spec:
  rules:
  - http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: test-app, port: {number: 80}}}}
";
/// Between two new connections of a client.
const PACE: Duration = Duration::from_millis(2);
/// An upload of three seconds.
const PARTS: u32 = 300;
const PART: usize = 1000;
const PART_PACE: Duration = Duration::from_millis(10);
/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// Two nodes with an address of each family for the gateway, and for a Service whose connections
/// the kernel translates.
struct Pair {
    lab: Lab,
    client: Namespace,
    vips: Vec<SocketAddr>,
    /// Of the gateway.
    gateways: Vec<SocketAddr>,
    _folder: Scratch,
}

impl Pair {
    fn start(options: &[&str]) -> Result<Self> {
        let folder = Scratch::new()?;
        let all = manifests::all(&[
            &manifests::pool(manifests::BOTH_FAMILIES),
            &manifests::deployment("test-app", 3),
            &manifests::load_balancer("test-app", "test-app", 80),
            &manifests::gateway("gateway"),
            ROUTE,
        ]);
        folder.write("all.yaml", &all)?;
        // So many clients may keep a machine busy for longer than a dead time.
        let calm = ["--nodes", "2", "--", "--missed-heartbeats", "30"];
        let options: Vec<&str> = calm.iter().chain(options).copied().collect();
        let lab = Lab::start_first(folder.path(), &options)?;
        let client = Namespace::existing(&lab.namespace("client"))?;
        let (vips, gateways) = (Vec::new(), Vec::new());
        let mut pair = Self { lab, client, vips, gateways, _folder: folder };
        let owners = wait::until_some("an owner of each address", || {
            pair.owners().ok().filter(|owners| owners.len() == 4)
        })?;
        pair.vips = owners.keys().map(|vip| SocketAddr::new(*vip, 80)).collect();
        let view = pair.lab.show()?;
        let rows = view["vips"].as_array().context("no vips")?;
        for row in rows.iter().filter(|row| row["service"] == "default/gateway") {
            let address = row["address"].as_str().context("no address")?;
            pair.gateways.push(SocketAddr::new(address.parse()?, 80));
        }
        ensure!(pair.gateways.len() == 2, "{rows:?}");
        Ok(pair)
    }

    /// Who owns each address, once that is one node.
    fn owners(&self) -> Result<BTreeMap<IpAddr, String>> {
        let view = self.lab.show()?;
        let mut owners = BTreeMap::new();
        for vip in view["vips"].as_array().context("no vips")? {
            let all = vip["owners"].as_array().context("no owners")?;
            ensure!(all.len() == 1, "{all:?}");
            let owner = all[0]["node"].as_str().context("no name")?;
            owners.insert(vip["address"].as_str().context("no address")?.parse()?, owner.into());
        }
        Ok(owners)
    }

    /// Waits until `node` owns so many addresses.
    fn wait_for_share(&self, node: &str, share: usize) -> Result<()> {
        wait::until(&format!("{node} to own {share} addresses"), || {
            let own =
                |owners: BTreeMap<_, String>| owners.values().filter(|it| *it == node).count();
            self.owners().is_ok_and(|owners| own(owners) == share)
        })
        .with_context(|| format!("{:?}", self.owners()))
    }

    fn rebalance(&self, node: &str) -> Result<()> {
        let program = binary::steelyard().to_string_lossy();
        let output = self.lab.on(node, &[&program, "rebalance"])?;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    }

    fn wait_for_life(&self, node: &str, life: &str) -> Result<()> {
        wait::until(&format!("{node} to be {life}"), || {
            self.lab.show().is_ok_and(|view| {
                let nodes = view["nodes"].as_array().cloned().unwrap_or_default();
                nodes.iter().any(|it| it["name"] == node && it["life"] == life)
            })
        })
    }

    /// Addresses whose packets a node passes to a former owner.
    fn passed(&self, node: &str) -> Result<usize> {
        let count = |family: &str| {
            // Where nothing was ever passed there is no table.
            let output = self.lab.on(node, &["nft", "list", "table", family, "steelyard"])?;
            anyhow::Ok(String::from_utf8_lossy(&output.stdout).matches("expires").count())
        };
        Ok((count("ip")? + count("ip6")?) / 3)
    }

    /// A connection from the client, with which something was exchanged.
    fn open(&self, vip: SocketAddr) -> Result<TcpStream> {
        let mut stream = self.client.run(|| TcpStream::connect_timeout(&vip, PATIENCE))??;
        stream.set_read_timeout(Some(PATIENCE))?;
        ask(&mut stream)?;
        Ok(stream)
    }
}

/// One request on a connection, and the whole answer.
fn ask(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        answer.push(byte[0]);
    }
    Ok(())
}

/// What clients did, and what went wrong.
#[derive(Default)]
struct Tally {
    is_over: AtomicBool,
    done: AtomicU64,
    uploads: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    fn count(&self, who: &str, vip: SocketAddr, outcome: Result<()>) {
        match outcome {
            Ok(()) => drop(self.done.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                self.wrong.lock().expect("no panic").push(format!("{who}, {vip}: {error:#}"));
            }
        }
    }

    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }
}

/// A new connection for each request.
fn tick(tally: &Tally, vip: SocketAddr) {
    while tally.goes_on() {
        let answer = http::get(vip, "a", "/").and_then(|answer| {
            ensure!(answer.status == 200, "{}", answer.head);
            Ok(())
        });
        tally.count("a new connection", vip, answer);
        std::thread::sleep(PACE);
    }
}

/// A connection for as many requests as the other side likes.
fn keep(tally: &Tally, vip: SocketAddr) {
    let mut open: Option<Connection> = None;
    while tally.goes_on() {
        let mut request = || -> Result<()> {
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => Connection::open(vip)?,
            };
            let answer = connection.get("a", "/")?;
            ensure!(answer.status == 200, "{}", answer.head);
            open = (answer.header("connection") != Some("close")).then_some(connection);
            Ok(())
        };
        tally.count("a connection that is kept", vip, request());
        std::thread::sleep(PACE * 5);
    }
}

/// One upload after the other, each of three seconds.
fn upload(tally: &Tally, vip: SocketAddr) {
    let once = || -> Result<()> {
        let mut stream = TcpStream::connect_timeout(&vip, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = PARTS as usize * PART;
        let head =
            format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}");
        write!(stream, "{head}\r\n\r\n")?;
        for part in 0..PARTS {
            stream.write_all(&[b'x'; PART]).with_context(|| format!("at part {part}"))?;
            std::thread::sleep(PART_PACE);
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context("at its answer")?;
        if !answer.starts_with("HTTP/1.1 200 ") {
            bail!("answered {answer:?}");
        }
        Ok(())
    };
    while tally.goes_on() {
        tally.count("an upload", vip, once());
        tally.uploads.fetch_add(1, Ordering::Relaxed);
    }
}

/// Leaves and returns, to and fro, with clients of every kind at every address, on the LAN and
/// behind its router.
#[test]
fn nothing_breaks_while_addresses_move() -> Result<()> {
    needs_lab!();
    const ROUNDS: usize = 3;
    let pair = Pair::start(&[])?;
    let tally = Tally::default();
    let visitor = Namespace::existing(&pair.lab.namespace("visitor"))?;
    let moves = std::thread::scope(|scope| {
        for vip in &pair.vips {
            if vip.is_ipv4() {
                let (tally, visitor, vip) = (&tally, &visitor, *vip);
                scope.spawn(move || visitor.run(|| tick(tally, vip)));
            }
            let is_gateway = pair.gateways.contains(vip);
            let (tally, client, vip) = (&tally, &pair.client, *vip);
            scope.spawn(move || client.run(|| tick(tally, vip)));
            scope.spawn(move || client.run(|| upload(tally, vip)));
            if is_gateway {
                scope.spawn(move || client.run(|| keep(tally, vip)));
            }
        }
        let moves = (|| -> Result<usize> {
            let mut moves = 0;
            for _ in 0..ROUNDS {
                for (leaver, stays) in [("node-1", "node-2"), ("node-2", "node-1")] {
                    moves += pair.owners()?.values().filter(|it| *it == leaver).count();
                    pair.lab.run(&["leave", leaver])?;
                    pair.wait_for_share(stays, 4)?;
                    pair.wait_for_life(leaver, "left")?;
                    wait::until("the end of what is passed to who left", || {
                        pair.passed(stays).is_ok_and(|passed| passed == 0)
                    })?;
                    pair.lab.run(&["heal", leaver])?;
                    wait::until("it to be heard", || {
                        let _ = pair.rebalance(leaver);
                        pair.owners().is_ok_and(|it| it.values().any(|owner| owner == leaver))
                    })?;
                    pair.wait_for_share(leaver, 2)?;
                    moves += 2;
                    ensure!(pair.passed(leaver)? == 2, "flows of {stays} are passed to it");
                }
            }
            Ok(moves)
        })();
        tally.is_over.store(true, Ordering::Relaxed);
        moves
    })?;
    let wrong = tally.wrong.into_inner().expect("no panic");
    ensure!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n"));
    ensure!(moves >= 20, "{moves} addresses moved");
    let (done, uploads) = (tally.done.into_inner(), tally.uploads.into_inner());
    println!("{moves} moves, {done} requests, {uploads} of them uploads of three seconds");
    pair.lab.stop()
}

/// A connection whose owner handed its address over, and then died, is reset, not left hanging.
#[test]
fn who_dies_after_a_handover_leaves_nobody_waiting() -> Result<()> {
    needs_lab!();
    let pair = Pair::start(&[])?;
    pair.lab.run(&["leave", "node-1"])?;
    pair.wait_for_life("node-1", "left")?;
    let mut all = pair.vips.iter().map(|vip| pair.open(*vip)).collect::<Result<Vec<_>>>()?;
    pair.lab.run(&["heal", "node-1"])?;
    wait::until("it to be heard", || {
        let _ = pair.rebalance("node-1");
        pair.owners().is_ok_and(|it| it.values().any(|owner| owner == "node-1"))
    })?;
    pair.wait_for_share("node-1", 2)?;
    for stream in &mut all {
        ask(stream).context("handed over")?;
    }
    pair.lab.run(&["kill", "node-2"])?;
    pair.wait_for_share("node-1", 4)?;
    wait::until("nothing to be passed", || pair.passed("node-1").is_ok_and(|it| it == 0))?;
    for (vip, mut stream) in pair.vips.iter().zip(all) {
        // The dead process's own sockets were closed by its kernel.
        let end = ask(&mut stream).expect_err("its owner is dead").kind();
        let ends = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe];
        ensure!(ends.contains(&end), "{vip}: {end:?}");
        pair.open(*vip).context("a new connection")?;
    }
    pair.lab.stop()
}

/// Who is told to end twice waits for nobody, and leaves nothing behind.
#[test]
fn told_twice_it_ends_at_once() -> Result<()> {
    needs_lab!();
    let mut pair = Pair::start(&["--drain", "3600"])?;
    pair.lab.run(&["leave", "node-1"])?;
    pair.wait_for_life("node-1", "left")?;
    let held = pair.vips.iter().map(|vip| pair.open(*vip)).collect::<Result<Vec<_>>>()?;
    pair.lab.signal("node-2", Signal::TERM)?;
    pair.lab.process.wait_for("asked to end")?;
    pair.lab.signal("node-2", Signal::TERM)?;
    wait::until("its end", || pair.lab.signal("node-2", Signal::CONT).is_err())?;
    let rules = pair.lab.on("node-2", &["nft", "list", "ruleset"])?;
    ensure!(!String::from_utf8_lossy(&rules.stdout).contains("steelyard"), "{rules:?}");
    drop(held);
    pair.lab.stop()
}
