//! How what somebody has written for ingress-nginx is served here: for who comes over from there.

use super::notes::{DIFFERENT, REFUSED};
use super::{KEYS, KeyFate};
use crate::annotation::{NGINX, State};

/// How it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NginxVerdict {
    /// As there.
    Same,
    /// Otherwise in what is said.
    Different(&'static str),
    /// Not as it is: what to do.
    MustChange(&'static str),
}

/// Of an annotation, by its name without the prefix.
pub fn annotation(name: &str) -> NginxVerdict {
    if let Some(what) = find(&REFUSED, name) {
        return NginxVerdict::MustChange(what);
    }
    let Some(row) = NGINX.rows().find(|row| row.name == name) else {
        return NginxVerdict::Different(
            "no annotation of ingress-nginx's last release: it does nothing",
        );
    };
    match row.state {
        State::Reads(_) | State::Guards | State::Speaks(_) | State::PassesOn => {
            find(&DIFFERENT, name).map_or(NginxVerdict::Same, NginxVerdict::Different)
        }
        State::Cosmetic => NginxVerdict::Same,
        State::Refused => NginxVerdict::MustChange("not honoured yet: its routes answer 503"),
        State::Later(_) => {
            NginxVerdict::MustChange("not honoured yet: its routes are served without it")
        }
    }
}

/// Of a key of the ConfigMap.
pub fn setting(key: &str) -> NginxVerdict {
    match KEYS.iter().find(|(known, _)| *known == key).map(|(_, fate)| *fate) {
        Some(KeyFate::Reads | KeyFate::Cosmetic) => NginxVerdict::Same,
        Some(KeyFate::Later) => {
            NginxVerdict::MustChange("not honoured yet: everything is served without it")
        }
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
