//! Traefik's static options, section by section, as their own table says (docs/traefik-options.md).

use steelyard_dialects::traefik::options::{OptionFate, StaticOption, sections};

use super::{SupportRow, SupportState, SupportTable};

/// A table for each section.
pub(super) fn tables() -> Vec<SupportTable> {
    let table = |(title, rows): (&str, &[StaticOption])| SupportTable {
        title: format!("Static options: {}", title.to_lowercase()),
        what: "option",
        rows: rows.iter().map(row).collect(),
    };
    sections().map(table).collect()
}

fn row(option: &StaticOption) -> SupportRow {
    let (state, remark) = match option.fate {
        OptionFate::Reads => (SupportState::Supported, ""),
        OptionFate::Cosmetic(why) => (SupportState::Supported, why),
        OptionFate::Differs(so) => (SupportState::Different, so),
        OptionFate::Planned(so) | OptionFate::Later(so) => (SupportState::Planned, so),
        OptionFate::Compared(why) | OptionFate::Refused(why) => (SupportState::Refused, why),
    };
    SupportRow { name: option.name.to_owned(), state, remark }
}
