//! Endpoints that are DNS names, for forwarding: the kernel wants addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use steelyard_model::{Endpoint, Host};

/// How long an answer counts before the name is looked up again.
const FRESH: Duration = Duration::from_secs(30);
/// How long a look-up may take before its last answer is used on.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers to look-ups. A name that stops resolving keeps its last addresses.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<(String, u16), Answer>);

#[derive(Debug)]
struct Answer {
    addresses: Vec<SocketAddr>,
    asked: Instant,
}

impl Names {
    /// The socket addresses of `endpoints`, with those of names as last looked up.
    pub(super) fn addresses(&self, endpoints: &[Endpoint]) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for endpoint in endpoints {
            match &endpoint.host {
                Host::Ip(ip) => addresses.push(SocketAddr::new(*ip, endpoint.port)),
                Host::Name(name) => {
                    let answer = self.0.get(&(name.to_string(), endpoint.port));
                    addresses.extend(answer.iter().flat_map(|answer| &answer.addresses));
                }
            }
        }
        addresses
    }

    /// Looks up the names among `endpoints` whose answers are not fresh. Whether any changed.
    pub(super) async fn refresh<'a>(
        &mut self,
        endpoints: impl Iterator<Item = &'a Endpoint>,
    ) -> bool {
        let mut changed = false;
        for endpoint in endpoints {
            let Host::Name(name) = &endpoint.host else { continue };
            let key = (name.to_string(), endpoint.port);
            let known = self.0.get(&key);
            if known.is_some_and(|answer| answer.asked.elapsed() < FRESH) {
                continue;
            }
            let mut addresses = look_up(name, endpoint.port).await;
            let before = known.map(|answer| answer.addresses.clone()).unwrap_or_default();
            if addresses.is_empty() {
                tracing::warn!(%name, "the endpoint's name does not resolve");
                addresses.clone_from(&before);
            }
            changed |= addresses != before;
            self.0.insert(key, Answer { addresses, asked: Instant::now() });
        }
        changed
    }
}

async fn look_up(name: &str, port: u16) -> Vec<SocketAddr> {
    let answer = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, port))).await;
    let mut addresses: Vec<SocketAddr> = match answer {
        Ok(Ok(addresses)) => addresses.collect(),
        _ => Vec::new(),
    };
    addresses.sort();
    addresses.dedup();
    addresses
}
