//! One question to the API server, as JSON, and what its answer comes to.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::connection::Connection;
use crate::lines::Lines;
use crate::trouble::{Trouble, chain};

/// Bytes of an answer; a single object has less, and what may be more comes in pages.
const MOST: usize = 32 << 20;

/// A `Status`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: Option<String>,
    details: RefusalDetails,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RefusalDetails {
    retry_after_seconds: Option<u64>,
}

/// How the content of a request is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The whole object.
    Json,
    /// What differs; null takes away.
    MergePatch,
    /// What the field manager wants.
    Apply,
}

/// Why there is no answer that helps.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AskFailure {
    /// The API server refuses.
    #[error("{message}")]
    Refused {
        /// The status of HTTP.
        code: u16,
        /// What it said.
        message: String,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// It did not answer in time.
    #[error("no answer within {0:?}")]
    TooLate(Duration),
    /// It cannot be reached, or what it answers is not understood.
    #[error("{0}")]
    Unreachable(String),
}

impl AskFailure {
    /// The status of HTTP, where there is one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::TooLate(_) | Self::Unreachable(_) => None,
        }
    }
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MergePatch => "application/merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// Asks, and waits for an answer for so long. A request that got none may still be carried out.
pub(crate) async fn ask<T: DeserializeOwned>(
    connection: &Connection,
    method: Method,
    path: &str,
    content: Option<(Content, &Value)>,
    patience: Duration,
) -> Result<T, AskFailure> {
    let mut request = Request::builder().method(method).uri(path);
    let mut body = Vec::new();
    if let Some((kind, value)) = content {
        request = request.header(CONTENT_TYPE, kind.name());
        body = value.to_string().into_bytes();
    }
    let request = request.body(Body::from(body));
    let request = request.map_err(|error| AskFailure::Unreachable(error.to_string()))?;
    let (client, age) = connection.current();
    let answered = async {
        let answer = client.send(request).await;
        let answer = answer.map_err(|error| AskFailure::Unreachable(chain(&error)))?;
        let status = answer.status();
        let said = Lines::new(answer.into_body()).whole(patience, MOST).await;
        let said = said.map_err(|trouble| AskFailure::Unreachable(trouble.to_string()))?;
        Ok((status, said))
    };
    let answered = tokio::time::timeout(patience, answered).await;
    let (status, said) = answered.map_err(|_| AskFailure::TooLate(patience))??;
    if !status.is_success() {
        if status == StatusCode::UNAUTHORIZED {
            connection.renew(age);
        }
        return Err(refused(status, &said));
    }
    let understood = serde_json::from_slice(&said);
    understood
        .map_err(|error| AskFailure::Unreachable(Trouble::Garbled(error.to_string()).to_string()))
}

/// What an API server says in the place of an answer.
fn refused(status: StatusCode, said: &[u8]) -> AskFailure {
    let said: Refusal = serde_json::from_slice(said).unwrap_or_default();
    let after = said.details.retry_after_seconds.filter(|seconds| *seconds > 0);
    AskFailure::Refused {
        code: status.as_u16(),
        message: said.message.unwrap_or_else(|| format!("status {}", status.as_u16())),
        after: after.map(Duration::from_secs),
    }
}
