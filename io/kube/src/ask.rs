//! One question to the API server, as JSON, and what its answer comes to.

use std::time::Duration;

use http::{Method, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::connection::Connection;
use crate::trouble::chain;

/// The token is not taken any more.
const UNAUTHORIZED: u16 = 401;

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
        request = request.header(http::header::CONTENT_TYPE, kind.name());
        body = value.to_string().into_bytes();
    }
    let request = request.body(body).map_err(|error| AskFailure::Unreachable(error.to_string()))?;
    let (client, age) = connection.current();
    match tokio::time::timeout(patience, client.request(request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let failure = failure(error);
            if failure.code() == Some(UNAUTHORIZED) {
                connection.renew(age);
            }
            Err(failure)
        }
        Err(_) => Err(AskFailure::TooLate(patience)),
    }
}

fn failure(error: kube::Error) -> AskFailure {
    let kube::Error::Api(status) = error else {
        return AskFailure::Unreachable(chain(&error));
    };
    let after = status.details.as_ref().map_or(0, |it| it.retry_after_seconds);
    AskFailure::Refused {
        code: status.code,
        message: status.message.clone(),
        after: (after > 0).then(|| Duration::from_secs(u64::from(after))),
    }
}
