//! Names that are in no row: what may have been meant. Routes are closed where that closes them.

use steelyard_model::suggest::closeness;
use steelyard_model::{ClassReading, FieldPath, Severity};

use super::effect::close;
use super::row::{Annotation, Carrier};
use super::vocabulary::Vocabulary;
use crate::findings::Findings;
use crate::{LowerOptions, codes};

/// So many names are listed for whoever has none of them.
const LISTED: usize = 5;

/// Reports the annotation `key` with the name `name` of `vocabulary`, on an object of kind `on`.
pub(super) fn report(
    vocabulary: &Vocabulary,
    (key, name): (&str, &str),
    on: Carrier,
    effects: &mut ClassReading,
    findings: &mut Findings<'_>,
    options: &LowerOptions,
) {
    let elsewhere = vocabulary.rows().find(|row| row.name == name);
    let meant = meant(vocabulary, name, on);
    let did_you_mean =
        |row: &Annotation| format!("did you mean `{}{}`?", vocabulary.prefix(options), row.name);
    let message = absent(vocabulary, key, on);
    if let Some(row) = meant.filter(|row| row.guards() && elsewhere.is_none()) {
        let message = format!(
            "{} has no annotation `{key}`, but it is named like one that restricts access: its \
             routes answer 503",
            vocabulary.whose
        );
        let help = did_you_mean(row);
        return close(codes::ACCESS_NOT_HONOURED, key, message, &help, effects, findings);
    }
    let known: Vec<&str> = vocabulary.on(on).map(|row| row.name).collect();
    let help = match (elsewhere, meant) {
        (Some(row), _) => format!("move it to the {}", row.on.kind()),
        (None, Some(row)) => did_you_mean(row),
        (None, None) if known.is_empty() || known.len() > LISTED => "remove it".to_owned(),
        (None, None) => format!("remove it; known there are {}", known.join(", ")),
    };
    let path = FieldPath::annotation(key);
    findings.say(Severity::Warning, codes::ANNOTATION_UNKNOWN, &path, message, help);
}

/// Of equally near names the one that restricts counts: when in doubt, closed.
pub(super) fn meant(
    vocabulary: &Vocabulary,
    name: &str,
    on: Carrier,
) -> Option<&'static Annotation> {
    let near = vocabulary.on(on).filter_map(|row| Some((closeness(name, row.name)?, row)));
    near.min_by_key(|(rank, row)| (*rank, !row.guards())).map(|(_, row)| row)
}

fn absent(vocabulary: &Vocabulary, key: &str, on: Carrier) -> String {
    let (whose, kind) = (vocabulary.whose, on.kind());
    let is_other = whose != super::STEELYARD.whose;
    match (vocabulary.on(on).next().filter(|_| is_other), vocabulary.rows.len()) {
        (Some(_), 1) => format!("{whose} has no annotation `{key}`; it does nothing"),
        (Some(_), _) => format!("{whose} has no annotation `{key}` on objects of kind {kind}"),
        (None, _) => format!("annotation `{key}` means nothing on objects of kind {kind}"),
    }
}
