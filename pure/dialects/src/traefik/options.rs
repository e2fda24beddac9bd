//! Traefik's static options: rows of tables, as annotations are. Each is read, or cosmetic, or for
//! later, or refused; docs/traefik-options.md, what `check` says of Helm values, "did you mean" and
//! the tests of each row are made of the rows.
//!
//! Names are those of Traefik 3.7 and are compared without case, as Traefik does. `*` is a name of
//! the user's choice; a row that ends in `**` stands for all that is below it.
//!
//! Not here: what an option comes to. Whoever reads it knows.

mod chart;
mod entry_points;
mod helm;
mod observability;
mod others;
mod page;
mod providers;

use steelyard_model::discretion::shown_value;
use steelyard_model::suggest::nearest;

pub(crate) use helm::lower as helm;
pub use page::page;

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticOption {
    /// Its name, as Traefik's files spell it, with dots between.
    pub name: &'static str,
    /// What its values are.
    pub form: Form,
    /// What is so where nothing is said, as Traefik writes it; empty is nothing.
    pub default: &'static str,
    /// What becomes of it.
    pub fate: OptionFate,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `true` or `false`; alone it is `true`.
    Switch,
    /// A number.
    Number,
    /// A time, as Go writes it.
    Time,
    /// One of these words, without case.
    Word(&'static [&'static str]),
    /// A text, or whatever else its reader wants.
    Text,
    /// Several, with commas between.
    List,
    /// What is below it has forms of its own.
    Below,
}

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionFate {
    /// It is read, and honoured.
    Reads,
    /// It is read, and means something else in part: what.
    Differs(&'static str),
    /// Nobody sees a difference: why.
    Cosmetic(&'static str),
    /// It is not honoured yet, and nobody comes in who should not: what is so instead.
    Later(&'static str),
    /// `plan -o traefik` goes by it alone; nobody comes in otherwise who should not: what is so
    /// instead.
    Planned(&'static str),
    /// `plan -o traefik` goes by it; nothing else starts with it, for the reasons of one that is
    /// refused: why.
    Compared(&'static str),
    /// Nothing starts with it, since it would be open what it closes, or serve other than is asked
    /// for: why.
    Refused(&'static str),
}

/// What there is to say of an option and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is honoured, or asks for what is so anyway.
    Fine,
    /// It makes no difference: what is so instead.
    Idle(String),
    /// It is taken by `plan -o traefik`; anybody else refuses it: why.
    Compared(String),
    /// It is not taken: why, and what to write instead.
    Wrong(String),
}

/// The sections, each with its rows.
pub(crate) const SECTIONS: [(&str, &[StaticOption]); 4] = [
    ("Entry points", entry_points::ROWS),
    ("Providers", providers::ROWS),
    ("What is told", observability::ROWS),
    ("Everything else", others::ROWS),
];

/// What sections are about, each with its rows.
pub fn sections() -> impl Iterator<Item = (&'static str, &'static [StaticOption])> {
    SECTIONS.into_iter()
}

/// All rows.
pub fn all() -> impl Iterator<Item = &'static StaticOption> {
    SECTIONS.iter().flat_map(|(_, rows)| rows.iter())
}

/// The row of an option; none where there is no such option.
pub fn find(name: &str) -> Option<&'static StaticOption> {
    let name = name.to_ascii_lowercase();
    all().filter(|row| row.is(&name)).max_by_key(|row| (!row.name.ends_with('*'), row.name.len()))
}

/// Whether there are options below a name.
pub fn has_below(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    all().any(|row| {
        let row = row.name.to_ascii_lowercase();
        let mut parts = row.split('.');
        let is_it = |part: &str| match parts.next() {
            Some("*") => !part.is_empty(),
            own => own == Some(part),
        };
        name.split('.').all(is_it) && parts.next().is_some()
    })
}

/// The first parts of names: what `TRAEFIK_…` in an environment has to begin with to be one.
pub fn roots() -> impl Iterator<Item = String> {
    let first = |row: &StaticOption| row.name.split('.').next().unwrap_or_default();
    all().map(move |row| first(row).to_ascii_lowercase())
}

/// A value as it counts: where an option is on or off, as `true` or `false`.
pub fn settled<'v>(name: &str, value: &'v str) -> &'v str {
    let is_switch = |row: &StaticOption| matches!(row.form, Form::Switch | Form::Below);
    let on = find(name).filter(|row| is_switch(row)).and_then(|_| switched(value));
    on.map_or(value, |on| if on { "true" } else { "false" })
}

/// What a word switches on or off, as Go reads it.
pub fn switched(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Whether what is written as a list may be the value of an option.
pub fn may_be_list(name: &str) -> bool {
    let is_list = |row: &StaticOption| row.form == Form::List || row.default.contains(',');
    find(name).is_none_or(|row| is_list(row) || row.name.ends_with("**"))
}

/// What there is to say of an option. `name` is in lower case, and shown as it is.
pub fn judge(name: &str, value: &str) -> Judged {
    let Some(row) = find(name) else { return Judged::Wrong(unknown(name)) };
    if let Some(wanted) = row.form.misses(value) {
        let shown = shown_value(name, value);
        return Judged::Wrong(format!("{name} wants {wanted}, not {shown:?}"));
    }
    match row.fate {
        _ if row.is_default(name, settled(name, value)) => Judged::Fine,
        OptionFate::Reads | OptionFate::Differs(_) | OptionFate::Cosmetic(_) => Judged::Fine,
        OptionFate::Later(so) => Judged::Idle(format!("{name} is not honoured yet: {so}")),
        OptionFate::Planned(so) => {
            Judged::Idle(format!("{name} is honoured by `plan -o traefik` alone: {so}"))
        }
        OptionFate::Compared(why) => Judged::Compared(format!("{name} is refused: {why}")),
        OptionFate::Refused(why) => Judged::Wrong(format!("{name} is refused: {why}")),
    }
}

impl OptionFate {
    /// Whether `plan -o traefik` goes by it, and nothing is served by it.
    pub fn is_for_comparison(self) -> bool {
        matches!(self, Self::Planned(_) | Self::Compared(_))
    }

    /// Whether somebody goes by it.
    pub fn is_planned(self) -> bool {
        self.is_for_comparison() || matches!(self, Self::Reads | Self::Differs(_))
    }
}

impl StaticOption {
    /// Whether an option in lower case is this one.
    fn is(&self, name: &str) -> bool {
        let row = self.name.to_ascii_lowercase();
        let (mut row, mut name) = (row.split('.').peekable(), name.split('.'));
        loop {
            match (row.next(), name.next()) {
                (None, None) | (Some("**"), _) => return true,
                // At the end it is a name with dots in it.
                (Some("*"), Some(part)) if row.peek().is_none() => return !part.is_empty(),
                (Some("*"), Some(part)) if !part.is_empty() => {}
                (Some(own), Some(part)) if own == unindexed(part) => {}
                _ => return false,
            }
        }
    }

    /// Whether a value asks for what is so anyway. Whatever is said below a provider, or another
    /// thing of its own, asks for that, and what is so anyway there is not known here.
    fn is_default(&self, name: &str, value: &str) -> bool {
        let whole = self.name.strip_suffix(".**").map(|it| it.split('.').count());
        if whole.is_some_and(|whole| name.split('.').count() > whole.max(WISHES)) {
            return false;
        }
        let default = match (self.form, self.default) {
            (Form::Switch | Form::Below, "") => "false",
            (_, default) => default,
        };
        value.eq_ignore_ascii_case(default)
    }
}

/// Parts of the names of what is there or not, where a row is for all below it: `hub.tracing`.
const WISHES: usize = 2;

/// `domains[0]` is one of `domains`.
fn unindexed(part: &str) -> &str {
    part.split_once('[').filter(|(_, rest)| rest.ends_with(']')).map_or(part, |(name, _)| name)
}

impl Form {
    /// What is wanted instead of a value.
    fn misses(self, value: &str) -> Option<String> {
        let is_fine = match self {
            Self::Switch => switched(value).is_some(),
            Self::Number => value.parse::<i64>().is_ok(),
            Self::Time => crate::duration::parse(value).is_some() || value.parse::<i64>().is_ok(),
            Self::Word(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
            Self::Text | Self::List | Self::Below => true,
        };
        let wanted = match self {
            Self::Switch => "true or false".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Time => "a time: 10ms, 3s, 1m".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Text | Self::List | Self::Below => String::new(),
        };
        (!is_fine).then_some(wanted)
    }
}

/// What is said of a name that no option has.
fn unknown(name: &str) -> String {
    if let Some(first) = first_below(name) {
        return format!("{name} has no value of its own: write what is below it, such as {first}");
    }
    // What users call their own is no part of the comparison.
    let given: Vec<&str> = name.split('.').collect();
    let named = |row: &StaticOption| {
        let parts = row.name.trim_end_matches(".**").split('.').enumerate();
        let filled = parts.map(|(at, part)| match part {
            "*" => given.get(at).copied().unwrap_or("NAME").to_owned(),
            part => part.to_ascii_lowercase(),
        });
        filled.collect::<Vec<_>>().join(".")
    };
    let known: Vec<String> = all().map(named).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("{name} is not an option; did you mean {near}?"),
        None => format!("{name} is not an option; docs/traefik-options.md lists those there are"),
    }
}

/// The first option below a name, if there are any.
fn first_below(name: &str) -> Option<String> {
    let depth = name.split('.').count();
    let row = all().find(|row| {
        let parts: Vec<String> = row.name.split('.').map(str::to_ascii_lowercase).collect();
        let is_it = |(own, part): (&String, &str)| *own == part || own == "*" && !part.is_empty();
        parts.len() > depth && parts.iter().zip(name.split('.')).all(is_it)
    })?;
    let rest: Vec<&str> = row.name.split('.').skip(depth).collect();
    Some(format!("{name}.{}", rest.join(".").replace('*', "NAME").to_ascii_lowercase()))
}

/// Rows as tables write them.
macro_rules! rows {
    ($($name:literal $form:expr, $default:literal, $fate:expr;)*) => {
        &[$(crate::traefik::options::StaticOption {
            name: $name,
            form: $form,
            default: $default,
            fate: $fate,
        }),*]
    };
}
use rows;

#[cfg(test)]
mod tests;
