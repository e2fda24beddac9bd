//! Work that would keep requests waiting: done by a few threads that all cores share, and that
//! yield to those.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use steelyard_filters::Job;
use steelyard_host::courtesy::yield_to_others;
use tokio::sync::{mpsc, oneshot};

/// Threads, however many cores.
const THREADS: usize = 2;

/// Jobs that wait for a thread; who has another is refused, so that nothing piles up.
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
                yield_to_others();
                while let Some(task) = next(&from) {
                    carry_out(task)
                }
            })?;
        }
        Ok(Self(to))
    }

    /// What a job finds; none where it panics, or too many wait.
    pub(crate) async fn done(&self, job: Job) -> Option<Bytes> {
        let (to, found) = oneshot::channel();
        self.0.try_send((job, to)).ok()?;
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc as plain;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Jobs beyond those that may wait are refused at once; those that wait are done.
    #[tokio::test]
    async fn nothing_piles_up() {
        let labour = Labour::start().unwrap();
        let (release, held) = plain::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let job = |held: Arc<Mutex<plain::Receiver<()>>>| {
            Job(Box::new(move || {
                _ = held.lock().unwrap().recv();
                Bytes::from_static(b"done")
            }))
        };
        // Each is asked for once before any is done.
        let (mut waiting, mut refused) = (Vec::new(), 0);
        for _ in 0..QUEUE + THREADS + 30 {
            let mut one = Box::pin(labour.done(job(held.clone())));
            match one.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(found) => refused += usize::from(found.is_none()),
                Poll::Pending => waiting.push(one),
            }
        }
        drop(release);
        let mut done = 0;
        for one in waiting {
            done += usize::from(one.await.is_some_and(|found| found == "done"));
        }
        assert!((QUEUE..=QUEUE + THREADS).contains(&done), "{done} done, {refused} refused");
        assert!(refused >= 30, "{refused}");
    }
}
