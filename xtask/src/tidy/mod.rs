//! `cargo xtask tidy`: the rules of form that a compiler does not check.
//!
//! - layers: `pure/` depends on nothing of `io/`; `io/` crates meet only in `steelyard/`
//! - sizes: files, functions and comments stay small enough to read
//! - names: no file is called after nothing in particular
//! - diagnostics: each code has a golden case and a line in docs/diagnostics.md
//! - items: each kind of object is in the property of edits, and in a golden case
//! - circles: sibling modules know each other one way only
//! - types: a public type's name is its alone, over all crates
//! - sentences: no code looks into a text that is made for people
//! - secrets: what may be one does not show in debug output
//! - promises: files and folders that pages for developers name, and the tests that
//!   docs/security.md does, are there

mod circles;
mod diagnostics;
mod items;
mod layers;
mod modules;
mod promises;
mod secrets;
mod sentences;
mod sizes;
#[cfg(test)]
mod testing;
mod types;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// One broken rule, with the place.
type Complaint = String;

/// Checks everything and reports all that is wrong at once.
pub(crate) fn run() -> Result<()> {
    println!("\n=== tidy");
    let root = crate::root();
    let sources = rust_files(&root)?;
    let mut complaints = layers::check(&root)?;
    complaints.extend(sizes::check(&sources)?);
    complaints.extend(diagnostics::check(&root, &sources)?);
    complaints.extend(items::check(&root, &sources)?);
    complaints.extend(circles::check(&sources));
    complaints.extend(types::check(&sources));
    complaints.extend(sentences::check(&sources));
    complaints.extend(secrets::check(&sources));
    complaints.extend(promises::check(&root, &sources)?);
    if complaints.is_empty() {
        println!("{} files are tidy", sources.len());
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    bail!("{} rules of form are broken", complaints.len())
}

/// Every Rust file of the workspace, relative to the root, sorted.
fn rust_files(root: &Path) -> Result<Vec<SourceFile>> {
    let mut found = Vec::new();
    for folder in ["pure", "io", "lab", "steelyard", "tests", "bench", "xtask", "fuzz"] {
        collect(root, &root.join(folder), &mut found)?;
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A Rust file and its text.
struct SourceFile {
    path: PathBuf,
    text: String,
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<SourceFile>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)?;
            let path = path.strip_prefix(root).unwrap_or(&path).to_owned();
            found.push(SourceFile { path, text });
        }
    }
    Ok(())
}
