//! A list as it comes in pages, each as large as it may be: whoever can make objects can make many
//! of them, and large ones, and nobody here holds more than a page for that.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use steelyard_manifest::Verb;

use crate::answer::{escaped, get};
use crate::connection::Connection;
use crate::trouble::Trouble;

/// So many objects in a page, unless they are large.
pub(crate) const MOST: usize = 500;
/// Bytes of a page; where it has more, the next one has fewer objects.
const PAGE: usize = 16 << 20;

/// Where a list is, and how far it was read.
pub(crate) struct Pages {
    /// Ends with `?` or `&`.
    path: String,
    /// So many objects in the next page.
    pub(crate) limit: usize,
    /// What the next page begins with; none after the last one.
    rest: Option<String>,
    /// Until an answer begins, and between two pieces of it.
    patience: (Duration, Duration),
}

/// One page.
pub(crate) struct Page<T> {
    /// The version of the list; empty where the API server does not say.
    pub(crate) version: String,
    pub(crate) items: Vec<T>,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Sent<T> {
    #[serde(default)]
    metadata: ListMeta,
    items: Option<Vec<T>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: Option<String>,
    #[serde(rename = "continue")]
    rest: Option<String>,
}

impl Pages {
    /// Of what is at `path`, whose query may be gone on with.
    pub(crate) fn new(path: String, limit: usize, patience: (Duration, Duration)) -> Self {
        Self { path, limit, rest: Some(String::new()), patience }
    }

    /// The next page; none after the last one.
    pub(crate) async fn next<T: DeserializeOwned>(
        &mut self,
        connection: &Connection,
    ) -> Result<Option<Page<T>>, Trouble> {
        let Some(rest) = &self.rest else { return Ok(None) };
        let bytes = loop {
            let more = if rest.is_empty() { "" } else { "&continue=" };
            let path = format!("{}limit={}{more}{}", self.path, self.limit, escaped(rest));
            let answer = get(connection, &path, Verb::List, self.patience.0).await?;
            match answer.whole(self.patience.1, PAGE).await {
                Err(Trouble::TooLarge(_)) if self.limit > 1 => {
                    self.limit = self.limit.div_ceil(8);
                }
                bytes => break bytes?,
            }
        };
        let sent: Sent<T> =
            serde_json::from_slice(&bytes).map_err(|error| Trouble::Garbled(error.to_string()))?;
        self.rest = sent.metadata.rest.filter(|rest| !rest.is_empty());
        let version = sent.metadata.resource_version.unwrap_or_default();
        Ok(Some(Page { version, items: sent.items.unwrap_or_default() }))
    }
}
