//! A running role: its mind, wired to those of all hands that it has, and what both live on.
//!
//! [`start`] and [`ending`] are its life, [`hearing`] and [`care`] what it does besides. A role's
//! page (`up`, beside this one) says which parts it has ([`Duties`]), and brings what is to be
//! taken in.
//!
//! What happens to be wrong never stops it: the data path keeps its last good decision.

mod all_hands;
mod care;
mod ending;
mod hearing;
mod options;
mod passage;
pub(crate) mod process;
mod senses;
mod settings;
mod sharing;
mod signals;
mod start;
mod traces;
mod wires;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use steelyard_admin::Admin;
use steelyard_forward::{Forwarder, Passer};
use steelyard_gateway::Gateway;
use steelyard_kube::Gap;
use steelyard_manifest::{ClusterEvent, Selection, Sight};
use steelyard_model::routing::entry_point::BuiltIn;
use steelyard_model::{Item, Snapshot};
use steelyard_pipeline::{Known, NeededObject, WrittenPlaces};
use steelyard_plan::{NodePlan, Plan};
use steelyard_speaker::{Keyring, Speaker, VipState};

use crate::hands::descriptors::Descriptors;
use crate::hands::history::History;
use crate::hands::{self, listeners};
use crate::mind::{Decided, Mind, OwnFacts};
use crate::own::Own;
use crate::tell::current::Current;
use crate::tell::unready::Unready;

use all_hands::AllHands;
use passage::Waiting;
pub(crate) use senses::News;
use senses::Senses;
pub(crate) use settings::{Duties, Meeting, Settings};
pub(crate) use sharing::{Conflict, ElectionArgs, Sharing, SharingArgs};
pub(crate) use signals::{Signals, Wish};

/// The running whole.
pub(crate) struct Instance {
    settings: Settings,
    mind: Mind,
    hands: AllHands,
    /// What is known of this machine.
    own: OwnFacts,
    senses: Senses,
    history: History,
    descriptors: Descriptors,
    next_repair: Instant,
    /// All of the cluster that was awaited has been heard.
    is_informed: bool,
    parts: Parts,
    /// What the program's own services answer.
    own_services: Arc<Own>,
    waiting: Waiting,
}

/// What runs beside, and has to end in order; what the role does not have is none.
struct Parts {
    gateway: Option<Arc<Gateway>>,
    forwarder: Option<Arc<Forwarder>>,
    /// Only without a forwarder, which passes packets itself.
    passer: Option<Passer>,
    /// None without privileges too: then nothing is answered for.
    speaker: Option<Arc<Speaker>>,
    admin: Admin,
    /// Where health is told for who comes from ingress-nginx.
    health: Option<Admin>,
}

impl Parts {
    /// Where this process tells of itself.
    fn admin_sockets(&self) -> impl Iterator<Item = SocketAddr> {
        std::iter::once(&self.admin).chain(&self.health).map(Admin::address)
    }
}

/// The runtime of everything but the gateway, which has its own per core.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")
}

impl Instance {
    /// Adds items that do not come from files.
    pub(crate) fn set_own(&mut self, items: Vec<Item>) {
        self.mind.set_own(items);
    }

    /// Takes in how the files stand.
    ///
    /// # Errors
    /// When the lock file cannot be written at the start. Later, what is in force stays in force,
    /// nothing new is announced, and it is tried again.
    pub(crate) async fn take(&mut self, sight: Sight) -> Result<()> {
        self.mind.see(sight);
        self.hands.lock.follow();
        self.take_again().await
    }

    /// Takes in what was heard of the cluster; whether something new is in force. Nothing is,
    /// before all that is awaited was heard.
    pub(crate) async fn hear_cluster(&mut self, events: Vec<ClusterEvent>) -> bool {
        self.mind.see_cluster(events);
        let awaited = self.mind.awaited();
        if !awaited.is_empty() {
            if self.current().is_none() {
                let kinds = awaited.iter().map(ToString::to_string).collect();
                self.hands.board.set_plight(Some(Unready::Awaited(kinds)));
                self.hands.board.show();
            }
            return false;
        }
        if !self.mind.has_news() && self.is_informed {
            return false;
        }
        if !std::mem::replace(&mut self.is_informed, true) {
            self.hands.board.set_plight(None);
        }
        // Only a lock file could be in the way.
        self.take_again().await.is_ok()
    }

    /// This of the cluster is not known as it is now.
    pub(crate) fn set_gaps(&mut self, gaps: Vec<Gap>) {
        if self.hands.board.set_gaps(gaps) {
            self.hands.board.show();
        }
    }

    /// Whether all of the cluster that was awaited has been heard.
    pub(crate) fn is_informed(&self) -> bool {
        self.is_informed
    }

    /// Secrets and ConfigMaps that something refers to.
    pub(crate) fn needed(&self) -> &Arc<BTreeSet<NeededObject>> {
        self.mind.needed()
    }

    /// Addresses that this node answers for now.
    pub(crate) fn answered(&self) -> BTreeSet<IpAddr> {
        let status = self.parts.speaker.iter().flat_map(|it| it.status());
        let ours = status.filter(|it| matches!(it.state, VipState::Announced { .. }));
        ours.map(|it| it.address).collect()
    }

