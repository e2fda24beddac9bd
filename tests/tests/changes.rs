//! What changes behind the gateway and in its manifests costs no request: `cargo xtask prove` runs
//! these for longer, and with more load.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use steelyard_tests::load::{Ask, Load, Tally, lasting, pace};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress};
use steelyard_tests::{http, needs_lab, wait};

const REPLICAS: usize = 3;
/// How long a pod goes on that is to end, once others were told (`preStop`).
const NOTICE: Duration = Duration::from_millis(300);

/// A Service and the pods behind it, as their EndpointSlice tells.
struct Rollout {
    up: Up,
    folder: Scratch,
    /// Where pods listen, each at an address of its own.
    port: u16,
    /// How many there were.
    born: u8,
    /// And whether it is about to end.
    pods: Vec<(Backend, bool)>,
}

impl Rollout {
    fn start() -> Result<Self> {
        let folder = Scratch::new()?;
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: app}\nspec: {ports: [{name: \
                       http, port: 80}]}\n";
        folder
            .write("route.yaml", &(service.to_owned() + &ingress("app", "app.test", "app", "")))?;
        let state = format!("--state-dir={}", folder.file(".state").display());
        let up = Up::launch(&[], folder.path(), &[OsStr::new(&state)])?;
        let mut site = Self { up, folder, port: http::free_port()?, born: 0, pods: Vec::new() };
        (0..REPLICAS).try_for_each(|_| site.begin_one())?;
        site.up.wait_until_ready()?;
        site.tell()?;
        site.up.wait_for("app.test", 200)?;
        Ok(site)
    }

    fn begin_one(&mut self) -> Result<()> {
        self.born = self.born % 250 + 1;
        let at = SocketAddr::from(([127, 0, 1, self.born], self.port));
        self.pods.push((Backend::start_at("app", at)?, false));
        Ok(())
    }

    /// Says how the pods are, and waits until that is in force.
    fn tell(&self) -> Result<()> {
        let before = self.generation()?;
        self.folder.write("slice.yaml", &slice(self.port, &self.pods))?;
        wait::until("an edit in force", || self.generation().is_ok_and(|it| it > before))
    }

    fn generation(&self) -> Result<u64> {
        self.up.read("overview")?["generation"].as_u64().context("a generation")
    }

    /// A new pod takes the place of the oldest one.
    fn replace_one(&mut self) -> Result<()> {
        self.begin_one()?;
        self.pods[0].1 = true;
        self.tell()?;
        std::thread::sleep(NOTICE);
        let (gone, _) = self.pods.remove(0);
        self.tell()?;
        drop(gone);
        Ok(())
    }

    fn load(&self) -> Load {
        let host = "app.test".to_owned();
        let ask = |number| match number % 2 {
            0 => Ask::Get(self.up.web, host.clone()),
            _ => Ask::Post(self.up.web, host.clone()),
        };
        let (clients, pace) = pace();
        Load::start(&(0..clients).map(ask).collect::<Vec<_>>(), pace)
    }
}

/// Their slice.
fn slice(port: u16, pods: &[(Backend, bool)]) -> String {
    let mut text = format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: app\n  labels: \
         {{kubernetes.io/service-name: app}}\naddressType: IPv4\nports: [{{name: http, port: \
         {port}}}]\nendpoints:{}\n",
        if pods.is_empty() { " []" } else { "" }
    );
    for (pod, is_ending) in pods {
        let (ip, ready) = (pod.address.ip(), !is_ending);
        let conditions = format!("ready: {ready}, serving: true, terminating: {is_ending}");
        writeln!(text, "- {{addresses: [{ip}], conditions: {{{conditions}}}}}")
            .expect("strings take all");
    }
    text
}

/// Goes on for as long as it is to.
fn for_a_while(mut step: impl FnMut(usize) -> Result<()>) -> Result<usize> {
    let end = Instant::now() + lasting().unwrap_or(Duration::from_secs(4));
    let mut steps = 0;
    while Instant::now() < end {
        step(steps)?;
        steps += 1;
    }
    Ok(steps)
}

fn tell(what: &str, tally: &Tally) -> Result<()> {
    eprintln!("{what}: {} requests, {} failed", tally.asked, tally.failed);
    tally.is_whole(400)
}

#[test]
fn rollout() -> Result<()> {
    let mut site = Rollout::start()?;
    let load = site.load();
    let replaced = for_a_while(|_| site.replace_one())?;
    tell(&format!("rollout: {replaced} of {REPLICAS} endpoints replaced"), &load.end())
}

#[test]
fn reload() -> Result<()> {
    let site = Rollout::start()?;
    let load = site.load();
    let edits = for_a_while(|number| {
        let (before, other) = (site.generation()?, format!("other-{}", number % 7));
        let limited = ["", "nginx.ingress.kubernetes.io/proxy-body-size: 8m"][number % 2];
        let edit = ingress(&other, &format!("{other}.test"), "app", limited);
        site.folder.write("other.yaml", &edit)?;
        wait::until("an edit in force", || site.generation().is_ok_and(|it| it > before))
    })?;
    tell(&format!("reload: {edits} edits"), &load.end())
}

/// A Service scaled to nothing answers 503, and serves again with its next pod.
#[test]
fn scaled_to_nothing_and_back() -> Result<()> {
    let mut site = Rollout::start()?;
    let pods = std::mem::take(&mut site.pods);
    site.tell()?;
    site.up.wait_for("app.test", 503)?;
    drop(pods);
    site.begin_one()?;
    site.tell()?;
    site.up.wait_for("app.test", 200)?;
    // Who is the last, and about to end, is better than nobody.
    site.pods[0].1 = true;
    site.tell()?;
    site.up.wait_for("app.test", 200)?;
    Ok(())
}

