//! How much of the processors the calling thread wants.

/// What the calling thread does waits for others from now on, where both want a processor. Where
/// the system does not allow it, nothing changes.
pub fn yield_to_others() {
    // On Linux this is about the thread, not the process (setpriority(2), NOTES).
    _ = rustix::process::setpriority_process(None, NICENESS);
}

/// A tenth of what others get.
const NICENESS: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_that_asks_yields() {
        let niceness = || rustix::process::getpriority_process(None).expect("it has one");
        let before = niceness();
        let within = std::thread::spawn(move || {
            yield_to_others();
            niceness()
        });
        assert_eq!(within.join().expect("it ends"), NICENESS.max(before));
        assert_eq!(niceness(), before);
    }
}
