//! One after the other.

use std::cell::Cell;

/// Whose turn it is. Keyed by identity, not by generation: the list may change under it.
#[derive(Debug, Default)]
pub struct RoundRobin {
    next: Cell<usize>,
}

/// The order in which one request tries the endpoints: each once, from its turn on.
#[derive(Clone, Debug)]
pub struct Attempts {
    at: usize,
    left: usize,
    count: usize,
}

impl RoundRobin {
    /// Starts at `turn`: workers that each keep their own state need not all begin with the
    /// first endpoint.
    pub fn starting_at(turn: usize) -> Self {
        Self { next: Cell::new(turn) }
    }

    /// The order for the next request over `count` endpoints; empty when there are none.
    pub fn attempts(&self, count: usize) -> Attempts {
        let at = if count == 0 { 0 } else { self.next.get() % count };
        self.next.set(if count == 0 { 0 } else { at + 1 });
        Attempts { at, left: count, count }
    }
}

impl Iterator for Attempts {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        self.at = (at + 1) % self.count;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_turn() {
        let turns = RoundRobin::default();
        let firsts: Vec<_> = (0..7).filter_map(|_| turns.attempts(3).next()).collect();
        assert_eq!(firsts, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn a_request_tries_each_once() {
        let turns = RoundRobin::starting_at(2);
        assert_eq!(turns.attempts(4).collect::<Vec<_>>(), [2, 3, 0, 1]);
        assert_eq!(turns.attempts(1).collect::<Vec<_>>(), [0]);
        assert_eq!(turns.attempts(0).next(), None);
    }

    #[test]
    fn the_list_may_shrink() {
        let turns = RoundRobin::starting_at(9);
        assert_eq!(turns.attempts(2).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(turns.attempts(5).next(), Some(2));
    }
}
