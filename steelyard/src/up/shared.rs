//! What machines that share addresses agreed on, as the admin API tells it.

use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use steelyard_speaker::{Member, Sharing};

/// One row per node and interface.
pub(super) fn members(sharing: &Sharing) -> Value {
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let rows = sharing.members.iter().map(|Member { interface, status: member }| {
        json!({
            "node": &*member.name,
            "interface": interface,
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
    let Ok(address) = address.parse::<IpAddr>() else { return };
    let Some(vip) = sharing.vips.iter().find(|vip| vip.status.vip == address) else { return };
    let (claim, standbys) = (&vip.status, vip.status.standbys.iter().map(|it| &**it));
    let since = vip.since.and_then(|since| since.duration_since(UNIX_EPOCH).ok());
    row["owner"] = json!(claim.owner.as_deref());
    row["standbys"] = json!(standbys.collect::<Vec<_>>());
    row["epoch"] = json!(claim.epoch);
    row["role"] = json!(claim.role);
    row["since"] = json!(since.map(|since| since.as_secs()));
    row["reason"] = json!(vip.why.as_ref().filter(|_| claim.owner.is_some()));
}
