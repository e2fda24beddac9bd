//! The text format of Prometheus, version 0.0.4.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Write};

use crate::{Kind, MetricFamily};

/// What a scrape gets: families, each with its header and series.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    written: BTreeSet<&'static str>,
}

/// The series of one family, one after the other.
#[derive(Debug)]
pub struct Series<'e, const N: usize> {
    out: &'e mut String,
    family: &'e MetricFamily<N>,
}

/// Counts by size. The buckets' counts are not cumulative: each is of its own bucket.
#[derive(Clone, Copy, Debug)]
pub struct Distribution<'c> {
    /// Upper bounds of the buckets: the family's, where nobody chose others.
    pub bounds: &'c [f64],
    /// One for each bound, and perhaps more that nothing is in.
    pub buckets: &'c [u64],
    /// All, those past the last bound included.
    pub count: u64,
    /// Of all sizes, in the family's unit.
    pub sum: f64,
}

impl Exposition {
    /// Begins a family.
    ///
    /// # Panics
    /// When the family was begun before: its series stand together.
    pub fn family<'e, const N: usize>(&'e mut self, family: &'e MetricFamily<N>) -> Series<'e, N> {
        let MetricFamily { name, help, kind, .. } = family;
        assert!(self.written.insert(name), "{name} is written twice");
        let help = Escaped { text: help, quotes: false };
        let kind = kind.as_str();
        put(&mut self.text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Series { out: &mut self.text, family }
    }

    /// What was written.
    pub fn into_text(self) -> String {
        self.text
    }
}

impl<const N: usize> Series<'_, N> {
    /// One series: the values of its labels, in the family's order, and its number.
    pub fn put(&mut self, values: [&dyn Display; N], number: impl Display) -> &mut Self {
        self.put_beside(values, &[], number)
    }

    /// The same with labels that the family does not have: names and values.
    pub fn put_beside(
        &mut self,
        values: [&dyn Display; N],
        more: &[(&str, &str)],
        number: impl Display,
    ) -> &mut Self {
        debug_assert!(!matches!(self.family.kind, Kind::Histogram(_) | Kind::Summary));
        let more = more.iter().map(|(name, value)| (*name, value as &dyn Display));
        self.line("", values, more, number);
        self
    }

    /// One series of a summary.
    pub fn summary(&mut self, values: [&dyn Display; N], sum: f64, count: u64) -> &mut Self {
        debug_assert_eq!(self.family.kind, Kind::Summary);
        self.line("_sum", values, [], sum);
        self.line("_count", values, [], count);
        self
    }

    /// One series of a histogram.
    ///
    /// # Panics
    /// When there are fewer buckets than bounds, or it is no histogram.
    pub fn histogram(&mut self, values: [&dyn Display; N], of: Distribution<'_>) -> &mut Self {
        let Kind::Histogram(_) = self.family.kind else {
            panic!("{} is no histogram", self.family.name);
        };
        let bounds = of.bounds;
        assert!(bounds.len() <= of.buckets.len(), "{}", self.family.name);
        let mut sum = 0;
        for (bound, count) in bounds.iter().zip(of.buckets) {
            sum += count;
            self.line("_bucket", values, [("le", bound as &dyn Display)], sum);
        }
        self.line("_bucket", values, [("le", &"+Inf" as &dyn Display)], of.count);
        self.line("_sum", values, [], of.sum);
        self.line("_count", values, [], of.count);
        self
    }

    fn line<'v>(
        &mut self,
        suffix: &str,
        values: [&'v dyn Display; N],
        more: impl IntoIterator<Item = (&'v str, &'v dyn Display)>,
        number: impl Display,
    ) {
        put(self.out, format_args!("{}{suffix}", self.family.name));
        let labels = self.family.labels.into_iter().zip(values);
        let mut before = '{';
        for (name, value) in labels.chain(more) {
            let value = value.to_string();
            let value = Escaped { text: &value, quotes: true };
            put(self.out, format_args!("{before}{name}=\"{value}\""));
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        put(self.out, format_args!("{end} {number}\n"));
    }
}

/// A text with what would end it written as the format wants it; quotes end label values only.
struct Escaped<'t> {
    text: &'t str,
    quotes: bool,
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.text.split_inclusive(['\\', '\n', '"']) {
            let mut chars = piece.chars();
            match chars.next_back() {
                Some('\\') => write!(f, "{}\\\\", chars.as_str())?,
                Some('\n') => write!(f, "{}\\n", chars.as_str())?,
                Some('"') if self.quotes => write!(f, "{}\\\"", chars.as_str())?,
                _ => f.write_str(piece)?,
            }
        }
        Ok(())
    }
}

fn put(out: &mut String, what: fmt::Arguments<'_>) {
    out.write_fmt(what).expect("strings take all");
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: MetricFamily<0> = MetricFamily {
        name: "plain_total",
        help: "a \\ and\na \"",
        kind: Kind::Counter,
        labels: [],
    };
    const TWO: MetricFamily<2> =
        MetricFamily { name: "two", help: "Two", kind: Kind::Gauge, labels: ["a", "b"] };
    const TIMES: MetricFamily<1> = MetricFamily {
        name: "times_seconds",
        help: "Times",
        kind: Kind::Histogram(&[0.1, 5.0]),
        labels: ["of"],
    };
    const SUM: MetricFamily<0> =
        MetricFamily { name: "sum_seconds", help: "Sum", kind: Kind::Summary, labels: [] };

    #[test]
    fn the_format_is_prometheus() {
        let mut out = Exposition::default();
        out.family(&PLAIN).put([], 3);
        out.family(&TWO).put([&"x\"\\\n", &7], 0.25).put([&"ü", &""], -1).put_beside(
            [&1, &2],
            &[("c", "\n"), ("d", "")],
            3,
        );
        let of = Distribution { bounds: &[0.1, 5.0], buckets: &[2, 3], count: 6, sum: 0.5 };
        out.family(&TIMES).histogram([&"it"], of);
        out.family(&SUM).summary([], 1.5, 2);
        let want = r#"# HELP plain_total a \\ and\na "
# TYPE plain_total counter
plain_total 3
# HELP two Two
# TYPE two gauge
two{a="x\"\\\n",b="7"} 0.25
two{a="ü",b=""} -1
two{a="1",b="2",c="\n",d=""} 3
# HELP times_seconds Times
# TYPE times_seconds histogram
times_seconds_bucket{of="it",le="0.1"} 2
times_seconds_bucket{of="it",le="5"} 5
times_seconds_bucket{of="it",le="+Inf"} 6
times_seconds_sum{of="it"} 0.5
times_seconds_count{of="it"} 6
# HELP sum_seconds Sum
# TYPE sum_seconds summary
sum_seconds_sum 1.5
sum_seconds_count 2
"#;
        assert_eq!(out.into_text(), want);
    }

    #[test]
    #[should_panic(expected = "two is written twice")]
    fn a_family_stands_together() {
        let mut out = Exposition::default();
        out.family(&TWO);
        out.family(&TWO);
    }
}
