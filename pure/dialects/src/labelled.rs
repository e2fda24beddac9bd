//! Objects that Traefik's providers are told not to look at, by their labels (`labelSelector`).
//!
//! Not here: Ingresses, since those in the words of ingress-nginx are another provider's, and whose
//! one is only the join knows.

use steelyard_manifest::Object;
use steelyard_manifest::kinds::Ignored;
use steelyard_manifest::kinds::traefik::Routed;
use steelyard_model::Selector;

use crate::LowerOptions;

/// Whether an object is there for whom it is for.
pub(crate) fn is_there(object: &Object, options: &LowerOptions) -> bool {
    let selector = &options.crd_labels;
    if object.group() != "traefik.io" || *selector == Selector::default() {
        return true;
    }
    let read = object.read_lenient::<Routed<Ignored>>().value;
    selector.matches(&read.and_then(|it| it.metadata.labels).unwrap_or_default())
}
