//! Has a request go another way once what stands inside has answered with one of some statuses.
//!
//! It stands outside of the filters of both ways, so that the request comes to the second one as it
//! came to the first, with all of its body. Which way that is, is known to who drives the stack.

use std::sync::Arc;
use std::time::Duration;

use steelyard_http::{ResponseEdits, ResponseView as _};

use crate::ask::Got;
use crate::context::Context;
use crate::frame::{Direction, Frame, Leave, Needs};

/// Bytes of a body that are kept for it, at most, whatever is asked for.
const MOST_KEPT: u64 = 4 << 20;

/// One request at a fork of its way.
#[derive(Clone, Debug)]
pub(crate) struct Detour {
    /// Ranges.
    statuses: Arc<[(u16, u16)]>,
    most: usize,
    /// The first way was gone.
    is_taken: bool,
}

impl Detour {
    pub(crate) fn new(statuses: &[(u16, u16)], most: Option<u64>) -> Self {
        let most = most.unwrap_or(MOST_KEPT).min(MOST_KEPT);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { statuses: statuses.into(), most, is_taken: false }
    }
}

impl Frame for Detour {
    fn needs(&self) -> Needs {
        Needs { request: Direction::Replay(self.most), ..Needs::default() }
    }

    fn writes(&self) -> bool {
        false
    }

    fn takes_detour(&self) -> bool {
        self.is_taken
    }

    fn leave(&mut self, _: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        let status = head.status();
        let is_failure = self.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status));
        if std::mem::replace(&mut self.is_taken, true) || !is_failure {
            return Leave::Next;
        }
        Leave::Again { after: Duration::ZERO }
    }
}
