//! What a forwarder may do, and why one does not start.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use steelyard_host::inherited::Inherited;
use steelyard_host::own_sockets::OwnSockets;
use steelyard_host::places::Places;

use crate::intake::LEASE;
use crate::legacy::ForwardLegacy;

/// What a forwarder may do, and under which names.
#[derive(Clone, Debug)]
pub struct ForwardOptions {
    /// Name of the nftables table (family `inet`). Two forwarders of one host need two names, two
    /// marks and two routing tables.
    pub table: String,
    /// The mark bit.
    pub fwmark: u32,
    /// Number of the private routing table.
    pub route_table: u32,
    /// Priority of the ip rule that leads to it.
    pub rule_priority: u32,
    /// Whether to turn on the forwarding of packets.
    pub ip_forward: bool,
    /// Whether vips are shared with other nodes, so that their owners change:
    /// [`crate::Passing`] works.
    pub shared: bool,
    /// Whether the kernel may be touched at all.
    pub privileged: bool,
    /// Where what must outlive the process is kept.
    pub state_dir: PathBuf,
    /// Places for TCP connections that are carried in this process, of two descriptors each.
    pub flows: Places,
    /// Places for clients of UDP ports that are, of one each.
    pub sessions: Places,
    /// For how long packets for a vip are taken in without being told again: when this process was
    /// killed, another machine may have it.
    pub lease: Duration,
    /// Sockets of this process that no connection is carried to.
    pub own_sockets: OwnSockets,
    /// What the process opened that this one takes over from.
    pub inherited: Inherited,
    /// What that one has set on this host; none where this one begins.
    pub legacy: Option<ForwardLegacy>,
}

/// Why a forwarder does not start. Missing tools and privileges are no reason: it then does what
/// it can, and says so in [`crate::Observed`].
#[derive(Debug, thiserror::Error)]
pub enum NoForwarder {
    /// Another one is at work.
    #[error("another steelyard forwards on this host: it holds {}", .0.display())]
    Taken(PathBuf),
    /// Another one, with another state folder, is at work.
    #[error("another steelyard forwards on this host: it has the nftables table {0}")]
    TableTaken(String),
    /// No place for what must outlive the process.
    #[error("cannot write to the state folder {}", .path.display())]
    State {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl Default for ForwardOptions {
    fn default() -> Self {
        Self {
            table: "steelyard".to_owned(),
            fwmark: 0x2000,
            route_table: 8192,
            rule_priority: 50,
            ip_forward: false,
            shared: false,
            privileged: true,
            state_dir: PathBuf::from("/var/lib/steelyard"),
            flows: Places::default(),
            sessions: Places::default(),
            lease: LEASE,
            own_sockets: OwnSockets::default(),
            inherited: Inherited::default(),
            legacy: None,
        }
    }
}
