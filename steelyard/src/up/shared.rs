//! What machines that share addresses agreed on, as the admin API tells it.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use steelyard_speaker::Sharing;

/// One row per node and interface.
pub(super) fn members(sharing: &Sharing) -> Value {
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let rows = sharing.members.iter().map(|member| {
        json!({
            "node": member.name,
            "interface": member.interface,
            "address": member.address.map(|address| address.to_string()),
            "state": member.state,
            "self": member.this,
            "roundTripMs": member.round_trip.map(milliseconds),
            "lastHeardMs": member.heard.map(milliseconds),
        })
    });
    rows.collect()
}

/// Puts into the row of an address who owns it, in the place of who would by the plan.
pub(super) fn agreed(row: &mut Value, sharing: &Sharing) {
    let address = row["address"].as_str().unwrap_or_default().to_owned();
    let Some(vip) = sharing.vips.iter().find(|vip| vip.address.to_string() == address) else {
        return;
    };
    let since = vip.since.and_then(|since| since.duration_since(UNIX_EPOCH).ok());
    row["owner"] = json!(vip.owner);
    row["standbys"] = json!(vip.standbys);
    row["epoch"] = json!(vip.epoch);
    row["role"] = json!(vip.role);
    row["since"] = json!(since.map(|since| since.as_secs()));
    row["reason"] = json!(vip.why.as_ref().filter(|_| vip.owner.is_some()));
}
