//! What waits to be written, and how many hands there are for it.
//!
//! What waits is no more than what is to be said: what it takes to say it (a task, a connection, an
//! answer) is there for as many as are said at a time. Statuses go in the order in which they were
//! decided; events after all of them.

use std::collections::VecDeque;

use steelyard_statuses::{EventWrite, StatusWrite};

/// Hands, at most.
pub(super) const MOST: usize = 32;
/// Those of them that write events, at most.
pub(super) const MOST_EVENTS: usize = 4;
/// Events that wait, at most; others are not told.
pub(super) const LONGEST: usize = 1_000;

/// The line.
#[derive(Debug, Default)]
pub(super) struct Line {
    statuses: VecDeque<StatusWrite>,
    events: VecDeque<EventWrite>,
    hands: usize,
    event_hands: usize,
    takes_no_events: bool,
}

/// What a hand has to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Work {
    Status(StatusWrite),
    Event(EventWrite),
}

impl Line {
    /// A status waits from now on; whether one more hand is to begin.
    pub(super) fn put(&mut self, write: StatusWrite) -> bool {
        self.statuses.push_back(write);
        self.hire()
    }

    /// An event waits from now on, unless too many do; whether one more hand is to begin.
    pub(super) fn put_event(&mut self, event: EventWrite) -> bool {
        if self.takes_no_events || self.events.len() >= LONGEST {
            return false;
        }
        self.events.push_back(event);
        self.event_hands < MOST_EVENTS && self.hire()
    }

    fn hire(&mut self) -> bool {
        let is_free = self.hands < MOST;
        self.hands += usize::from(is_free);
        is_free
    }

    /// What a hand does next; none where it ends.
    pub(super) fn next(&mut self) -> Option<Work> {
        let work = self.take();
        self.hands -= usize::from(work.is_none());
        work
    }

    fn take(&mut self) -> Option<Work> {
        if let Some(write) = self.statuses.pop_front() {
            return Some(Work::Status(write));
        }
        // What they took while many waited is not kept for the next time.
        self.statuses.shrink_to_fit();
        if self.event_hands == MOST_EVENTS {
            return None;
        }
        let event = self.events.pop_front()?;
        self.event_hands += 1;
        Some(Work::Event(event))
    }

    /// A hand has written an event, and goes on.
    pub(super) fn end_event(&mut self) {
        self.event_hands -= 1;
    }

    /// Forgets events that wait, and takes no more; whether nothing is being written any more.
    pub(super) fn end(&mut self) -> bool {
        self.takes_no_events = true;
        self.events.clear();
        self.hands == 0
    }
}

#[cfg(test)]
mod tests {
    use steelyard_model::{NamespacedName, ObjectRef};
    use steelyard_plan::ServiceEventKind;
    use steelyard_statuses::{StatusChange, StatusKind};

    use super::*;

    fn status(name: &str) -> StatusWrite {
        StatusWrite {
            kind: StatusKind::Service,
            id: NamespacedName::new("default", name),
            revision: None,
            change: StatusChange::NoAddresses,
        }
    }

    fn event(name: &str) -> EventWrite {
        EventWrite {
            name: name.to_owned(),
            object: ObjectRef::new("Service", "default", name),
            uid: String::new(),
            kind: ServiceEventKind::Normal,
            reason: String::new(),
            message: String::new(),
            count: 1,
            first: String::new(),
            last: String::new(),
        }
    }

    #[test]
    fn so_many_hands_begin_and_each_ends_when_nothing_waits() {
        let mut line = Line::default();
        let names: Vec<String> = (0..1_000).map(|at| at.to_string()).collect();
        let hands = names.iter().filter(|name| line.put(status(name))).count();
        assert_eq!(hands, MOST);
        for name in &names {
            assert_eq!(line.next(), Some(Work::Status(status(name))));
        }
        for left in (0..MOST).rev() {
            assert_eq!(line.next(), None);
            assert_eq!(line.end(), left == 0);
        }
        assert!(line.put(status("a")), "the next one begins anew");
    }

    #[test]
    fn events_wait_until_no_status_does_and_few_are_written_at_a_time() {
        let mut line = Line::default();
        let hands = (0..LONGEST + 10).filter(|_| line.put_event(event("e"))).count();
        assert!(line.put(status("a")) || hands == MOST);
        assert_eq!(line.next(), Some(Work::Status(status("a"))));
        for _ in 0..MOST_EVENTS {
            assert_eq!(line.next(), Some(Work::Event(event("e"))));
        }
        assert_eq!(line.next(), None, "one hand less");
        assert!(!line.put_event(event("late")), "as many hands as may are at events");
        line.end_event();
        line.put(status("b"));
        assert_eq!(line.next(), Some(Work::Status(status("b"))));
        let written = std::iter::from_fn(|| {
            let work = line.next()?;
            line.end_event();
            Some(work)
        });
        let written: Vec<Work> = written.collect();
        assert_eq!(written.len(), LONGEST - MOST_EVENTS + 1);
        assert_eq!(written.last(), Some(&Work::Event(event("late"))));
    }

    #[test]
    fn at_the_end_events_are_forgotten_and_statuses_are_not() {
        let mut line = Line::default();
        line.put_event(event("e"));
        line.put(status("a"));
        assert!(!line.end());
        assert!(!line.put_event(event("e")));
        assert_eq!(line.next(), Some(Work::Status(status("a"))));
        assert_eq!((line.next(), line.next()), (None, None));
        assert!(line.end());
    }
}
