//! Processes whose clock is wrong: of the time of day alone, as on a machine that asks nobody for
//! it. What they measure time with goes on as it does.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

/// Where Debian has the library that tells another time.
const ROOT: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// What `command` starts has a clock that is wrong by `by` (`+9h`, `-9h`).
///
/// # Errors
/// When libfaketime is not there.
pub fn shift(command: &mut Command, by: &str) -> Result<()> {
    command
        .env("LD_PRELOAD", library()?)
        .env("FAKETIME", by)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Ok(())
}

fn library() -> Result<PathBuf> {
    let folders = std::fs::read_dir(ROOT)?.filter_map(Result::ok);
    let mut files = folders.map(|folder| folder.path().join(LIBRARY));
    files.find(|file| file.exists()).context("libfaketime is not there: apt-get install faketime")
}
