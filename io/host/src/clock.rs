//! Time that goes on while the machine sleeps.
//!
//! `Instant::now` stands still during suspend. Whoever must know that it was asleep (an owner of a
//! vip, which others took for dead) asks here instead. Instants of the two kinds agree as long as
//! the machine has not slept since the first question; do not mix them.
#![allow(unsafe_code, reason = "clock_gettime is a foreign function")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The first question: an instant, and the time since boot then.
static FIRST: LazyLock<(Instant, Duration)> = LazyLock::new(|| (Instant::now(), since_boot()));

/// Now, sleep included.
pub fn now() -> Instant {
    let (instant, boot) = *FIRST;
    instant + since_boot().saturating_sub(boot)
}

/// Microseconds of CLOCK_MONOTONIC, as systemd counts.
pub fn monotonic_micros() -> u128 {
    read(libc::CLOCK_MONOTONIC).as_micros()
}

fn since_boot() -> Duration {
    read(libc::CLOCK_BOOTTIME)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a whole timespec of ours, which the call fills in.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(result, 0, "every Linux since 2.6.39 has this clock");
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::now;

    #[test]
    fn time_goes_on() {
        let before = now();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert!(now() > before);
    }
}
