//! What a cluster leaves that was killed, or whose test was: namespaces, and processes in them.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use steelyard_host::netns;

use crate::wait;

/// Kills every process in namespaces whose names begin so, and waits until all have ended.
pub(super) fn end(prefix: &str) -> Result<()> {
    for pid in processes(prefix) {
        let pid = Pid::from_raw(pid).context("a process id is positive")?;
        // One that has ended meanwhile is no loss.
        let _ = kill_process(pid, Signal::KILL);
    }
    wait::until("the end of a cluster's processes", || processes(prefix).is_empty())
}

/// Ends what is there under such names, and removes the namespaces.
pub(super) fn remove(prefix: &str) -> Result<()> {
    end(prefix)?;
    for name in names(prefix) {
        netns::ip(&["netns", "del", &name])?;
    }
    Ok(())
}

/// Namespaces whose names begin so.
pub(super) fn names(prefix: &str) -> Vec<String> {
    netns::list().into_iter().filter(|name| name.starts_with(prefix)).collect()
}

fn processes(prefix: &str) -> Vec<i32> {
    let told = names(prefix).into_iter().flat_map(|name| netns::ip(&["netns", "pids", &name]));
    told.flat_map(|pids| pids.split_whitespace().flat_map(str::parse).collect::<Vec<_>>()).collect()
}
