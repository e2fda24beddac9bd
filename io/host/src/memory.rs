//! Memory that is free, but still this process's.
#![allow(unsafe_code, reason = "malloc_trim and mallopt are foreign functions")]

use crate::usage::Usage;

/// Pieces of so many bytes or more are the system's again as soon as they are free.
#[cfg(target_env = "gnu")]
const LARGE: i32 = 512 << 10;

/// As many heaps as threads can run at once. Each keeps something free at its end, and there would
/// be eight for each processor: more than threads, of which most wait nearly all the time.
#[cfg(target_env = "gnu")]
fn heaps() -> i32 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    i32::try_from(processors).unwrap_or(i32::MAX)
}

/// Keeps nothing large back, from now on and in all threads. By itself the allocator learns from
/// what is freed: after a list of 11 MB, all that is smaller lies in its heaps, among what is small
/// and stays, and up to twice as much is kept free at the end of each. Each large piece costs
/// system calls, and pages of zeros: requests are served from buffers that are smaller.
pub fn keep_little() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the calls take no pointer, and have locks of their own against other threads.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, heaps());
    }
}

/// Returns free memory to the system. The allocator by itself returns only what lies at the end of
/// its heaps, and one connection that stays there keeps all below it. May take milliseconds;
/// threads that allocate meanwhile wait.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes no pointer, and has locks of its own against other threads.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives memory back, for who looks now and then and does not know what took it: a change, or
/// somebody who asked for a large answer.
#[derive(Debug, Default)]
pub struct MemoryCare {
    /// Bytes that were resident after it was given back last, or fewer since.
    known: u64,
}

/// So many bytes more are worth the milliseconds that it takes to see whether they are free.
const MUCH: u64 = 1 << 20;

impl MemoryCare {
    /// Gives back what is free, if this process has much more than it had after the last time;
    /// whether that was so.
    pub fn look(&mut self) -> bool {
        let now = resident();
        if now < self.known.saturating_add(MUCH) {
            self.known = self.known.min(now);
            return false;
        }
        give_back();
        self.known = resident();
        true
    }
}

/// Bytes that this process has in RAM.
fn resident() -> u64 {
    Usage::now().map_or(0, |usage| usage.resident)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    /// One looks at the process's memory at a time.
    static LOOK: Mutex<()> = Mutex::new(());

    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/statm").expect("proc is mounted");
        let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
        pages.expect("the second field is resident pages") * 4096
    }

    /// What is freed last lies at the end of a thread's heap, which [`super::give_back`] leaves.
    #[test]
    #[cfg(target_env = "gnu")]
    fn nothing_large_is_kept_back() {
        let _alone = LOOK.lock();
        let used = || {
            // The allocator learns by the first that a thread takes and frees.
            drop(vec![1_u8; 30 << 20]);
            let list: Vec<Box<[u8; 512]>> = (0..40_000).map(|_| Box::new([1; 512])).collect();
            drop(list);
            resident()
        };
        super::keep_little();
        let before = resident();
        let after = std::thread::spawn(used).join().expect("it only takes and frees");
        assert!(after < before + (8 << 20), "{before} {after}");
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn who_has_much_more_than_before_gives_back_what_is_free() {
        let _alone = LOOK.lock();
        let mut care = super::MemoryCare::default();
        care.look();
        // What was given back once is free all the time: it is used again here.
        for _ in 0..2 {
            let pieces: Vec<Vec<u8>> = (0..8_192).map(|_| vec![1; 4_096]).collect();
            let before = resident();
            let kept: Vec<_> = pieces.into_iter().step_by(64).collect();
            assert!(care.look());
            let after = resident();
            assert!(before - after > 24 << 20, "{before} {after} {}", kept.len());
            assert!(!care.look(), "it has not more than before");
        }
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn free_memory_below_used_memory_is_returned() {
        const PIECE: usize = 16 * 1024;
        let _alone = LOOK.lock();
        let pieces: Vec<Vec<u8>> = (0..4_096).map(|_| vec![1; PIECE]).collect();
        let before = resident();
        // Every hundredth stays.
        let kept: Vec<_> = pieces.into_iter().step_by(100).collect();
        super::give_back();
        let after = resident();
        assert!(before - after > 48 << 20, "{before} {after} {}", kept.len());
    }
}
