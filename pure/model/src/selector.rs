//! Labels and Kubernetes label selectors.

use crate::labels::Labels;

/// A Kubernetes LabelSelector: all of its requirements hold. An empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// `matchLabels`.
    pub match_labels: Labels,
    /// `matchExpressions`.
    pub expressions: Vec<Requirement>,
}

/// One entry of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// Label key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// Values for [`Operator::In`] and [`Operator::NotIn`], else empty.
    pub values: Vec<String>,
}

/// Operators of a [`Requirement`]. `NotIn` holds for objects without the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// The label is one of the values.
    In,
    /// The label is absent or none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl Selector {
    /// Whether an object with `labels` is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        is_subset(&self.match_labels, labels)
            && self.expressions.iter().all(|requirement| requirement.holds(labels))
    }

    /// Whether any of `selectors` selects (entries of a list are ORed).
    pub fn any(selectors: &[Self], labels: &Labels) -> bool {
        selectors.iter().any(|selector| selector.matches(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

/// Whether every pair of `wanted` is among `labels`.
pub fn is_subset(wanted: &Labels, labels: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}
