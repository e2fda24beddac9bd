//! Clients that ask all the while, and are answered each time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use steelyard_host::netns::Namespace;

use crate::http::{self, Connection};

/// Between two requests of one sender.
const PAUSE: Duration = Duration::from_millis(5);
/// With less of them nothing is shown.
const LEAST: usize = 100;

/// What came of requests that were sent all the while.
#[derive(Debug, Default)]
struct Load {
    is_over: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    /// Sends requests until it is over, each on a connection of its own or all on one that is kept
    /// while the server keeps it.
    fn send(&self, at: SocketAddr, host: &str, keeps: bool) -> Result<()> {
        let mut kept: Option<Connection> = None;
        while !self.is_over.load(Ordering::Relaxed) {
            let answer = if keeps {
                let mut connection = match kept.take() {
                    Some(connection) => connection,
                    None => Connection::open(at).context("connecting")?,
                };
                let answer = connection.get(host, "/").context("on a kept connection")?;
                let stays = answer.header("connection") != Some("close");
                kept = stays.then_some(connection);
                answer
            } else {
                http::get(at, host, "/").context("on a connection of its own")?
            };
            ensure!(answer.status == 200, "{answer:?}");
            self.answered.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

/// Does `work` while clients on `from` ask `host` at each of these addresses, none of whose
/// requests may fail.
pub fn no_request_fails(
    from: &Namespace,
    all: &[SocketAddr],
    host: &str,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let load = Load::default();
    std::thread::scope(|scope| {
        let load = &load;
        let senders: Vec<_> = all
            .iter()
            .flat_map(|at| [false, true, true].map(|keeps| (*at, keeps)))
            .map(|(at, keeps)| {
                let sent = move || load.send(at, host, keeps).with_context(|| at.to_string());
                scope.spawn(move || from.run(sent))
            })
            .collect();
        let worked = work();
        let failed = senders.iter().any(std::thread::ScopedJoinHandle::is_finished);
        load.is_over.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.join().expect("a sender does not panic")??;
        }
        ensure!(!failed, "a sender ended early");
        worked
    })?;
    let answered = load.answered.load(Ordering::Relaxed);
    ensure!(answered > LEAST, "only {answered} requests were answered");
    Ok(())
}
