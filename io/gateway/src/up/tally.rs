//! What is counted of one endpoint by one core. Plain cells, read where somebody scrapes.

use std::cell::Cell;
use std::ops::AddAssign;
use std::time::Duration;

use steelyard_metrics::MOST_BOUNDS;

/// Counts of one address.
#[derive(Default)]
pub(crate) struct Tally {
    in_flight: Cell<u64>,
    requests: Cell<u64>,
    /// Per bucket, not cumulative.
    buckets: [Cell<u64>; MOST_BOUNDS],
    seconds: Cell<f64>,
    /// Of the last few answers: seconds, and how many these are.
    lately: Cell<(f64, f64)>,
    connects: Cell<u64>,
    connect_seconds: Cell<f64>,
    failures: Cell<u64>,
}

/// A copy, of one core or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct EndpointTotals {
    pub(crate) in_flight: u64,
    pub(crate) requests: u64,
    pub(crate) buckets: [u64; MOST_BOUNDS],
    pub(crate) seconds: f64,
    /// Seconds of the last few answers, and how many these are: each new one takes an eighth of the
    /// place of all before.
    pub(crate) lately: (f64, f64),
    pub(crate) connects: u64,
    pub(crate) connect_seconds: f64,
    pub(crate) failures: u64,
}

/// What is left of an answer's weight when the next comes.
const FADES: f64 = 7.0 / 8.0;

/// A request that the endpoint has, until this is dropped.
pub(crate) struct InFlight<'t>(&'t Tally);

impl EndpointTotals {
    /// How soon it answers lately.
    pub(crate) fn latency(&self) -> Option<Duration> {
        let (seconds, count) = self.lately;
        (count > 0.0).then(|| Duration::from_secs_f64(seconds / count))
    }
}

impl Tally {
    /// The endpoint gets a request.
    pub(crate) fn begin(&self) -> InFlight<'_> {
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight(self)
    }

    /// It has answered a request that took so long, and is of this bucket.
    pub(crate) fn answered(&self, duration: Duration, bucket: Option<usize>) {
        self.requests.set(self.requests.get() + 1);
        self.seconds.set(self.seconds.get() + duration.as_secs_f64());
        let (seconds, count) = self.lately.get();
        self.lately.set((seconds * FADES + duration.as_secs_f64(), count * FADES + 1.0));
        if let Some(at) = bucket {
            self.buckets[at].set(self.buckets[at].get() + 1);
        }
    }

    /// It took a connection, or took none, after so long.
    pub(crate) fn connected(&self, duration: Duration, is_taken: bool) {
        if is_taken {
            self.connects.set(self.connects.get() + 1);
            self.connect_seconds.set(self.connect_seconds.get() + duration.as_secs_f64());
        } else {
            self.failures.set(self.failures.get() + 1);
        }
    }

    /// A copy.
    pub(crate) fn totals(&self) -> EndpointTotals {
        EndpointTotals {
            in_flight: self.in_flight.get(),
            requests: self.requests.get(),
            buckets: self.buckets.each_ref().map(Cell::get),
            seconds: self.seconds.get(),
            lately: self.lately.get(),
            connects: self.connects.get(),
            connect_seconds: self.connect_seconds.get(),
            failures: self.failures.get(),
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
    }
}

impl AddAssign for EndpointTotals {
    fn add_assign(&mut self, other: Self) {
        self.in_flight += other.in_flight;
        self.requests += other.requests;
        self.seconds += other.seconds;
        self.lately.0 += other.lately.0;
        self.lately.1 += other.lately.1;
        self.connects += other.connects;
        self.connect_seconds += other.connect_seconds;
        self.failures += other.failures;
        for (bucket, count) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_of_an_endpoint() {
        let tally = Tally::default();
        let flights = [tally.begin(), tally.begin()];
        assert_eq!(tally.totals().in_flight, 2);
        drop(flights);
        for (milliseconds, bucket) in [(100, Some(0)), (101, Some(1)), (6_000, None)] {
            tally.answered(Duration::from_millis(milliseconds), bucket);
        }
        tally.connected(Duration::from_millis(500), true);
        tally.connected(Duration::from_secs(5), false);
        let buckets = |count| std::array::from_fn(|at| if at < 2 { count } else { 0 });
        let mut sum = tally.totals();
        let of_one = EndpointTotals {
            in_flight: 0,
            requests: 3,
            buckets: buckets(1),
            seconds: 6.201,
            lately: sum.lately,
            connects: 1,
            connect_seconds: 0.5,
            failures: 1,
        };
        assert_eq!(sum, of_one);
        assert_eq!(of_one.latency().map(|it| it.as_millis()), Some(2_334));
        sum += of_one;
        assert_eq!(of_one.latency(), sum.latency());
        assert_eq!((sum.requests, sum.buckets, sum.failures), (6, buckets(2), 2));
    }
}
