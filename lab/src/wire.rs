//! Faults of the LAN's wires: which frames the bridge drops.
//!
//! Every fault is a rule of one nftables table of the bridge (family `bridge`, hook `forward`), so
//! that it concerns what hosts hear of each other and nothing on the hosts themselves, and so that
//! healing is replacing the table. Only a whole cut is more: the bridge's port goes down, and the
//! node sees its carrier lost, as with a pulled plug. Loss is drawn by chance in the same rules
//! (`numgen`), because kernels come without netem.

use std::fmt::Write as _;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use steelyard_host::netns::Namespace;
use steelyard_speaker::PORT as HEARTBEATS;

/// What is wrong with one node's wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Faults {
    /// The plug is pulled.
    pub(super) unplugged: bool,
    /// Nothing gets in to the node.
    pub(super) deaf: bool,
    /// Nothing gets out of the node.
    pub(super) mute: bool,
    /// Heartbeats that come in are dropped.
    pub(super) unbeaten: bool,
    /// Heartbeats that go out are dropped.
    pub(super) heartless: bool,
    /// Percent of frames that get lost, either way.
    pub(super) loss: u8,
    /// Only nodes of the same part hear it; 0 is the part with client and router.
    pub(super) part: u32,
}

impl Faults {
    /// In few words; empty when nothing is wrong.
    pub(super) fn words(&self) -> String {
        let words = [
            self.unplugged.then(|| "cut".to_owned()),
            self.deaf.then(|| "hears nothing".to_owned()),
            self.mute.then(|| "is not heard".to_owned()),
            match (self.unbeaten, self.heartless) {
                (true, true) => Some("no heartbeats".to_owned()),
                (true, false) => Some("hears no heartbeats".to_owned()),
                (false, true) => Some("its heartbeats are lost".to_owned()),
                (false, false) => None,
            },
            (self.loss > 0).then(|| format!("loses {} %", self.loss)),
            (self.part > 0).then(|| "parted".to_owned()),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Brings the bridge in `switch` to these faults, one per port.
pub(super) fn set(switch: &Namespace, wires: &[(&str, &Faults)]) -> anyhow::Result<()> {
    for (port, faults) in wires {
        let state = if faults.unplugged { "down" } else { "up" };
        switch.ip(&["link", "set", port, state])?;
    }
    let output = switch.output("nft", &[&rules(wires)]).context("cannot run nft")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the bridge does not take the rules: {said}");
    Ok(())
}

/// The whole table, replacing what stands, in one transaction.
fn rules(wires: &[(&str, &Faults)]) -> String {
    let mut rules = String::from(
        "table bridge lab {}\ndelete table bridge lab\ntable bridge lab {\n\
         chain forward {\ntype filter hook forward priority 0\n",
    );
    for (port, faults) in wires {
        let (from, to) = (format!("iifname {port}"), format!("oifname {port}"));
        if faults.deaf {
            let _ = writeln!(rules, "{to} drop");
        }
        if faults.mute {
            let _ = writeln!(rules, "{from} drop");
        }
        for (way, beats) in [(&from, faults.heartless), (&to, faults.unbeaten)] {
            if beats {
                let _ = writeln!(rules, "{way} udp dport {HEARTBEATS} drop");
            }
            if faults.loss > 0 {
                let _ = writeln!(rules, "{way} numgen random mod 100 < {} drop", faults.loss);
            }
        }
    }
    for part in parts(wires) {
        let group: Vec<&str> =
            wires.iter().filter(|(_, it)| it.part == part).map(|(port, _)| *port).collect();
        let group = group.join(", ");
        let _ = writeln!(rules, "iifname {{ {group} }} oifname != {{ {group} }} drop");
        let _ = writeln!(rules, "iifname != {{ {group} }} oifname {{ {group} }} drop");
    }
    rules + "}\n}\n"
}

/// Parts other than the one with the client, each once.
fn parts(wires: &[(&str, &Faults)]) -> std::collections::BTreeSet<u32> {
    wires.iter().map(|(_, faults)| faults.part).filter(|part| *part > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_a_rule_and_parts_hear_only_themselves() {
        let deaf = Faults { deaf: true, ..Faults::default() };
        let lossy = Faults { loss: 30, unbeaten: true, heartless: true, ..Faults::default() };
        let beats = Faults { unbeaten: true, ..Faults::default() };
        let apart = Faults { part: 2, ..Faults::default() };
        let text =
            rules(&[("a", &deaf), ("b", &lossy), ("e", &beats), ("c", &apart), ("d", &apart)]);
        let lines: Vec<&str> = text.lines().skip(5).collect();
        let expected = [
            "oifname a drop",
            "iifname b udp dport 9181 drop",
            "iifname b numgen random mod 100 < 30 drop",
            "oifname b udp dport 9181 drop",
            "oifname b numgen random mod 100 < 30 drop",
            "oifname e udp dport 9181 drop",
            "iifname { c, d } oifname != { c, d } drop",
            "iifname != { c, d } oifname { c, d } drop",
            "}",
            "}",
        ];
        assert_eq!(lines, expected, "{text}");
        assert!(rules(&[("a", &Faults::default())]).ends_with("priority 0\n}\n}\n"));
    }
}
