//! Paths of Traefik's API, and services of the program itself.

use super::{SupportRow, SupportState, SupportTable};
use SupportState::{Different, Planned, Refused, Supported};

const PATHS: [(&str, SupportState, &str); 36] = [
    ("page", Supported, ""),
    ("per_page", Supported, ""),
    ("search", Supported, ""),
    ("status", Supported, ""),
    ("serviceName", Supported, ""),
    ("middlewareName", Supported, ""),
    ("sortBy", Supported, ""),
    ("direction", Supported, ""),
    ("/ping", Supported, ""),
    ("/api/rawdata", Supported, ""),
    ("/api/overview", Supported, ""),
    ("/api/version", Different, "the version is this program's"),
    ("/api/entrypoints", Different, "options that are not said are not shown"),
    ("/api/entrypoints/NAME", Different, "options that are not said are not shown"),
    ("/api/http/routers", Supported, ""),
    ("/api/http/routers/NAME", Supported, ""),
    ("/api/http/services", Supported, ""),
    ("/api/http/services/NAME", Supported, ""),
    (
        "/api/http/middlewares",
        Different,
        "passwords, keys and values of request headers are `xxxx`",
    ),
    ("/api/http/middlewares/NAME", Different, "the same"),
    ("/api/tcp/routers", Supported, ""),
    ("/api/tcp/routers/NAME", Supported, ""),
    ("/api/tcp/services", Supported, ""),
    ("/api/tcp/services/NAME", Supported, ""),
    ("/api/tcp/middlewares", Supported, ""),
    ("/api/tcp/middlewares/NAME", Supported, ""),
    ("/api/udp/routers", Supported, ""),
    ("/api/udp/routers/NAME", Supported, ""),
    ("/api/udp/services", Supported, ""),
    ("/api/udp/services/NAME", Supported, ""),
    ("/api/certificates", Supported, ""),
    ("/api/certificates/NAME", Supported, ""),
    ("/api/support-dump", Refused, "501, and what to look at instead"),
    ("/api/providers/rest", Refused, "nothing is changed by requests: 405"),
    ("/debug/vars", Refused, "nothing is shown for debugging"),
    ("/debug/pprof", Refused, "nothing is shown for debugging"),
];

const SERVICES: [(&str, SupportState, &str); 7] = [
    ("api@internal", Supported, ""),
    ("dashboard@internal", Different, "a page of our own, which reads the same API"),
    ("ping@internal", Supported, ""),
    ("prometheus@internal", Different, "more series than Traefik's stand beside those"),
    ("noop@internal", Supported, ""),
    ("rest@internal", Refused, "nothing is changed by requests"),
    ("acme-http@internal", Planned, "nobody is asked for certificates"),
];

/// Two tables.
pub(super) fn tables() -> Vec<SupportTable> {
    let table = |title: &str, what, rows: &[(&str, SupportState, &'static str)]| {
        let row = |(name, state, remark): &(&str, SupportState, &'static str)| SupportRow {
            name: (*name).to_owned(),
            state: *state,
            remark,
        };
        SupportTable { title: title.to_owned(), what, rows: rows.iter().map(row).collect() }
    };
    vec![
        table("Paths of the API", "path, or part of a query", &PATHS),
        table("Services of the program itself", "service", &SERVICES),
    ]
}
