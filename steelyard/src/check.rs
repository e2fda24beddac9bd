//! `steelyard check`: what is wrong with manifests.

use std::process::ExitCode;

use anyhow::Result;
use steelyard_manifest::{Source, render};
use steelyard_model::{Diagnostic, Held, Severity};

use crate::cli::{CheckArgs, Output};
use crate::entry_points::StaticOptions;
use crate::{consequence, load, plan, text};

/// Runs the command.
///
/// # Errors
/// When a path cannot be read.
pub fn run(mut args: CheckArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    let (world, sources) = load::world(&args.paths, &args.world)?;
    let (_, plan) = plan::of(world, &Held::default(), &plan::facts(&args.world));
    let mut diagnostics = plan.diagnostics;
    consequence::explain(&mut diagnostics);
    match args.output {
        Output::Json => {
            text::put(&format!("{:#}\n", serde_json::json!({ "diagnostics": diagnostics })))?
        }
        Output::Text => {
            let found: Vec<Diagnostic> = diagnostics.iter().cloned().collect();
            text::put(&report(&found, &sources, text::wants_color()))?;
        }
    }
    Ok(load::status(&diagnostics))
}

/// The diagnostics with their lines, and a count.
pub(crate) fn report(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    if sources.is_empty() {
        return "nothing was read: there is no *.yaml, *.yml or *.json file\n".to_owned();
    }
    let mut out = render::text(diagnostics, sources, color);
    if !out.is_empty() {
        out.push('\n');
    }
    out + &summary(diagnostics) + "\n"
}

/// `2 errors, 1 warning, 3 notes`.
fn summary(diagnostics: &[Diagnostic]) -> String {
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
    if parts.is_empty() { "nothing to complain about".to_owned() } else { parts.join(", ") }
}
