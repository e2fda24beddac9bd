//! What endpoints are told of who asks, and nothing that a client has made up.

use std::sync::Arc;

use steelyard_http::RequestEdits;
use steelyard_model::routing::claims::ClaimPath;
use steelyard_tokens::{Claims, Untellable};

use crate::context::{Context, Note};
use crate::response::Response;
use crate::spellings;

/// Notes who it is, and writes what is told of him into lines; what a client sends in these goes,
/// in every spelling. The answer instead, where a claim is none that endpoints can be told.
pub(crate) fn tell(
    claims: &Claims,
    user: Option<&ClaimPath>,
    told: &[(Arc<str>, ClaimPath)],
    cx: &mut Context<'_>,
    head: &mut RequestEdits<'_>,
) -> Option<Box<Response>> {
    if let Some(user) = user.and_then(|path| claims.text(path)) {
        cx.notes.push(Note::User(user.as_ref().into()));
    }
    for (name, path) in told {
        spellings::remove(head, name);
        // A value that would end its line, or a group that would be another one, is none that
        // endpoints can be told.
        let is_told = match claims.line(path) {
            Ok(None) => continue,
            Ok(Some(value)) => head.lines().set(name, value.as_bytes()).is_ok(),
            Err(Untellable) => false,
        };
        if !is_told {
            cx.notes.push(Note::Reason("a claim of the token is no value of a header"));
            return Some(Box::new(Response::bare(403)));
        }
    }
    None
}
