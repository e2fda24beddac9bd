//! What is not ours on the LAN is left alone on the machine too: addresses that the router, another
//! host or the machine itself has, and ports that its own servers listen on.

use anyhow::{Result, ensure};
use steelyard_host::netns::Namespace;
use steelyard_tests::lab::Lab;
use steelyard_tests::machine::{MACHINE, Machine, ROUTER, Server, ask, serve};
use steelyard_tests::process::Running;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::ingress;
use steelyard_tests::{manifests, needs_lab, wait};

/// Another host on the LAN, for a while at vips.
const OTHER: [&str; 2] = ["10.1.1.2", "fd00:1:1::2"];
const VIPS: [&str; 2] = ["10.1.1.100", "fd00:1:1::100"];

fn at(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// A Service at `address`, TCP 80 and UDP 53, with an endpoint on the machine's loopback, so that
/// it is carried in process.
fn in_process(name: &str, address: &str) -> String {
    let (loopback, family) =
        if address.contains(':') { ("[::1]", "IPv6") } else { ("127.0.0.1", "IPv4") };
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations:\n    \
         metallb.io/loadBalancerIPs: \"{address}\"\n    \
         steelyard.dev/endpoints: \"{loopback}:8080,{loopback}:5353\"\nspec:\n  \
         type: LoadBalancer\n  ipFamilies: [{family}]\n  ports:\n  \
         - {{name: a, port: 80, targetPort: 8080}}\n  \
         - {{name: b, port: 53, protocol: UDP, targetPort: 5353}}\n"
    )
}

/// A Service at `address` that the kernel translates to the router's port 8080.
fn translated(name: &str, address: &str, port: u16) -> String {
    let six = address.contains(':');
    let (router, family) = (at(ROUTER[usize::from(six)], 8080), ["IPv4", "IPv6"][usize::from(six)]);
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  annotations:\n    \
         metallb.io/loadBalancerIPs: \"{address}\"\n    steelyard.dev/endpoints: \"{router}\"\n\
         spec:\n  type: LoadBalancer\n  ipFamilies: [{family}]\n  ports: [{{port: {port}}}]\n"
    )
}

fn pool() -> String {
    manifests::pool(r#"10.1.1.1-10.1.1.150, "fd00:1:1::1-fd00:1:1::1ff""#)
}

/// Servers behind the Services.
fn endpoints(machine: &Machine) -> Result<Vec<Server>> {
    Ok(vec![
        serve(&machine.node, "TCP:8080", "loopback")?,
        serve(&machine.node, "UDP:5353", "loopback")?,
        serve(&machine.router, "TCP:8080", "router's")?,
    ])
}

/// Who asks for what, and who is to answer.
fn expect(cases: &[(&Namespace, String, &str)], when: &str) -> Result<()> {
    for (from, what, who) in cases {
        let said = ask(from, what);
        ensure!(said == *who, "{when}: {} asks {what}: {said:?}, not {who:?}", from.name());
    }
    Ok(())
}

/// The machine's own DNS and SSH go on, whatever a pool holds.
#[test]
fn addresses_of_the_router_and_a_workstation() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("router")?;
    let other =
        machine.host("other", &[&format!("{}/24", OTHER[0]), &format!("{}/64", OTHER[1])])?;
    let _dns = serve(&machine.router, "UDP:53", "dns")?;
    let _web = serve(&machine.router, "TCP:80", "router")?;
    let _workstation = serve(&other, "TCP:80", "workstation")?;
    let _ssh = serve(&machine.node, "TCP:22", "ssh")?;
    let _endpoints = endpoints(&machine)?;
    let mut services = vec![pool()];
    for (number, (router, other)) in ROUTER.iter().zip(OTHER).enumerate() {
        services.push(in_process(&format!("router{number}"), router));
        services.push(translated(&format!("other{number}"), other, 80));
    }
    services.push(translated("mine", VIPS[0], 80));
    let parts: Vec<&str> = services.iter().map(String::as_str).collect();
    machine.folder.write("all.yaml", &manifests::all(&parts))?;
    let mut cases = Vec::new();
    for (number, router) in ROUTER.iter().enumerate() {
        cases.push((&machine.node, format!("UDP:{}", at(router, 53)), "dns"));
        cases.push((&machine.node, format!("TCP:{}", at(router, 80)), "router"));
        cases.push((&machine.node, format!("TCP:{}", at(OTHER[number], 80)), "workstation"));
        cases.push((&other, format!("TCP:{}", at(MACHINE[number], 22)), "ssh"));
        cases.push((&machine.router, format!("TCP:{}", at(MACHINE[number], 22)), "ssh"));
    }
    expect(&cases, "before")?;
    let mut up = machine.up(&["--ip-forward"])?;
    machine.says("10.1.1.1 is not announced: it is the address of the default gateway, on eth0")?;
    for taken in [ROUTER[1], OTHER[0], OTHER[1]] {
        machine.says(&format!("{taken} is not announced: "))?;
    }
    wait::until("an address of ours", || ask(&machine.router, "TCP:10.1.1.100:80") == "router's")?;
    expect(&cases, "while it runs")?;
    expect(&[(&machine.node, "TCP:10.1.1.100:80".to_owned(), "router's")], "while it runs")?;
    ensure!(up.stop()?.success(), "{}", up.printed());
    expect(&cases, "after")
}

