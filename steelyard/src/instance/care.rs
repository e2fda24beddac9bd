//! What is looked at again and again: what others change, remove or let run full.

use std::time::{Duration, Instant};

use steelyard_forward::Passer;

use super::Instance;
use crate::hands::ipvs::LooseArp;
use crate::hands::routes::Routes;

/// The plan is applied again this long after the last time: it repairs what others removed.
pub(super) const REPAIR: Duration = Duration::from_secs(5);
/// With many Services it takes a while, so it is also this many times as rare as it is long.
const RARITY: u32 = 50;

impl Instance {
    /// Looks names up again where it is time, follows what other machines and people change, and
    /// repairs what others removed.
    pub(crate) async fn tick(&mut self) {
        self.parts.passer.iter_mut().for_each(Passer::repair);
        if self.current().is_none() {
            return;
        }
        self.hands.names.ask();
        self.follow_keys();
        self.count_descriptors();
        if let Some(silent) = self.hands.routes.as_mut().and_then(Routes::fell_silent) {
            self.hands.board.set_silent(silent);
            self.hands.board.show();
        }
        self.follow_certificates();
        if self.follow_lock() || self.mind.is_due(Instant::now()) {
            // Only the start fails for want of the lock.
            let _ = self.take_again().await;
        }
        if self.next_repair <= Instant::now() {
            self.repair().await;
        }
    }

    fn follow_certificates(&mut self) {
        let Some(routes) = &mut self.hands.routes else { return };
        let news = routes.fell_short();
        self.hands.chronicle.tell_of_certificates(routes.lacking(), news.is_some());
        if let Some(lacking) = news {
            self.hands.board.set_lacking(lacking);
            self.hands.board.show();
        }
    }

    fn follow_lock(&mut self) -> bool {
        let before = self.hands.lock.standing().trouble();
        let is_news = self.hands.lock.follow();
        if self.hands.lock.standing().trouble() != before {
            self.hands.board.show();
        }
        is_news
    }

    fn follow_keys(&mut self) {
        let Some(sharing) = &mut self.settings.sharing else { return };
        if sharing.has_new_keys() {
            tracing::info!("the key file has a new key: {:?}", sharing.membership.keys);
            let keys = sharing.membership.keys.clone();
            self.parts.speaker.iter().for_each(|speaker| speaker.set_keys(keys.clone()));
        }
    }

    /// Says once that a part has no place for more connections, and once that it has again.
    fn count_descriptors(&mut self) {
        let Some(applied) = self.current().map(|current| &current.applied) else { return };
        let workers = self.settings.serve.workers.map_or_else(cores, usize::from);
        let sockets = applied.listeners().len() * workers + applied.forwarded.ports.len();
        let Some(worse) = self.descriptors.look(sockets) else { return };
        for part in worse {
            let message = part.to_string();
            self.history.note(false, "ConnectionsCrowded", "Node/descriptors", &message);
        }
        let crowded = self.descriptors.crowded();
        if crowded.is_empty() {
            let message = "connections have places again";
            self.history.note(true, "ConnectionsFit", "Node/descriptors", message);
        }
        self.hands.board.set_crowded(crowded);
        self.hands.board.show();
    }

    fn look_at_ipvs(&mut self) {
        let found = LooseArp::look();
        if !self.hands.board.set_loose_arp(found.clone()) {
            return;
        }
        if let Some(found) = found {
            let message = format!("{found}; {}", found.diagnostic().help);
            self.history.note(false, "IpvsAnswersArp", "Node/kube-proxy", &message);
        }
        self.hands.board.show();
    }

    async fn repair(&mut self) {
        let begun = Instant::now();
        self.look(Ok(())).await;
        if self.settings.awaited.is_some() && self.settings.duties.announces {
            self.look_at_ipvs();
        }
        self.apply_again().await;
        self.next_repair = Instant::now() + REPAIR.max(begun.elapsed() * RARITY);
        self.hands.lock.mend();
        if self.hands.lock.standing().is_waiting() {
            // Only the start fails for want of the lock.
            let _ = self.take_again().await;
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
