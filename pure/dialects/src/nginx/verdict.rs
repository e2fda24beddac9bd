//! How what somebody has written for ingress-nginx is served here: for who comes over from there.

use super::notes::{BY_VALUE, DIFFERENT, DIFFERENT_KEYS, REFUSED};
use super::{KEYS, KeyFate};
use crate::annotation::NGINX;

/// How it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NginxVerdict<'t> {
    /// As there.
    Same,
    /// Otherwise in what is said.
    Different(&'t str),
    /// Not as it is: what to do.
    MustChange(&'t str),
}

/// Of an annotation, by its name without the prefix, and what `check` says of its value, if it says
/// something.
pub fn annotation<'t>(name: &str, told: Option<&'t str>) -> NginxVerdict<'t> {
    if !NGINX.rows().any(|row| row.name == name) {
        return NginxVerdict::Different(
            "no annotation of ingress-nginx's last release: it does nothing",
        );
    }
    if let Some(told) = told {
        return NginxVerdict::MustChange(find(&REFUSED, name).unwrap_or(told));
    }
    let note = find(&DIFFERENT, name).filter(|_| !BY_VALUE.contains(&name));
    note.map_or(NginxVerdict::Same, NginxVerdict::Different)
}

/// Of a key of the ConfigMap.
pub fn setting(key: &str) -> NginxVerdict<'static> {
    match KEYS.iter().find(|(known, _)| *known == key).map(|(_, fate)| *fate) {
        Some(KeyFate::Reads | KeyFate::Guards) => {
            find(&DIFFERENT_KEYS, key).map_or(NginxVerdict::Same, NginxVerdict::Different)
        }
        Some(KeyFate::Cosmetic) => NginxVerdict::Same,
        Some(KeyFate::Elsewhere(instead)) => NginxVerdict::MustChange(instead),
        Some(KeyFate::Snippet) => NginxVerdict::MustChange(
            "text for nginx is never interpreted: the table of snippets says what to write instead",
        ),
        Some(KeyFate::Refused(what)) => NginxVerdict::MustChange(what),
        None => {
            NginxVerdict::Different("no setting of ingress-nginx's last release: it does nothing")
        }
    }
}

/// The second of the row that begins so.
pub(super) fn find(rows: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    rows.iter().find(|(known, _)| *known == name).map(|(_, it)| *it)
}
