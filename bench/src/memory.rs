//! Memory of a process.

use anyhow::{Context, Result};

/// A size in /proc/PID/status, in MiB.
pub(crate) fn of_status(status: &str, name: &'static str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()).context(name)?;
    Ok(number.parse::<f64>()? / 1024.0)
}

/// What a process has of memory now, in MiB: VmRSS, the pages of the program included.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    of_status(&std::fs::read_to_string(format!("/proc/{pid}/status"))?, "VmRSS:")
}
