//! What an annotation that is not honoured does to the routes of its object.

use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::{ClassReading, Code, FieldPath, Severity};

use crate::codes;
use crate::findings::Findings;

/// Closes the routes because of an annotation that restricts access.
pub(crate) fn refuse(key: &str, effects: &mut ClassReading, findings: &mut Findings<'_>) {
    let message = format!(
        "annotation `{key}` restricts access and is not honoured yet: its routes answer 503"
    );
    let help = "remove it to open the routes to everybody, or restrict access elsewhere";
    close(codes::ACCESS_NOT_HONOURED, key, message, help, effects, findings);
}

/// Closes the routes for the reason given.
pub(crate) fn close(
    code: Code,
    key: &str,
    message: String,
    help: &str,
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
) {
    let path = FieldPath::annotation(key);
    findings.say(Severity::Error, code, &path, message, help);
    if effects.refusal.is_none() {
        effects.refusal = Some(RefusalReason::Restriction(findings.place(&path)));
    }
}

/// Reports an annotation that routes are served without, or not at all.
pub(crate) fn not_honoured(key: &str, message: String, help: &str, findings: &mut Findings<'_>) {
    let path = FieldPath::annotation(key);
    findings.say(Severity::Warning, codes::ANNOTATION_NOT_HONOURED, &path, message, help);
}
