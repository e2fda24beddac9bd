//! What only one of all requests, on all cores, is to find out, while the others wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

/// All that is being found out. Nothing stays of what was.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<Arc<str>, Vec<oneshot::Sender<Landing>>>>);

/// From so many on, those that wait are looked through for who has gone, at each doubling.
const CROWD: usize = 64;

/// What who waits is told.
pub(crate) enum Landing {
    /// The one before did not find it: it is for this one to do.
    Lead(Lead),
    /// It was found.
    Found(Bytes),
}

/// How somebody takes part.
pub(crate) enum Boarding {
    Lead(Lead),
    Wait(oneshot::Receiver<Landing>),
}

/// It is for whoever holds this to find out. Who drops it hands over.
pub(crate) struct Lead {
    flights: Arc<Flights>,
    pub(crate) key: Arc<str>,
    is_told: bool,
}

impl Flights {
    pub(crate) fn board(self: &Arc<Self>, key: Arc<str>) -> Boarding {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = all.get_mut(&key) {
            let (to, from) = oneshot::channel();
            // Who comes and goes leaves nothing, however long it takes.
            if waiting.len() >= CROWD && waiting.len().is_power_of_two() {
                waiting.retain(|to| !to.is_closed());
            }
            waiting.push(to);
            return Boarding::Wait(from);
        }
        all.insert(key.clone(), Vec::new());
        Boarding::Lead(Lead { flights: self.clone(), key, is_told: false })
    }

    fn land(&self, key: &Arc<str>, found: &Bytes) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        for to in waiting.into_iter().flatten() {
            let _ = to.send(Landing::Found(found.clone()));
        }
    }

    /// Who waits next; none, and it is over, where nobody does.
    fn next(&self, key: &Arc<str>) -> Option<oneshot::Sender<Landing>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.get_mut(key)?;
        waiting.retain(|to| !to.is_closed());
        if waiting.is_empty() {
            all.remove(key);
            return None;
        }
        Some(waiting.remove(0))
    }
}

impl Lead {
    /// Tells all that wait.
    pub(crate) fn tell(mut self, found: &Bytes) {
        self.is_told = true;
        self.flights.land(&self.key, found);
    }
}

/// Whoever waited and has gone meanwhile drops what it was sent, so that the next one gets it.
impl Drop for Lead {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        if let Some(to) = self.flights.next(&self.key) {
            let (flights, key) = (self.flights.clone(), self.key.clone());
            let lead = Self { flights, key, is_told: false };
            let _ = to.send(Landing::Lead(lead));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(boarding: Boarding) -> oneshot::Receiver<Landing> {
        match boarding {
            Boarding::Wait(from) => from,
            Boarding::Lead(_) => panic!("somebody leads"),
        }
    }

    #[test]
    fn one_leads_and_all_are_told() {
        let flights = Arc::<Flights>::default();
        let Boarding::Lead(lead) = flights.board("a".into()) else { panic!("nobody leads") };
        let Boarding::Lead(other) = flights.board("b".into()) else { panic!("nobody leads") };
        let mut waiting = [(); 2].map(|()| wait(flights.board("a".into())));
        lead.tell(&Bytes::from_static(b"x"));
        drop(other);
        for from in &mut waiting {
            assert!(matches!(from.try_recv(), Ok(Landing::Found(found)) if found == "x"));
        }
        assert!(flights.0.lock().unwrap().is_empty());
    }

    #[test]
    fn who_comes_and_goes_leaves_nothing() {
        let flights = Arc::<Flights>::default();
        let Boarding::Lead(lead) = flights.board("a".into()) else { panic!("nobody leads") };
        let stays = [(); 10].map(|()| wait(flights.board("a".into())));
        for _ in 0..10_000 {
            drop(wait(flights.board("a".into())));
        }
        let count = flights.0.lock().unwrap()["a"].len();
        assert!((stays.len()..=CROWD).contains(&count), "{count}");
        drop(lead);
    }

    #[test]
    fn who_ends_without_hands_over_to_who_is_still_there() {
        let flights = Arc::<Flights>::default();
        let Boarding::Lead(lead) = flights.board("a".into()) else { panic!("nobody leads") };
        let [gone, second, mut third] = [(); 3].map(|()| wait(flights.board("a".into())));
        drop(gone);
        drop(lead);
        // It was handed to who leaves before it looks.
        drop(second);
        let Ok(Landing::Lead(lead)) = third.try_recv() else { panic!("it leads now") };
        drop(lead);
        assert!(flights.0.lock().unwrap().is_empty());
    }
}
