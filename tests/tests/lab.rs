//! The whole path as a user walks it: manifests in, a page served on an address of the LAN out.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use steelyard_tests::lab::Lab;
use steelyard_tests::process::Signal;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, manifests, needs_lab, wait};

/// Enough requests for every replica to have had its turn, however connections are spread.
const TRIES: usize = 60;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The echo server named in a plain text answer, `test-app-1`.
fn replica(content: &str) -> &str {
    content.lines().next().unwrap_or_default()
}

/// Asks until as many different replicas as `wanted` have answered.
fn replicas(wanted: usize, mut ask: impl FnMut() -> Result<String>) -> Result<BTreeSet<String>> {
    let mut seen = BTreeSet::new();
    for _ in 0..TRIES {
        seen.insert(replica(&ask()?).to_owned());
        if seen.len() == wanted {
            break;
        }
    }
    Ok(seen)
}

fn names(workload: &str, count: usize) -> BTreeSet<String> {
    (1..=count).map(|index| format!("{workload}-{index}")).collect()
}

#[test]
fn the_homelab_is_served() -> Result<()> {
    needs_lab!();
    let lab = Lab::start(None)?;
    the_address_is_answered_for(&lab)?;
    hosts_and_paths_are_routed(&lab)?;
    requests_that_no_route_wants_are_told_why(&lab)?;
    names_work_without_a_hosts_file(&lab)?;
    for node in ["worker-1", "worker-2", "worker-3"] {
        a_node_reaches(&lab, node, "http://10.1.1.100/api", "api")?;
    }
    a_visitor_reaches(&lab, "http://10.1.1.100/api", "api")?;
    a_closed_port_is_refused(&lab, "10.1.1.100")?;
    lab.stop()
}

fn the_address_is_answered_for(lab: &Lab) -> Result<()> {
    let mut nodes = BTreeSet::new();
    for node in ["worker-1", "worker-2", "worker-3"] {
        nodes.insert(lab.mac(node)?);
    }
    let who = lab.who_has(address("10.1.1.100"))?;
    ensure!(who.len() == 1 && who.is_subset(&nodes), "{who:?} answer, not one of {nodes:?}");
    answers_only(lab, "10.1.1.11", &lab.mac("worker-1")?)?;
    let who = lab.who_has(address("10.1.1.101"))?;
    ensure!(who.is_empty(), "{who:?} answers for 10.1.1.101, which nobody has");
    let pinged = lab.on("client", &["ping", "-c", "2", "-W", "2", "10.1.1.100"])?;
    ensure!(pinged.status.success(), "{pinged:?}");
    let arp = lab.run(&["arp"])?;
    ensure!(arp.contains("10.1.1.100") && arp.contains("worker-"), "{arp}");
    Ok(())
}

/// Checks that `mac` answers for `at`, and nothing else does.
fn answers_only(lab: &Lab, at: &str, mac: &str) -> Result<()> {
    let who = lab.who_has(address(at))?;
    ensure!(who == BTreeSet::from([mac.to_owned()]), "{who:?} answer for {at}, not {mac} alone");
    Ok(())
}

fn hosts_and_paths_are_routed(lab: &Lab) -> Result<()> {
    let test_app = ["-H", "Host: test.homelab.local", "http://10.1.1.100"];
    let (status, content) = lab.curl(&test_app)?;
    ensure!(status == 200 && content.contains("name:    test-app"), "{status} {content}");
    ensure!(content.contains("host:    test.homelab.local"), "the host is kept: {content}");
    ensure!(content.contains("x-forwarded-for: "), "the client is named: {content}");
    let seen = replicas(2, || Ok(lab.curl(&test_app)?.1))?;
    ensure!(seen == names("test-app", 2), "not both replicas: {seen:?}");
    for (host, workload) in [("grafana", "grafana"), ("prometheus", "prometheus")] {
        let host = format!("Host: {host}.homelab.local");
        let (status, content) = lab.curl(&["-H", &host, "http://10.1.1.100/any/path"])?;
        ensure!(status == 200 && replica(&content) == format!("{workload}-1"), "{host}: {content}");
    }
    for (path, workload) in [("/api", "api"), ("/api/users", "api"), ("/web/", "web")] {
        let (status, content) = lab.curl(&[&format!("http://10.1.1.100{path}")])?;
        ensure!(status == 200 && replica(&content).starts_with(workload), "{path}: {content}");
        ensure!(content.contains(&format!("request: GET {path} ")), "{path}: {content}");
    }
    Ok(())
}

