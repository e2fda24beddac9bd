//! What an API server asks of us before it takes an object: whether it is valid ([`review`]), and
//! what a BGPPeer is in its other version ([`convert`]).
//!
//! Both look at one object alone and remember nothing: what needs two objects is said by statuses
//! and by `steelyard check`. Bodies are JSON of `admission.k8s.io/v1` and
//! `apiextensions.k8s.io/v1`.

mod conversion;
mod peer;
mod review;
mod verdict;

use serde_json::Value;

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
struct Question(Value);

impl Question {
    /// # Errors
    /// When it is none of `kind` in `api_version`.
    fn read(
        body: &[u8],
        api_version: &'static str,
        kind: &'static str,
    ) -> Result<Self, Unanswerable> {
        let body: Value = serde_json::from_slice(body).map_err(|_| Unanswerable::NotJson)?;
        if body["apiVersion"] != api_version || body["kind"] != kind {
            return Err(Unanswerable::NotA(kind));
        }
        body["request"]["uid"].as_str().ok_or(Unanswerable::NoRequest)?;
        Ok(Self(body))
    }

    fn request(&self) -> &Value {
        &self.0["request"]
    }

    /// What is asked for, out of it.
    fn take(&mut self, field: &str) -> Value {
        self.0["request"][field].take()
    }

    /// The answer to it: the same envelope with a `response` of its uid.
    fn answer(&self, mut response: Value) -> Value {
        response["uid"] = self.request()["uid"].clone();
        serde_json::json!({
            "apiVersion": self.0["apiVersion"],
            "kind": self.0["kind"],
            "response": response,
        })
    }
}
