//! Tests of the crate as a whole.

mod corpus;
mod dynamic;
mod loading;
mod locking;
mod properties;
mod reading;
mod rendering;

use crate::{Loaded, ReadLimits, Soundness, Source, load};

/// Loads `text` as `a.yaml` within the usual limits.
fn loaded(text: &[u8]) -> Loaded {
    load(&Source::new("a.yaml", text), &ReadLimits::default())
}

/// Objects as `Kind/namespace/name`, then findings as `line:column severity code`, then `broken`.
fn outcome(text: &[u8]) -> String {
    let Loaded { objects, diagnostics, broken } = loaded(text);
    let objects = objects.iter().filter(|object| object.soundness == Soundness::Sound);
    let objects = objects.map(|object| object.reference.to_string());
    let findings = diagnostics.iter().map(|diagnostic| {
        let at = diagnostic.location.as_ref().expect("located");
        assert!(!diagnostic.help.is_empty());
        format!("{}:{} {} {}", at.line, at.column, diagnostic.severity, diagnostic.code)
    });
    let broken = broken.then(|| "broken".to_owned());
    objects.chain(findings).chain(broken).collect::<Vec<_>>().join("; ")
}
