//! What of Traefik's kinds and options is there: tables, of which docs/traefik.md is made.
//! `UPDATE=1 cargo test -p steelyard support` writes it. Another table is a line of [`TABLES`].

mod api;
mod files;
mod kinds;
mod options;
mod reference;
mod rules;

use std::fmt::Write;
use std::path::Path;

/// All of it, in order of the document.
const TABLES: [fn() -> Vec<SupportTable>; 5] =
    [kinds::tables, files::tables, rules::tables, options::tables, api::tables];

const FILE: &str = "docs/traefik.md";

const BEGINNING: &str = "\
# What of Traefik is there

What becomes of each kind, field and option of Traefik (v3.7). Made from tables in `steelyard/src/support`
by `UPDATE=1 cargo test -p steelyard support`; do not edit. Annotations are in
[annotations.md](annotations.md), defaults of static options in [traefik-options.md](traefik-options.md),
what the words mean for requests in [gateway.md](gateway.md). In names, `*` stands for a name of your
own, and `**` for all that is below.

- **supported**: as with Traefik, or nobody notices, for the reason that stands there.
- **different**: it counts, and means something else, as the remark says.
- **planned**: it does nothing yet; where somebody would get in by that, routes with it answer 503.
- **refused**: it will not be there; objects with it are told so, and closed where they restrict.
";

/// Things of one sort, and what becomes of each.
pub(crate) struct SupportTable {
    /// `IngressRoute`.
    pub(crate) title: String,
    /// `field`, `option`.
    pub(crate) what: &'static str,
    pub(crate) rows: Vec<SupportRow>,
}

/// One thing.
pub(crate) struct SupportRow {
    pub(crate) name: String,
    pub(crate) state: SupportState,
    /// What is so instead; of what is supported, why nobody notices, where there is a reason.
    pub(crate) remark: &'static str,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SupportState {
    Supported,
    Different,
    Planned,
    Refused,
}

impl SupportState {
    fn word(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Different => "different",
            Self::Planned => "planned",
            Self::Refused => "refused",
        }
    }
}

fn document() -> String {
    let mut text = BEGINNING.to_owned();
    for table in TABLES.iter().flat_map(|tables| tables()) {
        let _ = write!(text, "\n## {}\n\n| {} | | |\n|---|---|---|\n", table.title, table.what);
        for SupportRow { name, state, remark } in table.rows {
            let _ = writeln!(text, "| `{name}` | {} | {remark} |", state.word());
        }
    }
    text
}

#[test]
fn the_document_says_what_the_tables_say() {
    for row in TABLES.iter().flat_map(|tables| tables()).flat_map(|table| table.rows) {
        let is_as_there = row.state == SupportState::Supported;
        assert!(is_as_there || !row.remark.is_empty(), "{}: what is so instead?", row.name);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    let text = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("the document can be written");
    }
    let written = std::fs::read_to_string(&path).expect("the document is there");
    assert!(written == text, "UPDATE=1 cargo test -p steelyard support rewrites {FILE}");
}
