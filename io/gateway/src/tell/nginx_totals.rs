//! What ingress-nginx counts of its requests besides: how long what took, and how much it was, in
//! buckets of its own. Only requests to routes in its words are counted so.

use std::time::Duration;

use steelyard_metrics::{BucketBounds, Distribution, MOST_BOUNDS};

use crate::options::NginxMetrics;

/// How many measures there are.
const MEASURES: usize = 7;

/// One of its histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// From the request's first byte to the answer's last.
    RequestTime,
    /// From sending to the endpoint to the end of its answer.
    ResponseTime,
    /// The same to the first of its answer.
    HeaderTime,
    /// Connecting to the endpoint.
    ConnectTime,
    /// Bytes of the request, with its head.
    RequestLength,
    /// Bytes of the answer.
    ResponseLength,
    /// The same, by other bounds.
    BytesSent,
}

/// One request, in the order of [`Measure`]: how much, and in which bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NginxFinished([Option<(f64, Option<usize>)>; MEASURES]);

/// All requests of one series.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NginxTotals([Measured; MEASURES]);

#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    count: u64,
    sum: f64,
    /// Not cumulative.
    buckets: [u64; MOST_BOUNDS],
}

/// How long what took with the endpoint; none where nobody was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedTimes {
    pub(crate) connect: Duration,
    /// None where no answer came.
    pub(crate) header: Option<Duration>,
    pub(crate) response: Duration,
}

impl Measure {
    /// By which bounds it is counted.
    pub(crate) fn bounds(self, options: &NginxMetrics) -> &BucketBounds {
        match self {
            Self::RequestTime | Self::ResponseTime | Self::HeaderTime | Self::ConnectTime => {
                &options.times
            }
            Self::RequestLength | Self::ResponseLength => &options.lengths,
            Self::BytesSent => &options.sizes,
        }
    }
}

impl NginxFinished {
    /// One that took `whole`, whose request and answer were so many bytes.
    pub(crate) fn new(
        options: &NginxMetrics,
        whole: Duration,
        asked: Option<AskedTimes>,
        (request, response): (u64, u64),
    ) -> Self {
        let mut this = Self::default();
        let mut put = |measure: Measure, value: f64| {
            let bucket = measure.bounds(options).bucket_of(value);
            this.0[measure as usize] = Some((value, bucket));
        };
        put(Measure::RequestTime, whole.as_secs_f64());
        if let Some(AskedTimes { connect, header, response }) = asked {
            put(Measure::ConnectTime, connect.as_secs_f64());
            put(Measure::ResponseTime, response.as_secs_f64());
            header.into_iter().for_each(|it| put(Measure::HeaderTime, it.as_secs_f64()));
        }
        #[allow(clippy::cast_precision_loss, reason = "a size, of which the first digits matter")]
        let bytes = [request as f64, response as f64];
        put(Measure::RequestLength, bytes[0]);
        put(Measure::ResponseLength, bytes[1]);
        put(Measure::BytesSent, bytes[1]);
        this
    }
}

impl NginxTotals {
    pub(crate) fn count(&mut self, finished: &NginxFinished) {
        for (all, one) in self.0.iter_mut().zip(finished.0) {
            let Some((value, bucket)) = one else { continue };
            all.count += 1;
            all.sum += value;
            if let Some(bucket) = bucket {
                all.buckets[bucket] += 1;
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (all, more) in self.0.iter_mut().zip(other.0) {
            all.count += more.count;
            all.sum += more.sum;
            for (bucket, count) in all.buckets.iter_mut().zip(more.buckets) {
                *bucket += count;
            }
        }
    }

    /// What is told of one measure; nothing where none was taken.
    pub(crate) fn told<'t>(
        &'t self,
        measure: Measure,
        options: &'t NginxMetrics,
    ) -> Option<Distribution<'t>> {
        let Measured { count, sum, buckets } = &self.0[measure as usize];
        let bounds = measure.bounds(options).as_slice();
        (*count > 0).then_some(Distribution { bounds, buckets, count: *count, sum: *sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_in_which_bucket() {
        let options = NginxMetrics::default();
        let millis = Duration::from_millis;
        let asked =
            AskedTimes { connect: Duration::ZERO, header: Some(millis(6)), response: millis(30) };
        let mut totals = NginxTotals::default();
        totals.count(&NginxFinished::new(&options, millis(40), Some(asked), (95, 150)));
        totals.count(&NginxFinished::new(&options, millis(1), None, (7, 0)));
        let mut twice = totals;
        twice.add(&totals);
        for (measure, count, bucket) in [
            (Measure::RequestTime, 4, 3),
            (Measure::ResponseTime, 2, 3),
            (Measure::HeaderTime, 2, 1),
            (Measure::ConnectTime, 2, 0),
            (Measure::RequestLength, 4, 9),
            (Measure::BytesSent, 4, 2),
        ] {
            let told = twice.told(measure, &options).unwrap();
            assert_eq!((told.count, told.buckets[bucket]), (count, 2), "{measure:?}");
        }
        let long = twice.told(Measure::ResponseLength, &options).unwrap();
        assert_eq!((long.count, long.buckets.iter().sum::<u64>()), (4, 2), "150 is past the last");
        assert!(NginxTotals::default().told(Measure::HeaderTime, &options).is_none());
    }
}
