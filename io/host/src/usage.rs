//! What this process takes of the machine, as `/proc` tells.

use std::io;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

/// Since the start of the process, and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Time of processors, for itself and by the system for it.
    pub processor: Duration,
    /// Memory in RAM, in bytes.
    pub resident: u64,
    /// When it was started, since 1970.
    pub started: Duration,
}

impl Usage {
    /// Looks.
    pub fn now() -> io::Result<Self> {
        let own = std::fs::read_to_string("/proc/self/stat")?;
        let machine = std::fs::read_to_string("/proc/stat")?;
        let (ticks, page) = (clock_ticks_per_second(), page_size() as u64);
        Self::read(&own, &machine, ticks, page).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// proc_pid_stat(5), and the line `btime` of proc_stat(5).
    fn read(own: &str, machine: &str, ticks: u64, page: u64) -> Option<Self> {
        // The second field is a name, which may hold blanks and parentheses; field 3 follows.
        let (_, fields) = own.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let since = |count: u64| {
            let rest = count % ticks * 1_000_000_000 / ticks;
            Duration::from_secs(count / ticks) + Duration::from_nanos(rest)
        };
        let boot = machine.lines().find_map(|line| line.strip_prefix("btime "))?;
        Some(Self {
            processor: since(field(14)? + field(15)?),
            resident: field(24)? * page,
            started: Duration::from_secs(boot.trim().parse().ok()?) + since(field(22)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_name_may_be_anything() {
        let own = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 0 0 0 150 75 0 0 20 0 9 0 12345 1 2 3";
        let usage = Usage::read(own, "cpu 1\nbtime 1700000000\n", 100, 4096).unwrap();
        assert_eq!(usage.processor, Duration::from_millis(2_250));
        assert_eq!(usage.resident, 8192);
        assert_eq!(usage.started, Duration::from_millis(1_700_000_123_450));
        assert_eq!(Usage::read("7 (a) S 1", "btime 1", 100, 4096), None);
    }

    #[test]
    fn this_process_was_started_before_now() {
        let usage = Usage::now().unwrap();
        assert!(usage.resident > 100_000, "{usage:?}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        // Boot time is in whole seconds.
        assert!(usage.started <= now + Duration::from_secs(1), "{usage:?} {now:?}");
        assert!(now - usage.started < Duration::from_secs(86_400), "{usage:?} {now:?}");
    }
}
