//! Who else has a part in a request: what its exchange needs to know of that.

use std::net::IpAddr;

use steelyard_balance::tree::Rescue;
use steelyard_filters::Journey;
use steelyard_http::RequestHead;

use crate::core::live::{Caller, Chosen, Leaf, Picked, RouteState, Standing};

/// What is done beside one request.
pub(crate) struct Aside {
    /// Who asks.
    pub(super) client: IpAddr,
    /// Bytes of its body that came with the head.
    pub(super) begun: u64,
    pub(super) is_tls: bool,
    /// Who is asked if the one that is asked fails: the last first.
    pub(super) rescues: Vec<Rescue<Standing>>,
    /// Who is asked next.
    pub(super) next: Option<Box<Leaf>>,
}

impl Aside {
    /// What is done beside a request of `client`, of whose body so much came with the head; none
    /// where nobody else has a part in it.
    pub(crate) fn of(chosen: &Chosen, client: IpAddr, begun: u64) -> Option<Box<Self>> {
        match &chosen.picked {
            Picked::Leaf(leaf) if !leaf.is_alone() => {
                let (is_tls, rescues) = (leaf.is_tls(), leaf.rescues().to_vec());
                Some(Box::new(Self { client, begun, is_tls, rescues, next: None }))
            }
            _ => None,
        }
    }

    /// Who asks, by a head that goes on.
    pub(super) fn caller<'c>(&self, head: &'c RequestHead<'_, '_>) -> Caller<'c> {
        Caller::of(head, self.client).secured(self.is_tls)
    }

    /// The way of a copy, as its filters know it: nobody has shown anything to whoever sends it.
    pub(super) fn journey(&self, route: &RouteState) -> Journey {
        Journey {
            is_tls: self.is_tls,
            route: Some(route.id()),
            ..Journey::of(self.client.to_canonical())
        }
    }
}
