//! "Did you mean …" for many mistakes at once, with a bound on the work.

use steelyard_model::suggest::nearest;

/// Suggests names until the work allowed is done: with 100,000 broken routes in one namespace
/// nobody reads the last suggestion, and each costs a look at every Service.
#[derive(Debug)]
pub(crate) struct Suggester {
    left: usize,
}

impl Suggester {
    /// Comparisons of two names.
    const ALLOWED: usize = 200_000;

    pub(crate) fn new() -> Self {
        Self { left: Self::ALLOWED }
    }

    /// The name nearest to `written`.
    pub(crate) fn nearest<'a>(
        &mut self,
        written: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        nearest(written, names.take_while(|_| self.may_look()))
    }

    /// Whether one more name may be looked at.
    pub(crate) fn may_look(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }
}
