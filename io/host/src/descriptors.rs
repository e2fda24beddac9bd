//! File descriptors of this process: how many it may have, and how many it has.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many this process may have open: `RLIMIT_NOFILE`, the soft limit.
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Raises the soft limit to the hard one, which needs no privileges. Nothing here hands descriptors
/// to select(2), for which the soft limit is kept low.
pub fn raise() -> io::Result<()> {
    let now = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: now.maximum, ..now })?)
}

/// How many are open now.
pub fn open() -> io::Result<u64> {
    let listed = std::fs::read_dir("/proc/self/fd")?.count();
    // The listing itself is one of them.
    Ok(u64::try_from(listed).unwrap_or(u64::MAX).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_counted_and_the_limit_only_rises() {
        let (limit_before, open_before) = (limit(), open().unwrap());
        let files: Vec<_> = (0..20).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        assert!(open().unwrap() >= open_before.saturating_sub(20) + files.len() as u64);
        raise().unwrap();
        assert!(limit() >= limit_before);
    }
}
