//! The line that mends what a firewall does.
//!
//! What is let through at the hook input is what has our mark: it goes to ports that we listen on
//! and to nothing else, since our guard takes the rest before. Answers from there are known by the
//! mark of their connection, once connection tracking has seen them.

use std::fmt;
use std::net::IpAddr;

use steelyard_model::Protocol;

use crate::judge::{Deed, Hindrance};
use crate::packet::{Leg, Packet, Way};
use crate::ruleset::{Origin, Place};

impl Hindrance {
    /// What to do so that `packet` arrives: one sentence, no trailing period.
    pub fn mend(&self, packet: &Packet) -> String {
        let Place { table, base, chain, hook, .. } = &self.place;
        let protocol = if packet.protocol == Protocol::Tcp { "tcp" } else { "udp" };
        let port = packet.port;
        if self.deed == Deed::Unmarks {
            return "change the rule so that it leaves that bit alone, or choose another one with \
                    --fwmark"
                .to_owned();
        }
        match &packet.way {
            Way::Here { mark, .. } if chain == "ufw-not-local" => format!(
                "write `-A ufw-before-input -m mark --mark {mark:#x}/{mark:#x} -j ACCEPT` into \
                 /etc/ufw/before.rules, above the line that jumps to ufw-not-local, and run `ufw \
                 reload`"
            ),
            _ if hook == "input" && (chain.starts_with("ufw") || self.is_ufw) => {
                format!("run `ufw allow {port}/{protocol}`")
            }
            _ if hook == "input" && table == "firewalld" => {
                let zone = chain.strip_prefix("filter_IN_").filter(|it| !it.contains('_'));
                let zone = zone.map(|it| format!(" --zone={it}")).unwrap_or_default();
                format!(
                    "run `firewall-cmd --permanent{zone} --add-port={port}/{protocol}` and \
                     `firewall-cmd --reload`"
                )
            }
            _ => format!(
                "put a rule that accepts before it: `{}`, and the same where {base} is loaded from",
                self.insertion(packet)
            ),
        }
    }

    fn insertion(&self, packet: &Packet) -> String {
        let Place { origin, family, table, base, hook, .. } = &self.place;
        let vip = packet.vip;
        let (address, program) = match vip.is_ipv4() {
            true => ("ip", "iptables"),
            false => ("ip6", "ip6tables"),
        };
        let is_iptables = *origin == Origin::Legacy
            || (family == address && base.chars().all(|it| it.is_ascii_uppercase()));
        let what = match (&packet.way, &**hook, is_iptables) {
            _ if self.leg == Leg::Back => self.answers(packet, address, is_iptables),
            (Way::Here { mark, .. }, "input", true) => {
                format!("-m mark --mark {mark:#x}/{mark:#x}")
            }
            (Way::Here { mark, .. }, "input", false) => {
                format!("meta mark & {mark:#x} == {mark:#x}")
            }
            (_, "prerouting" | "ingress", true) => format!("-d {vip}"),
            (_, "prerouting" | "ingress", false) => format!("{address} daddr {vip}"),
            (_, _, true) => "-m conntrack --ctstate DNAT".to_owned(),
            (_, _, false) => "ct status dnat".to_owned(),
        };
        if is_iptables {
            let legacy = if *origin == Origin::Legacy { "-legacy" } else { "" };
            let table = if table == "filter" { String::new() } else { format!(" -t {table}") };
            format!("{program}{legacy}{table} -I {base} {what} -j ACCEPT")
        } else {
            format!("nft insert rule {family} {table} {base} {what} accept")
        }
    }

    /// What is let through so that answers get to clients.
    fn answers(&self, packet: &Packet, address: &str, is_iptables: bool) -> String {
        let Place { hook, table, .. } = &self.place;
        let from = |it: IpAddr| match is_iptables {
            true => format!("-s {it}"),
            false => format!("{address} saddr {it}"),
        };
        let is_tracked = !matches!(&**hook, "ingress" | "egress") && table != "raw";
        match (&packet.way, is_tracked, is_iptables) {
            (Way::On { to, .. }, false, _) if hook != "egress" => from(to.ip()),
            (_, false, _) => from(packet.vip),
            (Way::Here { mark, .. }, true, true) => {
                format!("-m connmark --mark {mark:#x}/{mark:#x}")
            }
            (Way::Here { mark, .. }, true, false) => format!("ct mark & {mark:#x} == {mark:#x}"),
            (Way::On { .. }, true, true) => "-m conntrack --ctstate DNAT".to_owned(),
            (Way::On { .. }, true, false) => "ct status dnat".to_owned(),
        }
    }
}

/// What is so: the rule's place and text.
impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deed, leg, is_certain, place, rule, .. } = self;
        let does = match (deed, is_certain) {
            (Deed::Drops, true) if *leg == Leg::Back => "drops what clients are answered",
            (Deed::Drops, false) if *leg == Leg::Back => "may drop what clients are answered",
            (Deed::Drops, true) => "drops what clients send to it",
            (Deed::Drops, false) => "may drop what clients send to it",
            (Deed::Unmarks, true) => "overwrites the mark by which it is delivered",
            (Deed::Unmarks, false) => "may overwrite the mark by which it is delivered",
            (Deed::Untracks, true) => "keeps connection tracking, and so translation, from it",
            (Deed::Untracks, false) => "may keep connection tracking, and so translation, from it",
            (Deed::Redirects, true) => "sends what clients send to it elsewhere",
            (Deed::Redirects, false) => "may send what clients send to it elsewhere",
        };
        write!(f, "another firewall {does}: {place}: `{rule}`")
    }
}
