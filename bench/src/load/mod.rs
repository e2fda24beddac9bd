//! Load generator and backend in one epoll thread, so that the two never fight over a core.
//!
//! Closed loop: every connection asks again as soon as it has its answer. With a rate, requests are
//! due at fixed times, and each takes from when it was due: who is late is late for all that wait.
//! The thread is not what is measured; it only has to be faster than what is.

mod backend;
mod client;
pub(crate) mod handshakes;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{Timespec, epoll};
use serde::{Deserialize, Serialize};

use backend::Backend;
use client::Clients;

/// What to do.
pub(crate) struct Options {
    pub(crate) target: SocketAddr,
    pub(crate) backend: Option<SocketAddr>,
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) new_connections: bool,
    /// So many numbered hosts are asked for, at random, instead of `host`.
    pub(crate) hosts: Option<u32>,
    /// Requests in a second.
    pub(crate) rate: Option<f64>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Answered requests.
    pub(crate) requests: u64,
    /// Requests without a 200.
    pub(crate) errors: u64,
    /// Time until answered, in µs.
    pub(crate) p50: u32,
    pub(crate) p99: u32,
    pub(crate) seconds: f64,
}

/// Tokens of epoll events: the listener, then clients, then the backend's connections.
const LISTENER: usize = 0;
const BACKEND: usize = 1 << 32;

/// Runs the load.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).context("epoll")?;
    let mut backend = options.backend.map(|at| Backend::listen(&poll, at)).transpose()?;
    let mut clients = Clients::start(&poll, options)?;
    let started = Instant::now();
    let end = started + options.duration;
    let mut events = Vec::with_capacity(256);
    while Instant::now() < end {
        events.clear();
        // Who is to be in time does not sleep.
        let is_due = clients.ask_what_is_due(Instant::now());
        let wait = Timespec { tv_sec: 0, tv_nsec: if is_due { 0 } else { 50_000_000 } };
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("epoll_wait"),
        }
        for event in &events {
            let token = usize::try_from(event.data.u64()).expect("tokens are indices");
            match &mut backend {
                Some(backend) if token == LISTENER => backend.accept(&poll)?,
                Some(backend) if token >= BACKEND => backend.serve(token - BACKEND),
                _ => clients.event(&poll, token - 1)?,
            }
        }
    }
    Ok(clients.report(started.elapsed()))
}
