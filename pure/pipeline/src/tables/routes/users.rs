//! Users that filters let in, and lines that stand for nobody.

use std::ops::Range;
use std::sync::Arc;

use steelyard_model::routing::filter::Filter;
use steelyard_model::{Diagnostic, FieldPath, MarkedPart, Provenance, Secret, Severity};
use steelyard_passwords::{DigestUsers, UserFault, Users};

use crate::codes;

/// Users that a finding is said of, at most.
const MOST_SAID: usize = 8;

/// The lines of users that a filter has.
pub(super) fn users_of(filter: &mut Filter) -> Option<&mut Arc<[Arc<str>]>> {
    match filter {
        Filter::BasicAuth(auth) | Filter::DigestAuth(auth) => Some(&mut auth.users),
        _ => None,
    }
}

/// Puts these in their place.
pub(super) fn set_users(filter: &mut Filter, users: Vec<Arc<str>>) {
    if let Some(all) = users_of(filter) {
        *all = users.into();
    }
}

/// How many users a filter lets in by what is written, and which lines name none.
fn faults_of_users(filter: &Filter) -> Option<(usize, Vec<(usize, UserFault)>)> {
    match filter {
        Filter::BasicAuth(auth) => {
            let (users, faults) = Users::read(&auth.users);
            Some((users.len(), faults))
        }
        Filter::DigestAuth(auth) => {
            let (users, faults) = DigestUsers::read(&auth.users);
            Some((users.len(), faults))
        }
        _ => None,
    }
}

/// How many users a filter lets in; none where it asks for none.
pub(super) fn count_of_users(filter: &Filter) -> Option<usize> {
    faults_of_users(filter).map(|(count, _)| count)
}

/// Where users are written that are in a Secret.
pub(super) struct KeptUsers<'s>(pub(super) &'s Secret);

impl KeptUsers<'_> {
    /// Where the one of this number is, and which part of what is written there: of a key with a
    /// line for each, or of a key for each.
    fn place(&self, index: usize, is_map: bool) -> (FieldPath, Option<MarkedPart>) {
        let Self(secret) = self;
        let at = if is_map { index } else { 0 };
        let Some((key, value)) = secret.data.iter().nth(at) else {
            return (FieldPath::root(), None);
        };
        let is_text = secret.texts.contains(key);
        let field = FieldPath::from(if is_text { "stringData" } else { "data" }).key(key);
        let text = str::from_utf8(&value.0).ok().filter(|_| is_text && !is_map);
        (field, text.and_then(|text| Some(MarkedPart::of(text, line(text, index)?))))
    }
}

/// The bytes of the line of this number, of those that name somebody.
fn line(text: &str, index: usize) -> Option<Range<usize>> {
    let mut begin = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        let at = begin;
        begin += line.len();
        at..at + line.trim_end().len()
    });
    let is_user = |at: &Range<usize>| {
        let line = text[at.clone()].trim();
        !line.is_empty() && !line.starts_with('#')
    };
    lines.filter(is_user).nth(index)
}

/// Says which lines of users let nobody in, and how many do; none where none are asked for. `whose`
/// are they, and where they are written, where that is elsewhere.
pub(super) fn say_users(
    filter: &Filter,
    (whose, kept, is_map): (&str, Option<KeptUsers<'_>>, bool),
    place: &Provenance,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<usize> {
    let (count, faults) = faults_of_users(filter)?;
    for (index, why) in faults.iter().take(MOST_SAID) {
        let message = format!("user {} {whose} is never let in: {why}", index + 1);
        let (severity, code, help) = (Severity::Warning, codes::FILTER_USER, why.help());
        diagnostics.push(match &kept {
            Some(kept) => {
                let (field, part) = kept.place(*index, is_map);
                let object = &kept.0.object;
                let found = Diagnostic::new(severity, code, object, field, message, help);
                Diagnostic { part, ..found.beside(&place.object) }
            }
            None => Diagnostic::at(severity, code, place, message, help),
        });
    }
    Some(count)
}
