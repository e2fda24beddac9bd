//! Who has the least of all, when few change at a time: a tree of winners.

/// What is compared, and what decides between equals.
pub(super) type Rank = (u64, u32);

/// Behind everybody.
pub(super) const LAST: Rank = (u64::MAX, u32::MAX);

/// Players by their numbers. Changing one costs as many steps as the tree is high.
#[derive(Debug, Default)]
pub(super) struct Tournament {
    /// The winners, from the root at 1 on; players stand in the second half. Each is one number, so
    /// that who wins is asked without a branch: the rank, and the player behind it.
    nodes: Vec<u128>,
}

fn node((first, second): Rank, at: u32) -> u128 {
    u128::from(first) << 64 | u128::from(second) << 32 | u128::from(at)
}

#[allow(clippy::cast_possible_truncation, reason = "each part is taken by itself")]
fn parts(node: u128) -> (Rank, u32) {
    (((node >> 64) as u64, (node >> 32) as u32), node as u32)
}

impl Tournament {
    /// Players with these ranks.
    pub(super) fn new(ranks: impl ExactSizeIterator<Item = Rank>) -> Self {
        let width = ranks.len().next_power_of_two();
        let mut nodes = vec![node(LAST, u32::MAX); 2 * width];
        for (at, rank) in ranks.enumerate() {
            nodes[width + at] = node(rank, u32::try_from(at).unwrap_or(u32::MAX));
        }
        for at in (1..width).rev() {
            nodes[at] = nodes[2 * at].min(nodes[2 * at + 1]);
        }
        Self { nodes }
    }

    /// The first of all.
    pub(super) fn best(&self) -> Option<(usize, Rank)> {
        let (rank, at) = parts(*self.nodes.get(1)?);
        (rank.0 < u64::MAX).then_some((at as usize, rank))
    }

    pub(super) fn rank(&self, at: usize) -> Rank {
        parts(self.nodes[self.nodes.len() / 2 + at]).0
    }

    /// All the way up, without asking on the way whether anything changes: a branch that nobody
    /// foresees takes longer.
    pub(super) fn set(&mut self, at: usize, rank: Rank) {
        let mut place = self.nodes.len() / 2 + at;
        let mut winner = node(rank, parts(self.nodes[place]).1);
        self.nodes[place] = winner;
        while place > 1 {
            winner = winner.min(self.nodes[place ^ 1]);
            place /= 2;
            self.nodes[place] = winner;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_winner_has_the_least(
            mut ranks in prop::collection::vec((0_u64..9, 0_u32..3), 1..40),
            changes in prop::collection::vec((0_usize..40, (0_u64..9, 0_u32..3)), 0..40),
        ) {
            let mut it = Tournament::new(ranks.iter().copied());
            for (at, rank) in changes {
                let at = at % ranks.len();
                ranks[at] = rank;
                it.set(at, rank);
                prop_assert_eq!(it.rank(at), rank);
                let least = ranks.iter().enumerate().min_by_key(|(at, rank)| (**rank, *at));
                prop_assert_eq!(it.best(), least.map(|(at, rank)| (at, *rank)));
            }
        }
    }

    #[test]
    fn who_is_last_wins_nothing() {
        assert_eq!(Tournament::default().best(), None);
        assert_eq!(Tournament::new([LAST, LAST].into_iter()).best(), None);
        assert_eq!(Tournament::new([].into_iter()).best(), None);
    }
}