/// A vip goes to another host, to the machine itself, and comes back.
#[test]
fn an_address_that_others_get_is_given_up_and_taken_again() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("moves")?;
    let other =
        machine.host("other", &[&format!("{}/24", OTHER[0]), &format!("{}/64", OTHER[1])])?;
    let _endpoints = endpoints(&machine)?;
    let _theirs = serve(&other, "TCP:80", "other")?;
    let (four, six) = (in_process("four", VIPS[0]), in_process("six", VIPS[1]));
    machine.folder.write("all.yaml", &manifests::all(&[&pool(), &four, &six]))?;
    let up = machine.up(&["--vip-conflict", "withdraw"])?;
    machine.ready(&up)?;
    let everybody = |who: &str| {
        let asked = VIPS.iter().flat_map(|vip| {
            let what = format!("TCP:{}", at(vip, 80));
            [ask(&machine.node, &what), ask(&machine.router, &what)]
        });
        asked.into_iter().all(|said| said == who)
    };
    ensure!(everybody("loopback"), "at first");
    // On the LAN.
    for (vip, bits) in VIPS.iter().zip([24, 64]) {
        other.ip(&["addr", "add", &format!("{vip}/{bits}"), "dev", "eth0", "nodad"])?;
        announce(&other, vip)?;
    }
    machine.says("10.1.1.100 is not announced: ")?;
    machine.says("fd00:1:1::100 is not announced: ")?;
    wait::until("the other host is asked", || {
        machine.node.ip(&["neigh", "flush", "all"]).is_ok() && everybody("other")
    })?;
    for (vip, bits) in VIPS.iter().zip([24, 64]) {
        other.ip(&["addr", "del", &format!("{vip}/{bits}"), "dev", "eth0"])?;
    }
    machine.ready(&up)?;
    ensure!(everybody("loopback"), "again");
    // On the machine.
    let _own = serve(&machine.node, "TCP:80", "own")?;
    for (vip, bits) in VIPS.iter().zip([32, 128]) {
        machine.node.ip(&["addr", "add", &format!("{vip}/{bits}"), "dev", "eth0", "nodad"])?;
    }
    machine.says("10.1.1.100 is not announced: it is an address of this host, on eth0")?;
    wait::until("the machine's own server", || everybody("own"))?;
    for (vip, bits) in VIPS.iter().zip([32, 128]) {
        machine.node.ip(&["addr", "del", &format!("{vip}/{bits}"), "dev", "eth0"])?;
    }
    machine.ready(&up)?;
    ensure!(everybody("loopback"), "with the machine's own server on the port");
    Ok(())
}

/// Tells the LAN that it has the address, as a kernel does not by itself.
fn announce(host: &Namespace, vip: &str) -> Result<()> {
    if vip.contains(':') {
        // A first question from it will do.
        let asked = ["-I", vip, "-c", "1", "-W", "1", MACHINE[1]];
        host.output("ping", &asked)?;
    } else {
        host.output("arping", &["-U", "-c", "2", "-i", "eth0", "-S", vip, vip])?;
    }
    Ok(())
}

