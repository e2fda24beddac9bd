//! What the nodes themselves say: who is ready, and who answers for which address.
//!
//! Each node has a thread that asks its admin API in its namespace, over its loopback: no fault of
//! the LAN is in the way. A stopped node holds its answer back, and what it said before does not
//! count: only `view` joins what is said with what is known of the processes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use steelyard_host::netns::Namespace;

use steelyard_admin::AdminClient;

/// Admin address of each node, in its namespace.
pub(super) const ADMIN: &str = "127.0.0.1:9180";
/// Between two questions to a node, while there are few nodes.
const PAUSE: Duration = Duration::from_millis(200);
/// The same per node, when there are many.
const PAUSE_EACH: Duration = Duration::from_millis(25);

/// Threads that ask; they end when it is dropped, each after the answer it waits for.
#[derive(Debug)]
pub(super) struct Eyes {
    seen: Arc<Vec<Mutex<Option<Told>>>>,
    closed: Arc<AtomicBool>,
}

/// What one node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// When it was asked.
    pub(super) asked: Instant,
    /// It is configured, listening, and announcing what it should.
    pub(super) ready: bool,
    /// The addresses that it knows of.
    pub(super) vips: BTreeMap<IpAddr, Claimed>,
}

/// What it says of an address. What it *does* counts (`state`), not whom it believes the owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claimed {
    /// The Service.
    pub(super) service: String,
    /// Whether this node answers for it.
    pub(super) is_held: bool,
    /// How many owners there were; none where nodes do not share.
    pub(super) epoch: Option<u64>,
    /// Since when, in seconds since 1970.
    pub(super) since: Option<u64>,
    /// Why it has it.
    pub(super) reason: Option<String>,
    /// Who takes over, first one first.
    pub(super) standbys: Vec<String>,
}

impl Eyes {
    /// Asks the nodes in these namespaces from now on.
    pub(super) fn open(nodes: &[Namespace]) -> anyhow::Result<Self> {
        let seen: Vec<Mutex<Option<Told>>> = nodes.iter().map(|_| Mutex::new(None)).collect();
        let (seen, closed) = (Arc::new(seen), Arc::new(AtomicBool::new(false)));
        let count = u32::try_from(nodes.len())?;
        let pause = PAUSE.max(PAUSE_EACH * count);
        for (index, node) in nodes.iter().enumerate() {
            let node = Namespace::existing(node.name())?;
            let (seen, closed) = (Arc::clone(&seen), Arc::clone(&closed));
            std::thread::spawn(move || {
                let look = || {
                    while !closed.load(Ordering::Relaxed) {
                        let told = ask();
                        *seen[index].lock().unwrap_or_else(PoisonError::into_inner) = told;
                        std::thread::sleep(pause);
                    }
                };
                if let Err(error) = node.run(look) {
                    tracing::warn!(%error, "a node is not looked at");
                }
            });
        }
        Ok(Self { seen, closed })
    }

    /// The last answer of each node; none where it gave none.
    pub(super) fn seen(&self) -> Vec<Option<Told>> {
        let told =
            |it: &Mutex<_>| Option::clone(&it.lock().unwrap_or_else(PoisonError::into_inner));
        self.seen.iter().map(told).collect()
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// Asks the node whose namespace the thread is in.
fn ask() -> Option<Told> {
    let asked = Instant::now();
    let admin = AdminClient { address: ADMIN.to_owned(), token_file: None };
    let announcements = admin.ask("announcements").ok()?;
    let ready = admin.ask("overview").is_ok_and(|overview| overview["ready"] == true);
    let rows = announcements.as_array()?;
    Some(Told { asked, ready, vips: rows.iter().filter_map(claimed).collect() })
}

fn claimed(row: &Value) -> Option<(IpAddr, Claimed)> {
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    let address = row["address"].as_str()?.parse().ok()?;
    let standbys = row["standbys"].as_array().into_iter().flatten();
    let claimed = Claimed {
        service: text("service").unwrap_or_default(),
        is_held: row["state"].as_str().is_some_and(|state| state.starts_with("announced")),
        epoch: row["epoch"].as_u64(),
        since: row["since"].as_u64(),
        reason: text("reason"),
        standbys: standbys.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
    };
    (row["protocol"] == "layer2").then_some((address, claimed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_of_layer_2_are_read_and_others_left_out() {
        let row = json!({"address": "10.1.1.100", "service": "a/b", "protocol": "layer2",
            "owner": "n1", "state": "announced", "epoch": 3, "standbys": ["n2", "n3"]});
        let (address, claimed) = claimed(&row).unwrap();
        assert_eq!(address.to_string(), "10.1.1.100");
        assert_eq!((claimed.is_held, claimed.epoch), (true, Some(3)));
        assert_eq!(claimed.standbys, ["n2", "n3"]);
        assert!(super::claimed(&json!({"address": "10.0.0.0/24", "protocol": "bgp"})).is_none());
    }
}
