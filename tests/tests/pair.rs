//! Two machines without Kubernetes, as a user sets them up: the same manifests, a key copied from
//! one to the other, each naming the other as its peer; one of them writes the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use steelyard_host::netns::{Namespace, Segment};
use steelyard_tests::lab::who_has;
use steelyard_tests::process::{Running, run};
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, exposition, manifests, needs_lab, wait};

/// Both machines' addresses, the writer of the lock first.
const BOXES: [(&str, &[&str], &str); 2] = [
    ("box-1", &["10.1.1.11/24", "fd00:1:1::11/64"], "10.1.1.12"),
    ("box-2", &["10.1.1.12/24", "fd00:1:1::12/64"], "10.1.1.11"),
];
const VIPS: [&str; 2] = ["10.1.1.100", "fd00:1:1::100"];
const SECOND: [&str; 2] = ["10.1.1.101", "fd00:1:1::101"];

/// Two machines and a client on one LAN.
struct Pair {
    /// Manifests and lock, which both see, as on a network share.
    folder: Scratch,
    client: Namespace,
    boxes: Vec<Namespace>,
    _segment: Segment,
    /// Each machine's disk.
    disk: Scratch,
}

impl Pair {
    fn new(name: &str) -> Result<Self> {
        let segment = Segment::create(&format!("steelyard-{name}{}", std::process::id()))?;
        let client = segment.host("client", &["10.1.1.5/24", "fd00:1:1::5/64"])?;
        let boxes = BOXES.map(|(name, addresses, _)| segment.host(name, addresses));
        let boxes = boxes.into_iter().collect::<Result<_, _>>()?;
        let (folder, disk) = (Scratch::new()?, Scratch::new()?);
        let pool = manifests::pool(manifests::BOTH_FAMILIES);
        folder.write("all.yaml", &manifests::all(&[&pool, &manifests::gateway("web")]))?;
        Ok(Self { folder, client, boxes, _segment: segment, disk })
    }

    /// Each machine's copy of a new key.
    fn keys(&self) -> Result<Vec<PathBuf>> {
        let keys = BOXES.map(|(name, ..)| self.disk.file(&format!("{name}.key")));
        let mut key = binary::command(["key"]);
        key.arg(&keys[0]);
        run(key)?;
        std::fs::copy(&keys[0], &keys[1])?;
        Ok(keys.into())
    }

    /// Starts one of both.
    fn up(&self, index: usize, key: &PathBuf) -> Result<Running> {
        self.up_as(index, BOXES[index].0, key)
    }

    /// Starts one of both under this name.
    fn up_as(&self, index: usize, name: &str, key: &PathBuf) -> Result<Running> {
        let (disk, _, peer) = BOXES[index];
        let mut up = self.boxes[index].command(&binary::steelyard().to_string_lossy());
        up.arg("up").arg(self.folder.path()).args(["--node", name, "--peer", peer]);
        up.arg("--key-file").arg(key).arg("--state-dir").arg(self.disk.file(disk));
        if index == 0 {
            up.arg("--lock-writer");
        }
        Running::start(up)
    }

