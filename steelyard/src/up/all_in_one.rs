//! Every role in one process: one mind, wired to all hands there are.
//!
//! What happens to be wrong never stops it: the data path keeps its last good decision.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use steelyard_admin::Admin;
use steelyard_forward::Forwarder;
use steelyard_gateway::Gateway;
use steelyard_manifest::Sight;
use steelyard_model::Item;
use steelyard_speaker::Speaker;

use super::Settings;
use super::senses::Senses;
use crate::hands::announcements::Announcements;
use crate::hands::chronicle::Chronicle;
use crate::hands::descriptors::Descriptors;
use crate::hands::forwarding::Forwarding;
use crate::hands::history::History;
use crate::hands::listeners::{self, EntryPoints};
use crate::hands::lock::Assignments;
use crate::hands::names::Names;
use crate::hands::routes::Routes;
use crate::hands::{self, Hand, Hands, Step};
use crate::mind::{Decided, Mind, OwnFacts};
use crate::tell::board::Board;
use crate::tell::current::Current;

/// The running whole.
pub(crate) struct AllInOne {
    pub(super) settings: Settings,
    pub(super) mind: Mind,
    pub(super) hands: AllHands,
    /// What is known of this machine.
    pub(super) own: OwnFacts,
    pub(super) senses: Senses,
    pub(super) history: History,
    pub(super) descriptors: Descriptors,
    pub(super) next_repair: Instant,
    pub(super) parts: Parts,
}

/// What runs beside, and has to end in order.
pub(super) struct Parts {
    pub(super) gateway: Arc<Gateway>,
    pub(super) forwarder: Arc<Forwarder>,
    /// None without privileges: then nothing is answered for.
    pub(super) speaker: Option<Arc<Speaker>>,
    pub(super) admin: Admin,
}

/// Its hands.
pub(super) struct AllHands {
    pub(super) lock: Assignments,
    pub(super) chronicle: Chronicle,
    pub(super) names: Names,
    pub(super) routes: Routes,
    pub(super) entry_points: EntryPoints,
    pub(super) forwarding: Forwarding,
    pub(super) announcements: Announcements,
    pub(super) board: Board,
}

impl Hands for AllHands {
    fn at(&mut self, step: Step) -> Option<&mut dyn Hand> {
        Some(match step {
            Step::Assigned => &mut self.lock,
            Step::Told => &mut self.chronicle,
            Step::Named => &mut self.names,
            Step::Routed => &mut self.routes,
            Step::Listening => &mut self.entry_points,
            Step::Forwarding => &mut self.forwarding,
            Step::Announced => &mut self.announcements,
            Step::Resolvable => return None,
            Step::Written => &mut self.board,
        })
    }
}

impl AllInOne {
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

    /// Decides anew by what was seen last, and carries it out.
    pub(super) async fn take_again(&mut self) -> Result<()> {
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
        self.hands.chronicle.tell_taken();
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
    pub(super) async fn apply_again(&mut self) {
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
    pub(super) fn current(&self) -> Option<&Arc<Current>> {
        self.hands.board.current()
    }

    /// The decision that is in force.
    pub(crate) fn decided(&self) -> Option<&Decided> {
        self.current().map(|current| &*current.decided)
    }

    /// The name of this node.
    pub(super) fn node(&self) -> &str {
        self.current().map_or("", |current| &current.decided.node)
    }

    /// The port the entry point `web` listens on; none while it cannot listen on each address it
    /// should: somebody else has the port there.
    pub(crate) fn web_port(&self) -> Option<u16> {
        listeners::web_port(self.current()?.applied.listeners())
    }

    /// Lets the entry point `web` listen on another port.
    pub(crate) async fn move_web(&mut self, port: u16) {
        self.hands.entry_points.move_web(port);
        self.apply_again().await;
    }

    /// Where the admin page is.
    pub(crate) fn admin_address(&self) -> std::net::SocketAddr {
        self.parts.admin.address()
    }

    /// Opens log files again, after they were moved away.
    pub(crate) fn reopen_logs(&self) {
        self.parts.gateway.reopen_log();
    }
}
