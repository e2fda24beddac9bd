//! Connections of one core that have not come to their first request: what comes before it, as a
//! PROXY header or a handshake, is waited for.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use super::Core;

/// Most of them on one core: who is half-way may hold as much memory as a request, and gives
/// nothing for it. Beyond that, who has taken longest makes room.
const MOST: usize = 1024;

/// How many there are.
#[derive(Default)]
pub(crate) struct Openings(Cell<usize>);

/// One of them.
pub(crate) struct Doorway {
    core: Rc<Core>,
    /// Since when.
    pub(crate) since: Instant,
}

impl Doorway {
    /// One more, in the place of others where there are too many.
    pub(crate) fn enter(core: &Rc<Core>) -> Self {
        let count = &core.openings.0;
        count.set(count.get() + 1);
        if count.get() > MOST {
            core.make_room_for_openings();
        }
        Self { core: core.clone(), since: Instant::now() }
    }
}

impl Drop for Doorway {
    fn drop(&mut self) {
        let count = &self.core.openings.0;
        count.set(count.get() - 1);
    }
}
