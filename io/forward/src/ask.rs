//! What the handle asks of the owner.

use std::collections::BTreeSet;
use std::net::IpAddr;

use steelyard_forwarding::{Desired, Observed, Why};
use tokio::sync::oneshot;

use crate::legacy::ForwardHandedOn;

/// What is looked at before it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Everything: others may have changed it.
    AtAll,
    /// What was not asked for before. What others do to what is ours is noticed all the same.
    AtNew,
}

/// One order; the answer is waited for.
#[derive(Debug)]
pub(crate) enum Ask {
    Apply(Desired, Look, oneshot::Sender<Observed>),
    Led(BTreeSet<IpAddr>, oneshot::Sender<BTreeSet<IpAddr>>),
    Flows(oneshot::Sender<usize>),
    WindDown(oneshot::Sender<()>),
    /// Touch nothing of the host from now on, and say what there is.
    HandOn(oneshot::Sender<ForwardHandedOn>),
    /// Go on after all, as before.
    GoOn(oneshot::Sender<()>),
    /// What another process set is this one's, to be undone at its end.
    TakeOver(oneshot::Sender<()>),
    /// Another process has all of it for good.
    LetGo(oneshot::Sender<()>),
    Remove(oneshot::Sender<Result<(), Why>>),
}
