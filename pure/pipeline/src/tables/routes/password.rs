//! Names and passwords that an Ingress asks for, as ingress-nginx keeps them: in a Secret, as a
//! file of lines under `auth`, or as a hash by each name.

use std::sync::Arc;

use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::filter::access::{PasswordAuth, PasswordManner};
use steelyard_model::routing::filter::{Filter, FilterNode};
use steelyard_model::{
    Diagnostic, Missing, NamespacedName, ObjectRef, PasswordDraft, Secret, Severity,
};

use super::users::{KeptUsers, say_users};
use crate::codes;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{ReadSet, Row};

/// Where the lines are.
const FILE: &str = "auth";

/// The filter that asks for them, if that is wanted; else why nobody may pass.
pub(super) fn password(
    read: &ReadSet<'_>,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Option<Arc<FilterNode>>, RefusalReason> {
    let Some(draft) = read.reading.password.as_deref() else { return Ok(None) };
    if !lets_namespace(read, &draft.secret, reads) {
        diagnostics.push(unusable(draft, "is in another namespace"));
        return Err(RefusalReason::Filter(draft.place.clone()));
    }
    let row = reads.row(&Cell::Object(Tag::Secret, draft.secret.clone()));
    let users = match row.as_ref().and_then(Row::secret) {
        Some(secret) => users(secret, draft.is_map).ok_or("has no users in it"),
        None => Err("is not there"),
    };
    let users = users.map_err(|why| {
        diagnostics.push(unusable(draft, why));
        RefusalReason::Filter(draft.place.clone())
    })?;
    let realm = draft.realm.clone();
    let (manner, user_header) = (PasswordManner::Nginx, None);
    let auth =
        PasswordAuth { users: users.into(), realm, removes_header: true, user_header, manner };
    let NamespacedName { namespace, name } = read.set.object.id();
    let (kind, filter) = match draft.is_digest {
        true => ("digest-auth", Filter::DigestAuth(auth)),
        false => ("basic-auth", Filter::BasicAuth(auth)),
    };
    // As with nginx, nobody is kept from coming in by somebody else's line.
    let kept = row.as_ref().and_then(Row::secret).map(KeptUsers);
    let whose = format!("of Secret {}", draft.secret);
    say_users(&filter, (&whose, kept, draft.is_map), &draft.place, diagnostics);
    let id = format!("{namespace}/{name}#{kind}@ingress").into();
    Ok(Some(Arc::new(FilterNode { id, place: None, filter })))
}

/// Whether what an Ingress names may be where it is: in its own namespace, unless the settings of
/// all let it name others.
pub(super) fn lets_namespace(
    read: &ReadSet<'_>,
    named: &NamespacedName,
    reads: &mut Reads<'_>,
) -> bool {
    if named.namespace == read.set.object.namespace {
        return true;
    }
    let lets = |row: Row| match row {
        Row::NginxSettings(of_all) => of_all.settings.allows_cross_namespace,
        _ => false,
    };
    read.speaks_nginx() && reads.row(&Cell::NginxSettings).is_some_and(lets)
}

fn users(secret: &Secret, is_map: bool) -> Option<Vec<Arc<str>>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let users: Vec<Arc<str>> = if is_map {
        let lines = secret.data.iter();
        lines.map(|(name, hash)| format!("{name}:{}", text(&hash.0).trim()).into()).collect()
    } else {
        let lines = text(&secret.data.get(FILE)?.0);
        let lines = lines.lines().map(str::trim).filter(|it| !it.is_empty());
        lines.filter(|it| !it.starts_with('#')).map(Into::into).collect()
    };
    (!users.is_empty()).then_some(users)
}

fn unusable(draft: &PasswordDraft, why: &str) -> Diagnostic {
    let NamespacedName { namespace, name } = &draft.secret;
    let message = format!("Secret `{name}` in namespace {namespace} {why}: the routes answer 503");
    let help =
        "add it, with lines of `name:hash` under `auth`, or a hash by each name for `auth-map`";
    let code = codes::FILTER_SECRET;
    let found = Diagnostic::at(Severity::Error, code, &draft.place, message, help);
    let secret = ObjectRef::new("Secret", &**namespace, &**name);
    found.beside(&secret).missing(Missing::named("Secret", name).within(namespace).sought())
}