    /// Waits until exactly one machine answers the client for each address; which.
    fn settle(&self, vips: &[&'static str]) -> Result<BTreeMap<&'static str, usize>> {
        let mut macs = Vec::new();
        for machine in &self.boxes {
            let mac = machine.output("cat", &["/sys/class/net/eth0/address"])?.stdout;
            macs.push(String::from_utf8_lossy(&mac).trim().to_owned());
        }
        let owner = |vip: &str| {
            let who = who_has(&self.client, vip.parse().ok()?).ok()?;
            let one = (who.len() == 1).then(|| who.first().cloned())??;
            macs.iter().position(|mac| *mac == one)
        };
        let settled = vips.iter().map(|vip| {
            Ok((*vip, wait::until_some(&format!("one owner of {vip}"), || owner(vip))?))
        });
        settled.collect()
    }

    fn answers(&self, vip: &str) -> Result<BTreeSet<String>> {
        let address: IpAddr = vip.parse()?;
        who_has(&self.client, address)
    }

    /// The gateway answers at an address, though it has no route.
    fn is_served(&self, vip: &str) -> Result<()> {
        let url = manifests::url(vip, 80);
        let asked = ["-sS", "-g", "-m", "5", "--noproxy", "*", "-w", "%{http_code}", &url];
        let output = self.client.output("curl", &asked)?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(said.ends_with("404"), "{url}: {output:?}");
        Ok(())
    }
}

#[test]
fn one_survives_and_follows_the_lock() -> Result<()> {
    needs_lab!();
    let pair = Pair::new("pair")?;
    let keys = pair.keys()?;
    let mut writer = pair.up(0, &keys[0])?;
    let mut other = pair.up(1, &keys[1])?;
    let before = pair.settle(&VIPS)?;
    ensure!(pair.settle(&VIPS)? == before, "it goes on moving");
    for vip in VIPS {
        pair.is_served(vip)?;
    }

    // Without its writer nobody gets a new address; those that there are stay served.
    writer.kill()?;
    let alone = pair.settle(&VIPS)?;
    ensure!(alone.values().all(|owner| *owner == 1), "{alone:?}");
    pair.folder.write("second.yaml", &manifests::gateway("second"))?;
    other.wait_for("steelyard.lock has no address for it yet")?;
    for vip in SECOND {
        ensure!(pair.answers(vip)?.is_empty(), "somebody answers for {vip}, which the lock lacks");
    }

    // It comes back, takes nothing, and gives the new one its addresses.
    let mut writer = pair.up(0, &keys[0])?;
    pair.settle(&SECOND)?;
    for vip in SECOND {
        pair.is_served(vip)?;
    }
    ensure!(pair.settle(&VIPS)? == alone, "the first ones moved");
    let lock = std::fs::read_to_string(pair.folder.file("steelyard.lock"))?;
    ensure!(SECOND.iter().all(|vip| lock.contains(vip)), "{lock}");

    // Ended in order: the last one has all, then nobody has any.
    ensure!(other.stop()?.success(), "{}", other.printed());
    let last = pair.settle(&[VIPS[0], VIPS[1], SECOND[0], SECOND[1]])?;
    ensure!(last.values().all(|owner| *owner == 0), "{last:?}");
    ensure!(writer.stop()?.success(), "{}", writer.printed());
    for vip in VIPS {
        ensure!(pair.answers(vip)?.is_empty(), "somebody answers for {vip}, though none runs");
    }
    Ok(())
}

/// Whoever copies a machine's unit file forgets its `--node`: one of both answers, never both.
#[test]
fn of_two_with_one_name_the_one_that_started_later_answers() -> Result<()> {
    needs_lab!();
    let pair = Pair::new("twins")?;
    let keys = pair.keys()?;
    let _first = pair.up_as(0, "box", &keys[0])?;
    let before = pair.settle(&VIPS)?;
    ensure!(before.values().all(|owner| *owner == 0), "{before:?}");
    let mut second = pair.up_as(1, "box", &keys[1])?;
    let taken = || {
        let settled = pair.settle(&VIPS).ok()?;
        settled.values().all(|owner| *owner == 1).then_some(())
    };
    wait::until_some("the later one to answer", taken)?;
    let ready = pair.boxes[0].output("curl", &["-s", "http://127.0.0.1:9180/readyz"])?;
    let ready = String::from_utf8_lossy(&ready.stdout).into_owned();
    ensure!(ready.contains("another node on eth0 has this node's name"), "{ready}");
    second.kill()?;
    let back = || {
        let settled = pair.settle(&VIPS).ok()?;
        settled.values().all(|owner| *owner == 0).then_some(())
    };
    wait::until_some("the first one to answer again", back)
}

/// Two that cannot read each other are strangers: the second one finds the addresses taken.
#[test]
fn with_another_key_nothing_is_shared_and_nothing_taken() -> Result<()> {
    needs_lab!();
    let pair = Pair::new("keys")?;
    let keys = pair.keys()?;
    let _writer = pair.up(0, &keys[0])?;
    let before = pair.settle(&VIPS)?;
    ensure!(before.values().all(|owner| *owner == 0), "{before:?}");
    std::fs::remove_file(&keys[1])?;
    let mut key = binary::command(["key"]);
    key.arg(&keys[1]);
    run(key)?;
    let mut stranger = pair.up(1, &keys[1])?;
    stranger.wait_for("has no owner, but ")?;
    ensure!(pair.settle(&VIPS)? == before, "the stranger took something");
    let refused = pair.boxes[1].output("curl", &["-s", "http://127.0.0.1:9180/metrics"])?;
    let refused = String::from_utf8_lossy(&refused.stdout).into_owned();
    let counted = refused.lines().find(|line| {
        line.starts_with("steelyard_heartbeats_refused_total") && !line.ends_with(" 0")
    });
    counted.with_context(|| format!("no refused heartbeat is counted: {refused}"))?;
    exposition::check(&refused)?;
    Ok(())
}
