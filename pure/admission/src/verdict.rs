//! What `check` has to say of one object.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::value::RawValue;
use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::{Diagnostic, Severity};

use crate::{Beside, tree};

/// Bytes of an object that is judged: an API server waits for it, and whoever reaches us may
/// ask. A pool of 20,000 ranges has so many.
const LARGEST: usize = 512 << 10;
/// Lines of an answer of each kind, at most.
const LINES: usize = 20;

/// Lines for people, each a field, what is wrong with it and what to do.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What costs the object.
    pub(crate) errors: Vec<String>,
    /// What is likely not as meant.
    pub(crate) warnings: Vec<String>,
    /// It is judged beside others, and what was said of it before is none of both.
    pub(crate) is_beside_others: bool,
}

impl Verdict {
    /// Of an object as the API server holds it; of none there is nothing to say.
    pub(crate) fn of(object: Option<&RawValue>, beside: &dyn Beside) -> Self {
        let Some(object) = object.filter(|it| it.get() != "null") else { return Self::default() };
        let Some(text) = written(object) else {
            let warning = "the object is too large, or nested too deep, and is not judged: \
                           `steelyard check --cluster` does";
            return Self { warnings: vec![warning.to_owned()], ..Self::default() };
        };
        let loaded = load(&Source::new("object", text), &ReadLimits::default());
        let mut found = loaded.diagnostics;
        let judged = loaded.objects.first().and_then(|it| beside.judged(it));
        let is_beside_others = judged.is_some();
        found.extend(judged.unwrap_or_else(|| {
            let lowered = loaded.objects.iter().map(|it| lower(it, &LowerOptions::default()));
            lowered.flat_map(|it| it.diagnostics).collect()
        }));
        let (errors, warnings) = (lines(&found, Severity::Error), lines(&found, Severity::Warning));
        Self { errors, warnings, is_beside_others }
    }
}

/// The object as a manifest has it; none of one that is not judged.
///
/// What reads manifests reads YAML, which does not have every text of JSON in it as it is: so what
/// is not plain is written as an escape. Who wrote which field, which nobody reads, is left out.
fn written(object: &RawValue) -> Option<Vec<u8>> {
    let mut object = tree(object)?;
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    let plain = object.to_string();
    let mut text = String::with_capacity(plain.len());
    for letter in plain.chars() {
        match u32::from(letter) {
            0x20..0x7f | 0x1_0000.. => text.push(letter),
            number => text += &format!("\\u{number:04x}"),
        }
    }
    Some(text.into_bytes()).filter(|text| text.len() <= LARGEST)
}

/// Each once: what is said of every item of a list helps nobody.
fn lines(found: &[Diagnostic], severity: Severity) -> Vec<String> {
    let mut told = BTreeSet::new();
    let found = found.iter().filter(|it| it.severity == severity).map(line);
    let mut found = found.filter(|line| told.insert(line.clone()));
    let mut lines: Vec<String> = found.by_ref().take(LINES).collect();
    let more = found.count();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn line(found: &Diagnostic) -> String {
    let Diagnostic { path, message, help, code, .. } = found;
    match path.is_root() {
        true => format!("{message}; {help} ({code})"),
        false => format!("{path}: {message}; {help} ({code})"),
    }
}