    /// What has to be heard of the cluster before anything is decided.
    pub(crate) fn awaited(&self) -> Vec<Selection> {
        self.mind.awaited()
    }

    /// Does what it did before its start, as long as nothing was heard of the cluster.
    pub(crate) async fn remember(&mut self, node: NodePlan) {
        if self.is_informed || self.current().is_some() {
            return;
        }
        let decided = Decided {
            seen: Instant::now(),
            generation: 0,
            node: self.own.named.clone(),
            own: Arc::clone(&self.own.addresses),
            snapshot: Snapshot::default(),
            plan: Plan::of_node(node),
            known: Known::default(),
            places: WrittenPlaces::default(),
            doubted: Vec::new(),
        };
        self.hands.board.set_plight(Some(Unready::Remembered));
        hands::repeat(&mut self.hands, &Arc::new(decided)).await;
    }

    /// The other machines that share addresses are these; whether they are others than before.
    pub(crate) fn set_peers(&mut self, peers: Vec<SocketAddr>) -> bool {
        let Some(sharing) = &mut self.settings.sharing else { return false };
        if !sharing.set_peers(peers.clone()) {
            return false;
        }
        let quorum = sharing.membership.quorum;
        self.parts.speaker.iter().for_each(|it| it.set_peers(peers.clone(), quorum));
        true
    }

    /// What seals what these machines tell each other; whether it is new.
    pub(crate) fn set_keys(&mut self, keys: &Keyring) -> bool {
        let Some(sharing) = &mut self.settings.sharing else { return false };
        if !sharing.set_keys(keys.clone()) {
            return false;
        }
        self.parts.speaker.iter().for_each(|it| it.set_keys(keys.clone()));
        true
    }

    /// Decides anew by what was seen last, and carries it out.
    async fn take_again(&mut self) -> Result<()> {
        if self.settings.awaited.is_some() && !self.is_informed {
            self.apply_again().await;
            return Ok(());
        }
        let seen = Instant::now();
        if let Err(error) = self.hands.lock.recall() {
            return self.wait_for_lock(error);
        }
        self.mind.hold(self.hands.lock.held());
        let decided = Arc::new(self.mind.take(&self.own, seen));
        let planned = Instant::now();
        if let Err(error) = hands::carry_out(&mut self.hands, &decided).await {
            return self.wait_for_lock(error);
        }
        if self.settings.awaited.is_none() {
            self.hands.chronicle.tell_taken();
        }
        self.hands.chronicle.tell_of_disputes();
        let (decide, carry_out) = (planned - seen, planned.elapsed());
        tracing::debug!(generation = decided.generation, ?decide, ?carry_out, "an edit took");
        self.mind.look_ahead();
        Ok(())
    }

    /// What is in force stays in force until the lock file is as it should be.
    fn wait_for_lock(&mut self, error: anyhow::Error) -> Result<()> {
        if self.current().is_none() {
            return Err(error);
        }
        let message = format!("{error:#}: the edit waits until that is mended");
        self.history.note(false, "LockNotWritten", "File/steelyard.lock", &message);
        self.hands.lock.standing().wait(true);
        self.hands.board.show();
        Ok(())
    }

    /// Carries out once more what is in force, on this machine as it is now.
    async fn apply_again(&mut self) {
        let Some(current) = self.current() else { return };
        let mut decided = Arc::clone(&current.decided);
        if decided.own != self.own.addresses {
            let own = Arc::clone(&self.own.addresses);
            decided = Arc::new(Decided { own, ..Decided::clone(&decided) });
        }
        hands::forget(&mut self.hands);
        hands::repeat(&mut self.hands, &decided).await;
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Option<&Arc<Current>> {
        self.hands.board.current()
    }

    /// The decision that is in force.
    pub(crate) fn decided(&self) -> Option<&Decided> {
        self.current().map(|current| &*current.decided)
    }

    /// The name of this node.
    fn node(&self) -> &str {
        self.current().map_or("", |current| &current.decided.node)
    }

    /// The port that a built-in entry point listens on; none while it cannot listen on each address
    /// it should: somebody else has the port there.
    pub(crate) fn port_of(&self, point: BuiltIn) -> Option<u16> {
        listeners::port_of(point, self.current()?.applied.listeners())
    }

    /// Lets a built-in entry point listen on another port.
    pub(crate) async fn move_to(&mut self, point: BuiltIn, port: u16) {
        self.hands.entry_points.iter_mut().for_each(|it| it.move_to(point, port));
        self.apply_again().await;
    }

    /// Where the admin page is.
    pub(crate) fn admin_address(&self) -> std::net::SocketAddr {
        self.parts.admin.address()
    }

    /// What it was told at its start.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether addresses are answered for.
    pub(crate) fn answers(&self) -> bool {
        self.parts.speaker.is_some()
    }

    /// Opens log files again, after they were moved away.
    pub(crate) fn reopen_logs(&self) {
        self.parts.gateway.iter().for_each(|it| it.reopen_log());
    }
}
