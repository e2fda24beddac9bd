//! What machines that share addresses agreed on, as it is told.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};
use steelyard_speaker::{Member, Ownership, Sharing};

/// One row per node and interface.
pub(crate) fn members(sharing: &Sharing) -> Value {
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

/// Who owns which vip, by address, as far as this node knows.
#[derive(Default)]
pub(crate) struct Owners<'a>(BTreeMap<IpAddr, &'a Ownership>);

impl<'a> Owners<'a> {
    pub(crate) fn of(sharing: &'a Sharing) -> Self {
        let mut owners: BTreeMap<IpAddr, &Ownership> = BTreeMap::new();
        for vip in &sharing.vips {
            let known = owners.entry(vip.status.vip).or_insert(vip);
            if known.status.owner.is_none() {
                *known = vip;
            }
        }
        Self(owners)
    }

    /// What is known of an address.
    pub(crate) fn get(&self, vip: IpAddr) -> Option<&'a Ownership> {
        self.0.get(&vip).copied()
    }
}
