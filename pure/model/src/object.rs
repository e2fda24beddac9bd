//! Names of objects and of places inside them.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// `namespace/name`, the key of everything namespaced. Ordered as it prints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespacedName {
    /// Kubernetes namespace; `default` where the manifest names none.
    pub namespace: Arc<str>,
    /// Object name.
    pub name: Arc<str>,
}

/// Which object: `Kind/namespace/name`, or `Kind/name` for what has no namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Kubernetes kind, e.g. `IPAddressPool`.
    pub kind: Arc<str>,
    /// Namespace, or empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    /// Object name.
    pub name: Arc<str>,
}

/// Where in an object, as users read it: `spec.addresses[0]`. Empty means the object as a whole.
/// A key that is not a plain word is written `metadata.annotations["a.b/c"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(pub Arc<str>);

/// The object and field something came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provenance {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// The field inside it.
    pub field: FieldPath,
}

impl NamespacedName {
    /// `namespace/name`.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Serialize for NamespacedName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ObjectRef {
    /// An object of `kind`; `namespace` is empty for cluster-scoped kinds.
    pub fn new(
        kind: impl Into<Arc<str>>,
        namespace: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Self {
        Self { kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// Its name without the kind.
    pub fn id(&self) -> NamespacedName {
        NamespacedName { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

impl Serialize for ObjectRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FieldPath {
    /// The object as a whole.
    pub fn root() -> Self {
        Self::default()
    }

    /// This path with one more key.
    pub fn key(&self, key: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if key.is_empty() || !key.chars().all(plain) {
            format!("{}[{key:?}]", self.0).into()
        } else if self.0.is_empty() {
            key.into()
        } else {
            format!("{}.{key}", self.0).into()
        }
    }

    /// This path with one more list index, counted from 0.
    pub fn index(&self, index: usize) -> Self {
        format!("{}[{index}]", self.0).into()
    }

    /// The annotation `key`: `metadata.annotations["key"]`.
    pub fn annotation(key: &str) -> Self {
        Self::from("metadata.annotations").key(key)
    }

    /// The annotation that it is, if it is one.
    pub fn as_annotation(&self) -> Option<&str> {
        let rest = self.0.strip_prefix("metadata.annotations")?;
        match rest.strip_prefix("[\"") {
            Some(quoted) => quoted.strip_suffix("\"]"),
            None => rest.strip_prefix('.'),
        }
    }

    /// Whether it is the object as a whole.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for FieldPath {
    fn from(path: &str) -> Self {
        Self(path.into())
    }
}

impl From<String> for FieldPath {
    fn from(path: String) -> Self {
        Self(path.into())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Provenance {
    /// `field` of `object`.
    pub fn new(object: &Arc<ObjectRef>, field: impl Into<FieldPath>) -> Self {
        Self { object: object.clone(), field: field.into() }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}
