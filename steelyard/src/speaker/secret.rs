//! The key that seals heartbeats, as it stands in a Secret.

use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::ClusterEvent;
use steelyard_model::Item;

/// Under which name the Secret has it.
const ENTRY: &str = "key";

/// The content of the Secret's key, where `events` tell of it: that of a key file.
pub(super) fn key(events: &[ClusterEvent], namespace: &str, name: &str) -> Option<String> {
    events.iter().rev().find_map(|event| {
        let ClusterEvent::Written(sent) = event else { return None };
        let reference = &sent.object.reference;
        let is_it = *reference.kind == *"Secret"
            && *reference.namespace == *namespace
            && *reference.name == *name;
        if !is_it {
            return None;
        }
        let items = lower(&sent.object, &LowerOptions::default()).items;
        let secret = items.into_iter().find_map(|item| match item {
            Item::Secret(secret) => Some(secret),
            _ => None,
        })?;
        let value = &secret.data.get(ENTRY)?.0;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}
