//! Another process of this node that goes on in the place of this one, or whose place this one
//! takes.

use steelyard_host::clock;

use super::{Driver, RESYNC, hear};
use crate::lan::legacy::SpeakerLegacy;
use crate::lan::port::Port;

/// Whether another process of this node goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandingOn {
    No,
    /// It is told what it takes, and may fail.
    Begun,
    Done,
}

impl Driver {
    /// Waits for what another process gives, if there is one; whether there is anything to do.
    pub(crate) async fn inherit(&mut self) -> bool {
        let Some(expected) = self.options.expects.take() else { return true };
        let Some(legacy) = expected.end().await else { return false };
        self.inherited = legacy.announced.into_iter().collect();
        if let Some(shares) = &mut self.shares {
            shares.inherit(legacy.segments);
        }
        true
    }

    /// Answers hosts as before and does nothing else, while another process may go on; whether it
    /// does, for good, or the handle is gone.
    pub(super) async fn stands_still(&mut self, buffer: &mut [u8]) -> bool {
        let mut nobody = None;
        while self.handing_on != HandingOn::No {
            let now = clock::now();
            for port in self.ports.values_mut() {
                port.work(now);
            }
            let due = self.ports.values().filter_map(Port::deadline).min();
            let wait = due.map_or(RESYNC, |at| at.saturating_duration_since(now));
            tokio::select! {
                Some(command) = self.shared.commands.recv() => self.obey(command),
                changed = self.shared.wanted.changed() => {
                    if changed.is_err() {
                        self.shares.iter_mut().for_each(|it| it.stop(now));
                        return true;
                    }
                }
                _ = hear(&mut self.ports, &mut nobody, buffer) => {}
                () = tokio::time::sleep(wait) => {}
            }
            if self.handing_on == HandingOn::Done {
                return true;
            }
        }
        self.reconcile();
        false
    }

    /// What another process goes on with.
    pub(super) fn legacy(&self) -> SpeakerLegacy {
        let now = clock::now();
        let Some(shares) = &self.shares else {
            let announced = self.announced(now).map(|(vip, _)| vip).collect();
            return SpeakerLegacy { announced, ..SpeakerLegacy::default() };
        };
        SpeakerLegacy { segments: shares.legacy(now), ..SpeakerLegacy::default() }
    }
}