fn requests_that_no_route_wants_are_told_why(lab: &Lab) -> Result<()> {
    let (status, page) = lab.curl(&["http://10.1.1.100/apiary"])?;
    ensure!(status == 404 && page.contains("/api"), "the nearest rule is shown: {status} {page}");
    let unknown = ["-H", "Host: nobody.example", "http://10.1.1.100/"];
    let (status, page) = lab.curl(&unknown)?;
    ensure!(status == 404 && page.contains("nobody.example"), "{status} {page}");
    Ok(())
}

fn names_work_without_a_hosts_file(lab: &Lab) -> Result<()> {
    let content = lab.run(&["curl", "-sS", "http://test.homelab.local/x"])?;
    ensure!(content.contains("name:    test-app"), "{content}");
    for url in ["https://grafana.homelab.local/", "https://10.1.1.100/api"] {
        let content = lab.run(&["curl", "-sS", url])?;
        ensure!(content.contains("name:    "), "{url} is verified, and served: {content}");
    }
    let html = lab.run(&["curl", "-sS", "-H", "Accept: text/html", "http://test.homelab.local"])?;
    ensure!(html.contains("<title>test-app-"), "a browser gets a page: {html}");
    Ok(())
}

/// From another subnet, through the router.
fn a_visitor_reaches(lab: &Lab, url: &str, workload: &str) -> Result<()> {
    let output = lab.on("visitor", &["curl", "-sS", "-m", "5", "--noproxy", "*", url])?;
    let content = String::from_utf8_lossy(&output.stdout);
    ensure!(content.contains(&format!("name:    {workload}\n")), "{output:?}");
    Ok(())
}

/// Also the node's own programs are clients of the addresses it serves.
fn a_node_reaches(lab: &Lab, node: &str, url: &str, workload: &str) -> Result<()> {
    let output = lab.on(node, &["curl", "-sS", "-m", "5", "--noproxy", "*", url])?;
    let content = String::from_utf8_lossy(&output.stdout);
    ensure!(content.contains(&format!("name:    {workload}\n")), "{output:?}");
    Ok(())
}

/// Nothing listens on port 81: a reset, at once, rather than silence.
fn a_closed_port_is_refused(lab: &Lab, at: &str) -> Result<()> {
    const COULD_NOT_CONNECT: i32 = 7;
    let url = manifests::url(at, 81);
    let output = lab.on("client", &["curl", "-sS", "-g", "-m", "10", "--noproxy", "*", &url])?;
    ensure!(output.status.code() == Some(COULD_NOT_CONNECT), "{url}: {output:?}");
    Ok(())
}

/// The gateway and a forwarded Service, each with an address of either family.
fn dual_stack() -> String {
    manifests::all(&[
        &manifests::pool(manifests::BOTH_FAMILIES),
        &manifests::gateway("traefik"),
        &manifests::deployment("test-app", 2),
        &manifests::load_balancer("direct", "test-app", 8080),
        ROUTE,
    ])
}

const ROUTE: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: test-app}
spec:
  ingressClassName: traefik
  rules:
  - host: test.homelab.local
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: direct, port: {number: 8080}}}}
";

/// Addresses of the gateway and of the forwarded Service.
const GATEWAY: [&str; 2] = ["10.1.1.101", "fd00:1:1::101"];
const DIRECT: [&str; 2] = ["10.1.1.100", "fd00:1:1::100"];

#[test]
fn both_families_are_served_and_silent_with_the_node() -> Result<()> {
    needs_lab!();
    let folder = Scratch::new()?;
    folder.write("all.yaml", &dual_stack())?;
    // With more nodes, another would answer for a silent one.
    let lab = Lab::start_with(Some(folder.path()), &["--nodes", "1"])?;
    for at in GATEWAY.into_iter().chain(DIRECT) {
        answers_only(&lab, at, &lab.mac("node-1")?)?;
        let pinged = lab.on("client", &["ping", "-c", "1", "-W", "2", at])?;
        ensure!(pinged.status.success(), "{pinged:?}");
    }
    for at in GATEWAY {
        let ask = || Ok(lab.curl(&["-H", "Host: test.homelab.local", &manifests::url(at, 80)])?.1);
        let seen = replicas(2, ask)?;
        ensure!(seen == names("test-app", 2), "over {at}: {seen:?}");
    }
    for at in DIRECT {
        let seen = replicas(2, || Ok(lab.curl(&[&manifests::url(at, 8080)])?.1))?;
        ensure!(seen == names("test-app", 2), "over {at}: {seen:?}");
    }
    let (status, page) =
        lab.curl(&["-H", "Host: nobody.example", &manifests::url(GATEWAY[1], 80)])?;
    ensure!(status == 404, "{status} {page}");
    for at in GATEWAY.into_iter().chain(DIRECT) {
        a_closed_port_is_refused(&lab, at)?;
    }
    a_stopped_node_is_silent(&lab)?;
    a_killed_node_is_silent(&lab)?;
    lab.stop()
}

