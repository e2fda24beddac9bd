//! Upgrades of machines that share addresses, as hosts of their LAN see them: no gap, no claim, no
//! packet lost, be it served here or forwarded by the kernel.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use steelyard_host::netns::{Namespace, Segment};
use steelyard_tests::capture::{Capture, ask_by_arp};
use steelyard_tests::load::{Ask, Load, datagrams, lines};
use steelyard_tests::process::{Running, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::up::ingress;
use steelyard_tests::upgraded::Upgrades;
use steelyard_tests::{binary, manifests, needs_lab, wait};

/// Both machines: name, address, and the other's.
const BOXES: [(&str, &str, &str); 2] =
    [("box-1", "10.1.1.11", "10.1.1.12"), ("box-2", "10.1.1.12", "10.1.1.11")];
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 5);
/// The gateway's, and that of what is forwarded.
const VIPS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 1, 1, 100), Ipv4Addr::new(10, 1, 1, 101)];
/// As a rule nobody is without an answer for longer.
const GAP: Duration = Duration::from_millis(50);
/// And this long for none.
const LATEST: Duration = Duration::from_millis(300);
const PACE: Duration = Duration::from_millis(10);

/// Two machines, a client, and the server behind them.
struct Lan {
    client: Namespace,
    boxes: Vec<Running>,
    upgrades: Vec<Upgrades>,
    _parts: (Segment, Namespace, Vec<Namespace>, Scratch, Running),
}

impl Lan {
    fn start() -> Result<Self> {
        let segment = Segment::create(&format!("steelyard-lan{}", std::process::id()))?;
        let client = segment.host("client", &[&format!("{CLIENT}/24")])?;
        let server = segment.host("server", &["10.1.1.1/24"])?;
        let folder = Scratch::new()?;
        let (tcp, udp) =
            (server.run(|| lines("10.1.1.1:0"))??, server.run(|| datagrams("10.1.1.1:0"))??);
        let echo = ["echo", "--name", "app", "--tcp", "10.1.1.1:8080"];
        let mut echo_command = server.command(&binary::steelyard().to_string_lossy());
        echo_command.args(echo);
        let echo = Running::start(echo_command)?;
        folder.write("all.yaml", &all(tcp, udp))?;
        let key = folder.file("cluster.key");
        let mut made = binary::command(["key"]);
        run({
            made.arg(&key);
            made
        })?;
        let (mut hosts, mut boxes, mut upgrades) = (Vec::new(), Vec::new(), Vec::new());
        for (name, address, peer) in BOXES {
            let host = segment.host(name, &[&format!("{address}/24")])?;
            let state = folder.file(&format!(".{name}"));
            // Before whatever else this machine has to do: who is kept waiting falls silent.
            let mut up = host.command("chrt");
            up.args(["--rr", "1"]).arg(binary::steelyard()).arg("up").arg(folder.path());
            up.args(["--node", name, "--peer", peer, "--ip-forward", "--drain", "60"]);
            up.args(["--log-level", "info,steelyard_speaker=debug"]);
            up.arg("--key-file").arg(&key).arg("--state-dir").arg(&state);
            if boxes.is_empty() {
                up.arg("--lock-writer");
            }
            boxes.push(Running::start(up)?);
            upgrades.push(Upgrades::of(&state));
            hosts.push(host);
        }
        Ok(Self { client, boxes, upgrades, _parts: (segment, server, hosts, folder, echo) })
    }

    /// Claims that the machines told of so far: they tell of each before it is heard.
    fn claims(&self) -> usize {
        self.boxes.iter().map(|it| it.printed().matches(" claim ").count()).sum()
    }
}

