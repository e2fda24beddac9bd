//! Stacks of test frames: one of each kind, then any of them in any order.

mod kinds;
mod memory;
mod probe;
mod properties;

use std::net::IpAddr;
use std::time::Instant;

use steelyard_http::{Head, RequestView, Scheme};

use crate::context::{Answerer, Context, Journey, Note};

/// A request's head.
pub(crate) struct Sent;

impl Head for Sent {
    fn first(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn each(&self, _: &mut dyn FnMut(&str, &[u8])) {}
}

impl RequestView for Sent {
    fn method(&self) -> &str {
        "POST"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Http
    }

    fn authority(&self) -> &str {
        "a.b"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }
}

/// What frames are told and note.
pub(crate) struct World {
    pub(crate) now: Instant,
    journey: Journey,
    pub(crate) notes: Vec<Note>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of([10, 0, 0, 1].into())
    }

    /// With this client.
    #[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    pub(crate) fn of(peer: IpAddr) -> Self {
        let journey = Journey { peer, is_tls: false, server_name: None, route: None };
        Self { now: Instant::now(), journey, notes: Vec::new() }
    }

    pub(crate) fn context(&mut self) -> Context<'_> {
        let Self { now, journey, notes } = self;
        Context { now: *now, journey, cause: Answerer::Backend, notes }
    }
}