fn a_stopped_node_is_silent(lab: &Lab) -> Result<()> {
    lab.signal("node-1", Signal::STOP)?;
    nobody_answers(lab)?;
    lab.signal("node-1", Signal::CONT)?;
    for at in GATEWAY.into_iter().chain(DIRECT) {
        wait::until(&format!("an answer for {at}"), || {
            lab.who_has(address(at)).is_ok_and(|who| !who.is_empty())
        })?;
    }
    Ok(())
}

fn a_killed_node_is_silent(lab: &Lab) -> Result<()> {
    lab.signal("node-1", Signal::KILL)?;
    nobody_answers(lab)
}

fn nobody_answers(lab: &Lab) -> Result<()> {
    for at in GATEWAY.into_iter().chain(DIRECT) {
        let who = lab.who_has(address(at))?;
        ensure!(who.is_empty(), "{who:?} answers for {at}, though steelyard does not run");
    }
    Ok(())
}

const UDP_SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: udp-service}
spec:
  type: LoadBalancer
  selector: {app: nginx}
  ports: [{name: dns, protocol: UDP, port: 53, targetPort: 5353}]
";

#[test]
fn the_first_service_answers_from_all_replicas() -> Result<()> {
    needs_lab!();
    let folder = Scratch::copy_of(&binary::example("first-service"))?;
    folder.write("udp.yaml", UDP_SERVICE)?;
    let lab = Lab::start(Some(folder.path()))?;
    let who = lab.who_has(address("192.168.1.240"))?;
    ensure!(who.len() == 1, "{who:?} answer for one address");
    let seen = replicas(3, || Ok(lab.curl(&["http://192.168.1.240"])?.1))?;
    ensure!(seen == names("nginx-deployment", 3), "TCP: {seen:?}");
    let udp: SocketAddr = "192.168.1.241:53".parse()?;
    let seen = replicas(3, || lab.datagram(udp, "hello"))?;
    ensure!(seen == names("nginx-deployment", 3), "UDP: {seen:?}");
    ensure!(lab.datagram(udp, "hello")?.ends_with("hello"), "the content comes back");
    a_node_reaches(&lab, "node-1", "http://192.168.1.240", "nginx-deployment")?;
    a_closed_port_is_refused(&lab, "192.168.1.240")?;
    lab.stop()
}

#[test]
fn a_killed_laboratory_leaves_nothing_to_the_next() -> Result<()> {
    needs_lab!();
    let mut lab = Lab::start(Some(&binary::example("first-service")))?;
    lab.process.kill()?;
    ensure!(!lab.namespaces().is_empty(), "a kill leaves namespaces, else this tests nothing");
    let name = lab.name.clone();
    let next = Lab::start_named(name, Some(&binary::example("first-service")), &[])?;
    ensure!(next.process.printed().contains("removed"), "{}", next.process.printed());
    let (status, _) = next.curl(&["http://192.168.1.240"])?;
    ensure!(status == 200, "{status}");
    next.stop()?;
    lab.check_gone().context("of the first")
}

/// Ends a laboratory in the background, also when the test fails.
struct Down(String);

impl Drop for Down {
    fn drop(&mut self) {
        let _ = binary::command(["lab", "--name", &self.0, "down"]).output();
    }
}

#[test]
fn in_the_background_until_told() -> Result<()> {
    needs_lab!();
    let name = format!("t{}bg", std::process::id());
    let _down = Down(name.clone());
    let path = binary::example("first-service");
    let mut start = binary::command(["lab", "--name", &name, "--detach"]);
    start.arg(&path);
    let drawn = steelyard_tests::process::run(start)?;
    ensure!(drawn.contains("192.168.1.240") && drawn.contains("node-1   serves"), "{drawn}");
    ensure!(drawn.contains("down` ends it") && !drawn.contains("Ctrl-C"), "{drawn}");
    let twice = binary::command(["lab", "--name", &name]).output()?;
    ensure!(String::from_utf8_lossy(&twice.stderr).contains("running already"), "{twice:?}");
    steelyard_tests::process::run(binary::command(["lab", "--name", &name, "down"]))?;
    let left = steelyard_host::netns::list();
    ensure!(!left.iter().any(|it| it.contains(&name)), "left behind: {left:?}");
    Ok(())
}
