//! A list in pages, for API servers that do not send lists as streams.

use std::collections::BTreeSet;

use serde::Deserialize;
use steelyard_manifest::{ClusterEvent, Key, RawObject, Verb};

use super::{End, Follower};
use crate::answer::get;
use crate::trouble::Trouble;

/// So many objects in a page, unless they are large.
pub(super) const MOST: usize = 500;
/// Bytes of a page; where it has more, the next one has fewer objects.
const PAGE: usize = 16 << 20;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: ListMeta,
    items: Option<Vec<RawObject>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: Option<String>,
    #[serde(rename = "continue")]
    rest: Option<String>,
}

/// Sends all objects that there are; their version, and which they are.
pub(super) async fn list(follower: &mut Follower) -> Result<(String, BTreeSet<Key>), End> {
    let mut present = BTreeSet::new();
    let mut rest = String::new();
    loop {
        let page = one(follower, &rest).await?;
        for raw in page.items.unwrap_or_default() {
            let object = follower.written(raw)?;
            present.insert(object.key());
            follower.send(ClusterEvent::Written(Box::new(object))).await?;
        }
        match page.metadata.rest.filter(|rest| !rest.is_empty()) {
            Some(more) => rest = more,
            None => {
                let version = page.metadata.resource_version.filter(|it| !it.is_empty());
                let version =
                    version.ok_or_else(|| Trouble::Garbled("a list without a version".into()))?;
                return Ok((version, present));
            }
        }
    }
}

/// The page after `rest`, as large as it may be.
async fn one(follower: &mut Follower, rest: &str) -> Result<Page, Trouble> {
    loop {
        let (path, limit) = (follower.watch.path(), follower.progress.page);
        let rest = if rest.is_empty() { String::new() } else { format!("&continue={rest}") };
        let path = format!("{path}limit={limit}{rest}");
        let answer =
            get(&follower.connection, &path, Verb::List, follower.patience.beginning).await?;
        let bytes = match answer.whole(follower.patience.listing, PAGE).await {
            Err(Trouble::TooLarge(_)) if limit > 1 => {
                follower.progress.page = limit.div_ceil(8);
                continue;
            }
            bytes => bytes?,
        };
        return serde_json::from_slice(&bytes).map_err(|error| Trouble::Garbled(error.to_string()));
    }
}