fn all(tcp: SocketAddr, udp: SocketAddr) -> String {
    let forwarded = format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: forwarded\n  annotations:\n    \
         metallb.io/loadBalancerIPs: {}\n    metallb.io/allow-shared-ip: one\n    \
         steelyard.dev/endpoints: \"{tcp}\"\nspec: {{type: LoadBalancer, ports: [{{port: 90}}]}}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata:\n  name: words\n  annotations:\n    \
         metallb.io/loadBalancerIPs: {}\n    metallb.io/allow-shared-ip: one\n    \
         steelyard.dev/endpoints: \"{udp}\"\nspec: {{type: LoadBalancer, ports: [{{port: 90, \
         protocol: UDP}}]}}\n",
        VIPS[1], VIPS[1]
    );
    let app = "---\napiVersion: v1\nkind: Service\nmetadata: {name: app, annotations: \
               {steelyard.dev/endpoints: \"10.1.1.1:8080\"}}\nspec: {ports: [{port: 80}]}\n";
    let pool = manifests::pool("10.1.1.100-10.1.1.150");
    let gateway = manifests::gateway_at("web", &VIPS[0].to_string());
    manifests::all(&[
        &pool,
        &gateway,
        &forwarded,
        &(app.to_owned() + &ingress("app", "app.test", "app", "")),
    ])
}

#[test]
fn hosts_of_the_lan_notice_nothing() -> Result<()> {
    needs_lab!();
    let mut lan = Lan::start()?;
    let (web, forwarded) =
        (SocketAddr::new(VIPS[0].into(), 80), SocketAddr::new(VIPS[1].into(), 90));
    let host = "app.test".to_owned();
    let asks = [
        Ask::Get(web, host.clone()),
        Ask::GetAnew(web, host.clone()),
        Ask::Post(web, host),
        Ask::Lines(forwarded),
        Ask::Datagrams(forwarded),
    ];
    wait::until("all to be served", || {
        asks.iter().all(|ask| {
            let load = Load::start_on(Some(&lan.client), std::slice::from_ref(ask), PACE);
            load.end().is_whole(1).is_ok()
        })
    })?;
    let claims = lan.claims();
    let capture = Capture::start(lan.client.name())?;
    let name = lan.client.name().to_owned();
    let (asking, begun) = (
        std::thread::spawn(move || ask_by_arp(&name, CLIENT, &VIPS, PACE, 600)),
        SystemTime::now(),
    );
    let load = Load::start_on(Some(&lan.client), &asks, PACE);
    for _ in 0..5 {
        for upgrades in &mut lan.upgrades {
            upgrades.once()?;
            std::thread::sleep(Duration::from_millis(150));
        }
    }
    let tally = load.end();
    let asked = asking.join().expect("who asks ends by itself")?;
    tally.is_whole(500)?;
    // Whoever answered said so by one address all the time, and soon.
    let heard = capture.heard();
    for vip in VIPS {
        let of: Vec<_> =
            heard.iter().filter(|it| it.address == IpAddr::V4(vip) && it.at >= begun).collect();
        let mut macs: BTreeMap<&str, usize> = BTreeMap::new();
        of.iter().for_each(|it| *macs.entry(&it.mac).or_default() += 1);
        ensure!(macs.len() == 1, "{vip} has {macs:?}");
        let mut late = Vec::new();
        for at in &asked {
            let next = of.iter().map(|it| it.at).find(|it| it >= at).context("no answer")?;
            let gap = next.duration_since(*at)?;
            late.extend((gap > GAP).then_some(gap));
        }
        // A machine that has much else to do may not come to a few of them in time.
        let is_gap = late.len() > asked.len() / 100 || late.iter().any(|gap| *gap > LATEST);
        ensure!(!is_gap, "{vip}: no answer for {late:?}");
    }
    ensure!(lan.claims() == claims, "somebody claimed anew");
    eprintln!("{} questions, {} failed; {} asked by ARP", tally.asked, tally.failed, asked.len());
    for up in &mut lan.boxes {
        ensure!(up.wait_for_end()?.success());
    }
    lan.upgrades.into_iter().try_for_each(Upgrades::stop)?;
    Ok(())
}
