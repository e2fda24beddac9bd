//! How little a proxied request can cost: two sketches of a loop that do nothing else, where their
//! sources lie beside the project.
//!
//! `f_epoll` has no runtime, `d_feat` has timeouts, a log and a histogram. They are built as they
//! lie there, into a folder that outlives the run; nothing of them is part of the project.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The sketches, built.
pub(super) struct Floor {
    /// Without a runtime.
    pub(super) bare: PathBuf,
    /// With what a gateway cannot do without.
    pub(super) featured: PathBuf,
}

/// What the two have in common, and they.
const SOURCES: [&str; 3] = ["core.rs", "f_epoll.rs", "d_feat.rs"];
const MANIFEST: &str = "Cargo.toml.txt";

impl Floor {
    /// Builds them; none where their sources are not there.
    pub(super) fn build() -> Result<Option<Self>> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/prototypes/gateway");
        if !sources.join(MANIFEST).is_file() {
            return Ok(None);
        }
        let folder = cache()?.join("floor");
        lay_out(&sources, &folder)?;
        let status = Command::new("cargo")
            .args(["build", "--quiet", "--release", "--bin", "f_epoll", "--bin", "d_feat"])
            .arg("--manifest-path")
            .arg(folder.join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .status()
            .context("cannot start cargo")?;
        if !status.success() {
            bail!("the sketches in {} do not build", sources.display());
        }
        let built = folder.join("target/release");
        Ok(Some(Self { bare: built.join("f_epoll"), featured: built.join("d_feat") }))
    }
}

/// As cargo wants them: a library `core`, and a program each.
fn lay_out(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.join("src/bin"))?;
    fs::write(to.join("src/lib.rs"), "pub mod core;\n")?;
    fs::copy(from.join(MANIFEST), to.join("Cargo.toml"))?;
    for name in SOURCES {
        let place = if name == "core.rs" { "src" } else { "src/bin" };
        fs::copy(from.join(name), to.join(place).join(name))?;
    }
    Ok(())
}

fn cache() -> Result<PathBuf> {
    let home = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    Ok(home.context("neither XDG_CACHE_HOME nor HOME is set")?.join("steelyard"))
}
