//! Dependencies point one way.

use std::path::Path;

use anyhow::{Context, Result};

use super::Complaint;

/// Reads every crate's manifest and holds its edges against the layers.
pub(crate) fn check(root: &Path) -> Result<Vec<Complaint>> {
    let pure = crates(root, "pure")?;
    let io = crates(root, "io")?;
    let mut complaints = Vec::new();
    for name in &pure {
        for edge in edges(root, "pure", name)? {
            if !pure.contains(&edge) {
                complaints.push(format!("pure/{name} depends on {edge}: pure/ knows only pure/"));
            }
        }
    }
    for name in &io {
        for edge in edges(root, "io", name)? {
            if !pure.contains(&edge) && edge != "host" {
                let rule = "io/ crates meet only in steelyard/";
                complaints.push(format!("io/{name} depends on {edge}: {rule}"));
            }
        }
    }
    Ok(complaints)
}

fn crates(root: &Path, layer: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(root.join(layer))?;
    let folders = entries.filter_map(|entry| entry.ok()).filter(|entry| entry.path().is_dir());
    Ok(folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// The project's own crates that `name` depends on outside its tests, without their prefix.
fn edges(root: &Path, layer: &str, name: &str) -> Result<Vec<String>> {
    let path = root.join(layer).join(name).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let dependencies = text
        .lines()
        .skip_while(|line| line.trim() != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    Ok(dependencies
        .filter_map(|line| line.trim().strip_prefix("steelyard-"))
        .map(|rest| rest.split(['.', ' ', '=']).next().unwrap_or(rest).to_owned())
        .collect())
}
