//! What an API server asks of us before it takes an object: whether it is valid ([`review`]), and
//! what a BGPPeer is in its other version ([`convert`]).
//!
//! Both look at one object and remember nothing. What needs two objects is said by statuses and by
//! `steelyard check`, except for Ingresses in words of ingress-nginx, whose webhook refuses them
//! for what others say: who is given [`Beside`] judges these so too. Bodies are JSON of
//! `admission.k8s.io/v1` and `apiextensions.k8s.io/v1`.

mod beside;
mod conversion;
mod peer;
mod review;
mod verdict;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

pub use beside::{Beside, NothingBeside};
pub use conversion::convert;
pub use review::review;

/// Why a body is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// It is no JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// It asks for something else than was called for, or in another version.
    #[error("the body is not a {0}")]
    NotA(&'static str),
    /// It asks nothing: there is no `request` with a `uid`.
    #[error("the body has no request with a uid")]
    NoRequest,
}

/// A body that asks: `apiVersion`, `kind`, and a `request` with a `uid`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "R: Deserialize<'de>"))]
struct Question<R> {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    request: Option<R>,
}

/// What is asked. Objects stay as they were sent: a tree is many times as large, so there is one
/// of them at a time.
trait Asked {
    /// `apiVersion` and `kind` of the body.
    const OF: (&'static str, &'static str);

    fn uid(&self) -> &str;
}

/// Bytes of an object of which a tree is made.
const LARGEST: usize = 1 << 20;
/// Mappings in it: each takes a hundred times as much as its text is long.
const MAPPINGS: usize = 32_000;

/// An object as a tree; none where it would be too large, or is nested too deep.
fn tree(object: &RawValue) -> Option<Value> {
    let text = object.get();
    // Those in texts too: of these nobody has so many.
    let mappings = text.bytes().filter(|it| *it == b'{').count();
    let is_read = text.len() <= LARGEST && mappings <= MAPPINGS;
    serde_json::from_str(Some(text).filter(|_| is_read)?).ok()
}

/// Reads the request out of a body.
///
/// # Errors
/// When it is of another kind or version, or asks nothing.
fn asked<'a, R: Asked + Deserialize<'a>>(body: &'a [u8]) -> Result<R, Unanswerable> {
    let (api_version, kind) = R::OF;
    let read = |_| match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => Unanswerable::NotA(kind),
        Err(_) => Unanswerable::NotJson,
    };
    let question: Question<R> = serde_json::from_slice(body).map_err(read)?;
    if question.api_version != api_version || question.kind != kind {
        return Err(Unanswerable::NotA(kind));
    }
    question.request.filter(|it| !it.uid().is_empty()).ok_or(Unanswerable::NoRequest)
}

/// The answer: the same envelope with a `response`, which has the request's uid.
fn answer<R: Asked>(response: impl Serialize) -> String {
    let (api_version, kind) = R::OF;
    let answer = Answer { api_version, kind, response };
    serde_json::to_string(&answer).expect("names and values are JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<T> {
    api_version: &'static str,
    kind: &'static str,
    response: T,
}
