//! What was found out, by a digest of all that it hangs on: the recipe by which it was found out,
//! and what was said. For all cores, without a lock.
//!
//! Invariants: there are so many places, and none before one is wanted; a digest has a few of them,
//! and takes a free one, else one of what counts no more, else any; what was found out by another
//! recipe has another digest, so that nobody goes by it.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{Context, SHA256};

/// Places where one digest may be.
const WINDOW: usize = 4;
/// Places that come to be together, once one of them is wanted.
const SHELF: usize = 1 << 8;

/// Of a recipe, and of what was said.
pub(crate) type Digest = [u8; 32];

/// A digest of parts, each told apart from the next: nothing that is said is taken for the end of
/// what was said before it.
#[derive(Clone)]
pub(crate) struct DigestParts(Context);

impl DigestParts {
    /// What was found out by this recipe: keys, terms, a hash, with whatever nobody else may know.
    pub(crate) fn by(recipe: &[u8]) -> Self {
        Self(Context::new(&SHA256)).and(recipe)
    }

    /// And of this.
    pub(crate) fn and(mut self, part: &[u8]) -> Self {
        self.add(part);
        self
    }

    /// The same.
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    pub(crate) fn digest(self) -> Digest {
        let mut digest = Digest::default();
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}

/// What was found out, in so many places.
#[derive(Debug)]
pub(crate) struct FoundOut<T, const PLACES: usize>(Box<[OnceLock<Shelf<T>>]>);

type Shelf<T> = Box<[ArcSwapOption<(Digest, T)>]>;

impl<T, const PLACES: usize> Default for FoundOut<T, PLACES> {
    fn default() -> Self {
        Self((0..PLACES.div_ceil(SHELF)).map(|_| OnceLock::new()).collect())
    }
}

impl<T, const PLACES: usize> FoundOut<T, PLACES> {
    /// What of it is wanted, if it is there.
    pub(crate) fn look<R>(&self, digest: &Digest, look: impl FnOnce(&T) -> R) -> Option<R> {
        for place in self.window(digest, OnceLock::get)? {
            let there = place.load();
            if let Some(found) = there.as_ref().filter(|it| it.0 == *digest) {
                return Some(look(&found.1));
            }
        }
        None
    }

    /// It was found out. `is_over` says of another whether it counts no more.
    pub(crate) fn learn(&self, digest: Digest, found: T, is_over: impl Fn(&T) -> bool) {
        let Some(window) = self.window(&digest, made) else { return };
        let is_free = |place: &ArcSwapOption<(Digest, T)>| {
            place.load().as_ref().is_none_or(|it| it.0 == digest || is_over(&it.1))
        };
        let free = window.iter().position(is_free);
        let at = free.unwrap_or_else(|| usize::from(digest[31]) % WINDOW);
        window[at].store(Some(Arc::new((digest, found))));
    }

    /// The places where a digest may be, where its shelf is there.
    fn window<'s>(
        &'s self,
        digest: &Digest,
        shelf: impl FnOnce(&'s OnceLock<Shelf<T>>) -> Option<&'s Shelf<T>>,
    ) -> Option<&'s [ArcSwapOption<(Digest, T)>]> {
        let number = usize::from(u16::from_be_bytes([digest[0], digest[1]]));
        let begin = number % (PLACES / WINDOW) * WINDOW;
        let shelf = shelf(&self.0[begin / SHELF])?;
        Some(&shelf[begin % SHELF..][..WINDOW])
    }
}

/// A shelf that is there from now on.
fn made<T>(shelf: &OnceLock<Shelf<T>>) -> Option<&Shelf<T>> {
    Some(shelf.get_or_init(|| (0..SHELF).map(|_| ArcSwapOption::empty()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: usize = 1 << 10;

    fn digest(number: u64) -> Digest {
        DigestParts::by(b"a recipe").and(&number.to_be_bytes()).digest()
    }

    /// Numbers whose digests have the same places as this one's.
    fn rivals(of: u64) -> impl Iterator<Item = u64> {
        let place = |digest: Digest| {
            usize::from(u16::from_be_bytes([digest[0], digest[1]])) % (PLACES / WINDOW)
        };
        (0..).filter(move |it| *it != of && place(digest(*it)) == place(digest(of)))
    }

    #[test]
    fn what_is_found_out_is_known_until_it_must_go() {
        let all = FoundOut::<u64, PLACES>::default();
        assert_eq!(all.look(&digest(7), |it| *it), None);
        all.learn(digest(7), 70, |_| false);
        all.learn(digest(7), 71, |_| false);
        assert_eq!(all.look(&digest(7), |it| *it), Some(71));
        // It has places beside others, and is the one to go when they are more.
        for rival in rivals(7).take(WINDOW - 1) {
            all.learn(digest(rival), rival, |_| false);
        }
        assert_eq!(all.look(&digest(7), |it| *it), Some(71));
        let known = |all: &FoundOut<u64, PLACES>| {
            rivals(7)
                .take(40)
                .chain([7])
                .filter(|it| all.look(&digest(*it), |_| ()).is_some())
                .count()
        };
        for rival in rivals(7).take(40) {
            all.learn(digest(rival), rival, |_| false);
        }
        assert_eq!(known(&all), WINDOW);
    }

    #[test]
    fn what_counts_no_more_goes_before_what_does() {
        let all = FoundOut::<u64, PLACES>::default();
        all.learn(digest(7), 0, |_| false);
        let rivals: Vec<u64> = rivals(7).take(40).collect();
        for rival in &rivals {
            all.learn(digest(*rival), 1, |it| *it == 1);
        }
        assert_eq!(all.look(&digest(7), |it| *it), Some(0), "it counts still");
    }

    #[test]
    fn there_are_so_many_places_and_none_before_one_is_wanted() {
        let all = FoundOut::<u64, PLACES>::default();
        assert!(all.0.iter().all(|shelf| shelf.get().is_none()));
        for number in 0..10_000 {
            all.learn(digest(number), number, |_| false);
        }
        let known = (0..10_000).filter(|it| all.look(&digest(*it), |_| ()).is_some()).count();
        assert!(known <= PLACES && known > PLACES * 9 / 10, "{known}");
    }

    #[test]
    fn another_recipe_and_other_parts_are_something_else() {
        let all = [
            DigestParts::by(b"one").and(b"x").digest(),
            DigestParts::by(b"two").and(b"x").digest(),
            DigestParts::by(b"onex").digest(),
            DigestParts::by(b"on").and(b"ex").digest(),
            DigestParts::by(b"one").and(b"x").and(b"").digest(),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one), "{at}");
        }
    }
}
