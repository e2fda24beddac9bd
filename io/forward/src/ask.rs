//! What the handle asks of the owner.

use std::collections::BTreeSet;
use std::net::IpAddr;

use steelyard_forwarding::{Desired, Observed, Why};
use tokio::sync::oneshot;

/// One order; the answer is waited for.
#[derive(Debug)]
pub(crate) enum Ask {
    Apply(Desired, oneshot::Sender<Observed>),
    Led(BTreeSet<IpAddr>, oneshot::Sender<BTreeSet<IpAddr>>),
    Flows(oneshot::Sender<usize>),
    WindDown(oneshot::Sender<()>),
    Remove(oneshot::Sender<Result<(), Why>>),
}
