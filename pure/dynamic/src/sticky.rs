//! Cookies that lead back.

use serde_json::Value;

use crate::shape::{Shape, only};
use crate::tree::Tree;

/// `sticky` of a service; null where no cookie is asked for. A cookie is for the whole host unless
/// its path is written.
pub(crate) fn sticky(written: Tree<'_>) -> Value {
    let Some(cookie) = written.there("cookie") else { return Value::Null };
    let path = if cookie.there("path").is_some() { cookie.raw("path") } else { "/".into() };
    let shape = Shape::default()
        .with("name", cookie.text("name"))
        .with("secure", cookie.is("secure"))
        .with("httpOnly", cookie.is("httpOnly"))
        .with("sameSite", cookie.text("sameSite"))
        .with("maxAge", cookie.raw("maxAge"))
        .with("domain", cookie.text("domain"))
        .kept("path", path);
    only("cookie", shape.done())
}
