//! Several nodes, one address: whatever happens to the owner, exactly the right node answers.
//!
//! What a test believes is what the client hears: answers to `arping` and `ndisc6`, and a capture
//! of the whole run, in which nobody may claim an address out of turn.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use steelyard_tests::capture::Capture;
use steelyard_tests::lab::Lab;
use steelyard_tests::scratch::Scratch;
use steelyard_tests::{binary, needs_lab, wait};

const MANIFESTS: &str = r#"
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: both, namespace: metallb-system}
spec:
  addresses: [10.1.1.100-10.1.1.150, "fd00:1:1::100-fd00:1:1::1ff"]
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all, namespace: metallb-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: test-app}
spec:
  replicas: 3
  selector: {matchLabels: {app: test-app}}
  template:
    metadata: {labels: {app: test-app}}
    spec:
      containers: [{name: nginx, image: "nginx:alpine", ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: test-app}
spec:
  type: LoadBalancer
  ipFamilyPolicy: PreferDualStack
  selector: {app: test-app}
  ports: [{port: 80}]
"#;
/// The gateway's, because replicas behind a Service are played only when it is there at the start.
const SECOND: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: second, annotations: {steelyard.dev/gateway: "true"}}
spec:
  type: LoadBalancer
  selector: {app.kubernetes.io/name: traefik}
  ports: [{name: web, port: 80, targetPort: web}]
"#;
const VIPS: [&str; 2] = ["10.1.1.100", "fd00:1:1::100"];

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Which node owns which address.
type Owners = BTreeMap<&'static str, String>;

/// A laboratory, and all that the client heard in it.
struct Run {
    lab: Lab,
    capture: Capture,
    names: BTreeMap<String, String>,
    /// Owners of each address, each change once.
    history: BTreeMap<&'static str, Vec<String>>,
}

impl Run {
    fn start() -> Result<(Self, Scratch)> {
        let folder = Scratch::new()?;
        folder.write("all.yaml", MANIFESTS)?;
        let lab = Lab::start(Some(folder.path()))?;
        let mut names = BTreeMap::new();
        for node in ["node-1", "node-2", "node-3"] {
            names.insert(lab.mac(node)?, node.to_owned());
        }
        let capture = Capture::start(&format!("steelyard-{}-client", lab.name))?;
        Ok((Self { lab, capture, names, history: BTreeMap::new() }, folder))
    }

    /// The nodes that answer the client for an address.
    fn answer(&self, vip: &str) -> Result<BTreeSet<String>> {
        let macs = self.lab.who_has(address(vip))?;
        Ok(macs.into_iter().map(|mac| self.names.get(&mac).cloned().unwrap_or(mac)).collect())
    }

    /// Waits until each address is answered for by one node that is none of `not`, and notes it.
    fn settle(&mut self, not: &[&str]) -> Result<Owners> {
        let mut owners = Owners::new();
        for vip in VIPS {
            let mut seen = BTreeSet::new();
            let owner = wait::until_some(&format!("one owner of {vip}"), || {
                seen = self.answer(vip).ok()?;
                let one = (seen.len() == 1).then(|| seen.first().cloned())??;
                (!not.contains(&one.as_str())).then_some(one)
            })
            .with_context(|| format!("{seen:?} answer for {vip}, not one but {not:?}"))?;
            let history = self.history.entry(vip).or_default();
            if history.last() != Some(&owner) {
                history.push(owner.clone());
            }
            owners.insert(vip, owner);
        }
        Ok(owners)
    }

    /// Waits until a node is ready, and each address held by one node, as the nodes say.
    fn wait_for_calm(&self, node: &str) -> Result<()> {
        wait::until(&format!("{node} to be ready, and one owner each"), || {
            self.lab.show().is_ok_and(|view| is_calm(&view, node))
        })
        .with_context(|| format!("{:?}", self.lab.show()))
    }

    /// Heals `node`, and checks that nothing moves by that.
    fn rejoin(&mut self, node: &str, before: &Owners) -> Result<()> {
        self.lab.run(&["heal", node])?;
        self.wait_for_calm(node)?;
        let after = self.settle(&[])?;
        ensure!(after == *before, "{node} came back, and moved {before:?} to {after:?}");
        Ok(())
    }

    /// Checks that nobody claimed an address after another had it, but in its turn.
    fn nobody_spoke_out_of_turn(&self) -> Result<()> {
        for (vip, owners) in &self.history {
            let heard = self.capture.claimants(address(vip));
            let heard: Vec<&str> =
                heard.iter().map(|mac| self.names.get(mac).map_or(mac.as_str(), |it| it)).collect();
            // What the owner at the start said may be from before the capture.
            let silent_first = heard.first() != owners.first().map(String::as_str).as_ref();
            let expected = &owners[usize::from(silent_first && owners.len() > 1)..];
            ensure!(heard == *expected, "{vip}: owners were {owners:?}, heard {heard:?}");
        }
        Ok(())
    }
}

