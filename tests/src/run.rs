//! A laboratory of several nodes that share addresses, and everything said on its LAN.
//!
//! What it believes is what hosts hear: answers to `arping` and `ndisc6` at the client, and
//! captures at client and router of the whole run. At its end these are held against the nodes'
//! own claims ([`crate::turns`]): nobody may have spoken out of turn.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::capture::Capture;
use crate::lab::Lab;
use crate::scratch::Scratch;
use crate::turns::out_of_turn;
use crate::{claims, manifests, wait};

/// The addresses of the Service that [`Run::start`] serves.
pub const VIPS: [&str; 2] = ["10.1.1.100", "fd00:1:1::100"];
/// So that every claim is in the log.
const LOG: [&str; 3] = ["--", "--log-level", "info,steelyard_speaker=debug"];

/// Which node owns which address.
pub type Owners = BTreeMap<&'static str, String>;

/// A laboratory, and all that its hosts heard.
#[derive(Debug)]
pub struct Run {
    /// The laboratory.
    pub lab: Lab,
    /// What it serves; edits are live.
    pub folder: Scratch,
    /// Nodes, by hardware address.
    names: BTreeMap<String, String>,
    captures: Vec<(&'static str, Capture)>,
    /// How long after another began to speak a node may go on.
    grace: Duration,
}

/// What [`Run::start`] serves: one forwarded Service with an address of each family.
pub fn service() -> String {
    manifests::all(&[
        &manifests::pool(manifests::BOTH_FAMILIES),
        &manifests::deployment("test-app", 3),
        &manifests::load_balancer("test-app", "test-app", 80),
    ])
}

impl Run {
    /// Starts a laboratory with these options on [`service`].
    pub fn start(options: &[&str]) -> Result<Self> {
        let folder = Scratch::new()?;
        folder.write("all.yaml", &service())?;
        let options: Vec<&str> = options.iter().copied().chain(LOG).collect();
        let lab = Lab::start_first(folder.path(), &options)?;
        let view = lab.show()?;
        let mut names = BTreeMap::new();
        for node in rows(&view, "nodes") {
            let name = node["name"].as_str().context("a node without a name")?;
            names.insert(lab.mac(name)?, name.to_owned());
        }
        let mut captures = Vec::new();
        for host in ["client", "router"] {
            captures.push((host, Capture::start(&lab.namespace(host))?));
        }
        Ok(Self { lab, folder, names, captures, grace: Duration::ZERO })
    }

    /// Takes note of a node's hardware address, which is another than at the start.
    pub fn learn(&mut self, node: &str) -> Result<()> {
        self.names.insert(self.lab.mac(node)?, node.to_owned());
        Ok(())
    }

    /// Names of all nodes.
    pub fn nodes(&self) -> Vec<&str> {
        self.names.values().map(String::as_str).collect()
    }

    /// The nodes that answer the client for an address; others by their hardware address.
    pub fn answer(&self, vip: &str) -> Result<BTreeSet<String>> {
        let macs = self.lab.who_has(vip.parse()?)?;
        Ok(macs.into_iter().map(|mac| self.names.get(&mac).cloned().unwrap_or(mac)).collect())
    }

    /// Waits until each address is answered for by one node that is none of `not`.
    pub fn settle(&self, not: &[&str]) -> Result<Owners> {
        VIPS.into_iter().map(|vip| Ok((vip, self.owner(vip, not)?))).collect()
    }

    /// Waits until an address is answered for by one node that is none of `not`.
    pub fn owner(&self, vip: &str, not: &[&str]) -> Result<String> {
        let mut seen = BTreeSet::new();
        wait::until_some(&format!("one owner of {vip}"), || {
            seen = self.answer(vip).ok()?;
            let one = (seen.len() == 1).then(|| seen.first().cloned())??;
            (!not.contains(&one.as_str())).then_some(one)
        })
        .with_context(|| format!("{seen:?} answer for {vip}, not one but {not:?}"))
    }

    /// Waits until these nodes are ready, and each address is held by one node, as they say.
    pub fn wait_for_calm(&self, nodes: &[&str]) -> Result<()> {
        wait::until(&format!("{nodes:?} to be ready, and one owner each"), || {
            self.lab.show().is_ok_and(|view| is_calm(&view, nodes))
        })
        .with_context(|| format!("{:?}", self.lab.show()))
    }

    /// Heals `node`, and checks that nothing moves by that.
    pub fn rejoin(&self, node: &str, before: &Owners) -> Result<()> {
        self.lab.run(&["heal", node])?;
        self.wait_for_calm(&[node])?;
        let after = self.settle(&[])?;
        ensure!(after == *before, "{node} came back, and moved {before:?} to {after:?}");
        Ok(())
    }

    /// Highest epoch of each address that a node claimed so far.
    pub fn epochs(&self) -> BTreeMap<IpAddr, u64> {
        let mut epochs = BTreeMap::new();
        for claim in claims::read(&self.lab.process.printed()) {
            let epoch = epochs.entry(claim.address).or_default();
            *epoch = claim.epoch.max(*epoch);
        }
        epochs
    }

    /// All that was said out of turn so far, as client and router heard it.
    pub fn out_of_turn(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for (host, capture) in &self.captures {
            let heard = capture.heard();
            // First what was heard, then the log: a claim is written before it is heard.
            let claims = claims::read(&self.lab.process.printed());
            for vip in VIPS {
                let vip: IpAddr = vip.parse()?;
                ensure!(claims.iter().any(|it| it.address == vip), "no claim of {vip} in the log");
                // The router asks for what it is sent to only.
                let heard = *host == "router" || heard.iter().any(|it| it.address == vip);
                ensure!(heard, "{host} heard nothing of {vip}");
            }
            let said = out_of_turn(&heard, &claims, &self.names, self.grace);
            wrong.extend(said.into_iter().map(|sentence| format!("{host} heard: {sentence}")));
        }
        Ok(wrong)
    }

    /// Lets two nodes speak for one address at once, if that is settled within this time: where
    /// heartbeats are cut, the LAN alone tells.
    pub const fn forgive(&mut self, grace: Duration) {
        self.grace = grace;
    }

    /// Ends it; fails when anybody spoke out of turn, or when something is left behind.
    pub fn end(self) -> Result<()> {
        self.end_despite(None)
    }

    /// The same but for one host: a node that could hear nobody and so could not know better, or
    /// whose address it was before.
    pub fn end_despite(self, excused: Option<&str>) -> Result<()> {
        let mut wrong = self.out_of_turn()?;
        let excused = excused.map(|host| format!(" heard: {host} speaks "));
        wrong.retain(|it| excused.as_ref().is_none_or(|excused| !it.contains(excused)));
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        drop(self.captures);
        self.lab.stop()
    }
}

fn is_calm(view: &Value, nodes: &[&str]) -> bool {
    let is_ready =
        |node: &Value| nodes.iter().any(|it| node["name"] == **it) && node["ready"] == true;
    let ready = rows(view, "nodes").iter().filter(|node| is_ready(node)).count();
    let one = |vip: &Value| vip["owners"].as_array().is_some_and(|owners| owners.len() == 1);
    ready == nodes.len() && rows(view, "vips").iter().all(one)
}

fn rows(view: &Value, name: &str) -> Vec<Value> {
    view[name].as_array().cloned().unwrap_or_default()
}
