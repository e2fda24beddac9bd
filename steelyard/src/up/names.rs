//! Endpoints that are DNS names, for forwarding: the kernel wants addresses.
//!
//! Looking up never holds a change up: what is known is used, and an answer that differs makes
//! the plan be applied again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steelyard_model::{Endpoint, Host};
use tokio::sync::mpsc;

/// How long an answer counts before the name is looked up again.
const FRESH: Duration = Duration::from_secs(30);

/// A name and the port to reach it at.
type Name = (String, u16);

/// Answers to look-ups. A name that stops resolving keeps its last addresses.
#[derive(Debug)]
pub(super) struct Names {
    known: BTreeMap<Name, Answer>,
    answer: mpsc::UnboundedSender<(Name, Vec<SocketAddr>)>,
    answers: mpsc::UnboundedReceiver<(Name, Vec<SocketAddr>)>,
}

#[derive(Debug)]
struct Answer {
    addresses: Vec<SocketAddr>,
    asked: Instant,
}

impl Default for Names {
    fn default() -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        Self { known: BTreeMap::new(), answer, answers }
    }
}

impl Names {
    /// The socket addresses of `endpoints`, with those of names as last looked up.
    pub(super) fn addresses(&self, endpoints: &[Endpoint]) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for endpoint in endpoints {
            match &endpoint.host {
                Host::Ip(ip) => addresses.push(SocketAddr::new(*ip, endpoint.port)),
                Host::Name(name) => {
                    let answer = self.known.get(&(name.to_string(), endpoint.port));
                    addresses.extend(answer.iter().flat_map(|answer| &answer.addresses));
                }
            }
        }
        addresses
    }

    /// Starts to look up the names among `endpoints` whose answers are not fresh, and forgets
    /// those that are not among them.
    pub(super) fn ask<'a>(&mut self, endpoints: impl Iterator<Item = &'a Endpoint>) {
        let mut before = std::mem::take(&mut self.known);
        for endpoint in endpoints {
            let Host::Name(host) = &endpoint.host else { continue };
            let name: Name = (host.to_string(), endpoint.port);
            let known = before.remove(&name).or_else(|| self.known.remove(&name));
            let answer = match known {
                Some(answer) if answer.asked.elapsed() < FRESH => answer,
                stale => {
                    tokio::spawn(look_up(name.clone(), self.answer.clone()));
                    let addresses = stale.map(|answer| answer.addresses).unwrap_or_default();
                    Answer { addresses, asked: Instant::now() }
                }
            };
            self.known.insert(name, answer);
        }
    }

    /// Waits for an answer that differs from what was known. Cancel-safe.
    pub(super) async fn changed(&mut self) {
        loop {
            let (name, addresses) = self.answers.recv().await.expect("we hold a sender");
            let Some(known) = self.known.get_mut(&name) else { continue };
            if addresses.is_empty() {
                tracing::warn!(name = name.0, "the endpoint's name does not resolve");
            } else if known.addresses != addresses {
                known.addresses = addresses;
                return;
            }
        }
    }
}

async fn look_up(name: Name, answer: mpsc::UnboundedSender<(Name, Vec<SocketAddr>)>) {
    let mut addresses: Vec<SocketAddr> = match tokio::net::lookup_host(name.clone()).await {
        Ok(addresses) => addresses.collect(),
        Err(_) => Vec::new(),
    };
    addresses.sort();
    addresses.dedup();
    // Nobody waits for it any more when everything ends.
    let _ = answer.send((name, addresses));
}
