//! A static program for another machine: Rust's own musl and linker, and Zig as the compiler of
//! the C that is in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Architecture;
use crate::{install, shell};

/// What cargo is told, for which machine and with which profile ever.
pub(super) const BUILD: [&str; 6] =
    ["build", "--locked", "--package", "steelyard", "--features", "otlp"];

/// Builds the program; its file.
pub(super) fn build(architecture: Architecture, profile: &str) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-musl", architecture.processor());
    shell::run("rustup", &["target", "add", &target], &[])?;
    let zig = install::zig()?;
    let compiler = compiler(&zig, architecture)?.to_string_lossy().into_owned();
    let archiver = script("ar", &format!("exec '{}' ar \"$@\"\n", zig.display()))?;
    let archiver = archiver.to_string_lossy().into_owned();
    let variable = target.replace('-', "_");
    let linker = format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase());
    let environment = [
        (&*format!("CC_{variable}"), &*compiler),
        (&*format!("AR_{variable}"), &*archiver),
        (&*linker, "rust-lld"),
        ("CARGO_INCREMENTAL", "0"),
        // As for an edit, but nobody looks for a line in it.
        ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ];
    let place = ["--profile", profile, "--target", &target];
    shell::run("cargo", &[&BUILD[..], &place[..]].concat(), &environment)?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(crate::root().join("target").join(target).join(folder).join("steelyard"))
}

/// Zig under the command line of a C compiler that builds for one machine only.
fn compiler(zig: &Path, architecture: Architecture) -> Result<PathBuf> {
    // It knows the machine by another name, and stops programs where C is undefined unless told.
    let text = format!(
        "for word; do shift; case $word in --target=*) ;; *) set -- \"$@\" \"$word\" ;; esac; done\n\
         exec '{}' cc -target {}-linux-musl -fno-sanitize=undefined \"$@\"\n",
        zig.display(),
        architecture.processor(),
    );
    script(&format!("cc-{}", architecture.name()), &text)
}

fn script(name: &str, text: &str) -> Result<PathBuf> {
    let file = super::folder()?.join(name);
    std::fs::write(&file, format!("#!/bin/sh\n{text}"))?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
    Ok(file)
}
