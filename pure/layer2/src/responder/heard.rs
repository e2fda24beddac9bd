//! Who was heard on the LAN: that this host hears at all, and whom it could ask about that.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Hosts remembered.
const HOSTS: usize = 6;

#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Something came since it was last asked.
    anything: bool,
    /// The last one first.
    hosts: VecDeque<IpAddr>,
}

impl Heard {
    /// Another host spoke; `host` where it said an address of its own.
    pub(super) fn note(&mut self, host: Option<IpAddr>) {
        self.anything = true;
        let Some(host) = host.filter(|it| self.hosts.front() != Some(it)) else { return };
        self.hosts.retain(|it| *it != host);
        self.hosts.push_front(host);
        self.hosts.truncate(HOSTS);
    }

    pub(super) fn take(&mut self) -> bool {
        std::mem::take(&mut self.anything)
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        self.hosts.iter().copied()
    }
}
