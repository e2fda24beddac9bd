//! Dependencies point one way, and each layer says which external crates may stand in it.

use std::path::Path;

use anyhow::{Context, Result};

use super::Complaint;

/// External crates of `pure/`: none opens a socket, reads a clock or starts a thread.
const PURE: &[&str] = &[
    "arc-swap",
    "argon2",
    "aws-lc-rs",
    "base64",
    "bcrypt",
    "brotli",
    "bytes",
    "fancy-regex",
    "flate2",
    "foca",
    "foldhash",
    "granit-parser",
    "httparse",
    "httpdate",
    "ipnet",
    "md-5",
    "memchr",
    "rand",
    "regex",
    "rustls-pki-types",
    "serde",
    "serde_json",
    "sha-crypt",
    "smallvec",
    "thiserror",
    "toml",
    "yescrypt",
    "zstd",
];
/// External crates of `io/`.
const IO: &[&str] = &[
    "arc-swap",
    "async-trait",
    "axum",
    "bytes",
    "clap",
    "foldhash",
    "futures-util",
    "h2",
    "http",
    "http-body",
    "http-body-util",
    "hyper",
    "hyper-rustls",
    "hyper-util",
    "ipnet",
    "k8s-openapi",
    "kube",
    "libc",
    "memchr",
    "notify",
    "opentelemetry",
    "opentelemetry-http",
    "opentelemetry-otlp",
    "opentelemetry_sdk",
    "rcgen",
    "rustix",
    "rustls",
    "rustls-native-certs",
    "serde",
    "serde_json",
    "socket2",
    "thiserror",
    "tokio",
    "tokio-rustls",
    "tracing",
];

/// External crates of the binary: it wires, and draws.
const BINARY: &[&str] = &[
    "anyhow",
    "bytes",
    "clap",
    "clap_complete",
    "http",
    "serde",
    "serde_json",
    "tokio",
    "tracing",
    "tracing-subscriber",
];
/// External crates of the laboratory.
const LAB: &[&str] = &[
    "anyhow",
    "clap",
    "httparse",
    "ipnet",
    "rcgen",
    "rustix",
    "serde",
    "serde_json",
    "tokio",
    "tracing",
];

/// What only tests may depend on.
const FOR_TESTS: &str = "testbed";

/// Reads every crate's manifest and holds its edges against the layers.
pub(crate) fn check(root: &Path) -> Result<Vec<Complaint>> {
    let pure = manifests(root, "pure")?;
    let names = pure.iter().filter_map(|(_, manifest)| name_in(manifest));
    let names: Vec<&str> = names.filter(|name| *name != FOR_TESTS).collect();
    let mut complaints = Vec::new();
    for (krate, manifest) in &pure {
        let known = |edge: &str| names.contains(&edge);
        complaints.extend(Dependencies::of(manifest).judge(krate, PURE, known));
    }
    for (krate, manifest) in &manifests(root, "io")? {
        let known = |edge: &str| edge == "host" || names.contains(&edge);
        complaints.extend(Dependencies::of(manifest).judge(krate, IO, known));
    }
    for (krate, allowed) in [("steelyard", BINARY), ("lab", LAB)] {
        let path = root.join(krate).join("Cargo.toml");
        let manifest =
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        complaints.extend(Dependencies::of(&manifest).judge(krate, allowed, |it| it != FOR_TESTS));
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
        let mut counts = false;
        let lines = manifest.lines().filter(|line| {
            if line.starts_with('[') {
                counts = line.ends_with("dependencies]") && !line.contains("dev-");
                return false;
            }
            counts
        });
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
            _ if layer != "io" => "only tests may",
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

/// Each crate of a layer as `layer/folder`, with its manifest.
fn manifests(root: &Path, layer: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(layer))? {
        let entry = entry?;
        if entry.path().is_dir() {
            let path = entry.path().join("Cargo.toml");
            let text =
                std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            found.push((format!("{layer}/{}", entry.file_name().to_string_lossy()), text));
        }
    }
    Ok(found)
}

/// The crate's name without the project's prefix; its folder may have another.
fn name_in(manifest: &str) -> Option<&str> {
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"steelyard-"))?;
    name.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n\n[dependencies]\n\
        steelyard-model.workspace = true\nsteelyard-host = { path = \"y\" }\n\
        # why\nserde.workspace = true\n[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n\n[dev-dependencies]\nproptest = \"1\"\n";

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
    fn what_is_for_tests_is_of_no_layer() {
        let manifest = "[dependencies]\nsteelyard-testbed.workspace = true\n";
        let complaints = Dependencies::of(manifest).judge("lab", LAB, |it| it != FOR_TESTS);
        assert_eq!(complaints, ["lab depends on testbed: only tests may"]);
    }

    #[test]
    fn a_crate_is_known_by_its_name() {
        assert_eq!(name_in("[package]\nname = \"steelyard-x\"\n"), Some("x"));
    }

    #[test]
    fn io_crates_may_know_what_io_lists() {
        let complaints = Dependencies::of(MANIFEST).judge("io/x", IO, |_| true);
        assert!(complaints.is_empty());
    }
}