/// What is asked for below `/slow`: whether it was, and whether it may be answered.
#[derive(Debug, Default)]
struct Slow {
    is_asked: AtomicBool,
    is_let_go: AtomicBool,
}

/// Answers `GET` with a word.
fn endpoint(at: SocketAddr, word: &'static str, slow: &Arc<Slow>) -> Result<()> {
    let listener = TcpListener::bind(at)?;
    let slow = Arc::clone(slow);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let slow = Arc::clone(&slow);
            std::thread::spawn(move || answer(&stream, word, &slow));
        }
    });
    Ok(())
}

fn answer(stream: &TcpStream, word: &str, slow: &Slow) -> std::io::Result<()> {
    let (mut lines, mut out) = (BufReader::new(stream).lines(), stream);
    while let Some(first) = lines.next().transpose()? {
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        while first.starts_with("GET /slow") && !slow.is_let_go.load(Ordering::Relaxed) {
            slow.is_asked.store(true, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(5));
        }
        write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{word}", word.len())?;
    }
    Ok(())
}

/// A name has another address: who is asked next is there, and what is under way where it was goes
/// on to its end.
#[test]
fn names_are_looked_up_again() -> Result<()> {
    // Its hosts are read from a file of its own, which only root can have.
    needs_lab!();
    let folder = Scratch::new()?;
    let port = http::free_port()?;
    let gate = Arc::<Slow>::default();
    let [first, second] = [[127, 0, 2, 1], [127, 0, 2, 2]].map(|ip| SocketAddr::from((ip, port)));
    endpoint(first, "first", &gate)?;
    endpoint(second, "second", &gate)?;
    let hosts = folder.file("hosts");
    std::fs::write(&hosts, format!("{} moving.test\n", first.ip()))?;
    let services = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: external}}\nspec: {{type: ExternalName, \
         externalName: moving.test, ports: [{{port: {port}}}]}}\n---\napiVersion: v1\nkind: \
         Service\nmetadata: {{name: named, annotations: {{steelyard.dev/endpoints: \
         \"moving.test:{port}\"}}}}\nspec: {{ports: [{{port: {port}}}]}}\n"
    );
    let of = |name: &str| {
        let route = ingress(name, &format!("{name}.test"), name, "");
        route.replace("{number: 80}", &format!("{{number: {port}}}"))
    };
    folder.write("all.yaml", &(services + &of("external") + &of("named")))?;
    let state = format!("--state-dir={}", folder.file(".state").display());
    let script = format!("mount --bind {} /etc/hosts && exec \"$@\"", hosts.display());
    let by = ["unshare", "--mount", "sh", "-c", &script, "sh"];
    let mut up = Up::launch(&by, folder.path(), &[OsStr::new(&state)])?;
    up.wait_until_ready()?;
    let says = |host: &str, word: &str| {
        up.get(host, "/").is_ok_and(|it| it.status == 200 && it.body == word)
    };
    for host in ["external.test", "named.test"] {
        wait::until(host, || says(host, "first"))?;
    }
    let at = up.web;
    let slow = std::thread::spawn(move || http::get(at, "named.test", "/slow"));
    wait::until("a request under way", || gate.is_asked.load(Ordering::Relaxed))?;
    std::fs::write(&hosts, format!("{} moving.test\n", second.ip()))?;
    for host in ["external.test", "named.test"] {
        wait::until(host, || says(host, "second"))?;
    }
    gate.is_let_go.store(true, Ordering::Relaxed);
    let slow = slow.join().expect("who asks ends by itself")?;
    ensure!((slow.status, &*slow.body) == (200, "first"), "{slow:?}");
    Ok(())
}

/// An endpoint that is about to end gets nothing new, but from who was led there by a cookie.
#[test]
fn who_is_about_to_end_keeps_those_that_a_cookie_leads_there() -> Result<()> {
    let mut site = Rollout::start()?;
    site.folder.write(
        "sticky.yaml",
        "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: sticky}\nspec:\n  \
         entryPoints: [web]\n  routes:\n  - match: Host(`sticky.test`)\n    services: [{name: app, \
         port: 80, sticky: {cookie: {name: lb}}}]\n",
    )?;
    site.up.wait_for("sticky.test", 200)?;
    let first = site.up.get("sticky.test", "/")?;
    let cookie = first.header("set-cookie").context("a cookie")?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let again = || {
        let mut stream = TcpStream::connect(site.up.web)?;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: sticky.test\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        );
        http::exchange(&mut stream, request.as_bytes())
    };
    let there = served_by(&again()?)?;
    for (pod, is_ending) in &mut site.pods {
        *is_ending = pod.address == there;
    }
    site.tell()?;
    for _ in 0..20 {
        ensure!(served_by(&again()?)? == there, "it was led elsewhere");
        let new = served_by(&site.up.get("app.test", "/")?)?;
        ensure!(new != there, "who is about to end gets what is new");
    }
    Ok(())
}

/// Where the replica listens that answered.
fn served_by(answer: &http::Answer) -> Result<SocketAddr> {
    let told = answer.body.lines().find_map(|line| line.strip_prefix("local:"));
    told.with_context(|| format!("{answer:?}"))?.trim().parse().context("an address")
}