/// sshd, nginx and a name server start after `up`, on all addresses; it serves the same ports.
#[test]
fn ports_stay_the_machines() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("ports")?;
    let _endpoints = endpoints(&machine)?;
    let (four, six) = (in_process("four", VIPS[0]), in_process("six", VIPS[1]));
    let gateway = manifests::gateway_at("web", "10.1.1.101,fd00:1:1::101");
    let route = ingress("app", "'*.test'", "four", "");
    let all = [&pool(), &four, &six, &gateway, route.trim_start_matches("---\n")];
    machine.folder.write("all.yaml", &manifests::all(&all.map(AsRef::as_ref)))?;
    let up = machine.up(&[])?;
    machine.ready(&up)?;
    let _own = [serve(&machine.node, "TCP:80", "own")?, serve(&machine.node, "UDP:53", "own")?];
    let _ssh = serve(&machine.node, "TCP:22", "ssh")?;
    both_are_served(&machine, &up)?;
    drop(up);
    // The other way round.
    let up = machine.up(&[])?;
    machine.ready(&up)?;
    both_are_served(&machine, &up)
}

fn both_are_served(machine: &Machine, up: &Running) -> Result<()> {
    for from in [&machine.node, &machine.router] {
        for (vip, own) in VIPS.iter().zip(MACHINE) {
            expect(
                &[
                    (from, format!("TCP:{}", at(vip, 80)), "loopback"),
                    (from, format!("UDP:{}", at(vip, 53)), "loopback"),
                    (from, format!("TCP:{}", at(own, 80)), "own"),
                    (from, format!("UDP:{}", at(own, 53)), "own"),
                    (from, format!("TCP:{}", at(own, 22)), "ssh"),
                    (from, format!("TCP:{}", at(vip, 22)), "connection refused"),
                ],
                "side by side",
            )?;
        }
        for vip in ["10.1.1.101", "fd00:1:1::101"] {
            let url = manifests::url(vip, 80);
            let asked = ["-sS", "-g", "-m", "5", "--noproxy", "*", "-w", "%{http_code}", &url];
            let answer = from.output("curl", &asked)?;
            let said = String::from_utf8_lossy(&answer.stdout);
            ensure!(said.ends_with("404"), "the gateway at {url}: {answer:?}\n{}", up.printed());
        }
    }
    Ok(())
}

/// A Service whose endpoints lead back to it is carried nowhere, and said to be so.
#[test]
fn what_leads_back_to_itself_is_refused() -> Result<()> {
    needs_lab!();
    let machine = Machine::new("circle")?;
    let _endpoints = endpoints(&machine)?;
    let to = |name: &str, vip: &str, endpoint: &str| {
        translated(name, vip, 80).replace(&at(ROUTER[0], 8080), endpoint)
    };
    let (a, b) = (to("a", "10.1.1.100", "10.1.1.101:80"), to("b", "10.1.1.101", "10.1.1.100:80"));
    let (own, good) =
        (to("own", "10.1.1.102", "10.1.1.102:8080"), translated("good", "10.1.1.103", 80));
    machine.folder.write("all.yaml", &manifests::all(&[&pool(), &a, &b, &own, &good]))?;
    let mut up = machine.up(&["--ip-forward"])?;
    for vip in ["10.1.1.100", "10.1.1.101", "10.1.1.102"] {
        machine.says(&format!("{vip} is not announced: its endpoints lead back to it"))?;
    }
    up.wait_for("its endpoints lead back to it, through Service default/b")?;
    up.wait_for("an endpoint is an address of the Service itself")?;
    expect(&[(&machine.router, "TCP:10.1.1.103:80".to_owned(), "router's")], "beside them")
}

/// Nodes without an endpoint reach a Service under `externalTrafficPolicy: Local` as others do.
#[test]
fn every_node_reaches_a_service_with_the_local_policy() -> Result<()> {
    needs_lab!();
    let folder = Scratch::new()?;
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: dns}\nspec:\n  \
                   type: LoadBalancer\n  externalTrafficPolicy: Local\n  selector: {app: dns}\n  \
                   ports: [{port: 80}]\n";
    let parts =
        [&manifests::pool("10.1.1.100-10.1.1.105"), &manifests::deployment("dns", 1), service];
    folder.write("all.yaml", &manifests::all(&parts))?;
    let lab = Lab::start_first(folder.path(), &[])?;
    let url = manifests::url("10.1.1.100", 80);
    for host in ["client", "node-1", "node-2", "node-3"] {
        let curl = ["curl", "-sS", "-m", "3", "--noproxy", "*", "-o", "/dev/null", &url];
        wait::until(&format!("an answer at {host}"), || {
            lab.on(host, &curl).is_ok_and(|it| it.status.success())
        })?;
    }
    Ok(())
}
