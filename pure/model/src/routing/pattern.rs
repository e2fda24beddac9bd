//! Hosts and paths that rules compare with.

use std::fmt;
use std::sync::Arc;

pub use crate::routing::expression::{BadPattern, Expression, TooManySteps};

/// Which hosts are meant. Names are lower case, without port and trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Exactly this name.
    Exact(Arc<str>),
    /// One label before this suffix: `Label("b.c")` matches `a.b.c` only (Ingress, Traefik).
    Label(Arc<str>),
    /// One or more labels before this suffix (Gateway API).
    Labels(Arc<str>),
    /// Every host, also none.
    Any,
}

/// In which form a pattern reads the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathForm {
    /// Normal form: reserved characters stay encoded, so `/a%2Fb` is not `/a/b`.
    Normal,
    /// Decoded whole and resolved, as nginx's `$uri`.
    Decoded,
    /// As Traefik compares: normal form with all but reserved characters decoded, so `/a%20b` is
    /// `/a b`, and `/a%2Fb` stays.
    Readable,
}

/// Which paths are meant, in which form; case-sensitive unless an expression says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern {
    /// The form that is compared.
    pub form: PathForm,
    /// How it is compared.
    pub shape: PathShape,
}

/// How a path is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathShape {
    /// Exactly this path.
    Exact(Arc<str>),
    /// This path and all below it, by whole elements; kept without a trailing slash, so `/` is
    /// the empty string.
    Elements(Arc<str>),
    /// All paths that begin with these bytes.
    Bytes(Arc<str>),
    /// All paths in which this expression is found.
    Regex(Expression),
}

impl HostPattern {
    /// Whether `host` is meant.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Label(suffix) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && *rest == **suffix),
            Self::Labels(suffix) => host
                .strip_suffix(&**suffix)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
            Self::Any => true,
        }
    }

    /// The name, where it is one.
    pub fn as_exact(&self) -> Option<&Arc<str>> {
        match self {
            Self::Exact(name) => Some(name),
            Self::Label(_) | Self::Labels(_) | Self::Any => None,
        }
    }
}

impl PathPattern {
    /// A pattern over the normal form.
    pub fn normal(shape: PathShape) -> Self {
        Self { form: PathForm::Normal, shape }
    }

    /// A pattern over the decoded form.
    pub fn decoded(shape: PathShape) -> Self {
        Self { form: PathForm::Decoded, shape }
    }
}

impl PathShape {
    /// The prefix `path` by whole elements, however many slashes it ends with.
    pub fn elements(path: &str) -> Self {
        Self::Elements(path.trim_end_matches('/').into())
    }

    /// How many bytes of a path, or of an expression, it names.
    pub fn len(&self) -> usize {
        match self {
            Self::Exact(text) | Self::Elements(text) | Self::Bytes(text) => text.len(),
            Self::Regex(expression) => expression.source().len(),
        }
    }

    /// Whether it names nothing, so that every path is meant.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `path` is meant.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => **exact == *path,
            Self::Elements(prefix) => path
                .strip_prefix(&**prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Bytes(prefix) => path.starts_with(&**prefix),
            Self::Regex(expression) => expression.is_found_in(path),
        }
    }
}

/// As people write it; `*` for every host.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.pad(name),
            Self::Label(suffix) | Self::Labels(suffix) => f.pad(&format!("*.{suffix}")),
            Self::Any => f.pad("*"),
        }
    }
}

/// The path, prefix or expression; `/` for every path.
impl fmt::Display for PathShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elements(prefix) if prefix.is_empty() => f.pad("/"),
            Self::Exact(text) | Self::Elements(text) | Self::Bytes(text) => f.pad(text),
            Self::Regex(expression) => f.pad(expression.source()),
        }
    }
}
