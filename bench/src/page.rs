//! docs/performance.md, made from bench/results/*.json.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::results::Results;

const HEAD: &str = "\
# Performance

Every figure here was measured, and says how to measure it again. Machines differ and are noisy:
programs are compared side by side in one interleaved run, the figures are medians over the rounds,
and what counts is the ratio. In every row lower is better.

This page is written by `cargo xtask bench`; edit `bench/src/page.rs` instead.
";

/// What each measurement is, by name.
const ABOUT: &[(&str, &str)] = &[(
    "gateway",
    "CPU time of the whole proxy per proxied HTTP/1.1 request, at saturation: the proxy with one \
     worker on core 0, load generator and backend in one thread on core 1, all on loopback. nginx \
     and HAProxy are Debian's, with keep-alive to the backend and no access log.",
)];

/// Writes the page from all results in `folder`.
pub(crate) fn write(folder: &Path, page: &Path) -> Result<()> {
    let mut text = HEAD.to_owned();
    let mut names: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    names.sort();
    for path in names {
        let results: Results = serde_json::from_slice(&std::fs::read(&path)?)
            .with_context(|| path.display().to_string())?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        text += &section(&name, &results);
    }
    std::fs::write(page, text).with_context(|| format!("cannot write {}", page.display()))
}

fn section(name: &str, results: &Results) -> String {
    let about = ABOUT.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about);
    let mut out = format!(
        "\n## {name}\n\n`cargo xtask bench {name}` · commit {} · {}\n\n{about}\n\n\
         | load | unit | steelyard | peer | theirs | ratio | goal | rounds |\n\
         |---|---|--:|---|--:|--:|--:|--:|\n",
        results.commit, results.machine
    );
    for row in &results.rows {
        let _ = writeln!(
            out,
            "| {} | {} | {:.2} | {} | {:.2} | {:.2} | {:.2} | {} |",
            row.name, row.unit, row.ours, row.peer, row.theirs, row.ratio, row.goal, row.rounds
        );
    }
    out
}
