//! The echo server: what plays a workload's replicas in `demo` and `lab`, and in the tests.
//!
//! Every answer says who gave it and what was asked: name, replica, request line, headers and the
//! peer's address. HTTP/1.1 on TCP ports, a plain text datagram on UDP ports. It is a backend to
//! look at, not a web server: bodies are read and counted, nothing is stored, nothing times out.
//! Where a message ends and what is none, `pure/http` says, as strictly as to the gateway; the
//! gateway's codec meets strangers (nginx, Node, Python) in its own tests.

mod answer;
mod facts;
mod http;
mod input;
mod page;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

/// `steelyard echo`: one replica on the given addresses, until it is killed.
#[derive(Clone, Debug, clap::Args)]
pub struct EchoArgs {
    /// Name of the workload it plays.
    #[arg(long)]
    pub name: String,
    /// Which replica of it, from 1.
    #[arg(long, default_value_t = 1)]
    pub replica: u32,
    /// TCP addresses to answer HTTP on.
    #[arg(long, num_args = 1.., value_name = "ADDR:PORT")]
    pub tcp: Vec<SocketAddr>,
    /// UDP addresses to answer datagrams on.
    #[arg(long, num_args = 1.., value_name = "ADDR:PORT")]
    pub udp: Vec<SocketAddr>,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the workload.
    pub name: String,
    /// Which replica of it, from 1.
    pub replica: u32,
}

/// A running echo server; dropping it ends it.
#[derive(Debug)]
pub struct Echo {
    /// Where it answers HTTP, in the order asked for, port 0 filled in.
    pub tcp: Vec<SocketAddr>,
    /// Where it answers datagrams, likewise.
    pub udp: Vec<SocketAddr>,
    tasks: JoinSet<()>,
}

/// Runs the subcommand.
pub fn run(args: EchoArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let who = Identity { name: args.name, replica: args.replica };
        let mut echo = Echo::start(&who, &args.tcp, &args.udp).await.context("cannot listen")?;
        while echo.tasks.join_next().await.is_some() {}
        Ok(ExitCode::SUCCESS)
    })
}

// === impl Echo ===

impl Echo {
    /// Binds all addresses, or none, and answers on them from then on, as tasks of the runtime
    /// it is called in.
    pub async fn start(who: &Identity, tcp: &[SocketAddr], udp: &[SocketAddr]) -> io::Result<Self> {
        let who = Arc::new(who.clone());
        let mut echo = Self { tcp: Vec::new(), udp: Vec::new(), tasks: JoinSet::new() };
        for address in tcp {
            let listener = TcpListener::bind(address).await?;
            echo.tcp.push(listener.local_addr()?);
            echo.tasks.spawn(accept(listener, who.clone()));
        }
        for address in udp {
            let socket = UdpSocket::bind(address).await?;
            echo.udp.push(socket.local_addr()?);
            echo.tasks.spawn(echo_datagrams(socket, who.clone()));
        }
        Ok(echo)
    }
}

async fn accept(listener: TcpListener, who: Arc<Identity>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        // Out of descriptors, or the peer left already: the next one may do better.
        let Ok((stream, peer)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let who = who.clone();
        connections.spawn(async move {
            let Ok(local) = stream.local_addr() else { return };
            let _ = stream.set_nodelay(true);
            // A peer that goes away in the middle is its own affair.
            let _ = http::converse(stream, &facts::Scene { who: &who, peer, local }).await;
        });
    }
}

async fn echo_datagrams(socket: UdpSocket, who: Arc<Identity>) {
    let mut datagram = vec![0; 65_536];
    loop {
        // Errors here are about datagrams sent earlier (port unreachable), never about the socket.
        let Ok((length, peer)) = socket.recv_from(&mut datagram).await else { continue };
        let _ = socket.send_to(&answer::datagram(&who, peer, &datagram[..length]), peer).await;
    }
}

// === impl Identity ===

/// `test-app-1`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.replica)
    }
}
