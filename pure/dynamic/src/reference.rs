//! Names of objects in others: of one's own namespace, of another, or of another provider.

use steelyard_model::ProviderOptions;

use crate::names::{OF_KINDS, id, provided, words};
use crate::tree::Tree;

/// `name@provider` as it is, if an object of `own` may name it. What is in another namespace
/// cannot be told from the name of one of this provider's own.
pub(crate) fn elsewhere(options: &ProviderOptions, own: &str, name: &str) -> Option<String> {
    let (_, provider) = provided(name)?;
    let is_own = provider == OF_KINDS;
    let may = (options.allow_cross_namespace || !is_own) && options.lets_provided(own);
    may.then(|| name.to_owned())
}

/// What an object of `own` names: `namespace-name`, or `name@provider`; none where it may not.
pub(crate) fn named(options: &ProviderOptions, own: &str, reference: Tree<'_>) -> Option<String> {
    let (name, namespace) = (reference.text("name"), reference.text("namespace"));
    if provided(name).is_some() {
        return elsewhere(options, own, name);
    }
    let namespace = if namespace.is_empty() { own } else { namespace };
    options.lets(own, namespace).then(|| id(namespace, name))
}

/// A transport that an object of `own` names; empty where none is.
pub(crate) fn transport(options: &ProviderOptions, own: &str, name: &str) -> Option<String> {
    match name {
        "" => Some(String::new()),
        _ if provided(name).is_some() => elsewhere(options, own, name),
        _ => Some(words(&id(own, name))),
    }
}
