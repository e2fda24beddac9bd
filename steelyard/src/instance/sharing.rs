//! Several machines: what is asked for on the command line, and who the others are.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use steelyard_plan::Author;
use steelyard_speaker::{HeartbeatTiming, Keyring, Membership, Policy};

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
    #[command(flatten)]
    election: ElectionArgs,
}

/// How machines settle which of them answers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Several machines")]
pub(crate) struct ElectionArgs {
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
    /// Where keys come from, which is looked at again when it changes; none where they are told.
    key_file: Option<KeyFile>,
    pub(super) compat_election: bool,
    /// Only a side with more than half of the machines answers.
    requires_quorum: bool,
    /// All but the node's name and where epochs are kept.
    pub(super) membership: Membership,
}

#[derive(Clone, Debug)]
struct KeyFile {
    path: PathBuf,
    changed: Option<SystemTime>,
}

impl ElectionArgs {
    fn membership(&self, conflict: Conflict, keys: Keyring) -> Membership {
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
        let balance = !self.compat_election;
        Membership { timing, policy, balance, ..Membership::new("", keys) }
    }
}

impl SharingArgs {
    /// Who decides who has which address.
    pub(crate) fn author(&self) -> Author {
        match &self.key_file {
            Some(_) if !self.lock_writer => Author::Holdings,
            _ => Author::Here,
        }
    }

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
        if self.election.require_quorum && self.peer.len() < 2 {
            bail!(
                "--require-quorum needs three machines or more, so two --peer or more: of two, \
                 neither could go on without the other"
            );
        }
        let membership = self.election.membership(conflict, key::read(&key_file)?);
        let changed = modified(&key_file);
        let mut sharing = Sharing {
            key_file: Some(KeyFile { path: key_file, changed }),
            compat_election: self.election.compat_election,
            requires_quorum: self.election.require_quorum,
            membership,
        };
        sharing.set_peers(self.peer);
        Ok(Some(sharing))
    }

    /// An option that was given and has an effect among several machines only.
    fn asked(&self) -> Option<&'static str> {
        let election = &self.election;
        let given = [
            (!self.peer.is_empty(), "--peer"),
            (self.lock_writer, "--lock-writer"),
            (election.require_quorum, "--require-quorum"),
            (election.heartbeat.is_some(), "--heartbeat"),
            (election.missed_heartbeats.is_some(), "--missed-heartbeats"),
            (election.compat_election, "--compat-election"),
        ];
        given.into_iter().find(|(is_given, _)| *is_given).map(|(_, option)| option)
    }
}

impl Sharing {
    /// Among the nodes of a cluster, whose controller decides who has which address.
    pub(crate) fn in_cluster(election: &ElectionArgs, conflict: Conflict, keys: Keyring) -> Self {
        Self {
            key_file: None,
            compat_election: election.compat_election,
            requires_quorum: election.require_quorum,
            membership: election.membership(conflict, keys),
        }
    }

    /// The other machines from now on; whether they are others than before.
    pub(crate) fn set_peers(&mut self, peers: Vec<SocketAddr>) -> bool {
        let is_news = peers != self.membership.peers;
        self.membership.quorum = self.requires_quorum.then_some(peers.len() + 1);
        self.membership.peers = peers;
        is_news
    }

    /// The keys from now on; whether they are others than before.
    pub(crate) fn set_keys(&mut self, keys: Keyring) -> bool {
        let is_news = keys != self.membership.keys;
        self.membership.keys = keys;
        is_news
    }

    /// Whether the key file has other keys than before; what it has is then in the membership.
    pub(super) fn has_new_keys(&mut self) -> bool {
        let Some(file) = &mut self.key_file else { return false };
        let changed = modified(&file.path);
        if changed == file.changed {
            return false;
        }
        file.changed = changed;
        match key::read(&file.path) {
            Ok(keys) => self.set_keys(keys),
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
