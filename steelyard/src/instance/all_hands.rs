//! The hands that a role may have, and which of them does which step.

use crate::hands::announcements::Announcements;
use crate::hands::chronicle::Chronicle;
use crate::hands::forwarding::Forwarding;
use crate::hands::lending::Lending;
use crate::hands::listeners::EntryPoints;
use crate::hands::lock::Assignments;
use crate::hands::names::Names;
use crate::hands::routes::Routes;
use crate::hands::{Hand, Hands, Step};
use crate::tell::board::Board;

/// They; none is one that the role does not have.
pub(super) struct AllHands {
    pub(super) lock: Assignments,
    pub(super) chronicle: Chronicle,
    pub(super) names: Names,
    pub(super) routes: Option<Routes>,
    pub(super) entry_points: Option<EntryPoints>,
    /// Only where it has no entry points of its own.
    pub(super) lending: Option<Lending>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) announcements: Option<Announcements>,
    pub(super) board: Board,
}

impl Hands for AllHands {
    fn at(&mut self, step: Step) -> Option<&mut dyn Hand> {
        fn had(hand: &mut Option<impl Hand>) -> Option<&mut dyn Hand> {
            hand.as_mut().map(|it| it as &mut dyn Hand)
        }
        match step {
            Step::Assigned => Some(&mut self.lock),
            Step::Told => Some(&mut self.chronicle),
            Step::Named => Some(&mut self.names),
            Step::Routed => had(&mut self.routes),
            Step::Listening => match &mut self.lending {
                Some(lending) => Some(lending),
                None => had(&mut self.entry_points),
            },
            Step::Forwarding => had(&mut self.forwarding),
            Step::Announced => had(&mut self.announcements),
            Step::Resolvable => None,
            Step::Written => Some(&mut self.board),
        }
    }
}
