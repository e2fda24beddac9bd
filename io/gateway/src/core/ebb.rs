//! When memory goes back to the system: where a burst ends, and once more when all that was kept
//! for it has been given up, little by little. The last few of thousands of small things hold a
//! page each until then.

/// How the memory of a burst goes.
#[derive(Default)]
pub(super) struct Ebb {
    is_falling: bool,
}

/// Bytes given up at once that are worth telling the system.
const WORTH: usize = 1024 * 1024;

impl Ebb {
    /// Whether it is time to return memory. Asked once a second, with what was `freed` since.
    pub(super) fn turns(&mut self, burst_is_over: bool, freed: usize) -> bool {
        let begins = burst_is_over || freed >= WORTH;
        let ends = self.is_falling && freed == 0;
        self.is_falling = begins || (self.is_falling && !ends);
        begins || ends
    }
}

#[cfg(test)]
mod tests {
    use super::{Ebb, WORTH};

    #[test]
    fn memory_is_returned_where_it_begins_to_fall_and_where_it_has_fallen() {
        let mut ebb = Ebb::default();
        for (second, (burst_is_over, freed, turns)) in [
            (false, 0, false),
            (false, WORTH - 1, false),
            (true, 0, true),
            (false, WORTH, true),
            (false, WORTH - 1, false),
            (false, 1, false),
            (false, 0, true),
            (false, 0, false),
            (true, 9, true),
            (false, 0, true),
            (false, 0, false),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(ebb.turns(burst_is_over, freed), turns, "second {second}");
        }
    }
}
