//! What a laboratory needs of the machine.

use std::path::{Path, PathBuf};

use anyhow::bail;

/// Programs, and the Debian packages they are in.
const TOOLS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("curl", "curl"),
    ("arping", "arping"),
    ("ndisc6", "ndisc6"),
    ("ping", "iputils-ping"),
];

/// Namespaces and raw sockets are the superuser's.
pub(super) fn require_root() -> anyhow::Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!(
        "the laboratory builds network namespaces and needs root: run `sudo steelyard lab` \
         (`steelyard demo` needs no privileges)"
    )
}

/// Says what to install when a program is missing.
pub(super) fn require_programs() -> anyhow::Result<()> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    let missing: Vec<&(&str, &str)> =
        TOOLS.iter().filter(|(program, _)| !is_in(&folders, program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    bail!(
        "missing: {}; install with `apt-get install {}` (or what your system calls them)",
        programs.join(", "),
        packages.join(" ")
    )
}

fn is_in(folders: &[PathBuf], program: &str) -> bool {
    folders.iter().map(|folder| folder.join(program)).any(|path: PathBuf| Path::is_file(&path))
}
