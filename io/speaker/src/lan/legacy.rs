//! What another process of this node goes on with: what is announced, and this node's part in who
//! owns what. Both may answer for a while: they say the same.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use steelyard_membership::SegmentLegacy;
use tokio::sync::oneshot;

/// It.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpeakerLegacy {
    /// Vips that are announced, of those that are shared with nobody.
    pub(crate) announced: Vec<IpAddr>,
    /// Of those that are, by number of the interface.
    pub(crate) segments: BTreeMap<u32, SegmentLegacy>,
}

/// Until when a speaker is silent that takes over from another process, and does not even listen:
/// that one goes on meanwhile.
#[derive(Clone, Debug)]
pub struct Expectation(Arc<Mutex<Option<oneshot::Receiver<SpeakerLegacy>>>>);

impl SpeakerLegacy {
    /// All vips that are announced.
    pub fn announced(&self) -> impl Iterator<Item = IpAddr> {
        let shared = self.segments.values().flat_map(SegmentLegacy::owned);
        self.announced.iter().copied().chain(shared)
    }
}

impl Expectation {
    /// It, and how it is ended. Where that is dropped, the speaker ends.
    pub fn new() -> (oneshot::Sender<SpeakerLegacy>, Self) {
        let (given, expected) = oneshot::channel();
        (given, Self(Arc::new(Mutex::new(Some(expected)))))
    }

    /// Waits for it; none where nobody gives anything any more.
    pub(crate) async fn end(self) -> Option<SpeakerLegacy> {
        let expected = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        expected?.await.ok()
    }
}
