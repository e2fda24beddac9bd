//! What many kinds share: metadata, label selectors, numbers that may be names.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny};
use steelyard_model::Labels;

/// `metadata` of every object.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Object name.
    pub name: Option<String>,
    /// Namespace; absent means `default` for namespaced kinds.
    pub namespace: Option<String>,
    /// Labels.
    pub labels: Option<Labels>,
    /// Annotations.
    pub annotations: Option<Labels>,
    /// When it was created, RFC 3339.
    pub creation_timestamp: Option<String>,
    /// Set while it is being deleted.
    pub deletion_timestamp: Option<String>,
    generate_name: Ignored,
    deletion_grace_period_seconds: Ignored,
    finalizers: Ignored,
    generation: Ignored,
    managed_fields: Ignored,
    owner_references: Ignored,
    resource_version: Ignored,
    self_link: Ignored,
    uid: Ignored,
}

/// A Kubernetes LabelSelector.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must have these values.
    pub match_labels: Option<Labels>,
    /// Further conditions, all of which must hold.
    pub match_expressions: Option<Vec<LabelSelectorRequirement>>,
}

/// One entry of `matchExpressions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelectorRequirement {
    /// Label key.
    pub key: Option<String>,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: Option<String>,
    /// Values to compare with.
    pub values: Option<Vec<String>>,
}

/// A number or a name, such as a `targetPort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntOrString {
    /// A number, in or out of range.
    Int(i64),
    /// A string, also one that holds digits.
    String(String),
}

/// A legitimate field that is not read: accepts anything, keeps nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntOrStringVisitor)
    }
}

struct IntOrStringVisitor;

impl de::Visitor<'_> for IntOrStringVisitor {
    type Value = IntOrString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<IntOrString, E> {
        Ok(IntOrString::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<IntOrString, E> {
        i64::try_from(value)
            .map(IntOrString::Int)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<IntOrString, E> {
        Ok(IntOrString::String(value.to_owned()))
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
        }
    }
}
