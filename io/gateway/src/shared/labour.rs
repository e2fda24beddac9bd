//! Work that would keep requests waiting: done by a few threads that all cores share.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use steelyard_filters::Job;
use tokio::sync::{mpsc, oneshot};

/// Threads, however many cores.
const THREADS: usize = 2;

/// Jobs that wait for a thread; who has another waits itself.
const QUEUE: usize = 64;

/// A job, and who waits for what it finds.
type Task = (Job, oneshot::Sender<Bytes>);

/// The way to the threads, which end with it.
pub(crate) struct Labour(mpsc::Sender<Task>);

impl Labour {
    pub(crate) fn start() -> io::Result<Self> {
        let (to, from) = mpsc::channel::<Task>(QUEUE);
        let from = Arc::new(Mutex::new(from));
        for index in 0..THREADS {
            let from = from.clone();
            std::thread::Builder::new().name(format!("gateway-work-{index}")).spawn(move || {
                while let Some(task) = next(&from) {
                    carry_out(task)
                }
            })?;
        }
        Ok(Self(to))
    }

    /// What a job finds; none where it panics.
    pub(crate) async fn done(&self, job: Job) -> Option<Bytes> {
        let (to, found) = oneshot::channel();
        self.0.send((job, to)).await.ok()?;
        found.await.ok()
    }
}

fn next(from: &Mutex<mpsc::Receiver<Task>>) -> Option<Task> {
    from.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

/// A job that panics costs no thread. Nobody works for who has left.
fn carry_out((job, to): Task) {
    if !to.is_closed()
        && let Ok(found) = catch_unwind(AssertUnwindSafe(job.0))
    {
        let _ = to.send(found);
    }
}
