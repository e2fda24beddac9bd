//! What changes behind the gateway and in its manifests costs no request: `cargo xtask prove` runs
//! these for longer, and with more load.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use steelyard_tests::load::{Ask, Load, Tally, lasting, pace};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::{Backend, Up, ingress};
use steelyard_tests::{http, wait};

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
