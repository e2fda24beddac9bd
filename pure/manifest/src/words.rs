//! Words that are written again and again, each kept once.

use std::collections::BTreeSet;
use std::sync::Arc;

use steelyard_model::ObjectRef;

/// Kinds, versions, namespaces: nearly every object has those of others.
#[derive(Debug, Default)]
pub(crate) struct Words {
    known: BTreeSet<Arc<str>>,
    /// How many there were when it was last looked which are still used.
    last: usize,
}

/// So many words are kept without a look at whether they are still used.
const FEW: usize = 256;

impl Words {
    /// The word, as it is kept.
    pub(crate) fn word(&mut self, word: Arc<str>) -> Arc<str> {
        if let Some(known) = self.known.get(&word) {
            return known.clone();
        }
        self.known.insert(word.clone());
        if self.known.len() > FEW.max(2 * self.last) {
            self.known.retain(|word| Arc::strong_count(word) > 1);
            self.last = self.known.len();
        }
        word
    }

    /// The name, of such words but for the object's own.
    pub(crate) fn named(&mut self, reference: Arc<ObjectRef>) -> Arc<ObjectRef> {
        let ObjectRef { kind, namespace, name } = Arc::unwrap_or_clone(reference);
        Arc::new(ObjectRef { kind: self.word(kind), namespace: self.word(namespace), name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_writes_any_more_is_forgotten() {
        let mut words = Words::default();
        let kept = words.word("kept".into());
        for n in 0..10 * FEW {
            words.word(n.to_string().into());
        }
        assert!(words.known.len() <= FEW + 1, "{}", words.known.len());
        assert!(Arc::ptr_eq(&words.word("kept".into()), &kept));
    }
}
