//! Texts that clients choose and that are told apart all the same, so many and no more.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Those that are known, for all cores.
#[derive(Default)]
pub(crate) struct KnownTexts(Mutex<HashSet<Arc<str>>>);

impl KnownTexts {
    /// This one, where it is known, or one more may be: `most` in all.
    ///
    /// # Errors
    /// All there are, where there are as many as there may be: who has them need not ask again.
    pub(crate) fn take(&self, text: &str, most: usize) -> Result<Arc<str>, HashSet<Arc<str>>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= most {
            return Err(all.clone());
        }
        let known = all.get(text).cloned().unwrap_or_else(|| text.into());
        all.insert(known.clone());
        Ok(known)
    }
}
