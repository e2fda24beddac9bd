//! What proofs are made with: given by us, which it says itself, and used once for each count.
//!
//! Only what was proved is kept, in a table of fixed size. What falls out of it, and all that was
//! given before that and would have the same place, is spent: nothing counts twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256};

/// Seconds for which one is good.
const GOOD: u64 = 3_600;
/// Places.
const PLACES: usize = 1 << 10;
/// Digits of a number, twice, and of the seal.
const NUMBER: usize = 16;
const SEAL: usize = 32;

/// Makes what proofs are made with, and knows what it has made.
#[derive(Debug)]
pub(super) struct Mint {
    key: hmac::Key,
    opaque: String,
}

/// What was used of what was given.
#[derive(Debug)]
pub(crate) struct NonceMemory {
    given: AtomicU64,
    places: Box<[ArcSwapOption<Used>]>,
}

/// How one was used.
#[derive(Debug)]
struct Used {
    number: u64,
    /// The highest count.
    highest: u32,
    /// Counts below it, the highest first.
    below: u64,
}

/// What one is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// It was not used with this count.
    Good,
    /// It was, or is too old to tell.
    Spent,
}

impl Mint {
    /// Another one for each use, and each process.
    pub(super) fn new(seed: u64, state: &str) -> Self {
        let key = hmac::Key::new(HMAC_SHA256, &[&seed.to_be_bytes(), state.as_bytes()].concat());
        let opaque = hex(&hmac::sign(&key, b"opaque").as_ref()[..SEAL / 2]);
        Self { key, opaque }
    }

    pub(super) fn opaque(&self) -> &str {
        &self.opaque
    }

    /// The one of this number, given now: seconds since 1970.
    pub(super) fn nonce(&self, number: u64, now: u64) -> String {
        let said = format!("{number:016x}{now:016x}");
        let seal = self.seal(&said);
        said + &seal
    }

    /// The number of one that is ours, and not too old.
    pub(super) fn number_of(&self, nonce: &str, now: u64) -> Option<u64> {
        let (said, seal) = nonce.split_at_checked(2 * NUMBER)?;
        if verify_slices_are_equal(seal.as_bytes(), self.seal(said).as_bytes()).is_err() {
            return None;
        }
        let (number, given) = said.split_at(NUMBER);
        let given = u64::from_str_radix(given, 16).ok()?;
        let is_good = now.saturating_sub(given) < GOOD;
        u64::from_str_radix(number, 16).ok().filter(|_| is_good)
    }

    fn seal(&self, said: &str) -> String {
        hex(&hmac::sign(&self.key, said.as_bytes()).as_ref()[..SEAL / 2])
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Default for NonceMemory {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| ArcSwapOption::empty()).collect();
        Self { given: AtomicU64::new(1), places }
    }
}

impl NonceMemory {
    /// The number of the next one that is given.
    pub(super) fn next(&self) -> u64 {
        self.given.fetch_add(1, Ordering::Relaxed)
    }

    /// Uses the one of this number with this count.
    pub(super) fn spend(&self, number: u64, count: u32) -> Worth {
        #[expect(clippy::cast_possible_truncation, reason = "some bits of it are enough")]
        let place = &self.places[number as usize % PLACES];
        loop {
            let known = place.load();
            let Some(used) = after(known.as_deref(), number, count) else { return Worth::Spent };
            let former = place.compare_and_swap(&known, Some(Arc::new(used)));
            let same = match (&*known, &*former) {
                (Some(known), Some(former)) => Arc::ptr_eq(known, former),
                (None, None) => true,
                _ => false,
            };
            if same {
                return Worth::Good;
            }
        }
    }
}

/// What was used once this count is, too; none where that may not be.
fn after(known: Option<&Used>, number: u64, count: u32) -> Option<Used> {
    let fresh = Used { number, highest: count, below: 0 };
    if count == 0 {
        return None;
    }
    let Some(known) = known else { return Some(fresh) };
    if known.number != number {
        return (known.number < number).then_some(fresh);
    }
    if count > known.highest {
        let steps = count - known.highest;
        let below = known.below.checked_shl(steps).unwrap_or(0);
        let former = 1_u64.checked_shl(steps - 1).unwrap_or(0);
        return Some(Used { below: below | former, ..fresh });
    }
    let bit = known.highest.checked_sub(count)?.checked_sub(1)?;
    let bit = 1_u64.checked_shl(bit)?;
    (known.below & bit == 0).then_some(Used {
        number,
        highest: known.highest,
        below: known.below | bit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_good_once() {
        let memory = NonceMemory::default();
        for (count, worth) in [
            (0, Worth::Spent),
            (1, Worth::Good),
            (1, Worth::Spent),
            (5, Worth::Good),
            (3, Worth::Good),
            (3, Worth::Spent),
            (4, Worth::Good),
            (2, Worth::Good),
            (1, Worth::Spent),
            (200, Worth::Good),
            (5, Worth::Spent),
            (136, Worth::Good),
            (135, Worth::Spent),
            (u32::MAX, Worth::Good),
            (200, Worth::Spent),
            (u32::MAX, Worth::Spent),
        ] {
            assert_eq!(memory.spend(7, count), worth, "{count}");
        }
        // Another one has its place; what was given before is spent.
        let later = 7 + u64::try_from(PLACES).unwrap();
        assert_eq!(memory.spend(later, 1), Worth::Good);
        assert_eq!(memory.spend(7, 9), Worth::Spent);
        assert_eq!(memory.spend(8, 1), Worth::Good);
    }

    #[test]
    fn only_ours_count_and_for_an_hour() {
        let (mint, other) = (Mint::new(1, "a"), Mint::new(1, "b"));
        let nonce = mint.nonce(9, 1_000);
        assert_eq!(mint.number_of(&nonce, 1_000), Some(9));
        assert_eq!(mint.number_of(&nonce, 1_000 + GOOD - 1), Some(9));
        assert_eq!(mint.number_of(&nonce, 1_000 + GOOD), None);
        assert_eq!(other.number_of(&nonce, 1_000), None);
        assert_eq!(mint.number_of(&nonce.replace('9', "8"), 1_000), None);
        for text in ["", "é", &nonce[1..], &format!("{nonce}0")] {
            assert_eq!(mint.number_of(text, 1_000), None, "{text}");
        }
    }
}
