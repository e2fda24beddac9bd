//! `v1` Secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::object::ObjectRef;

/// A `v1` Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The object itself.
    pub object: Arc<ObjectRef>,
    /// `type`; `Opaque` where none is written.
    pub kind: String,
    /// `data` decoded, and `stringData`.
    pub data: BTreeMap<String, SecretValue>,
    /// Keys of `data` whose value is not base64 (encrypted for a tool, say).
    pub unreadable: BTreeSet<String>,
    /// Keys that are written as they are (`stringData`).
    pub texts: BTreeSet<String>,
}

/// A value of a Secret. It never shows in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(pub Arc<[u8]>);

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValue({} bytes)", self.0.len())
    }
}

impl From<&str> for SecretValue {
    fn from(text: &str) -> Self {
        Self(Arc::from(text.as_bytes()))
    }
}
