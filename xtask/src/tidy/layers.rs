//! Dependencies point one way, and each layer says which external crates may stand in it.

use std::path::Path;

use anyhow::{Context, Result};

use super::Complaint;

/// External crates of `pure/`: none opens a socket, reads a clock or starts a thread.
const PURE: &[&str] = &[
    "aws-lc-rs",
    "bytes",
    "foca",
    "granit-parser",
    "httparse",
    "ipnet",
    "memchr",
    "rand",
    "regex",
    "serde",
];
/// External crates of `io/`.
const IO: &[&str] = &[
    "arc-swap",
    "axum",
    "bytes",
    "clap",
    "futures-util",
    "hyper",
    "hyper-util",
    "ipnet",
    "libc",
    "memchr",
    "notify",
    "rustix",
    "serde",
    "serde_json",
    "socket2",
    "thiserror",
    "tokio",
    "tracing",
];

/// Reads every crate's manifest and holds its edges against the layers.
pub(crate) fn check(root: &Path) -> Result<Vec<Complaint>> {
    let pure = crates(root, "pure")?;
    let io = crates(root, "io")?;
    let mut complaints = Vec::new();
    for name in &pure {
        let dependencies = Dependencies::of(&manifest(root, "pure", name)?);
        let known = |edge: &str| pure.iter().any(|one| one == edge);
        complaints.extend(dependencies.judge(&format!("pure/{name}"), PURE, known));
    }
    for name in &io {
        let dependencies = Dependencies::of(&manifest(root, "io", name)?);
        let known = |edge: &str| edge == "host" || pure.iter().any(|one| one == edge);
        complaints.extend(dependencies.judge(&format!("io/{name}"), IO, known));
    }
    Ok(complaints)
}

/// What a crate depends on outside its tests.
struct Dependencies {
    /// The project's own crates, without their prefix.
    own: Vec<String>,
    external: Vec<String>,
}

impl Dependencies {
    fn of(manifest: &str) -> Self {
        let lines = manifest
            .lines()
            .skip_while(|line| line.trim() != "[dependencies]")
            .skip(1)
            .take_while(|line| !line.starts_with('['));
        let named = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
        let named = named.filter(|name| !name.is_empty() && !name.starts_with('#'));
        let (own, external): (Vec<&str>, Vec<&str>) =
            named.partition(|name| name.starts_with("steelyard-"));
        let own = own.into_iter().filter_map(|name| name.strip_prefix("steelyard-"));
        Self {
            own: own.map(str::to_owned).collect(),
            external: external.into_iter().map(str::to_owned).collect(),
        }
    }

    fn judge(&self, krate: &str, allowed: &[&str], known: impl Fn(&str) -> bool) -> Vec<Complaint> {
        let layer = krate.split('/').next().unwrap_or_default();
        let rule = match layer {
            "pure" => "pure/ knows only pure/",
            _ => "io/ crates meet only in steelyard/",
        };
        let own = self.own.iter().filter(|edge| !known(edge));
        let own = own.map(|edge| format!("{krate} depends on {edge}: {rule}"));
        let external = self.external.iter().filter(|name| !allowed.contains(&&***name));
        let external =
            external.map(|name| format!("{krate} uses {name}, which {layer}/ does not list"));
        own.chain(external).collect()
    }
}

fn crates(root: &Path, layer: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(root.join(layer))?;
    let folders = entries.filter_map(|entry| entry.ok()).filter(|entry| entry.path().is_dir());
    Ok(folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

fn manifest(root: &Path, layer: &str, name: &str) -> Result<String> {
    let path = root.join(layer).join(name).join("Cargo.toml");
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n\n[dependencies]\n\
        steelyard-model.workspace = true\nsteelyard-host = { path = \"y\" }\n\
        # why\nserde.workspace = true\ntokio = \"1\"\n\n[dev-dependencies]\nproptest = \"1\"\n";

    #[test]
    fn pure_crates_know_pure_crates_and_what_is_listed() {
        let complaints = Dependencies::of(MANIFEST).judge("pure/x", PURE, |edge| edge == "model");
        assert_eq!(
            complaints,
            [
                "pure/x depends on host: pure/ knows only pure/",
                "pure/x uses tokio, which pure/ does not list",
            ]
        );
    }

    #[test]
    fn io_crates_may_know_what_io_lists() {
        let complaints = Dependencies::of(MANIFEST).judge("io/x", IO, |_| true);
        assert!(complaints.is_empty());
    }
}
