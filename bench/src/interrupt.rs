//! Ctrl-C and its like, as a flag that loops look at: what they started then ends in order.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

static IS_SET: AtomicBool = AtomicBool::new(false);

/// Whether to end.
pub(crate) fn is_set() -> bool {
    IS_SET.load(Ordering::Relaxed)
}

/// Takes signals from now on; at the first one the flag is set for good.
pub(crate) fn listen() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = runtime.block_on(async {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        kinds.map(signal).into_iter().collect::<std::io::Result<Vec<_>>>()
    })?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for mut signal in signals {
                tasks.spawn(async move { signal.recv().await });
            }
            tasks.join_next().await;
        });
        IS_SET.store(true, Ordering::Relaxed);
        eprintln!("ending: what stands is taken down");
    });
    Ok(())
}
