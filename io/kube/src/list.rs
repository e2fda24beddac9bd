//! All objects of a selection as they are now, whatever a watch has heard so far.

use std::time::Duration;

use steelyard_manifest::{ClusterEvent, ClusterObject, RawObject, Selection};

use crate::connection::Connection;
use crate::pages::{self, Pages};
use crate::trouble::Trouble;

/// How long a page is waited for, and each piece of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a list says that begins now: each write that had ended before is in it.
///
/// # Errors
/// When it does not come to its end.
pub async fn list(
    connection: &Connection,
    watch: &Selection,
) -> Result<Vec<ClusterEvent>, Trouble> {
    let (mut events, mut present) = (Vec::new(), std::collections::BTreeSet::new());
    let mut pages = Pages::new(watch.path(), pages::MOST, (PATIENCE, PATIENCE));
    while let Some(page) = pages.next::<RawObject>(connection).await? {
        for object in page.items {
            let Ok(object) = ClusterObject::new(object, watch.kind) else { continue };
            present.insert(object.key());
            events.push(ClusterEvent::Written(Box::new(object)));
        }
    }
    events.push(ClusterEvent::Listed { watch: watch.clone(), present });
    Ok(events)
}
