//! What is known of passwords, for all cores: digests that nobody can make who does not know what
//! this process is seeded with, and never a password.
//!
//! Those that are true and those that are not have places of their own, so that who tries many
//! makes nobody forgotten who was let in.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::limit::counts::Counts;

/// Of what a client says, by whose hash, and what this process is seeded with.
pub(crate) type Digest = [u8; 32];

/// Places of each kind.
const PLACES: usize = 1 << 10;
/// Places where one digest may be.
const WINDOW: usize = 4;

/// What is known of passwords.
#[derive(Debug)]
pub(crate) struct PasswordMemory {
    good: Table,
    bad: Table,
    /// How many are verified, of all and by client.
    pub(super) under_way: Counts,
}

#[derive(Debug)]
struct Table(Box<[ArcSwapOption<Digest>]>);

impl Default for PasswordMemory {
    fn default() -> Self {
        let table = || Table((0..PLACES).map(|_| ArcSwapOption::empty()).collect());
        Self { good: table(), bad: table(), under_way: Counts::default() }
    }
}

impl PasswordMemory {
    /// Whether it is true, if that was found out.
    pub(crate) fn known(&self, digest: &Digest) -> Option<bool> {
        match (self.good.has(digest), || self.bad.has(digest)) {
            (true, _) => Some(true),
            (false, is_bad) => is_bad().then_some(false),
        }
    }

    /// It was found out.
    pub(crate) fn learn(&self, digest: Digest, is_true: bool) {
        if is_true { &self.good } else { &self.bad }.add(digest);
    }
}

impl Table {
    fn has(&self, digest: &Digest) -> bool {
        self.window(digest).iter().any(|it| it.load().as_deref() == Some(digest))
    }

    /// In a free place of its window, else in any of it.
    fn add(&self, digest: Digest) {
        let window = self.window(&digest);
        let free = window.iter().position(|it| it.load().is_none());
        let at = free.unwrap_or_else(|| usize::from(digest[31]) % WINDOW);
        window[at].store(Some(Arc::new(digest)));
    }

    fn window(&self, digest: &Digest) -> &[ArcSwapOption<Digest>] {
        let number = usize::from(digest[0]) << 8 | usize::from(digest[1]);
        &self.0[number % (PLACES / WINDOW) * WINDOW..][..WINDOW]
    }
}
