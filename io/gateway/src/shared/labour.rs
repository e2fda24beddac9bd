//! Work that would keep requests waiting: done by a few threads that all cores share, and that
//! yield to those.
//!
//! Whose jobs they are takes turns: however many wait for one, another's next one waits for those
//! that are being done, and for one of each at most. Nobody waits for ever.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use steelyard_filters::Job;
use steelyard_host::courtesy::yield_to_others;
use tokio::sync::oneshot;

/// Threads, however many cores.
const THREADS: usize = 2;

/// Jobs that wait for a thread; who has another is refused, so that nothing piles up.
const QUEUE: usize = 64;

/// How long a job is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A job, and who waits for what it finds.
type Task = (Job, oneshot::Sender<Bytes>);

/// The way to the threads, which end with it.
pub(crate) struct Labour(Arc<Desk>);

/// Where jobs lie until a thread takes them.
#[derive(Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    something_came: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Jobs by whose they are: of each, in the order in which they came.
    jobs: BTreeMap<usize, VecDeque<Task>>,
    /// Who has some, in the order of their turns.
    turns: VecDeque<usize>,
    has_ended: bool,
}

impl Labour {
    pub(crate) fn start() -> io::Result<Self> {
        let desk = Arc::<Desk>::default();
        let labour = Self(desk.clone());
        for index in 0..THREADS {
            let desk = desk.clone();
            std::thread::Builder::new().name(format!("gateway-work-{index}")).spawn(move || {
                yield_to_others();
                while let Some(task) = desk.next() {
                    carry_out(task);
                }
            })?;
        }
        Ok(labour)
    }

    /// What a job finds; none where it panics, too many wait, or it is not done in time.
    pub(crate) async fn done(&self, job: Job) -> Option<Bytes> {
        self.within(job, PATIENCE).await
    }

    async fn within(&self, job: Job, patience: Duration) -> Option<Bytes> {
        let (to, found) = oneshot::channel();
        if !self.0.waiting().add((job, to)) {
            return None;
        }
        self.0.something_came.notify_one();
        tokio::time::timeout(patience, found).await.ok()?.ok()
    }
}

impl Drop for Labour {
    fn drop(&mut self) {
        self.0.waiting().has_ended = true;
        self.0.something_came.notify_all();
    }
}

impl Desk {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job; none once nobody has any more.
    fn next(&self) -> Option<Task> {
        let mut waiting = self.waiting();
        loop {
            if let Some(task) = waiting.take() {
                return Some(task);
            }
            if waiting.has_ended {
                return None;
            }
            waiting = self.something_came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Waiting {
    /// Whether there is a place for one more.
    fn add(&mut self, task: Task) -> bool {
        if self.count() >= QUEUE {
            self.jobs.values_mut().for_each(|of_one| of_one.retain(|(_, to)| !to.is_closed()));
        }
        let has_place = self.count() < QUEUE;
        if has_place {
            let whose = task.0.whose;
            self.jobs.entry(whose).or_default().push_back(task);
            if !self.turns.contains(&whose) {
                self.turns.push_back(whose);
            }
        }
        has_place
    }

    fn count(&self) -> usize {
        self.jobs.values().map(VecDeque::len).sum()
    }

    /// The next job of whose turn it is. Nobody works for who has left.
    fn take(&mut self) -> Option<Task> {
        while let Some(whose) = self.turns.pop_front() {
            let of_one = self.jobs.get_mut(&whose);
            let task = of_one.and_then(|jobs| {
                std::iter::from_fn(|| jobs.pop_front()).find(|(_, to)| !to.is_closed())
            });
            match self.jobs.get(&whose).is_some_and(|jobs| !jobs.is_empty()) {
                true => self.turns.push_back(whose),
                false => drop(self.jobs.remove(&whose)),
            }
            if task.is_some() {
                return task;
            }
        }
        None
    }
}

/// A job that panics costs no thread.
fn carry_out((job, to): Task) {
    if let Ok(found) = catch_unwind(AssertUnwindSafe(job.work)) {
        let _ = to.send(found);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as plain;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn waits(whose: usize, held: &Arc<Mutex<plain::Receiver<()>>>) -> Job {
        let held = held.clone();
        Job::of(whose, move || {
            _ = held.lock().unwrap().recv();
            Bytes::from_static(b"done")
        })
    }

    /// Jobs beyond those that may wait are refused at once; those that wait are done.
    #[tokio::test]
    async fn nothing_piles_up() {
        let labour = Labour::start().unwrap();
        let (release, held) = plain::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        // Each is asked for once before any is done.
        let (mut waiting, mut refused) = (Vec::new(), 0);
        for _ in 0..QUEUE + THREADS + 30 {
            let mut one = Box::pin(labour.done(waits(1, &held)));
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

    fn task(whose: usize) -> (Task, oneshot::Receiver<Bytes>) {
        let (to, found) = oneshot::channel();
        ((Job::of(whose, Bytes::new), to), found)
    }

    /// However many one has, another's next one comes after one of his; who has left has no turn,
    /// and no place.
    #[test]
    fn jobs_take_turns_by_whose_they_are() {
        let mut waiting = Waiting::default();
        let mut stay = Vec::new();
        for whose in [1, 1, 1, 1, 2, 2, 3] {
            let (task, found) = task(whose);
            assert!(waiting.add(task));
            stay.push(found);
        }
        // The second job of the first, and the only one of the third.
        drop(stay.remove(6));
        drop(stay.remove(1));
        let order = std::iter::from_fn(|| waiting.take()).map(|(job, _)| job.whose);
        assert_eq!(order.collect::<Vec<_>>(), [1, 2, 1, 2, 1]);
        assert!(waiting.jobs.is_empty() && waiting.turns.is_empty());

        let mut full: Vec<_> = (0..QUEUE).map(|_| task(1)).collect();
        let found: Vec<_> =
            full.drain(..).map(|(task, found)| (waiting.add(task), found)).collect();
        assert!(found.iter().all(|(is_in, _)| *is_in));
        let (one_more, _found) = task(2);
        assert!(!waiting.add(one_more), "no place is left");
        drop(found);
        let (one_more, _found) = task(2);
        assert!(waiting.add(one_more), "all others have left");
        assert_eq!(waiting.take().map(|(job, _)| job.whose), Some(2));
    }

    /// Who waits for what takes too long is told so, and holds up nobody.
    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let labour = Labour::start().unwrap();
        let (release, held) = plain::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        assert_eq!(labour.within(waits(1, &held), Duration::from_millis(5)).await, None);
        drop(release);
    }
}
