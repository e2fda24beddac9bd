//! All objects of a selection as they are now, whatever a watch has heard so far.

use std::time::Duration;

use steelyard_manifest::{ClusterEvent, ClusterObject, RawObject, Selection};
use tokio::sync::mpsc::Sender;

use crate::connection::Connection;
use crate::pages::{self, Pages};
use crate::trouble::Trouble;

/// How long a page is waited for, and each piece of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tells page by page what a list says that begins now: each write that had ended before is in it.
/// Nobody holds more than a page or two, however much there is. False where nobody listens.
///
/// # Errors
/// When it does not come to its end.
pub async fn list(
    connection: &Connection,
    watch: &Selection,
    tell: &Sender<Vec<ClusterEvent>>,
) -> Result<bool, Trouble> {
    let mut pages = Pages::new(watch.path(), pages::MOST, (PATIENCE, PATIENCE));
    while let Some(page) = pages.next::<RawObject>(connection).await? {
        let objects = page.items.into_iter();
        let objects = objects.filter_map(|raw| ClusterObject::new(raw, watch.kind).ok());
        let events = objects.map(|object| ClusterEvent::Written(Box::new(object))).collect();
        if tell.send(events).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}
