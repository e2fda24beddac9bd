//! What `check` has to say of one object.

use std::collections::BTreeSet;

use serde_json::Value;
use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::{Diagnostic, Severity};

/// Lines for people, each a field, what is wrong with it and what to do.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What costs the object.
    pub(crate) errors: Vec<String>,
    /// What is likely not as meant.
    pub(crate) warnings: Vec<String>,
}

impl Verdict {
    /// Of an object as the API server holds it; of none there is nothing to say.
    pub(crate) fn of(object: &Value) -> Self {
        if object.is_null() {
            return Self::default();
        }
        let text = object.to_string().into_bytes();
        let loaded = load(&Source::new("object", text), &ReadLimits::default());
        let lowered = loaded.objects.iter().map(|it| lower(it, &LowerOptions::default()));
        let mut found = loaded.diagnostics;
        found.extend(lowered.flat_map(|it| it.diagnostics));
        Self { errors: lines(&found, Severity::Error), warnings: lines(&found, Severity::Warning) }
    }
}

/// Each once: what is said of every item of a list helps nobody.
fn lines(found: &[Diagnostic], severity: Severity) -> Vec<String> {
    let mut told = BTreeSet::new();
    let found = found.iter().filter(|it| it.severity == severity).map(line);
    found.filter(|line| told.insert(line.clone())).collect()
}

fn line(found: &Diagnostic) -> String {
    let Diagnostic { path, message, help, code, .. } = found;
    match path.is_root() {
        true => format!("{message}; {help} ({code})"),
        false => format!("{path}: {message}; {help} ({code})"),
    }
}
