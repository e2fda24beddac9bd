//! What whoever serves the datagrams of a port is given, and told.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::mpsc::Sender;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

/// Ends when its sender is gone, which is when all cores have been told of a listener, and this
/// process is to take what comes.
pub(crate) type Told = watch::Receiver<()>;

/// A port on one core.
pub(crate) struct Datagrams {
    pub(crate) socket: UdpSocket,
    /// Nothing is taken before that ends.
    pub(crate) told: Told,
    pub(crate) orders: UnboundedReceiver<DatagramOrder>,
}

/// What it may be told.
#[derive(Debug)]
pub(crate) enum DatagramOrder {
    /// Another process takes what comes from now on, and goes on with the sessions there are: they
    /// are told under the key of their listener. Answers still go back from here.
    HandOn(String, Sender<HandedSession>),
    /// It does not, after all.
    GoOn,
    /// Go on with what another process had.
    Adopt(HandedSession),
}

/// A session of UDP that another process goes on with.
#[derive(Debug)]
pub struct HandedSession {
    /// Whose listener's it is: [`crate::Bind::key`].
    pub listener: String,
    /// On which core: the kernel leads its client there.
    pub core: usize,
    /// The client.
    pub client: SocketAddr,
    /// The address of ours that it sends to.
    pub reached: Option<IpAddr>,
    /// Where it goes: host and port, as a route has them.
    pub endpoint: (String, u16),
    /// By this.
    pub socket: OwnedFd,
}
