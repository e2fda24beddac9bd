//! A list in pages, for API servers that do not send lists as streams; and what each list says.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use steelyard_manifest::{ClusterEvent, Key, RawObject};

use super::{End, Follower};
use crate::pages::{Page, Pages};
use crate::trouble::Trouble;

/// Sends all objects that there are; their version, and which they are.
pub(super) async fn list(follower: &mut Follower) -> Result<(String, BTreeSet<Key>), End> {
    let (mut present, mut last) = (BTreeSet::new(), String::new());
    let patience = (follower.patience.beginning, follower.patience.listing);
    let mut pages = Pages::new(follower.watch.path(), follower.progress.page, patience);
    loop {
        let page = pages.next::<RawObject>(&follower.connection).await;
        follower.progress.page = pages.limit;
        let Some(Page { version, items }) = page? else { break };
        if last.is_empty() {
            follower.begin_list().await?;
        }
        last = version;
        for raw in items {
            let object = follower.written(raw)?;
            present.insert(object.key());
            follower.send(ClusterEvent::Written(Box::new(object))).await?;
        }
    }
    match last.is_empty() {
        true => Err(Trouble::Garbled("a list without a version".into()).into()),
        false => Ok((last, present)),
    }
}

/// At which version things are now; what there is is not told.
pub(super) async fn version(follower: &Follower) -> Result<String, Trouble> {
    let patience = (follower.patience.beginning, follower.patience.listing);
    let mut pages = Pages::new(follower.watch.path(), 1, patience);
    let page = pages.next::<IgnoredAny>(&follower.connection).await?;
    let version = page.map(|it| it.version).filter(|version| !version.is_empty());
    version.ok_or_else(|| Trouble::Garbled("a list without a version".into()))
}
