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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use steelyard_model::NamespacedName;
    use steelyard_plan::Protocol;

    use super::*;

    fn vip(address: &str, owner: Option<&str>, interface: &str) -> Ownership {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        Ownership {
            interface: interface.to_owned(),
            status: steelyard_speaker::Claimed {
                vip: address.parse().unwrap(),
                owner: owner.map(Into::into),
                epoch: 3,
                standbys: vec!["c".into()],
                role: "standing-by",
            },
            since: Some(since),
            why: Some("a was not heard".to_owned()),
        }
    }

    #[test]
    fn rows_and_sentences_tell_the_owner_that_the_nodes_agreed_on() {
        let vips = vec![
            vip("10.0.0.1", None, "eth0"),
            vip("10.0.0.1", Some("b"), "eth1"),
            vip("10.0.0.2", None, "eth0"),
        ];
        let sharing = Sharing { members: Vec::new(), vips };
        let owners = Owners::of(&sharing);
        let planned = |address: &str| Layer2Row {
            address: address.parse().unwrap(),
            service: NamespacedName::new("default", "web"),
            protocol: Protocol::Layer2,
            owner: Some("a".to_owned()),
            standbys: vec!["b".to_owned(), "c".to_owned()],
            interfaces: Vec::new(),
            peers: Vec::new(),
        };
        let told = |address: &str| {
            let row = planned(address);
            let mut told = serde_json::to_value(&row).unwrap();
            owners.tell(row.address, &mut told);
            (owners.sentence(&row), told)
        };
        let (sentence, row) = told("10.0.0.1");
        assert_eq!(
            sentence,
            "10.0.0.1 is announced by b, then c; epoch 3 since 1970-01-02 00:00:00 UTC: a was not \
             heard"
        );
        let expected = json!(["b", ["c"], 3, 86_400, "a was not heard"]);
        let got = ["owner", "standbys", "epoch", "since", "reason"].map(|it| row[it].clone());
        assert_eq!(json!(got), expected);
        let (sentence, row) = told("10.0.0.2");
        assert_eq!(sentence, "10.0.0.2 is not announced");
        assert_eq!((&row["owner"], &row["reason"]), (&Value::Null, &Value::Null));
        let (sentence, row) = told("10.0.0.9");
        assert_eq!(sentence, "10.0.0.9 is not announced, as far as this node knows");
        assert_eq!((&row["owner"], &row["standbys"]), (&Value::Null, &json!([])));
    }
}
