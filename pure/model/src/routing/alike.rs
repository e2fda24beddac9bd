//! What is made of texts, once for all that are alike for as long as somebody has it.
//!
//! Thousands of objects may say the same expression, and each is read more than once: what is
//! compiled of it is large, and hangs on its text alone. So this is nobody's state: whatever is in
//! it, what comes of a text is the same. It keeps nothing that nobody else has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Made values that somebody may have still, by their text.
pub(super) struct Alike<T>(Mutex<Known<T>>);

struct Known<T> {
    by_text: BTreeMap<Arc<str>, Weak<T>>,
    /// With so many, those that nobody has any more are taken out.
    most: usize,
}

/// As many are never looked through.
const FEW: usize = 64;

impl<T> Alike<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Known { by_text: BTreeMap::new(), most: FEW }))
    }

    /// What was made of `text` and `is_meant`, if somebody has it.
    pub(super) fn find(&self, text: &str, is_meant: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_text.get(text).and_then(Weak::upgrade).filter(|it| is_meant(it))
    }

    /// Notes what was made of `text`, which takes the place of what was known before.
    pub(super) fn note(&self, text: Arc<str>, made: &Arc<T>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_text.len() >= known.most {
            known.by_text.retain(|_, it| it.strong_count() > 0);
            known.most = (known.by_text.len() * 2).max(FEW);
        }
        known.by_text.insert(text, Arc::downgrade(made));
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_is_the_same_for_as_long_as_somebody_has_it() {
        let known = Alike::<String>::new();
        let made = Arc::new("A".to_owned());
        known.note("a".into(), &made);
        assert!(known.find("a", |_| true).is_some_and(|it| Arc::ptr_eq(&it, &made)));
        assert_eq!(known.find("a", |it| it != "A"), None);
        assert_eq!(known.find("b", |_| true), None);
        drop(made);
        assert_eq!(known.find("a", |_| true), None, "nobody has it");
    }

    /// What nobody has is taken out as more comes, and what somebody has never is.
    #[test]
    fn it_is_no_larger_than_what_is_in_use() {
        let known = Alike::<usize>::new();
        let all: Vec<Arc<usize>> = (0..10_000).map(Arc::new).collect();
        let note = |it: &Arc<usize>| known.note(it.to_string().into(), it);
        all.iter().for_each(note);
        assert_eq!(known.len(), all.len());
        let left: Vec<Arc<usize>> = all.into_iter().step_by(100).collect();
        (10_000..30_000).map(Arc::new).for_each(|it| note(&it));
        assert!(known.len() <= 2 * (left.len() + FEW), "{}", known.len());
        assert!(left.iter().all(|it| known.find(&it.to_string(), |_| true).is_some()));
    }
}
