//! Endpoints to choose from.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use steelyard_balance::pick::hash;
use steelyard_balance::{Member, eligible};
use steelyard_model::routing::backend::EndpointSet;
use steelyard_model::{Endpoint, EndpointState, Host};

use crate::up::upstream::{Upstream, Upstreams};

/// A set of endpoints on one core.
pub(crate) struct SetState {
    roster: RefCell<Rc<Roster>>,
    is_gone: Cell<bool>,
}

/// Endpoints of one moment.
#[derive(Default)]
pub(crate) struct Roster {
    pub(crate) targets: Box<[Target]>,
    /// The same as who chooses knows them.
    pub(crate) members: Vec<Member>,
    /// How many, from the first, may take new requests. The others are on their way out, and still
    /// answer those who were there before.
    pub(crate) open: usize,
}

/// An endpoint to pick.
#[derive(Clone)]
pub(crate) enum Target {
    Address(Rc<Upstream>),
    /// Looked up when connecting.
    Name(Arc<str>, u16),
}

impl SetState {
    pub(super) fn new(set: Option<&Arc<EndpointSet>>, upstreams: &Upstreams) -> Self {
        let state = Self { roster: RefCell::default(), is_gone: Cell::new(false) };
        if set.is_some() {
            state.follow(set, upstreams);
        }
        state
    }

    /// Takes other endpoints.
    pub(super) fn follow(&self, set: Option<&Arc<EndpointSet>>, upstreams: &Upstreams) {
        let all = set.map(|set| &set.endpoints[..]).unwrap_or_default();
        *self.roster.borrow_mut() = Rc::new(Roster::new(all, upstreams));
        self.is_gone.set(set.is_none());
    }

    /// Its endpoints of now.
    pub(crate) fn roster(&self) -> Rc<Roster> {
        self.roster.borrow().clone()
    }

    /// Whether the configuration has no such set any more.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }
}

impl Roster {
    fn new(all: &[(Endpoint, u32)], upstreams: &Upstreams) -> Self {
        let bare: Vec<Endpoint> = all.iter().map(|(endpoint, _)| endpoint.clone()).collect();
        let chosen = eligible(&bare);
        let is_open = |it: &Endpoint| chosen.iter().any(|open| open.state == it.state);
        let leaves = |it: &Endpoint| !is_open(it) && it.state == EndpointState::Terminating;
        let open = all.iter().filter(|(it, _)| is_open(it));
        let leaving = all.iter().filter(|(it, _)| leaves(it));
        let members = open.clone().chain(leaving.clone());
        Self {
            open: open.clone().count(),
            members: members.map(|(it, weight)| member(it, *weight)).collect(),
            targets: open.chain(leaving).map(|(it, _)| Target::new(it, upstreams)).collect(),
        }
    }
}

fn member(endpoint: &Endpoint, weight: u32) -> Member {
    let name = match &endpoint.host {
        Host::Ip(address) => SocketAddr::new(*address, endpoint.port).to_string(),
        Host::Name(name) => format!("{name}:{}", endpoint.port),
    };
    Member { name: hash(name.bytes()), weight }
}

impl Target {
    /// Where it is, as it is written.
    pub(crate) fn place(&self) -> (Host, u16) {
        match self {
            Self::Address(upstream) => (Host::Ip(upstream.address.ip()), upstream.address.port()),
            Self::Name(name, port) => (Host::Name(name.clone()), *port),
        }
    }

    fn new(endpoint: &Endpoint, upstreams: &Upstreams) -> Self {
        match &endpoint.host {
            Host::Ip(address) => {
                Self::Address(upstreams.at(SocketAddr::new(*address, endpoint.port)))
            }
            Host::Name(name) => Self::Name(name.clone(), endpoint.port),
        }
    }

    /// What a Host header calls it, where `usual` is the port that need not be said.
    pub(super) fn host(&self, usual: u16) -> String {
        let mut authority = self.authority();
        if self.place().1 == usual {
            authority.truncate(authority.rfind(':').unwrap_or(authority.len()));
        }
        authority
    }

    /// Host and port, as in URLs.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Address(upstream) => upstream.label.to_string(),
            Self::Name(name, port) => format!("{name}:{port}"),
        }
    }
}
