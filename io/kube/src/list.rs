//! All objects of a selection as they are now, whatever a watch has heard so far.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use steelyard_manifest::{ClusterEvent, ClusterObject, RawObject, Selection};

use crate::ask::{AskFailure, ask};
use crate::connection::Connection;

/// Objects in a page.
const PAGE: usize = 500;
/// How long a page is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Page {
    metadata: PageMeta,
    items: Vec<RawObject>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageMeta {
    #[serde(rename = "continue")]
    more: String,
}

/// What a list says that begins now: each write that had ended before is in it.
///
/// # Errors
/// When it does not come to its end.
pub async fn list(
    connection: &Connection,
    watch: &Selection,
) -> Result<Vec<ClusterEvent>, AskFailure> {
    let (mut events, mut present) = (Vec::new(), std::collections::BTreeSet::new());
    let mut more = String::new();
    loop {
        let path = format!("{}limit={PAGE}{more}", watch.path());
        let page: Page = ask(connection, Method::GET, &path, None, PATIENCE).await?;
        for object in page.items {
            let Ok(object) = ClusterObject::new(object, watch.kind) else { continue };
            present.insert(object.key());
            events.push(ClusterEvent::Written(Box::new(object)));
        }
        if page.metadata.more.is_empty() {
            events.push(ClusterEvent::Listed { watch: watch.clone(), present });
            return Ok(events);
        }
        more = format!("&continue={}", page.metadata.more);
    }
}
