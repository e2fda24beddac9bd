//! Upper bounds of the buckets of a histogram, where users choose them.

use std::time::Duration;

use crate::table::DURATIONS;

/// As many as there may be: each is a series of each histogram.
pub const MOST_BOUNDS: usize = 16;

/// Upper bounds in seconds, each larger than the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketBounds {
    /// Those past the last one are infinite.
    bounds: [f64; MOST_BOUNDS],
    count: usize,
}

/// Why numbers are no bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadBounds {
    /// There are none.
    None,
    /// There are more than [`MOST_BOUNDS`].
    TooMany,
    /// One is not a number above zero.
    NoTime,
    /// One is not larger than the one before.
    Unsorted,
}

impl BucketBounds {
    /// Takes what may be bounds.
    ///
    /// # Errors
    /// When it may not.
    pub fn new(bounds: &[f64]) -> Result<Self, BadBounds> {
        match bounds {
            [] => Err(BadBounds::None),
            [..] if bounds.len() > MOST_BOUNDS => Err(BadBounds::TooMany),
            [..] if bounds.iter().any(|it| !it.is_finite() || *it <= 0.0) => Err(BadBounds::NoTime),
            [..] if !bounds.is_sorted_by(|a, b| a < b) => Err(BadBounds::Unsorted),
            [..] => Ok(Self::of(bounds)),
        }
    }

    /// By Traefik's way to write them: `0.1,0.3,1.2,5.0`.
    ///
    /// # Errors
    /// When they are none.
    pub fn parse(list: &str) -> Result<Self, BadBounds> {
        let numbers = list.split(',').map(|it| it.trim().parse());
        let numbers: Result<Vec<f64>, _> = numbers.collect();
        Self::new(&numbers.map_err(|_| BadBounds::NoTime)?)
    }

    fn of(bounds: &[f64]) -> Self {
        let mut all = [f64::INFINITY; MOST_BOUNDS];
        all[..bounds.len()].copy_from_slice(bounds);
        Self { bounds: all, count: bounds.len() }
    }

    /// All of them.
    pub fn as_slice(&self) -> &[f64] {
        &self.bounds[..self.count]
    }

    /// The bucket of what took so long; none is past the last.
    pub fn bucket(&self, duration: Duration) -> Option<usize> {
        self.bucket_of(duration.as_secs_f64())
    }

    /// The bucket of so much; none is past the last.
    pub fn bucket_of(&self, value: f64) -> Option<usize> {
        self.as_slice().iter().position(|bound| value <= *bound)
    }
}

/// Traefik's.
impl Default for BucketBounds {
    fn default() -> Self {
        Self::of(&DURATIONS)
    }
}

impl BadBounds {
    /// What is wanted instead.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None | Self::NoTime => "seconds above 0: 0.1,0.3,1.2,5.0",
            Self::TooMany => "at most 16 bounds",
            Self::Unsorted => "bounds that rise",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_bounds() {
        let all = BucketBounds::parse("0.005, 1,10").unwrap();
        assert_eq!(all.as_slice(), [0.005, 1.0, 10.0]);
        assert_eq!(BucketBounds::default().as_slice(), DURATIONS);
        let many = vec!["1"; MOST_BOUNDS + 1].join(",");
        for (list, why) in [
            ("", BadBounds::NoTime),
            ("a", BadBounds::NoTime),
            ("1,,2", BadBounds::NoTime),
            ("0,1", BadBounds::NoTime),
            ("-1", BadBounds::NoTime),
            ("NaN", BadBounds::NoTime),
            ("1,inf", BadBounds::NoTime),
            ("1,1", BadBounds::Unsorted),
            ("2,1", BadBounds::Unsorted),
            (&many, BadBounds::TooMany),
        ] {
            assert_eq!(BucketBounds::parse(list), Err(why), "{list}");
        }
        assert_eq!(BucketBounds::new(&[]), Err(BadBounds::None));
        let rising: Vec<String> = (1..=MOST_BOUNDS).map(|it| it.to_string()).collect();
        assert!(BucketBounds::parse(&rising.join(",")).is_ok());
    }

    #[test]
    fn which_bucket() {
        let bounds = BucketBounds::default();
        for (milliseconds, bucket) in
            [(0, Some(0)), (100, Some(0)), (101, Some(1)), (5_000, Some(3)), (5_001, None)]
        {
            assert_eq!(bounds.bucket(Duration::from_millis(milliseconds)), bucket);
        }
    }
}
