//! Kubernetes LabelSelectors, with the checks MetalLB makes.

use std::collections::BTreeSet;

use steelyard_manifest::kinds::{LabelSelector, LabelSelectorRequirement};
use steelyard_model::{FieldPath, Labels, Operator, Requirement, Selector, Severity};

use crate::codes;
use crate::findings::Findings;

const OPERATORS: [(&str, Operator); 4] = [
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
];

/// A list of selectors, any of which may hold. Doubled ones are refused, as MetalLB does, whatever
/// the order of values.
pub(crate) fn list(
    written: Option<&[LabelSelector]>,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Vec<Selector> {
    let mut seen = BTreeSet::new();
    let mut selectors = Vec::new();
    for (index, selector) in written.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        if !seen.insert(in_order(selector)) {
            Repeats::Refused.found(&path, "an earlier selector", findings);
        }
        selectors.push(one(selector, &path, Repeats::Refused, findings));
    }
    selectors
}

/// What becomes of a selector that says something twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// MetalLB refuses it.
    Refused,
    /// MetalLB takes it.
    Taken,
}

impl Repeats {
    fn found(self, path: &FieldPath, what: &str, findings: &mut Findings<'_>) {
        let (message, help) = (format!("{path} repeats {what}"), "remove one of the two");
        match self {
            Self::Refused => findings.invalid(codes::ENTRY_DUPLICATE, path, message, help),
            Self::Taken => {
                findings.say(Severity::Warning, codes::ENTRY_DUPLICATE, path, message, help);
            }
        }
    }
}

/// One selector; all of its requirements hold.
pub(crate) fn one(
    written: &LabelSelector,
    owner: &FieldPath,
    repeats: Repeats,
    findings: &mut Findings<'_>,
) -> Selector {
    let path = owner.key("matchExpressions");
    let mut expressions: Vec<Requirement> = Vec::new();
    let written_expressions = written.match_expressions.as_deref().unwrap_or_default();
    for (index, expression) in written_expressions.iter().enumerate() {
        let path = path.index(index);
        let Some(requirement) = requirement(expression, &path, repeats, findings) else {
            continue;
        };
        if expressions.iter().any(|other| is_same(other, &requirement)) {
            repeats.found(&path, "an earlier expression", findings);
        }
        expressions.push(requirement);
    }
    let match_labels = written.match_labels.clone().unwrap_or_default();
    check_labels(&match_labels, &owner.key("matchLabels"), findings);
    Selector { match_labels, expressions }
}

/// The selector with the values of each expression sorted.
fn in_order(selector: &LabelSelector) -> LabelSelector {
    let mut selector = selector.clone();
    for expression in selector.match_expressions.iter_mut().flatten() {
        expression.values.iter_mut().for_each(|values| values.sort());
    }
    selector
}

/// Whether two requirements are one, whatever the order of values.
fn is_same(a: &Requirement, b: &Requirement) -> bool {
    let values = |it: &Requirement| it.values.iter().cloned().collect::<BTreeSet<_>>();
    (&a.key, a.operator) == (&b.key, b.operator) && values(a) == values(b)
}

fn check_labels(labels: &Labels, path: &FieldPath, findings: &mut Findings<'_>) {
    for (key, value) in labels {
        let path = path.key(key);
        check_key(key, &path, findings);
        check_value(value, &path, findings);
    }
}

/// A label key is `name` or `prefix/name`: the prefix a DNS name, the name up to 63 characters.
fn check_key(key: &str, path: &FieldPath, findings: &mut Findings<'_>) {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let label = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty()
            && part.bytes().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let is_prefix = |prefix: &str| prefix.len() <= 253 && prefix.split('.').all(label);
    if !prefix.is_none_or(is_prefix) || name.is_empty() || !is_label_text(name) {
        findings.invalid(
            codes::SELECTOR_INVALID,
            path,
            format!("`{key}` is not the key of a label"),
            "write name or prefix/name: letters, digits, `-`, `_` and `.`, up to 63",
        );
    }
}

fn check_value(value: &str, path: &FieldPath, findings: &mut Findings<'_>) {
    if !is_label_text(value) {
        findings.invalid(
            codes::SELECTOR_INVALID,
            path,
            format!("`{value}` is not the value of a label"),
            "use letters, digits, `-`, `_` and `.`, up to 63, with a letter or digit at both ends",
        );
    }
}

/// Up to 63 letters, digits, `-`, `_` and `.`, not at the ends; also nothing.
fn is_label_text(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let outer = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().copied().all(inner)
        && outer(bytes.first())
        && outer(bytes.last())
}

fn requirement(
    written: &LabelSelectorRequirement,
    path: &FieldPath,
    repeats: Repeats,
    findings: &mut Findings<'_>,
) -> Option<Requirement> {
    let key = written.key.clone().filter(|key| !key.is_empty());
    if key.is_none() {
        findings.missing(&path.key("key"), "name the label to look at");
    }
    if let Some(key) = &key {
        check_key(key, &path.key("key"), findings);
    }
    if written.operator.is_none() {
        findings.missing(&path.key("operator"), "use one of In, NotIn, Exists, DoesNotExist");
    }
    let operator =
        findings.choice(&path.key("operator"), written.operator.as_deref(), &OPERATORS)?;
    let values = written.values.clone().unwrap_or_default();
    let path = path.key("values");
    check_values(operator, &values, &path, findings);
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate().filter(|(_, value)| !seen.insert(*value)) {
        repeats.found(&path.index(index), &format!("the value `{value}`"), findings);
    }
    Some(Requirement { key: key?, operator, values })
}

fn check_values(
    operator: Operator,
    values: &[String],
    path: &FieldPath,
    findings: &mut Findings<'_>,
) {
    let wants_values = matches!(operator, Operator::In | Operator::NotIn);
    if wants_values && values.is_empty() {
        findings.invalid(
            codes::SELECTOR_INVALID,
            path,
            format!("operator {operator:?} has no values to compare with"),
            "list at least one value, or use Exists or DoesNotExist",
        );
    }
    if !wants_values && !values.is_empty() {
        findings.invalid(
            codes::SELECTOR_INVALID,
            path,
            format!("operator {operator:?} takes no values, but {} are listed", values.len()),
            "remove `values`, or use In or NotIn",
        );
    }
    for (index, value) in values.iter().enumerate() {
        check_value(value, &path.index(index), findings);
    }
}
