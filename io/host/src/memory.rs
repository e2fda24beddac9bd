//! Memory that is free, but still this process's.
#![allow(unsafe_code, reason = "malloc_trim is a foreign function")]

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

#[cfg(test)]
mod tests {
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/statm").expect("proc is mounted");
        let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
        pages.expect("the second field is resident pages") * 4096
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn free_memory_below_used_memory_is_returned() {
        const PIECE: usize = 16 * 1024;
        let pieces: Vec<Vec<u8>> = (0..4_096).map(|_| vec![1; PIECE]).collect();
        let before = resident();
        // Every hundredth stays.
        let kept: Vec<_> = pieces.into_iter().step_by(100).collect();
        super::give_back();
        let after = resident();
        assert!(before - after > 48 << 20, "{before} {after} {}", kept.len());
    }
}
