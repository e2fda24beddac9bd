//! What the thread and its handle have in common: the ends of their channels.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use steelyard_membership::Keyring;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::lan::legacy::SpeakerLegacy;
use crate::lan::metrics::Totals;
use crate::lan::status::{Sharing, SpeakerEvent, VipStatus};
use crate::lan::vip::Vip;

/// Something to do at once.
pub(crate) enum Command {
    /// Give everything away; then say so.
    Leave(oneshot::Sender<()>),
    Rebalance,
    /// Change nothing from now on, and say nothing but what was asked for by hosts of the LAN.
    HandOn(oneshot::Sender<SpeakerLegacy>),
    /// Go on after all.
    GoOn,
    /// Another process has all of it.
    LetGo,
    Keys(Keyring),
    Peers {
        peers: Vec<SocketAddr>,
        quorum: Option<usize>,
    },
}

/// The ends that the thread has.
pub(crate) struct Shared {
    pub(crate) wanted: watch::Receiver<Arc<[Arc<Vip>]>>,
    pub(crate) status: watch::Sender<Arc<[VipStatus]>>,
    pub(crate) events: broadcast::Sender<SpeakerEvent>,
    pub(crate) totals: Arc<Mutex<Totals>>,
    pub(crate) sharing: watch::Sender<Arc<Sharing>>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
}
