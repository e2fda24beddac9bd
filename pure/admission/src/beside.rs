//! What else there is, where an object is judged beside it.

use steelyard_manifest::Object;
use steelyard_model::Diagnostic;

/// Knows what else there is.
pub trait Beside: Send + Sync {
    /// What is said of an object beside all others, and not yet of the one that stands there now.
    /// None of what is judged alone: then it is no Ingress in words of ingress-nginx, or nobody
    /// knows yet.
    fn judged(&self, object: &Object) -> Option<Vec<Diagnostic>>;
}

/// Knows nothing: each object is judged alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingBeside;

impl Beside for NothingBeside {
    fn judged(&self, _: &Object) -> Option<Vec<Diagnostic>> {
        None
    }
}
