//! Waiting for a condition, for a bounded time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `look` finds something, and returns it; fails after [`PATIENCE`], saying `what`
/// did not come.
pub fn until_some<T>(what: &str, look: impl FnMut() -> Option<T>) -> Result<T> {
    until_some_within(PATIENCE, PAUSE, what, look)
}

/// The same for as long as `patience`, with a `pause` between two looks, where looking costs much.
pub fn until_some_within<T>(
    patience: Duration,
    pause: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited {} s for {what}", patience.as_secs());
        }
        std::thread::sleep(pause);
    }
}

/// Waits until `holds`.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    until_some(what, || holds().then_some(()))
}
