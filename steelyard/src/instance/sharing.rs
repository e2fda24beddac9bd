//! `up` on several machines: what is asked for on the command line, and who the others are.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use steelyard_plan::Author;
use steelyard_speaker::{HeartbeatTiming, Membership, Policy};

use crate::key;

/// Options of `up` for several machines.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Several machines")]
pub(crate) struct SharingArgs {
    /// Another machine that serves the same manifests; port 9181 unless given
    #[arg(long, value_name = "ADDR", value_parser = parse_peer)]
    peer: Vec<SocketAddr>,
    /// The key that all of them have; `steelyard key FILE` makes one
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Decide here who has which address, and write the lock file; one machine does
    #[arg(long)]
    lock_writer: bool,
    /// Answer for addresses only while more than half of the machines (the peers and this one)
    /// hear each other
    #[arg(long)]
    require_quorum: bool,
    /// Time between two heartbeats, in milliseconds [default: 100]
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(20..=10_000))]
    heartbeat: Option<u64>,
    /// Heartbeats that are missing before a machine counts as dead [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100))]
    missed_heartbeats: Option<u32>,
    /// Choose first owners in MetalLB's order
    #[arg(long)]
    compat_election: bool,
}

/// What to do where a foreign machine claims one of our addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Conflict {
    /// Announce it once more, and keep it
    #[default]
    Defend,
    /// Give it up
    Withdraw,
}

/// How addresses are shared with other machines.
#[derive(Clone, Debug)]
pub(crate) struct Sharing {
    /// Where keys come from; it is looked at again when it changes.
    pub(crate) key_file: PathBuf,
    /// Who decides who has which address.
    pub(crate) author: Author,
    pub(crate) compat_election: bool,
    /// All but the node's name and where epochs are kept.
    pub(crate) membership: Membership,
    changed: Option<SystemTime>,
}

impl SharingArgs {
    /// What was asked for; none on a single machine, where none of it would have an effect.
    pub(crate) fn read(self, conflict: Conflict) -> Result<Option<Sharing>> {
        let asked = self.asked();
        let Some(key_file) = self.key_file else {
            return match asked {
                None => Ok(None),
                Some(option) => bail!(
                    "{option} is for several machines, and these need a key that seals what they \
                     tell each other: `steelyard key FILE` makes one, --key-file FILE names it on \
                     each of them, --peer ADDR the others"
                ),
            };
        };
        if self.require_quorum && self.peer.len() < 2 {
            bail!(
                "--require-quorum needs three machines or more, so two --peer or more: of two, \
                 neither could go on without the other"
            );
        }
        let standard = HeartbeatTiming::default();
        let timing = HeartbeatTiming {
            interval: self.heartbeat.map_or(standard.interval, Duration::from_millis),
            misses: self.missed_heartbeats.unwrap_or(standard.misses),
            ..standard
        };
        let policy = match conflict {
            Conflict::Defend => Policy::Defend,
            Conflict::Withdraw => Policy::Withdraw,
        };
        let keys = key::read(&key_file)?;
        let quorum = self.require_quorum.then_some(self.peer.len() + 1);
        let balance = !self.compat_election;
        let membership = Membership {
            peers: self.peer,
            timing,
            quorum,
            policy,
            balance,
            ..Membership::new("", keys)
        };
        let changed = modified(&key_file);
        Ok(Some(Sharing {
            key_file,
            author: if self.lock_writer { Author::Here } else { Author::Holdings },
            compat_election: self.compat_election,
            membership,
            changed,
        }))
    }

    /// An option that was given and has an effect among several machines only.
    fn asked(&self) -> Option<&'static str> {
        let given = [
            (!self.peer.is_empty(), "--peer"),
            (self.lock_writer, "--lock-writer"),
            (self.require_quorum, "--require-quorum"),
            (self.heartbeat.is_some(), "--heartbeat"),
            (self.missed_heartbeats.is_some(), "--missed-heartbeats"),
            (self.compat_election, "--compat-election"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, option)| option)
    }
}

impl Sharing {
    /// Whether the key file has other keys than before; what it has is then in the membership.
    pub(super) fn has_new_keys(&mut self) -> bool {
        let changed = modified(&self.key_file);
        if changed == self.changed {
            return false;
        }
        self.changed = changed;
        match key::read(&self.key_file) {
            Ok(keys) => {
                let is_new = keys != self.membership.keys;
                self.membership.keys = keys;
                is_new
            }
            Err(error) => {
                tracing::warn!("{error:#}; the keys of before stay good");
                false
            }
        }
    }
}

fn modified(file: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|it| it.modified()).ok()
}

fn parse_peer(text: &str) -> Result<SocketAddr, String> {
    let alone = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let peer = match alone {
        Ok(ip) => SocketAddr::new(ip, steelyard_speaker::PORT),
        Err(_) => text.parse().map_err(|_| {
            "wants an address, such as 10.1.1.12, fd00::12 or 10.1.1.12:9181".to_owned()
        })?,
    };
    let ip = peer.ip();
    if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
        return Err("wants the other machine's address on the LAN".to_owned());
    }
    Ok(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_addresses_with_a_port_or_without() {
        for (text, expected) in [
            ("10.1.1.12", "10.1.1.12:9181"),
            ("10.1.1.12:7", "10.1.1.12:7"),
            ("fd00::12", "[fd00::12]:9181"),
            ("[fd00::12]", "[fd00::12]:9181"),
            ("[fd00::12]:7", "[fd00::12]:7"),
        ] {
            assert_eq!(parse_peer(text).unwrap().to_string(), expected);
        }
        for text in ["", "node-b", "10.1.1", "0.0.0.0", "127.0.0.1", "224.0.0.1", "::"] {
            assert!(parse_peer(text).is_err(), "{text}");
        }
    }
}
