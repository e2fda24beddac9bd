//! docs/host.md, "Beside another firewall": what it says is done as written, with the real
//! programs.

use super::*;

/// Of the section with this title: commands, or what is written into a file.
fn page(title: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/host.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, section) = page.split_once(&format!("### {title}\n")).expect("the section is there");
    let section = section.split("\n##").next().unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect()
}

/// Up to this line, and what follows it.
fn halves<'a>(script: &'a str, end: &str) -> (&'a str, &'a str) {
    let at = script.find(end).unwrap() + end.len();
    script.split_at(at)
}

/// Where a program keeps its configuration, in a copy of its own.
struct Kept {
    folder: std::path::PathBuf,
    mounts: String,
}

impl Kept {
    fn new(net: &Net, folders: &[&str]) -> Self {
        // Others may run the same elsewhere on this machine.
        let name = format!("{}-kept-{}", net.node.name(), std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut mounts = String::new();
        for (number, from) in folders.iter().enumerate() {
            let copy = folder.join(number.to_string());
            let copy = copy.display();
            run(net, &format!("cp -a {from} {copy}"));
            mounts.push_str(&format!("mount --bind {copy} {from}\n"));
        }
        Self { folder, mounts }
    }

    /// Runs a script that sees the copies.
    fn run(&self, net: &Net, script: &str) {
        let script = format!("PATH=$PATH:/usr/sbin:/sbin\n{}{script}", self.mounts);
        let output = net.node.output("unshare", &["--mount", "sh", "-ec", &script]).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{said}");
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether each port is in process; none is hindered.
fn open(net: &Net, forwarder: &Forwarder, what: &str) -> Vec<bool> {
    let all = found(net, forwarder, what);
    assert!(all.iter().all(|it| it.0.is_none()), "{what}: {all:?}");
    all.into_iter().map(|it| it.1).collect()
}

#[test]
fn ufw() {
    if !is_there("ufw") {
        return;
    }
    let Some((net, forwarder)) = reachable("ufw") else { return };
    let kept = Kept::new(&net, &["/etc/ufw", "/lib/ufw"]);
    kept.run(&net, "ufw --force enable; ufw allow 80/tcp");
    let all = found(&net, &forwarder, "ufw");
    let obstacle = all[0].0.clone().expect("an allowed port is not enough");
    assert!(obstacle.to_string().contains("chain ufw-not-local: `drop`"), "{obstacle}");
    assert!(obstacle.help().contains("-A ufw-before-input -m mark --mark 0x2000/0x2000 -j ACCEPT"));
    assert!(all[1].0.is_none() && all[2].1 && all[3].1, "{all:?}");
    let page = page("ufw");
    let (delivered, forwarded) = halves(&page, "ufw reload\n");
    kept.run(&net, delivered);
    assert_eq!(open(&net, &forwarder, "let in"), [false, false, true, true]);
    kept.run(&net, forwarded);
    assert_eq!(open(&net, &forwarder, "let on"), [false; 4]);
}

#[test]
fn firewalld() {
    if !is_there("firewalld") || !is_there("dbus-daemon") {
        return;
    }
    let Some((net, forwarder)) = reachable("firewalld") else { return };
    let kept = Kept::new(&net, &["/etc/firewalld"]);
    // Its rules stay when it is killed, so that each script may have its own.
    let with = |commands: &str| {
        kept.run(
            &net,
            &format!(
                "mount -t tmpfs tmpfs /run
                 export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus
                 dbus-daemon --system --address=$DBUS_SYSTEM_BUS_ADDRESS --nofork --nopidfile \
                     --nosyslog >/dev/null 2>&1 & bus=$!
                 for n in $(seq 100); do [ -S /run/bus ] && break; sleep 0.1; done
                 firewalld --nofork --nopid >/dev/null 2>&1 & wall=$!
                 for n in $(seq 200); do firewall-cmd --state >/dev/null 2>&1 && break; sleep 0.1; \
                 done
                 set +e
                 (set -e; firewall-cmd --state; {commands}); outcome=$?
                 kill -9 $wall $bus; exit $outcome"
            ),
        );
    };
    with("true");
    let all = found(&net, &forwarder, "firewalld");
    for (obstacle, _) in &all[..2] {
        let help = obstacle.as_ref().expect("no port is open").help();
        assert!(
            help.contains("firewall-cmd --permanent --zone=public --add-port=80/tcp"),
            "{help}"
        );
    }
    assert!(all[2..].iter().all(|it| *it == (None, false)), "it forwards: {all:?}");
    with(&page("firewalld").replace('\n', ";"));
    assert_eq!(open(&net, &forwarder, "opened"), [false; 4]);
}

#[test]
fn docker() {
    if !is_there("iptables-nft") {
        return;
    }
    let Some((net, forwarder)) = reachable("docker") else { return };
    // As Docker makes them.
    run(
        &net,
        "iptables -P FORWARD DROP; ip6tables -P FORWARD DROP
         for p in iptables ip6tables; do
             $p -N DOCKER; $p -N DOCKER-USER; $p -A FORWARD -j DOCKER-USER
             $p -A DOCKER-USER -j RETURN
             $p -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
             $p -A FORWARD -o docker0 -j DOCKER; $p -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
             $p -t nat -N DOCKER
             $p -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
             $p -t nat -A DOCKER ! -i docker0 -p tcp --dport 80 -j REDIRECT --to-ports 8080
         done",
    );
    assert_eq!(open(&net, &forwarder, "docker"), [false, false, true, true]);
    let page = page("Docker");
    run(&net, &page);
    run(&net, &page.replace("iptables", "ip6tables"));
    assert_eq!(open(&net, &forwarder, "let on"), [false; 4]);
}

#[test]
fn a_plain_nftables_conf() {
    let Some((net, forwarder)) = reachable("conf") else { return };
    let page = page("A plain nftables.conf");
    let without: Vec<&str> =
        page.lines().filter(|line| !line.contains("0x2000") && !line.contains("dnat")).collect();
    nft(&net.node, &format!("flush ruleset\n{}\n", without.join("\n")));
    let all = found(&net, &forwarder, "without those two lines");
    for (obstacle, in_process) in &all {
        let help = obstacle.as_ref().expect("nothing is let in").help();
        assert!(help.contains("nft insert rule inet filter input meta mark & 0x2000"), "{help}");
        assert!(!in_process || obstacle.is_some());
    }
    nft(&net.node, &format!("flush ruleset\n{page}"));
    assert_eq!(open(&net, &forwarder, "as the page says"), [false; 4]);
}
