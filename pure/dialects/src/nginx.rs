//! Annotations of ingress-nginx on an Ingress.
//!
//! None is honoured yet. One that restricts access closes its routes, whatever its value, unless
//! that value restricts nothing; so does an unknown name that is nearly one of those. The others
//! are reported and the route is served without them. An empty value is none at all.

mod table;

use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::suggest::closeness;
use steelyard_model::{ClassReading, FieldPath, Labels, Severity};

use crate::findings::Findings;
use crate::{LowerOptions, codes};
use table::{Annotation, Miss};

/// What annotations do to the routes of an Ingress with these paths.
pub(crate) fn apply(
    annotations: &Labels,
    paths: &[&str],
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) {
    for (key, value) in annotations {
        let name = key.strip_prefix(options.nginx_prefix.as_str());
        let Some(name) = name.and_then(|rest| rest.strip_prefix('/')) else { continue };
        if value.trim().is_empty() {
            continue;
        }
        match table::ALL.iter().find(|known| known.name == name) {
            Some(known) if known.is_neutral(value) || changes_nothing(name, value, paths) => {}
            Some(known) => known_annotation(known, key, value, effects, findings),
            None => unknown(name, key, effects, findings),
        }
    }
}

/// A rewrite to what the path is already is no rewrite.
fn changes_nothing(name: &str, value: &str, paths: &[&str]) -> bool {
    name == "rewrite-target" && !paths.is_empty() && paths.iter().all(|path| *path == value)
}

/// The annotation by which paths are regular expressions: `use-regex`, or a rewrite.
pub(crate) fn regex(annotations: &Labels, options: &LowerOptions) -> Option<String> {
    let on = |(name, off): (&str, fn(&str) -> bool)| {
        let key = format!("{}/{name}", options.nginx_prefix);
        let value = annotations.get(&key)?.trim();
        (!value.is_empty() && !off(value)).then_some(key)
    };
    let is_off = |value: &str| !matches!(value, "true" | "True" | "TRUE" | "t" | "T" | "1");
    [("use-regex", is_off as fn(&str) -> bool), ("rewrite-target", |_| false)]
        .into_iter()
        .find_map(on)
}

fn known_annotation(
    known: &Annotation,
    key: &str,
    value: &str,
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
) {
    match known.miss {
        Miss::Security => refuse(key, effects, findings),
        Miss::Protocol => {
            let message = format!("annotation `{key}: {value}` is not honoured yet");
            let help = "let the backend answer HTTP/1.1 without TLS on the port of this rule";
            let code = codes::BACKEND_PROTOCOL_NOT_HONOURED;
            close(code, key, message, help, effects, findings);
        }
        Miss::Functional => not_honoured(key, value, findings),
        Miss::Canary => {
            effects.is_unserved = true;
            let message =
                format!("annotation `{key}` is not honoured yet: the canary gets no requests");
            say(key, message, "remove the Ingress, or keep it for later", findings);
        }
        Miss::Cosmetic => {}
    }
}

/// A name nobody reads. Its routes are closed if it may have been meant to close them.
fn unknown(name: &str, key: &str, effects: &mut ClassReading, findings: &mut Findings<'_>) {
    let near = table::ALL.iter().filter_map(|known| Some((closeness(name, known.name)?, known)));
    // Of equally near names the one that restricts counts: when in doubt, closed.
    let nearest = near.min_by_key(|(rank, known)| (*rank, known.miss != Miss::Security));
    let Some((_, meant)) = nearest else {
        let message = format!("ingress-nginx has no annotation `{key}`; it does nothing");
        return report_unknown(key, message, "remove it", findings);
    };
    let prefix = key.strip_suffix(name).unwrap_or_default();
    let help = format!("did you mean `{prefix}{}`?", meant.name);
    if meant.miss == Miss::Security {
        let message = format!(
            "ingress-nginx has no annotation `{key}`, but it is named like one that restricts \
             access: its routes answer 503"
        );
        return close(codes::ACCESS_NOT_HONOURED, key, message, &help, effects, findings);
    }
    let message = format!("ingress-nginx has no annotation `{key}`; it does nothing");
    report_unknown(key, message, &help, findings);
}

fn report_unknown(key: &str, message: String, help: &str, findings: &mut Findings<'_>) {
    let path = FieldPath::annotation(key);
    findings.say(Severity::Warning, codes::ANNOTATION_UNKNOWN, &path, message, help);
}

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
    code: steelyard_model::Code,
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

/// Reports an annotation that routes are served without.
pub(crate) fn not_honoured(key: &str, value: &str, findings: &mut Findings<'_>) {
    let message = format!("annotation `{key}: {value}` is not honoured yet");
    let help = "the routes are served without it; remove it if they are fine so";
    say(key, message, help, findings);
}

fn say(key: &str, message: String, help: &str, findings: &mut Findings<'_>) {
    let path = FieldPath::annotation(key);
    findings.say(Severity::Warning, codes::ANNOTATION_NOT_HONOURED, &path, message, help);
}
