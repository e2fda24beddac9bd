//! Rules that somebody wrote and nobody is served by: who asks for what they are about is told so.

use std::fmt;
use std::sync::Arc;

use crate::object::{NamespacedName, Provenance};
use crate::routing::rule::Rule;

/// A rule of an object that has no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is written.
    pub place: Provenance,
    /// What it is about.
    pub rule: Arc<Rule>,
    /// Why it has none.
    pub why: LeftOutReason,
}

/// Why a rule has no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOutReason {
    /// The object has an annotation that is forbidden.
    Annotation(Arc<str>),
    /// It names what nobody may name.
    Words,
    /// It is a canary, and no route is there that it could stand beside.
    NoMain,
    /// It is a canary, and this one is beside the route.
    OtherCanary(NamespacedName),
}

/// `annotation `x` is forbidden`
impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation(key) => write!(f, "annotation `{key}` is forbidden"),
            Self::Words => f.write_str("it names what ingress-nginx lets nobody name"),
            Self::NoMain => {
                f.write_str("it is a canary, and no Ingress of its class serves the same")
            }
            Self::OtherCanary(other) => {
                write!(f, "it is a canary, and Ingress/{other} is the one of that route")
            }
        }
    }
}
