//! Options of Traefik's providers of a cluster.

use super::{SupportRow, SupportState, SupportTable};
use crate::entry_points::provider_options;
use SupportState::{Different, Planned};

/// What is not as with Traefik.
const EXCEPTIONS: [(&str, SupportState, &str); 9] = [
    ("allowemptyservices", Different, "a Service without endpoints answers 503 in any case"),
    ("allowexternalnameservices", Different, "true unless it is said or `--compat traefik` is"),
    ("disableclusterscoperesources", Different, "counts for `plan -o traefik` alone"),
    ("disableingressclasslookup", Different, "counts for `plan -o traefik` alone"),
    ("ingressendpoint", Planned, "no status of Ingresses is written"),
    ("reportnodeinternalips", Planned, "no status of Ingresses is written"),
    ("nativelbbydefault", Planned, "counts for `plan -o traefik` alone"),
    ("strictprefixmatching", Different, "so it is, unless `--compat traefik` is said"),
    ("defaultrulesyntax", Planned, "v2 counts for `plan -o traefik` alone: say `syntax: v2`"),
];

/// One table.
pub(super) fn tables() -> Vec<SupportTable> {
    let row = |name: String| {
        let known = EXCEPTIONS.iter().find(|(part, ..)| name.split('.').any(|it| it == *part));
        let (state, remark) =
            known.map_or((SupportState::Supported, ""), |(_, state, remark)| (*state, *remark));
        SupportRow { name, state, remark }
    };
    let rows = provider_options().into_iter().map(row).collect();
    vec![SupportTable { title: "Options of the providers".to_owned(), what: "option", rows }]
}

#[test]
fn what_is_said_is_said_of_an_option() {
    let all = provider_options();
    for (part, ..) in EXCEPTIONS {
        assert!(all.iter().any(|name| name.split('.').any(|it| it == part)), "{part}");
    }
}
