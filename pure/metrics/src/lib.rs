//! What a running instance counts, declared once: name, help, kind and labels of each family of
//! metrics, and the one writer of Prometheus' text format.
//!
//! Not the counting: a counter lies beside what it counts, and is handed in with its labels.
//! docs/metrics.md is made from the declarations (`tests/page.rs`).
//!
//! Invariants: a family has one declaration; a series has as many label values as its family has
//! label names, which the compiler checks; help and label values are escaped.

mod bounds;
mod family;
pub mod table;
mod text;

pub use bounds::{BadBounds, BucketBounds, MOST_BOUNDS};
pub use family::{Declaration, Kind, MetricFamily};
pub use text::{Distribution, Exposition, Series};
