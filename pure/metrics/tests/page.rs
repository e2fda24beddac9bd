//! docs/metrics.md is what is declared. `UPDATE=1 cargo test -p steelyard-metrics` writes it.

use std::fmt::Write;
use std::path::Path;

use steelyard_metrics::{Declaration, Kind, table};

const HEAD: &str = "# Metrics

`/metrics` of the admin address, for Prometheus. Made from `pure/metrics/src/table.rs` by
`UPDATE=1 cargo test -p steelyard-metrics`; do not edit.

Names that MetalLB, Traefik or ingress-nginx have are theirs, so that dashboards go on. Counts are since the start
of the process; `untyped` are counts too, whose names MetalLB chose without `_total`. What is not
in use (addresses without privileges, nodes that share addresses) is not there.
";

fn page() -> String {
    let mut out = HEAD.to_owned();
    let mut area = "";
    for family in table::ALL {
        if family.area != area {
            area = family.area;
            let _ = write!(out, "\n## {area}\n\n| name | kind | labels | |\n|---|---|---|---|\n");
        }
        let _ = writeln!(out, "{}", row(family));
    }
    out
}

fn row(family: &Declaration) -> String {
    let Declaration { name, help, kind, labels, .. } = family;
    let labels: Vec<_> = labels.iter().map(|it| format!("`{it}`")).collect();
    let buckets = match kind {
        Kind::Histogram(bounds) => {
            let bounds: Vec<_> = bounds.iter().map(f64::to_string).collect();
            format!(" (up to {})", bounds.join(", "))
        }
        _ => String::new(),
    };
    format!("| `{name}` | {}{buckets} | {} | {help} |", kind.as_str(), labels.join(", "))
}

#[test]
fn the_page_is_what_is_declared() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let docs = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(docs, page, "docs/metrics.md is stale: UPDATE=1 cargo test -p steelyard-metrics");
}
