//! A Secret that is made once, and whose content nobody here ever changes or reads back.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::ask::{AskFailure, Content, ask};
use crate::connection::Connection;
use crate::lease::is_absent;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Secret.
#[derive(Clone, Debug)]
pub struct NewSecret<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: BTreeMap<&'a str, &'a str>,
}

impl NewSecret<'_> {
    /// Makes it, with what `content` gives, unless it is there. Whether it was made.
    ///
    /// # Errors
    /// When the API server does not say whether it is there, or does not take it.
    pub async fn make<E>(
        &self,
        connection: &Connection,
        content: impl FnOnce() -> Result<BTreeMap<&'static str, String>, E>,
    ) -> Result<Result<bool, E>, AskFailure> {
        let all = format!("/api/v1/namespaces/{}/secrets", self.namespace);
        let one = format!("{all}/{}", self.name);
        match ask::<IgnoredAny>(connection, Method::GET, &one, None, PATIENCE).await {
            Ok(_) => return Ok(Ok(false)),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
        let content = match content() {
            Ok(content) => content,
            Err(error) => return Ok(Err(error)),
        };
        let body = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "namespace": self.namespace, "name": self.name, "labels": self.labels },
            "type": "Opaque",
            "stringData": content,
        });
        match ask::<IgnoredAny>(
            connection,
            Method::POST,
            &all,
            Some((Content::Json, &body)),
            PATIENCE,
        )
        .await
        {
            Ok(_) => Ok(Ok(true)),
            // Somebody else made it.
            Err(error) if error.code() == Some(409) => Ok(Ok(false)),
            Err(error) => Err(error),
        }
    }
}
