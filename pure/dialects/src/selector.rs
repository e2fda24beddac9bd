//! Kubernetes LabelSelectors, with the checks MetalLB makes.

use std::collections::BTreeSet;

use steelyard_manifest::kinds::{LabelSelector, LabelSelectorRequirement};
use steelyard_model::{FieldPath, Operator, Requirement, Selector};

use crate::codes;
use crate::findings::Findings;

const OPERATORS: [(&str, Operator); 4] = [
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
];

/// A list of selectors, any of which may hold. Doubled ones are refused, as MetalLB does.
pub(crate) fn list(
    written: Option<&[LabelSelector]>,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Vec<Selector> {
    let mut seen = BTreeSet::new();
    let mut selectors = Vec::new();
    for (index, selector) in written.unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        if !seen.insert(selector) {
            let message = format!("{path} repeats an earlier selector");
            findings.invalid(codes::ENTRY_DUPLICATE, &path, message, "remove one of the two");
        }
        selectors.push(one(selector, &path, findings));
    }
    selectors
}

/// One selector; all of its requirements hold.
pub(crate) fn one(
    written: &LabelSelector,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Selector {
    let path = path.key("matchExpressions");
    let mut expressions: Vec<Requirement> = Vec::new();
    let written_expressions = written.match_expressions.as_deref().unwrap_or_default();
    for (index, expression) in written_expressions.iter().enumerate() {
        let path = path.index(index);
        let Some(requirement) = requirement(expression, &path, findings) else { continue };
        if expressions.contains(&requirement) {
            let message = format!("{path} repeats an earlier expression");
            findings.invalid(codes::ENTRY_DUPLICATE, &path, message, "remove one of the two");
        }
        expressions.push(requirement);
    }
    Selector { match_labels: written.match_labels.clone().unwrap_or_default(), expressions }
}

fn requirement(
    written: &LabelSelectorRequirement,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Option<Requirement> {
    let key = written.key.clone().filter(|key| !key.is_empty());
    if key.is_none() {
        findings.missing(&path.key("key"), "name the label to look at");
    }
    if written.operator.is_none() {
        findings.missing(&path.key("operator"), "use one of In, NotIn, Exists, DoesNotExist");
    }
    let operator =
        findings.choice(&path.key("operator"), written.operator.as_deref(), &OPERATORS)?;
    let values = written.values.clone().unwrap_or_default();
    check_values(operator, &values, &path.key("values"), findings);
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
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        if !seen.insert(value) {
            let message = format!("value `{value}` is listed twice");
            let path = path.index(index);
            findings.invalid(codes::ENTRY_DUPLICATE, &path, message, "remove one of the two");
        }
    }
}
