//! Maglev hashing (Eisenbud et al., NSDI 2016, §3.4): a table that endpoints fill in turn, each in
//! an order of its own, so that each has its share and few keys move when one goes.

use std::cell::RefCell;

use super::hash::mixed;
use super::{Field, Member, any_open, is_open};

/// Entries, a prime: much more than endpoints.
const SIZE: usize = 65_537;

/// Entries that are passed over because nobody fit is there.
const MOST_PASSED: usize = 32;

/// Who has which entry; made when it is first asked.
#[derive(Debug, Default)]
pub(super) struct Maglev {
    table: RefCell<Vec<u32>>,
}

/// An endpoint's order of entries, and how far it came.
struct Claim {
    at: usize,
    skip: usize,
    /// Entries that it is owed, in parts of the largest weight.
    credit: u64,
}

impl Maglev {
    pub(super) fn forget(&self) {
        self.table.borrow_mut().clear();
    }

    #[allow(clippy::cast_possible_truncation, reason = "it is less than the size")]
    pub(super) fn pick(&self, field: &impl Field, members: &[Member], key: u64) -> Option<usize> {
        let mut table = self.table.borrow_mut();
        if table.is_empty() {
            *table = filled(members);
        }
        let mut entry = (key % SIZE as u64) as usize;
        let step = 1 + (mixed(key) % (SIZE as u64 - 1)) as usize;
        for _ in 0..MOST_PASSED {
            let at = *table.get(entry)? as usize;
            if is_open(field, at) {
                return Some(at);
            }
            entry = (entry + step) % SIZE;
        }
        any_open(field, table[entry] as usize)
    }
}

/// The table; empty where nobody takes anything.
#[allow(clippy::cast_possible_truncation, reason = "there are not so many endpoints")]
fn filled(members: &[Member]) -> Vec<u32> {
    let most = members.iter().map(|member| u64::from(member.weight)).max().unwrap_or_default();
    if most == 0 {
        return Vec::new();
    }
    const FREE: u32 = u32::MAX;
    let mut table = vec![FREE; SIZE];
    let mut claims: Vec<Claim> = members.iter().map(Claim::of).collect();
    let mut left = SIZE;
    loop {
        for (at, (claim, member)) in claims.iter_mut().zip(members).enumerate() {
            claim.credit += u64::from(member.weight);
            if claim.credit < most {
                continue;
            }
            claim.credit -= most;
            while table[claim.at] != FREE {
                claim.at = (claim.at + claim.skip) % SIZE;
            }
            table[claim.at] = at as u32;
            left -= 1;
            if left == 0 {
                return table;
            }
        }
    }
}

impl Claim {
    #[allow(clippy::cast_possible_truncation, reason = "they are less than the size")]
    fn of(member: &Member) -> Self {
        let at = (mixed(member.name) % SIZE as u64) as usize;
        let skip = 1 + (mixed(member.name ^ 0x5bd1_e995) % (SIZE as u64 - 1)) as usize;
        Self { at, skip, credit: 0 }
    }
}
