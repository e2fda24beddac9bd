//! The handle: starts the thread, tells it which vips are ours, and shows how they stand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use steelyard_membership::Keyring;
use steelyard_metrics::Exposition;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::lan::driver::Driver;
use crate::lan::legacy::SpeakerLegacy;
use crate::lan::metrics::{Totals, expose_sharing};
use crate::lan::options::{NoSpeaker, SpeakerOptions};
use crate::lan::shared::{Command, Shared};
use crate::lan::status::{Sharing, SpeakerEvent, VipStatus};
use crate::lan::vip::Vip;

/// A machine that cannot give everything away says so before that.
const LEAVE: Duration = Duration::from_secs(3);
/// A listener that falls behind by more than this loses the oldest events, and is told so.
/// A thousand vips that move at once are three events each.
const EVENTS: usize = 4096;

/// Answers for vips until it is dropped.
#[derive(Debug)]
pub struct Speaker {
    /// Dropping it ends the thread.
    vips: Option<watch::Sender<Arc<[Arc<Vip>]>>>,
    status: watch::Receiver<Arc<[VipStatus]>>,
    events: broadcast::Sender<SpeakerEvent>,
    totals: Arc<Mutex<Totals>>,
    sharing: watch::Receiver<Arc<Sharing>>,
    commands: mpsc::UnboundedSender<Command>,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Starts without vips, in the network namespace of the calling thread. Returns once it is
    /// known to work.
    pub fn start(options: SpeakerOptions) -> Result<Self, NoSpeaker> {
        let (vips, wanted) = watch::channel(Arc::default());
        let (publish, status) = watch::channel(Arc::from([]));
        let (events, _) = broadcast::channel(EVENTS);
        let totals = Arc::default();
        let (share, sharing) = watch::channel(Arc::default());
        let (commands, obeyed) = mpsc::unbounded_channel();
        let shared = Shared {
            wanted,
            status: publish,
            events: events.clone(),
            totals: Arc::clone(&totals),
            sharing: share,
            commands: obeyed,
        };
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime.map_err(NoSpeaker::Thread) {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(async move {
                match Driver::open(options, shared) {
                    Ok(mut driver) => {
                        let _ = ready.send(Ok(()));
                        if driver.inherit().await {
                            driver.run().await;
                        }
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        };
        let thread = std::thread::Builder::new().name("speaker".to_owned()).spawn(run);
        let thread = Some(thread.map_err(NoSpeaker::Thread)?);
        started.recv().expect("the thread tells how it started")?;
        Ok(Self { vips: Some(vips), status, events, totals, sharing, commands, thread })
    }

    /// From now on exactly these vips are ours. Those that were already go on undisturbed; those
    /// no longer named are silent within moments.
    pub fn set_vips(&self, vips: impl IntoIterator<Item = impl Into<Arc<Vip>>>) {
        let mut vips: Vec<Arc<Vip>> = vips.into_iter().map(Into::into).collect();
        vips.sort();
        let vips: Arc<[Arc<Vip>]> = vips.into();
        let sender = self.vips.as_ref().expect("present until dropped");
        sender.send_if_modified(|old| {
            let changed = *old != vips;
            *old = vips;
            changed
        });
    }

    /// How each vip stands, by address. Empty until a first [`Speaker::set_vips`] is taken up.
    pub fn status(&self) -> Vec<VipStatus> {
        self.status.borrow().to_vec()
    }

    /// The same, for waiting until it changes.
    pub fn watch(&self) -> watch::Receiver<Arc<[VipStatus]>> {
        self.status.clone()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<SpeakerEvent> {
        self.events.subscribe()
    }

    /// Tells its counters.
    pub fn expose(&self, out: &mut Exposition) {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).expose(out);
        expose_sharing(&self.sharing.borrow(), out);
    }

    /// The other nodes, and who owns what, for waiting until it changes. Empty without a
    /// membership.
    pub fn sharing(&self) -> watch::Receiver<Arc<Sharing>> {
        self.sharing.clone()
    }

    /// Gives all vips to other nodes, as far as there are any that may have them, and answers
    /// until they do; returns once that is so, after three seconds at most. Then this node has
    /// none, and others pass it the packets of its flows until it is dropped.
    pub async fn leave(&self) {
        let (done, left) = oneshot::channel();
        if self.commands.send(Command::Leave(done)).is_ok() {
            // The thread ended: then nothing is answered for.
            let _ = tokio::time::timeout(LEAVE, left).await;
        }
    }

    /// Gives what another process of this node needs to go on, and says nothing from then on, but
    /// that it answers hosts as before; none where this node is about to change what it answers
    /// for. To be followed by [`Speaker::go_on`], or by [`Speaker::let_go`].
    pub async fn hand_on(&self) -> Option<SpeakerLegacy> {
        let (told, legacy) = oneshot::channel();
        self.commands.send(Command::HandOn(told)).ok()?;
        legacy.await.ok()
    }

    /// Goes on as if nothing had been handed on.
    pub fn go_on(&self) {
        let _ = self.commands.send(Command::GoOn);
    }

    /// Another process answers: this one falls silent, and nobody is told.
    pub fn let_go(&self) {
        let _ = self.commands.send(Command::LetGo);
    }

    /// Spreads vips anew over all nodes.
    pub fn rebalance(&self) {
        let _ = self.commands.send(Command::Rebalance);
    }

    /// From now on these keys are good.
    pub fn set_keys(&self, keys: Keyring) {
        let _ = self.commands.send(Command::Keys(keys));
    }

    /// From now on these nodes are looked for besides by multicast, and with a `quorum` of
    /// configured nodes only a side with more than half of them answers.
    pub fn set_peers(&self, peers: Vec<SocketAddr>, quorum: Option<usize>) {
        let _ = self.commands.send(Command::Peers { peers, quorum });
    }

    /// Falls silent and ends. Nodes that share vips with this one are told; nobody else is.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.vips = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already, and is silent as it should be.
            let _ = thread.join();
        }
    }
}
