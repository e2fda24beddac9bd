//! Stacks of test frames: one of each kind, then any of them in any order.

mod kinds;
mod memory;
mod probe;
mod properties;
mod within;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use steelyard_http::{Head, RequestView, Scheme};
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::id::FilterId;
use steelyard_tls::ClientChain;

use crate::context::{Answerer, Context, Journey, Note};
use crate::memory::{Kept, Memory};

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

/// A request that is put together by hand.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    method: &'static str,
    scheme: Scheme,
    authority: &'static str,
    target: &'static str,
    lines: Vec<(&'static str, &'static str)>,
}

impl Asked {
    /// By GET, at `site` (a scheme and an authority), for `target` (a path and a query).
    pub(crate) fn get(site: &'static str, target: &'static str) -> Self {
        Self::by("GET", site, target)
    }

    /// By any method.
    pub(crate) fn by(method: &'static str, site: &'static str, target: &'static str) -> Self {
        let (scheme, authority) = match site.strip_prefix("https://") {
            Some(authority) => (Scheme::Https, authority),
            None => (Scheme::Http, site.trim_start_matches("http://")),
        };
        Self { method, scheme, authority, target, lines: Vec::new() }
    }

    /// With a header line.
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.lines.push((name, value));
        self
    }

    /// With header lines.
    pub(crate) fn with_all(mut self, lines: &[(&'static str, &'static str)]) -> Self {
        self.lines.extend(lines);
        self
    }
}

impl Head for Asked {
    fn first(&self, name: &str) -> Option<&[u8]> {
        let found = self.lines.iter().find(|(line, _)| line.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_bytes())
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        self.lines.iter().for_each(|(name, value)| see(name, value.as_bytes()));
    }
}

impl RequestView for Asked {
    fn method(&self) -> &str {
        self.method
    }

    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn authority(&self) -> &str {
        self.authority
    }

    fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// What a use keeps, for itself.
pub(crate) fn kept<T: Default + Send + Sync + 'static>(memory: &mut Memory) -> Kept<T> {
    memory.of(&Use { filter: FilterId::from("tested"), state: "tested".into() })
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
        let journey = Journey::of(peer);
        Self { now: Instant::now(), journey, notes: Vec::new() }
    }

    /// The client speaks TLS, with this server name.
    pub(crate) fn speaks_tls(&mut self, name: &str) {
        (self.journey.is_tls, self.journey.server_name) = (true, Some(name.into()));
    }

    /// The client has shown these certificates.
    pub(crate) fn shows(&mut self, chain: Option<ClientChain>) {
        self.journey.certificates = chain.map(Arc::new);
    }

    pub(crate) fn context(&mut self) -> Context<'_> {
        let Self { now, journey, notes } = self;
        let random = || Some([7; 32]);
        let wall = || std::time::Duration::from_millis(1_000_000_250);
        let (clock, cause) = (|| 1_000_000, Answerer::Backend);
        Context { now: *now, clock, wall, random, journey, cause, notes }
    }
}
