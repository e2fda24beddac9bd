//! Endpoints to pick from, and whose turn it is.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use steelyard_balance::{RoundRobin, eligible};
use steelyard_model::routing::backend::EndpointSet;
use steelyard_model::{Endpoint, Host};

use crate::up::upstream::{Upstream, Upstreams};

/// A set of endpoints on one core.
pub(crate) struct SetState {
    pub(crate) turns: RoundRobin,
    targets: RefCell<Rc<[Target]>>,
    is_gone: Cell<bool>,
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
        let state = Self {
            turns: RoundRobin::default(),
            targets: RefCell::new(Rc::from([])),
            is_gone: Cell::new(false),
        };
        if set.is_some() {
            state.follow(set, upstreams);
        }
        state
    }

    /// Takes other endpoints; turns go on.
    pub(super) fn follow(&self, set: Option<&Arc<EndpointSet>>, upstreams: &Upstreams) {
        let all = set.into_iter().flat_map(|set| &set.endpoints);
        let all: Vec<Endpoint> = all.map(|(endpoint, _)| endpoint.clone()).collect();
        let targets = eligible(&all).into_iter().map(|it| Target::new(it, upstreams));
        *self.targets.borrow_mut() = targets.collect();
        self.is_gone.set(set.is_none());
    }

    /// Those that may take new requests.
    pub(crate) fn targets(&self) -> Rc<[Target]> {
        self.targets.borrow().clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.borrow().is_empty()
    }

    /// Whether the configuration has no such set any more.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }
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
}
