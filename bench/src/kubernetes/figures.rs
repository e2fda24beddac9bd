//! Numbers out of many.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// Whatever changes by less than this share is the same.
const SHARE: f64 = 0.005;
const PATIENCE: Duration = Duration::from_secs(300);

/// What `look` sees, once it has seen the same for so long.
pub(super) fn settled(calm: Duration, mut look: impl FnMut() -> Result<f64>) -> Result<f64> {
    let start = Instant::now();
    let (mut last, mut since) = (look()?, start);
    while start.elapsed() < PATIENCE {
        std::thread::sleep(LOOK);
        let now = look()?;
        if (now - last).abs() > last * SHARE {
            since = Instant::now();
        }
        last = now;
        if since.elapsed() >= calm {
            return Ok(now);
        }
    }
    bail!("it does not settle")
}

/// The value that so many in a hundred do not exceed.
pub(super) fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or_default()
}
