//! Endpoints that are DNS names, for forwarding: the kernel wants addresses.
//!
//! Looking up never holds a change up: what is known is used, and an answer that differs makes
//! the plan be applied again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use steelyard_model::{Endpoint, Host, NamespacedName, Sorted};
use steelyard_plan::Forward;
use tokio::sync::mpsc;

use super::{Applied, Doing, Hand};
use crate::mind::Decided;

/// How long an answer counts before the name is looked up again.
const FRESH: Duration = Duration::from_secs(30);

/// A name and the port to reach it at.
type Name = (String, u16);

/// A forwarded address, as the plan has it.
type Key = (NamespacedName, usize);

/// Answers to look-ups. A name that stops resolving keeps its last addresses.
#[derive(Debug)]
pub(crate) struct Names {
    /// Whose names were asked for last.
    forward: Sorted<Key, Forward>,
    wanted: BTreeMap<Key, BTreeSet<Name>>,
    asked: BTreeMap<Name, Instant>,
    known: Arc<Answers>,
    answer: mpsc::UnboundedSender<(Name, Vec<SocketAddr>)>,
    answers: mpsc::UnboundedReceiver<(Name, Vec<SocketAddr>)>,
}

/// Addresses of names, as last looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers(BTreeMap<Name, Vec<SocketAddr>>);

impl Answers {
    /// The socket addresses of `endpoints`.
    pub(crate) fn addresses(&self, endpoints: &[Endpoint]) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for endpoint in endpoints {
            match &endpoint.host {
                Host::Ip(ip) => addresses.push(SocketAddr::new(*ip, endpoint.port)),
                Host::Name(name) => {
                    let answer = self.0.get(&(name.to_string(), endpoint.port));
                    addresses.extend(answer.into_iter().flatten());
                }
            }
        }
        addresses
    }
}

impl Default for Names {
    fn default() -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        let (forward, wanted, asked, known) = Default::default();
        Self { forward, wanted, asked, known, answer, answers }
    }
}

impl Names {
    /// From now on the names among these endpoints are wanted, and no others.
    fn follow(&mut self, forward: &Sorted<Key, Forward>) {
        let before = std::mem::replace(&mut self.forward, forward.clone());
        for key in forward.differing(&before) {
            let names: BTreeSet<Name> = forward.get(key).map(names_of).unwrap_or_default();
            if names.is_empty() {
                self.wanted.remove(key);
            } else {
                self.wanted.insert(key.clone(), names);
            }
        }
    }

    /// Starts to look up the names whose answers are not fresh, and forgets those that nobody
    /// wants.
    pub(crate) fn ask(&mut self) {
        let wanted: BTreeSet<&Name> = self.wanted.values().flatten().collect();
        self.asked.retain(|name, _| wanted.contains(name));
        if self.known.0.keys().any(|name| !wanted.contains(name)) {
            Arc::make_mut(&mut self.known).0.retain(|name, _| wanted.contains(name));
        }
        for name in wanted {
            if self.asked.get(name).is_none_or(|asked| asked.elapsed() >= FRESH) {
                tokio::spawn(look_up(name.clone(), self.answer.clone()));
                self.asked.insert(name.clone(), Instant::now());
            }
        }
    }

    /// Waits for an answer that differs from what was known. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        loop {
            let (name, addresses) = self.answers.recv().await.expect("we hold a sender");
            if !self.asked.contains_key(&name) {
                continue;
            }
            if addresses.is_empty() {
                tracing::warn!(name = name.0, "the endpoint's name does not resolve");
            } else if self.known.0.get(&name) != Some(&addresses) {
                Arc::make_mut(&mut self.known).0.insert(name, addresses);
                return;
            }
        }
    }
}

impl Hand for Names {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        applied: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        self.follow(&decided.plan.node.forward);
        self.ask();
        applied.names = Arc::clone(&self.known);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn names_of(vip: &Forward) -> BTreeSet<Name> {
    let endpoints = vip.ports.iter().flat_map(|port| &port.endpoints);
    let names = endpoints.filter_map(|endpoint| match &endpoint.host {
        Host::Name(name) => Some((name.to_string(), endpoint.port)),
        Host::Ip(_) => None,
    });
    names.collect()
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
