//! What is told of connections and sessions that are over, where ingress-nginx's ConfigMap wants
//! that.

use std::net::SocketAddr;
use std::time::Instant;

use crate::core::Core;
use crate::core::listener::Listener;
use crate::tell::access_log::StreamEntry;

/// What nginx says of a connection that was carried.
pub(super) const CARRIED: u16 = 200;
/// What it says of one that came to no endpoint.
pub(super) const UNREACHED: u16 = 502;

/// A connection, or a session, that is over.
pub(super) struct Over<'s> {
    pub(super) protocol: &'static str,
    pub(super) peer: SocketAddr,
    /// The port that was reached, where that is not the listener's.
    pub(super) port: Option<u16>,
    pub(super) endpoint: Option<&'s str>,
    pub(super) status: u16,
    /// Bytes of the client, and to it.
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) began: Instant,
}

impl Over<'_> {
    pub(super) fn log(&self, core: &Core, listener: &Listener) {
        let believed = listener.believed(core);
        let Some(log) = &believed.log else { return };
        let now = Instant::now();
        let entry = StreamEntry {
            client: self.peer.ip().to_canonical(),
            client_port: self.peer.port(),
            protocol: self.protocol,
            status: self.status,
            sent: self.down,
            received: self.up,
            took: now.saturating_duration_since(self.began),
            port: self.port.unwrap_or(believed.port),
            endpoint: self.endpoint,
            machine: &core.options().server_name,
        };
        log.stream(&entry, now);
    }
}
