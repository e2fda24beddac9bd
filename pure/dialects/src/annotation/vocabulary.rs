//! Whose annotations: the names under some prefixes, and what becomes of each.

use std::borrow::Cow;

use super::row::{Annotation, Carrier};
use crate::LowerOptions;

/// The annotations of one program.
pub(crate) struct Vocabulary {
    pub(crate) whose: &'static str,
    pub(super) prefixes: Prefixes,
    /// By kind of object.
    pub(super) rows: &'static [&'static [Annotation]],
    /// All names under its prefixes are its own: another is a mistake.
    pub(super) is_closed: bool,
    /// An empty value is none at all.
    pub(crate) empty_is_absent: bool,
}

/// How its keys begin.
pub(super) enum Prefixes {
    /// So; the first is the one in use.
    Fixed(&'static [&'static str]),
    /// As ingress-nginx is told to by `--annotations-prefix`.
    Nginx,
}

impl Vocabulary {
    /// All rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static Annotation> {
        self.rows.iter().flat_map(|rows| rows.iter())
    }

    /// Those on objects of one kind.
    pub(super) fn on(&self, on: Carrier) -> impl Iterator<Item = &'static Annotation> {
        self.rows().filter(move |row| row.on == on)
    }

    /// The prefix in use.
    pub(crate) fn prefix<'o>(&self, options: &'o LowerOptions) -> Cow<'o, str> {
        match self.prefixes {
            Prefixes::Fixed(prefixes) => prefixes[0].into(),
            Prefixes::Nginx => format!("{}/", options.nginx_prefix).into(),
        }
    }

    /// The name of an annotation that is, or is meant to be, one of these.
    pub(super) fn name<'k>(&self, key: &'k str, options: &LowerOptions) -> Option<Cow<'k, str>> {
        let prefixes = match self.prefixes {
            Prefixes::Fixed(prefixes) => prefixes,
            Prefixes::Nginx => {
                let name = key.strip_prefix(options.nginx_prefix.as_str())?;
                return name.strip_prefix('/').map(Cow::Borrowed);
            }
        };
        let name = prefixes.iter().find_map(|prefix| key.strip_prefix(prefix))?;
        Some(if self.whose == "Traefik" { canonical(name).into() } else { name.into() })
    }

    /// Whether `key` is, or is meant to be, one of these.
    pub(crate) fn has(&self, key: &str, options: &LowerOptions) -> bool {
        match self.is_closed {
            true => self.name(key, options).is_some(),
            false => self.rows().any(|row| row.name == key),
        }
    }
}

/// Traefik reads names without regard to case; the domains of a router are numbered.
fn canonical(name: &str) -> String {
    const NUMBERED: &str = "router.tls.domains";
    let mut name = name.to_ascii_lowercase();
    if name.starts_with(NUMBERED) {
        name.truncate(NUMBERED.len());
    }
    name
}
