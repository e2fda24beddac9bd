//! Who answers for an address in the eyes of a host: the entry of its neighbour table.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use steelyard_host::netns;

use crate::state::State;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(150);
/// Changes remembered.
const MOST: usize = 64;

/// What a host's neighbour table says, looked at again and again.
#[derive(Clone, Debug)]
pub(super) struct Owners(Arc<Mutex<Vec<(Instant, String)>>>);

impl Owners {
    /// Looks at the table of the host in `namespace` from now on, until the process ends.
    pub(super) fn follow(state: State, namespace: String, address: IpAddr) -> Self {
        let owners = Self(Arc::default());
        let changes = Arc::clone(&owners.0);
        std::thread::spawn(move || {
            loop {
                let owner = look(&state, &namespace, address);
                let mut changes = changes.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(owner) = owner
                    && changes.last().is_none_or(|(_, last)| *last != owner)
                {
                    changes.push((Instant::now(), owner));
                    let old = changes.len().saturating_sub(MOST);
                    changes.drain(..old);
                }
                drop(changes);
                std::thread::sleep(PAUSE);
            }
        });
        owners
    }

    /// Who it was at this time; the first known one before that.
    pub(super) fn at(&self, time: Instant) -> Option<String> {
        let changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = changes.iter().rev().find(|(since, _)| *since <= time);
        before.or_else(|| changes.first()).map(|(_, owner)| owner.clone())
    }

    /// Who it is now.
    pub(super) fn now(&self) -> Option<String> {
        self.at(Instant::now())
    }
}

/// The node whose hardware address the table has, or that address.
fn look(state: &State, namespace: &str, address: IpAddr) -> Option<String> {
    let line = netns::ip(&["-n", namespace, "neigh", "show", "to", &address.to_string()]).ok()?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "lladdr");
    let mac = words.nth(1)?;
    let host = state.hosts.iter().find(|host| host.mac.as_deref() == Some(mac));
    Some(host.map_or_else(|| mac.to_owned(), |host| host.name.clone()))
}
