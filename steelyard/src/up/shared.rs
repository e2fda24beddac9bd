//! What machines that share addresses agreed on, as it is told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use steelyard_plan::Layer2Row;
use steelyard_speaker::{Member, Ownership, Sharing};

use super::history;

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

/// Who owns which vip, by address, as far as this node knows.
pub(super) struct Owners<'a>(BTreeMap<IpAddr, &'a Ownership>);

impl<'a> Owners<'a> {
    pub(super) fn of(sharing: &'a Sharing) -> Self {
        let mut owners: BTreeMap<IpAddr, &Ownership> = BTreeMap::new();
        for vip in &sharing.vips {
            let known = owners.entry(vip.status.vip).or_insert(vip);
            if known.status.owner.is_none() {
                *known = vip;
            }
        }
        Self(owners)
    }

    /// Puts into an address's row who owns it, in the place of who would by the plan.
    pub(super) fn tell(&self, vip: IpAddr, row: &mut Value) {
        let known = self.0.get(&vip);
        let owner = known.and_then(|it| it.status.owner.as_deref());
        let standbys = known.into_iter().flat_map(|it| &it.status.standbys);
        row["owner"] = json!(owner);
        row["standbys"] = standbys.map(|it| &**it).collect();
        row["epoch"] = json!(known.map(|it| it.status.epoch));
        row["role"] = json!(known.map(|it| it.status.role));
        row["since"] = json!(known.and_then(|it| since(it)));
        row["reason"] = json!(known.and_then(|it| it.why.as_ref()).filter(|_| owner.is_some()));
    }

    /// Who announces a planned address: one sentence.
    pub(super) fn sentence(&self, planned: &Layer2Row) -> String {
        let Some(known) = self.0.get(&planned.address) else {
            let address = planned.address;
            return format!("{address} is not announced, as far as this node knows");
        };
        let agreed = Layer2Row {
            owner: known.status.owner.as_ref().map(ToString::to_string),
            standbys: known.status.standbys.iter().map(ToString::to_string).collect(),
            ..planned.clone()
        };
        let mut said = agreed.sentence();
        if agreed.owner.is_some() {
            said += &format!("; epoch {}", known.status.epoch);
            said +=
                &since(known).map(|it| format!(" since {}", history::date(it))).unwrap_or_default();
            said += &known.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        }
        said
    }
}

/// In seconds since 1970.
fn since(vip: &Ownership) -> Option<u64> {
    let since = vip.since?.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
