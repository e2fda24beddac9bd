//! Annotations of an Ingress. What cannot be read is as if it were not written.

use crate::cluster::Written;
use crate::tree::Tree;

const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// What an Ingress asks for, by names without the prefix.
#[derive(Clone, Copy)]
pub(super) struct Asks<'a>(Tree<'a>);

impl<'a> Asks<'a> {
    /// Nothing at all.
    pub(super) fn none() -> Self {
        Self(Tree::nothing())
    }

    pub(super) fn of(ingress: &'a Written) -> Self {
        Self(ingress.tree().at("metadata").at("annotations"))
    }

    /// A text that is written; it may be empty.
    pub(super) fn written(self, name: &str) -> Option<&'a str> {
        self.0.there(&format!("{PREFIX}{name}"))?.0.as_str()
    }

    /// A text; empty is one that is not written.
    pub(super) fn text(self, name: &str) -> &'a str {
        self.written(name).unwrap_or_default()
    }

    /// Whether something is so, where that is said: `true` in whatever case is.
    pub(super) fn said(self, name: &str) -> Option<bool> {
        Some(self.written(name)?.eq_ignore_ascii_case("true"))
    }

    /// Whether something is asked for.
    pub(super) fn is(self, name: &str) -> bool {
        self.said(name).unwrap_or_default()
    }

    pub(super) fn number(self, name: &str) -> Option<i64> {
        self.written(name)?.parse().ok()
    }

    /// Words with commas between them.
    pub(super) fn list(self, name: &str) -> Option<Vec<&'a str>> {
        Some(self.written(name)?.split(',').map(str::trim).collect())
    }
}
