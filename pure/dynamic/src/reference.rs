//! Names of objects in others: of one's own namespace, of another, or of another provider.

use crate::crd::PROVIDER;
use crate::names::{id, provided, words};
use crate::options::ProviderOptions;
use crate::tree::Tree;

impl ProviderOptions {
    /// `name@provider` as it is, if an object of `own` may name it. What is in another namespace
    /// cannot be told from the name of one of this provider's own.
    pub(crate) fn elsewhere(&self, own: &str, name: &str) -> Option<String> {
        let (_, provider) = provided(name)?;
        let is_own = provider == PROVIDER;
        let may = (self.allow_cross_namespace || !is_own) && self.lets_provided(own);
        may.then(|| name.to_owned())
    }

    /// What an object of `own` names: `namespace-name`, or `name@provider`; none where it may not.
    pub(crate) fn named(&self, own: &str, reference: Tree<'_>) -> Option<String> {
        let (name, namespace) = (reference.text("name"), reference.text("namespace"));
        if provided(name).is_some() {
            return self.elsewhere(own, name);
        }
        let namespace = if namespace.is_empty() { own } else { namespace };
        self.lets(own, namespace).then(|| id(namespace, name))
    }

    /// A transport that an object of `own` names; empty where none is.
    pub(crate) fn transport(&self, own: &str, name: &str) -> Option<String> {
        match name {
            "" => Some(String::new()),
            _ if provided(name).is_some() => self.elsewhere(own, name),
            _ => Some(words(&id(own, name))),
        }
    }

    /// All that a list names; none where one may not be named.
    pub(crate) fn all_named<'a>(
        &self,
        own: &str,
        references: impl Iterator<Item = Tree<'a>>,
    ) -> Option<Vec<String>> {
        references.map(|one| self.named(own, one)).collect()
    }
}
