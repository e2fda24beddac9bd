//! What is known of logins, for all cores: what the issuer says of itself, logins that have ended,
//! sessions that were ended, and what others were renewed to.
//!
//! Each has so many places; what has the same place as another takes its place. A login that is
//! forgotten so is still good but once at the issuer.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use steelyard_login::Session;

use super::known::KnownProvider;

/// Places of each kind.
const PLACES: usize = 1 << 14;

/// What is known of logins.
pub(crate) struct LoginMemory {
    pub(super) provider: ArcSwapOption<KnownProvider>,
    ended_trips: Places<()>,
    ended_sessions: Places<()>,
    renewed: Places<Renewed>,
}

/// What a session was renewed to.
#[derive(Clone)]
pub(super) enum Renewed {
    /// This.
    To(Session),
    /// Nothing: the issuer gives no more.
    Over,
    /// Nothing yet, and it is not tried again before.
    Not(Instant),
}

/// Values by what is random enough to be a place.
struct Places<T>(Box<[Place<T>]>);

/// What is at a place, and what it is of.
type Place<T> = ArcSwapOption<([u8; 16], T)>;

impl<T: Clone> Places<T> {
    fn at(&self, key: [u8; 16]) -> &Place<T> {
        &self.0[usize::from(u16::from_be_bytes([key[0], key[1]])) % PLACES]
    }

    fn get(&self, key: [u8; 16]) -> Option<T> {
        let there = self.at(key).load();
        there.as_ref().filter(|it| it.0 == key).map(|it| it.1.clone())
    }

    /// Whether it was not there before.
    fn put(&self, key: [u8; 16], value: T) -> bool {
        let former = self.at(key).swap(Some(Arc::new((key, value))));
        former.is_none_or(|it| it.0 != key)
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self((0..PLACES).map(|_| ArcSwapOption::empty()).collect())
    }
}

impl Default for LoginMemory {
    fn default() -> Self {
        Self {
            provider: ArcSwapOption::empty(),
            ended_trips: Places::default(),
            ended_sessions: Places::default(),
            renewed: Places::default(),
        }
    }
}

impl LoginMemory {
    /// Ends a login: whether it had not ended before.
    pub(super) fn end_trip(&self, mark: [u8; 16]) -> bool {
        self.ended_trips.put(mark, ())
    }

    /// Whether a login has ended.
    pub(super) fn has_ended_trip(&self, mark: [u8; 16]) -> bool {
        self.ended_trips.get(mark).is_some()
    }

    /// Ends a session, also where a copy of it is kept.
    pub(super) fn end_session(&self, id: [u8; 16]) {
        self.ended_sessions.put(id, ());
    }

    /// Whether a session was ended.
    pub(super) fn has_ended_session(&self, id: [u8; 16]) -> bool {
        self.ended_sessions.get(id).is_some()
    }

    /// What a state of a session was renewed to.
    pub(super) fn renewed(&self, digest: [u8; 32]) -> Option<Renewed> {
        self.renewed.get(half(digest))
    }

    /// It was renewed to this.
    pub(super) fn renew(&self, digest: [u8; 32], to: Renewed) {
        self.renewed.put(half(digest), to);
    }
}

fn half(digest: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}