fn is_calm(view: &Value, node: &str) -> bool {
    let rows = |name: &str| view[name].as_array().cloned().unwrap_or_default();
    let ready = rows("nodes").iter().any(|it| it["name"] == node && it["ready"] == true);
    let one = |it: &Value| it["owners"].as_array().is_some_and(|owners| owners.len() == 1);
    ready && rows("vips").iter().all(one)
}

/// The owner of the first address.
fn first(owners: &Owners) -> String {
    owners[VIPS[0]].clone()
}

#[test]
fn a_dead_or_cut_owner_is_replaced_and_takes_nothing_back() -> Result<()> {
    needs_lab!();
    let (mut run, _folder) = Run::start()?;
    let owners = run.settle(&[])?;
    // Each of these takes the owner away as the client sees it.
    let mut owner = first(&owners);
    for fault in [&["kill"][..], &["stop"], &["cut"], &["cut", "--one-way", "out"]] {
        let order: Vec<&str> = fault.iter().copied().chain([owner.as_str()]).collect();
        run.lab.run(&order)?;
        let after = run.settle(&[&owner]).with_context(|| format!("{order:?}"))?;
        run.rejoin(&owner, &after).with_context(|| format!("after {order:?}"))?;
        owner = first(&after);
    }
    // Apart, each side has an owner; together again, the later claim wins. For what the lone node
    // had, that is the other side's; what it had not it has claimed, later than its owner.
    run.lab.run(&["partition", &owner])?;
    let apart = run.settle(&[&owner])?;
    run.lab.run(&["heal"])?;
    run.wait_for_calm(&owner)?;
    let healed = run.settle(&[])?;
    ensure!(first(&healed) == first(&apart), "the earlier claim won: {apart:?}, {healed:?}");
    run.nobody_spoke_out_of_turn()?;
    run.lab.stop()
}

#[test]
fn cut_heartbeats_make_no_second_owner() -> Result<()> {
    needs_lab!();
    let (mut run, _folder) = Run::start()?;
    let before = run.settle(&[])?;
    let owner = first(&before);
    run.lab.run(&["cut", &owner, "--heartbeats"])?;
    // A standby has asked the LAN, and says why it does not take over.
    run.lab.process.wait_for("answers for it")?;
    let after = run.settle(&[])?;
    ensure!(after == before, "{before:?} became {after:?}, though the LAN is intact");
    run.rejoin(&owner, &before)?;
    run.nobody_spoke_out_of_turn()?;
    run.lab.stop()
}

#[test]
fn a_planned_leave_hands_over() -> Result<()> {
    needs_lab!();
    let (mut run, _folder) = Run::start()?;
    let before = run.settle(&[])?;
    let owner = first(&before);
    run.lab.run(&["leave", &owner])?;
    let after = run.settle(&[&owner])?;
    wait::until("the end of the leave", || {
        run.lab.show().is_ok_and(|view| view.to_string().contains("\"left\""))
    })?;
    run.rejoin(&owner, &after)?;
    run.nobody_spoke_out_of_turn()?;
    run.lab.stop()
}

/// What keepalived does today: two boxes, one folder.
#[test]
fn two_boxes_follow_one_folder_and_one_survives() -> Result<()> {
    needs_lab!();
    let folder = Scratch::new()?;
    folder.write("all.yaml", MANIFESTS)?;
    let lab = Lab::start_with(Some(folder.path()), &["--nodes", "2"])?;
    folder.write("second.yaml", SECOND)?;
    let second = "10.1.1.101";
    wait::until("an owner of the second address", || {
        lab.who_has(address(second)).is_ok_and(|who| who.len() == 1)
    })?;
    lab.run(&["kill", "node-1"])?;
    let survivor = BTreeSet::from([lab.mac("node-2")?]);
    for vip in VIPS.into_iter().chain([second]) {
        wait::until(&format!("node-2 to answer for {vip}"), || {
            lab.who_has(address(vip)).is_ok_and(|who| who == survivor)
        })?;
    }
    let (status, _) = lab.curl(&[&format!("http://{second}/")])?;
    ensure!(status == 404, "the gateway answers, and has no route: {status}");
    lab.stop()
}

#[test]
fn bad_orders_are_one_line_with_the_fix() -> Result<()> {
    needs_lab!();
    let lab = Lab::start_with(Some(&binary::example("first-service")), &["--nodes", "2"])?;
    lab.run(&["kill", "node-1"])?;
    for (order, expected) in [
        (&["kill", "node-9"][..], "there are node-1, node-2"),
        (&["kill", "node-1"], "node-1 is killed; `lab heal node-1` starts it again"),
        (&["cont", "node-2"], "node-2 is not stopped"),
        (&["partition", "node-3"], "there are node-1, node-2"),
    ] {
        let output = lab.command(order).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success(), "{order:?} succeeds");
        ensure!(said.contains(expected) && said.lines().count() == 1, "{order:?}: {said}");
    }
    lab.stop()
}
