//! Who else has a part in a request: what its exchange needs to know of that.

use std::net::IpAddr;

use steelyard_balance::tree::Rescue;

use crate::core::live::{Leaf, Standing};

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
    pub(crate) fn of(client: IpAddr, begun: u64) -> Self {
        Self { client, begun, is_tls: false, rescues: Vec::new(), next: None }
    }
}
