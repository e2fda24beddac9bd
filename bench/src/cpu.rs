//! CPU time of a process tree, exact to the nanosecond.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

/// CPU time used so far by the calling thread: what it would take on an idle machine.
pub(crate) fn of_this_thread() -> Result<Duration> {
    // What schedstat says of who is running is as old as the last tick.
    Ok(clock_gettime(ClockId::ThreadCPUTime).try_into()?)
}

/// CPU time used so far by `root` and all its descendants (`/proc/PID/task/TID/schedstat`).
pub(crate) fn of_tree(root: u32) -> Duration {
    let children = children();
    let mut pending = vec![root];
    let mut total = 0;
    while let Some(pid) = pending.pop() {
        total += of_process(pid);
        pending.extend(children.get(&pid).into_iter().flatten());
    }
    Duration::from_nanos(total)
}

fn of_process(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let schedstat = |path: std::path::PathBuf| fs::read_to_string(path.join("schedstat")).ok();
    tasks
        .filter_map(|task| schedstat(task.ok()?.path()))
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Parent → children of every process.
fn children() -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let Ok(entries) = fs::read_dir("/proc") else { return children };
    for entry in entries.filter_map(|entry| entry.ok()) {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks; state and parent follow it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
