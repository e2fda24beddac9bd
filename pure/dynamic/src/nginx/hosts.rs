//! What Ingresses say of whole hosts, whichever of them says it.

use std::collections::{BTreeMap, BTreeSet};

use super::Served;
use crate::cluster::Written;

/// Of all hosts.
#[derive(Default)]
pub(super) struct Hosts<'v> {
    all: BTreeSet<&'v str>,
    /// Those whose paths are patterns.
    patterns: BTreeSet<&'v str>,
    /// The first text for each.
    snippets: BTreeMap<&'v str, &'v str>,
    /// Whose each further name is: namespace and name of the first that claims it.
    claimed: BTreeMap<String, (&'v str, &'v str)>,
}

impl<'v> Hosts<'v> {
    /// Of Ingresses that are no canaries.
    pub(super) fn of(served: &[Served<'v>]) -> Self {
        let mut hosts = Self::default();
        for ingress in served {
            hosts.add(*ingress);
        }
        hosts
    }

    fn add(&mut self, ingress: Served<'v>) {
        let asks = ingress.asks;
        for alias in asks.list("server-alias").unwrap_or_default() {
            let own = owner(ingress.object);
            self.claimed.entry(alias.to_lowercase()).or_insert(own);
        }
        let has_patterns = asks.is("use-regex") || !asks.text("rewrite-target").is_empty();
        let snippet = asks.text("server-snippet");
        for host in ingress.hosts() {
            self.all.insert(host);
            if has_patterns {
                self.patterns.insert(host);
            }
            if !snippet.is_empty() {
                self.snippets.entry(host).or_insert(snippet);
            }
        }
    }

    pub(super) fn has(&self, host: &str) -> bool {
        self.all.contains(host)
    }

    pub(super) fn has_patterns(&self, host: &str) -> bool {
        self.patterns.contains(host)
    }

    pub(super) fn snippet(&self, host: &str) -> &'v str {
        self.snippets.get(host).copied().unwrap_or_default()
    }

    /// A host with `www.` where it has none, or without, unless that is a host itself. Hosts with a
    /// wildcard have no other.
    pub(super) fn other(&self, host: &str) -> Option<String> {
        let other = match host.strip_prefix("www.") {
            Some(bare) => bare.to_owned(),
            None => format!("www.{host}"),
        };
        (!host.is_empty() && !host.starts_with("*.") && !self.has(&other)).then_some(other)
    }

    /// Further names of an Ingress's hosts: none that is a host, or that another has claimed.
    pub(super) fn aliases(&self, ingress: Served<'v>) -> Vec<&'v str> {
        let own = owner(ingress.object);
        let is_free = |alias: &&str| {
            let alias = alias.to_lowercase();
            !self.has(&alias) && self.claimed.get(&alias).is_none_or(|it| *it == own)
        };
        let all = ingress.asks.list("server-alias").unwrap_or_default();
        all.into_iter().filter(is_free).collect()
    }
}

fn owner(ingress: &Written) -> (&str, &str) {
    (&ingress.namespace, &ingress.name)
}
