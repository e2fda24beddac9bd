//! How many connections each core has, so that they stay even.
//!
//! The kernel deals connections out by hash: of 64 that stay open one core of four may have half
//! as many again as another, and goes on so as long as they stay. A core that has more than others
//! hands who is new to one of these.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use steelyard_host::places::TakenPlace;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::options::Bind;

/// All cores, by their number.
pub(crate) struct Crowd {
    cores: Vec<Arc<Count>>,
    ways: Vec<UnboundedSender<Guest>>,
    /// Until each core has taken its own.
    doors: Mutex<Vec<Option<UnboundedReceiver<Guest>>>>,
}

/// Alone in its cache line: most of the time one core writes it.
#[derive(Default)]
#[repr(align(128))]
struct Count(AtomicUsize);

/// A connection, counted for the core that serves it.
pub(crate) struct Presence(Arc<Count>);

/// A connection on its way to another core.
pub(crate) struct Guest {
    pub(crate) bind: Bind,
    /// Where its listener is reached.
    pub(crate) address: SocketAddr,
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) place: TakenPlace,
    pub(crate) presence: Presence,
}

/// So many others are looked at: with many cores, not each time all of them.
const LOOKS: usize = 4;

impl Crowd {
    pub(super) fn new(cores: usize) -> Self {
        let (ways, doors): (Vec<_>, Vec<_>) = (0..cores.max(1))
            .map(|_| unbounded_channel())
            .map(|(way, door)| (way, Some(door)))
            .unzip();
        let counts = ways.iter().map(|_| Arc::default()).collect();
        Self { cores: counts, ways, doors: Mutex::new(doors) }
    }

    /// Where guests of a core come in. It is there once.
    pub(crate) fn door(&self, core: usize) -> Option<UnboundedReceiver<Guest>> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.get_mut(core)?.take()
    }

    /// One more connection that `core` serves.
    pub(crate) fn enter(&self, core: usize) -> Presence {
        let count = self.cores[core].clone();
        count.0.fetch_add(1, Ordering::Relaxed);
        Presence(count)
    }

    /// A core that has clearly fewer connections than this one, if one of those that are looked at
    /// has. `turn` says where to begin.
    pub(crate) fn emptier(&self, core: usize, turn: usize) -> Option<usize> {
        let others = self.cores.len() - 1;
        let own = self.count(core);
        (0..others.min(LOOKS))
            .map(|step| (core + 1 + (turn + step) % others) % self.cores.len())
            .map(|other| (self.count(other), other))
            .min()
            .filter(|(count, _)| own > count + 1 + count / 4)
            .map(|(_, other)| other)
    }

    /// Leads a connection to another core. One that has ended gives it back.
    pub(crate) fn hand_over(&self, to: usize, guest: Guest) -> Result<(), Box<Guest>> {
        self.ways[to].send(guest).map_err(|refused| Box::new(refused.0))
    }

    fn count(&self, core: usize) -> usize {
        self.cores[core].0.load(Ordering::Relaxed)
    }

    /// How many each core has.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> Vec<usize> {
        (0..self.cores.len()).map(|core| self.count(core)).collect()
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which core who is new at the first one is led to, where they have so many.
    #[test]
    fn who_is_new_is_led_to_a_core_with_clearly_fewer() {
        for (counts, expected) in [
            (&[5][..], None),
            (&[1, 0], None),
            (&[2, 0], Some(1)),
            (&[0, 9], None),
            (&[10, 8], None),
            (&[11, 8], None),
            (&[12, 8], Some(1)),
            (&[9, 8, 3, 5], Some(2)),
            (&[126, 100], None),
            (&[127, 100], Some(1)),
        ] {
            let crowd = Crowd::new(counts.len());
            let enter = |(core, count): (usize, &usize)| {
                (0..*count).map(|_| crowd.enter(core)).collect::<Vec<_>>()
            };
            let present: Vec<_> = counts.iter().enumerate().map(enter).collect();
            for turn in 0..7 {
                assert_eq!(crowd.emptier(0, turn), expected, "{counts:?}");
            }
            drop(present);
            assert_eq!(crowd.counts(), vec![0; counts.len()]);
        }
    }

    #[test]
    fn of_many_cores_each_is_looked_at_in_its_turn() {
        let crowd = Crowd::new(9);
        let all: Vec<Presence> = (0..9)
            .flat_map(|core| (0..20).map(move |_| core))
            .filter(|core| *core != 7)
            .map(|core| crowd.enter(core))
            .collect();
        assert_eq!(all.len(), 160);
        assert!((0..8).any(|turn| crowd.emptier(0, turn) == Some(7)));
        assert!((0..8).all(|turn| crowd.emptier(7, turn).is_none()));
    }
}
