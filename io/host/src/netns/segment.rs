//! A LAN in a box: a bridge in a namespace of its own, and hosts plugged into it.
//!
//! The hosts are ordinary [`Namespace`]s whose `eth0` is plugged in; nothing of it shows in the
//! namespace of the caller, so that several can stand side by side.

use super::{Namespace, NetnsError, cable};

/// Name of the interface by which hosts are plugged in.
const INTERFACE: &str = "eth0";

/// One broadcast domain. Dropping it deletes it; the hosts live as long as their own values.
#[derive(Debug)]
pub struct Segment {
    name: String,
    switch: Namespace,
    hosts: std::sync::atomic::AtomicU32,
}

impl Segment {
    /// A bridge without hosts. All namespaces made here are named `NAME-something`.
    pub fn create(name: &str) -> Result<Self, NetnsError> {
        let switch = Namespace::create(&format!("{name}-switch"))?;
        switch.ip(&["link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])?;
        switch.ip(&["link", "set", "br0", "up"])?;
        Ok(Self { name: name.to_owned(), switch, hosts: std::sync::atomic::AtomicU32::new(0) })
    }

    /// A host plugged in by its `eth0`, with these addresses (`10.1.1.5/24`, `fd00::5/64`).
    pub fn host(&self, name: &str, addresses: &[&str]) -> Result<Namespace, NetnsError> {
        let host = Namespace::create(&format!("{}-{name}", self.name))?;
        self.plug(&host, INTERFACE)?;
        for address in addresses {
            let mut arguments = vec!["addr", "add", address, "dev", INTERFACE];
            if address.contains(':') {
                arguments.push("nodad");
            }
            host.ip(&arguments)?;
        }
        Ok(host)
    }

    /// Plugs `host` in by a new interface of that name; returns the name of the switch's port.
    pub fn plug(&self, host: &Namespace, interface: &str) -> Result<String, NetnsError> {
        let number = self.hosts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let port = format!("port{number}");
        cable((host, interface), (&self.switch, &port))?;
        self.switch.ip(&["link", "set", &port, "master", "br0"])?;
        Ok(port)
    }

    /// The namespace of the bridge (`br0`, ports `port0`, `port1`, … in the order of plugging).
    pub fn switch(&self) -> &Namespace {
        &self.switch
    }
}
