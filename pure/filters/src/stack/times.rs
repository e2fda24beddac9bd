//! When a request came to each of its frames, where a trace tells of that. It costs nothing else.

use std::time::Instant;

use super::Stack;
use crate::frame::Blueprint;

/// Places, counted from outside among all that frames stand for, and when each was come to. None
/// where nobody wants to know.
#[derive(Debug, Default)]
pub(super) struct Times(Option<Vec<(usize, Instant)>>);

impl Times {
    /// What is at `place` is come to `now`; what was further inside is of an attempt before.
    fn note(&mut self, place: usize, now: Instant) {
        let Some(all) = &mut self.0 else { return };
        all.retain(|(other, _)| *other <= place);
        if all.last().is_none_or(|(other, _)| *other < place) {
            all.push((place, now));
        }
    }
}

impl<B: Blueprint> Stack<B> {
    /// From now on it is noted when frames are come to.
    pub fn note_times(&mut self) {
        self.times.0.get_or_insert_default();
    }

    pub(super) fn note_time(&mut self, layer: usize, now: Instant) {
        if self.times.0.is_some() {
            let place = self.place(layer);
            self.times.note(place, now);
        }
    }

    /// What each frame is made of that the request has come to, from outside in, and when it did;
    /// then when it was inside of all, if it was. Those that stand for one frame have its time.
    pub fn come_to(&self) -> (Vec<(&B, Instant)>, Option<Instant>) {
        let times = self.times.0.as_deref().unwrap_or_default();
        let Some((last, innermost)) = times.last() else { return (Vec::new(), None) };
        let all = (0..self.count()).filter_map(|at| self.blueprint(at));
        let parts = all.flat_map(|it| (0..it.count()).map(move |at| it.part(at)));
        let at = |place| times.iter().rev().find(|(other, _)| *other <= place).map(|it| it.1);
        let parts = parts.enumerate();
        let come = parts.take_while(|(place, _)| place <= last);
        let come = come.filter_map(|(place, part)| Some((part, at(place)?))).collect::<Vec<_>>();
        let is_inside = come.len() == *last;
        (come, is_inside.then_some(*innermost))
    }
}
