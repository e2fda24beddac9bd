//! Users that filters let in, and lines that stand for nobody.

use std::sync::Arc;

use steelyard_model::routing::filter::Filter;
use steelyard_model::{Diagnostic, Provenance, Severity};
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

/// Says which lines of users let nobody in, and how many do; none where none are asked for. `whose`
/// are they.
pub(super) fn say_users(
    filter: &Filter,
    whose: &str,
    place: &Provenance,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<usize> {
    let (count, faults) = faults_of_users(filter)?;
    for (index, why) in faults.iter().take(MOST_SAID) {
        let message = format!("user {} {whose} is never let in: {why}", index + 1);
        let (severity, code) = (Severity::Warning, codes::FILTER_USER);
        diagnostics.push(Diagnostic::at(severity, code, place, message, why.help()));
    }
    Some(count)
}
