//! A family of metrics: what its series have in common.

/// What the numbers of a family are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A count that only grows; its name ends in `_total`.
    Counter,
    /// A number as it stands.
    Gauge,
    /// A count under a name that others chose, without `_total`.
    Untyped,
    /// Counts by size; upper bounds of its buckets, without the last, which has none.
    Histogram(&'static [f64]),
    /// Sum and count.
    Summary,
}

/// Name, meaning and labels of series that belong together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricFamily<const N: usize> {
    /// As Prometheus calls it, with its base unit.
    pub name: &'static str,
    /// What is counted, for people; a text without a full stop.
    pub help: &'static str,
    /// What the numbers are.
    pub kind: Kind,
    /// Names of labels, in the order in which values are given.
    pub labels: [&'static str; N],
}

/// A family however many labels it has: a row of [`crate::table::ALL`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Declaration {
    /// What it is about: a heading of docs/metrics.md.
    pub area: &'static str,
    /// See [`MetricFamily::name`].
    pub name: &'static str,
    /// See [`MetricFamily::help`].
    pub help: &'static str,
    /// See [`MetricFamily::kind`].
    pub kind: Kind,
    /// See [`MetricFamily::labels`].
    pub labels: &'static [&'static str],
}

impl Kind {
    /// The word of the text format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Untyped => "untyped",
            Self::Histogram(_) => "histogram",
            Self::Summary => "summary",
        }
    }
}
