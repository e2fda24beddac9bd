//! BGPPeer of `v1beta1` and `v1beta2`: what the one says that the other has no field for goes into
//! an annotation, and back, so that nothing is lost by reading and writing an older version.
//!
//! MetalLB loses it, and makes timers that are not set zero; we do neither.

use std::fmt;

use serde_json::{Map, Value};

const OLD: &str = "metallb.io/v1beta1";
const NEW: &str = "metallb.io/v1beta2";

/// Annotation of a `v1beta1` BGPPeer with what only `v1beta2` has fields for, as JSON.
const KEPT: &str = "steelyard.dev/bgppeer-v1beta2";

/// Fields of `spec` that both have, of the same meaning and form.
const SHARED: [&str; 12] = [
    "bfdProfile",
    "ebgpMultiHop",
    "holdTime",
    "keepaliveTime",
    "myASN",
    "nodeSelectors",
    "password",
    "peerASN",
    "peerAddress",
    "peerPort",
    "routerID",
    "sourceAddress",
];

/// Why an object is not converted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoPeer {
    /// It is of another kind or version.
    Other(String),
    /// Nobody makes a tree of it.
    TooLarge,
    /// It is wanted in a version that there is not.
    Wanted(String),
}

/// `object` as it is in `wanted`, one of the two versions.
pub(crate) fn to_version(mut object: Value, wanted: &Value) -> Result<Value, NoPeer> {
    let version = &object["apiVersion"];
    let is_peer = object["kind"] == "BGPPeer" && (*version == OLD || *version == NEW);
    if !is_peer || !object["metadata"].is_object() {
        return Err(NoPeer::Other(format!("{} {}", object["apiVersion"], object["kind"])));
    }
    match wanted.as_str() {
        _ if *wanted == object["apiVersion"] => return Ok(object),
        Some(NEW) => restore(&mut object),
        Some(OLD) => keep(&mut object),
        _ => return Err(NoPeer::Wanted(wanted.to_string())),
    }
    object["apiVersion"] = wanted.clone();
    Ok(object)
}

/// Into the annotation with what the old version has no field for.
fn keep(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let (shared, kept): (Map<_, _>, Map<_, _>) =
        std::mem::take(spec).into_iter().partition(|(name, _)| is_shared(name));
    *spec = shared;
    if !kept.is_empty() {
        let text = Value::Object(kept).to_string();
        annotations(object).insert(KEPT.to_owned(), Value::String(text));
    }
}

/// Out of the annotation again. What it says of fields that the old version has does not count:
/// those were there to be edited.
fn restore(object: &mut Value) {
    let Some(Value::String(text)) = annotations(object).remove(KEPT) else { return tidy(object) };
    tidy(object);
    let Ok(Value::Object(kept)) = serde_json::from_str(&text) else { return };
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    spec.extend(kept.into_iter().filter(|(name, _)| !is_shared(name)));
}

fn is_shared(field: &str) -> bool {
    SHARED.contains(&field)
}

/// Annotations of an object, which has some from then on.
fn annotations(object: &mut Value) -> &mut Map<String, Value> {
    let annotations = &mut object["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = Value::Object(Map::new());
    }
    annotations.as_object_mut().expect("it was made one")
}

/// No annotations are no field.
fn tidy(object: &mut Value) {
    if annotations(object).is_empty()
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.remove("annotations");
    }
}

impl fmt::Display for NoPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(what) => {
                write!(f, "only BGPPeers of {OLD} and {NEW} are converted, not {what}")
            }
            Self::TooLarge => f.write_str("it is too large, or nested too deep, to be converted"),
            Self::Wanted(version) => write!(f, "a BGPPeer is of {OLD} or {NEW}, not of {version}"),
        }
    }
}

#[cfg(test)]
mod tests;
