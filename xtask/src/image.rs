//! `cargo xtask image`: a static program for an architecture, and an image of it that needs no
//! daemon to be made. `deploy/Containerfile` is the same for those who have one.

mod cross;
mod oci;
#[cfg(test)]
mod recipe;
mod tar;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::{install, shell};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    /// 64-bit x86
    Amd64,
    /// 64-bit ARM
    Arm64,
}

impl Architecture {
    /// As images have it.
    fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// As processors are called.
    fn processor(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }
}

/// Builds the program with a profile of cargo's and writes its image.
pub(crate) fn run(architecture: Architecture, profile: &str) -> Result<()> {
    let image = make(architecture, profile)?;
    println!("wrote {}", image.display());
    println!("  sudo ctr -n k8s.io images import {}", image.display());
    Ok(())
}

fn make(architecture: Architecture, profile: &str) -> Result<PathBuf> {
    let program = cross::build(architecture, profile)?;
    let folder = folder()?;
    let version = env!("CARGO_PKG_VERSION");
    let file = folder.join(format!("steelyard-{version}-{}.tar", architecture.name()));
    let content = std::fs::read(&program).with_context(|| program.display().to_string())?;
    std::fs::write(&file, oci::archive(&content, architecture.name(), version)?)?;
    Ok(file)
}

/// Where images and what makes them are put.
fn folder() -> Result<PathBuf> {
    let folder = crate::root().join("target/image");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Makes the images of all architectures, and runs the program of each: a foreign one under qemu.
/// They are built as for an edit, which is the quickest way to a program of that architecture.
pub(crate) fn check() -> Result<()> {
    if !shell::has("rustup") || !install::has_pip() {
        println!("skipped: images: no rustup or no pip to get what builds them");
        return Ok(());
    }
    let expected = shell::output("target/debug/steelyard", &["check", EXAMPLE])?;
    for architecture in [Architecture::Amd64, Architecture::Arm64] {
        let image = make(architecture, "dev")?;
        let program = unpacked(&image, architecture)?;
        let emulator = format!("qemu-{}-static", architecture.processor());
        let is_own = architecture.processor() == std::env::consts::ARCH;
        if !is_own && !shell::has(&emulator) {
            println!("skipped: the program for {}: no {emulator}", architecture.name());
            continue;
        }
        let mut command =
            Command::new(if is_own { program.as_path() } else { Path::new(&emulator) });
        if !is_own {
            command.arg(&program);
        }
        let output = command.args(["check", EXAMPLE]).current_dir(crate::root()).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(said.trim() == expected, "{}: {said}\n{expected}", architecture.name());
        println!("the program for {} runs", architecture.name());
    }
    Ok(())
}

/// Manifests with something to say about.
const EXAMPLE: &str = "tests/golden/check/access-not-honoured.in.yaml";

/// The program as it is in the image.
fn unpacked(image: &Path, architecture: Architecture) -> Result<PathBuf> {
    let folder = folder()?.join(format!("unpacked-{}", architecture.name()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let within = folder.to_string_lossy().into_owned();
    shell::run("tar", &["-xf", &image.to_string_lossy(), "-C", &within], &[])?;
    let layer = oci::layer(&folder)?.to_string_lossy().into_owned();
    shell::run("tar", &["-xf", &layer, "-C", &within, "steelyard"], &[])?;
    Ok(folder.join("steelyard"))
}
