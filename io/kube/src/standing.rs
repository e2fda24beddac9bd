//! How it stands with what is followed, for whoever is asked why something is not up to date.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use steelyard_manifest::{Selection, Verb};

use crate::trouble::Trouble;

/// How it stands with one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was not listed yet; why, if something is in the way.
    Awaited(Option<Trouble>),
    /// What is known is what is there.
    Followed,
    /// What is known is what was there.
    CutOff {
        /// Since when.
        since: Instant,
        /// Why.
        why: Trouble,
    },
    /// The API server does not let us look. What is known is what was there.
    Refused {
        /// Since when.
        since: Instant,
        /// What it does not let us do.
        verb: Verb,
    },
    /// There is no such kind.
    Absent,
}

/// Of all that is followed. Cheap to clone, and all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Standings(Arc<Mutex<BTreeMap<Selection, Standing>>>);

impl Standing {
    /// Whether what is known is not known to be what is there.
    fn is_cut_off(&self) -> bool {
        matches!(self, Self::CutOff { .. } | Self::Awaited(Some(_)))
    }
}

impl Standings {
    /// All of them.
    pub fn all(&self) -> BTreeMap<Selection, Standing> {
        self.lock().clone()
    }

    /// There is one more.
    pub(crate) fn add(&self, watch: &Selection) {
        self.lock().insert(watch.clone(), Standing::Awaited(None));
    }

    /// There is one less.
    pub(crate) fn remove(&self, watch: &Selection) {
        self.lock().remove(watch);
    }

    /// It stands like this with it.
    pub(crate) fn set(&self, watch: &Selection, standing: Standing) {
        let mut all = self.lock();
        let was_cut_off = all.values().any(Standing::is_cut_off);
        let Some(held) = all.get_mut(watch) else { return };
        match (&*held, &standing) {
            (Standing::Refused { verb, .. }, Standing::Refused { verb: now, .. })
                if verb == now =>
            {
                return;
            }
            (_, Standing::Refused { verb, .. }) => {
                tracing::error!("the API server does not let this account {verb} {watch}");
            }
            (Standing::Refused { .. }, Standing::Followed) => {
                tracing::info!("the API server lets us look at {watch} again");
            }
            _ => {}
        }
        let why = match &standing {
            Standing::CutOff { why, .. } | Standing::Awaited(Some(why)) => Some(why.clone()),
            _ => None,
        };
        *held = match (&*held, standing) {
            // Since when is when it began.
            (Standing::CutOff { since, .. }, Standing::CutOff { why, .. }) => {
                Standing::CutOff { since: *since, why }
            }
            (_, standing) => standing,
        };
        // All are cut off together: it is said once.
        match (was_cut_off, all.values().any(Standing::is_cut_off), why) {
            (false, true, Some(why)) => {
                tracing::warn!("{watch}: {why}; what was known of the cluster stands");
            }
            (true, false, _) => tracing::info!("the API server is followed again"),
            _ => {}
        }
    }

    /// There is trouble with it.
    pub(crate) fn trouble(&self, watch: &Selection, why: Trouble) {
        let since = Instant::now();
        let was_listed = !matches!(self.lock().get(watch), Some(Standing::Awaited(_)) | None);
        let standing = match why {
            Trouble::Refused(verb) => Standing::Refused { since, verb },
            why if was_listed => Standing::CutOff { since, why },
            why => Standing::Awaited(Some(why)),
        };
        self.set(watch, standing);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Selection, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
