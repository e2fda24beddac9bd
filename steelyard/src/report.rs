//! What was found, for people: with the lines of manifests, and a count.

mod digest;

use steelyard_manifest::{Source, render};
use steelyard_model::{Diagnostic, Severity};

/// The diagnostics of at `least` this severity with their lines, and a count of all.
pub(crate) fn report(
    diagnostics: &[Diagnostic],
    sources: &[Source],
    least: Severity,
    color: bool,
) -> String {
    if sources.is_empty() {
        return "nothing was read: there is no *.yaml, *.yml or *.json file\n".to_owned();
    }
    let (shown, hidden): (Vec<Diagnostic>, Vec<Diagnostic>) =
        diagnostics.iter().cloned().partition(|found| found.severity <= least);
    let mut out = render::text(&digest::of(&shown), sources, color);
    if !out.is_empty() {
        out.push('\n');
    }
    let summary = summary(&shown).unwrap_or_else(|| "nothing to complain about".to_owned());
    let hidden = self::summary(&hidden).map_or(String::new(), |it| format!(" ({it} not shown)"));
    format!("{out}{summary}{hidden}\n")
}

/// `2 errors, 1 warning, 3 notes`; none where nothing was found.
fn summary(diagnostics: &[Diagnostic]) -> Option<String> {
    let count = |severity, name: &str| {
        let count = diagnostics.iter().filter(|found| found.severity == severity).count();
        match count {
            0 => None,
            1 => Some(format!("1 {name}")),
            _ => Some(format!("{count} {name}s")),
        }
    };
    let parts = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Info, "note"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
