//! A share of requests, evenly spread.

use std::cell::Cell;

/// Draws so many of so many: in each run of that length exactly as many, however it began.
#[derive(Debug, Default)]
pub struct Portion {
    credit: Cell<u64>,
}

impl Portion {
    /// Whether the next one is drawn. More than all is all.
    pub fn draws(&self, (part, whole): (u32, u32)) -> bool {
        let (part, whole) = (u64::from(part.min(whole)), u64::from(whole));
        let credit = (self.credit.get() + part).min(2 * whole);
        let is_drawn = part > 0 && credit >= whole;
        self.credit.set(if is_drawn { credit - whole } else { credit });
        is_drawn
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_are_exact_in_every_run(part in 0_u32..110, whole in 1_u32..100, skip in 0..50) {
            let portion = Portion::default();
            (0..skip).for_each(|_| { portion.draws((part, whole)); });
            let drawn = (0..whole).filter(|_| portion.draws((part, whole))).count();
            prop_assert_eq!(drawn, part.min(whole) as usize);
        }
    }

    #[test]
    fn what_changes_goes_on() {
        let portion = Portion::default();
        assert!(!portion.draws((50, 100)) && portion.draws((50, 100)) && !portion.draws((0, 100)));
        assert!(!portion.draws((0, 0)));
        assert!(portion.draws((100, 100)) && portion.draws((1, 1)));
    }
}
