//! Annotations that were written as labels, and labels as annotations: nobody reads them there.

use steelyard_model::{FieldPath, Labels, Severity};

use crate::annotation::{self, KUBERNETES, NGINX, TRAEFIK};
use crate::findings::Findings;
use crate::{LowerOptions, codes};

/// Reports labels of a Service that are read as annotations. One that is an annotation too is
/// there for somebody's selector.
pub(crate) fn labels_of_service(
    labels: &Labels,
    annotations: &Labels,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) {
    let read = |key: &str| annotation::is_for_services(key, options);
    annotations_as_labels(labels, annotations, read, findings);
}

/// The same of an Ingress.
pub(crate) fn labels_of_ingress(
    labels: &Labels,
    annotations: &Labels,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) {
    let read = |key: &str| [&KUBERNETES, &NGINX, &TRAEFIK].iter().any(|it| it.has(key, options));
    annotations_as_labels(labels, annotations, read, findings);
}

fn annotations_as_labels(
    labels: &Labels,
    annotations: &Labels,
    read: impl Fn(&str) -> bool,
    findings: &mut Findings<'_>,
) {
    for key in labels.keys().filter(|key| read(key) && !annotations.contains_key(key)) {
        findings.say(
            Severity::Warning,
            codes::ANNOTATION_AS_LABEL,
            &FieldPath::from("metadata.labels").key(key),
            format!("label `{key}` does nothing: it is read as an annotation"),
            "move it from metadata.labels to metadata.annotations",
        );
    }
}

/// Reports the annotation `key`, which is read as a label.
pub(crate) fn label_as_annotation(key: &str, annotations: &Labels, findings: &mut Findings<'_>) {
    if annotations.contains_key(key) {
        findings.say(
            Severity::Warning,
            codes::LABEL_AS_ANNOTATION,
            &FieldPath::annotation(key),
            format!("annotation `{key}` does nothing: it is read as a label"),
            "move it from metadata.annotations to metadata.labels",
        );
    }
}
