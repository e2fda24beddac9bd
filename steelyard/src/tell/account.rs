//! Who answers for an address of the LAN and how it stands here: the one source of what `get`,
//! `explain`, the page, the metrics and `/readyz` tell of it. A plan says only who is to.

use std::fmt;
use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use steelyard_plan::Layer2Row;
use steelyard_speaker::{Ownership, VipState};

use super::standing::Standing;
use crate::hands::history;

/// What this node knows of an address.
#[derive(Clone, Debug)]
pub(crate) struct Account<'a> {
    address: IpAddr,
    /// How it stands here; none where no node is to answer for it.
    standing: Option<Standing>,
    /// The node that answers for it: none exactly when this one does not, and knows of none.
    owner: Option<String>,
    /// What the nodes that share it agreed on.
    agreed: Option<&'a Ownership>,
}

impl<'a> Account<'a> {
    /// Of an address that stands here as `standing` says, on the node named `here`.
    pub(crate) fn new(
        address: IpAddr,
        standing: Option<Standing>,
        agreed: Option<&'a Ownership>,
        here: &str,
    ) -> Self {
        // What was agreed names this node also before it answers, and where it cannot.
        let other = agreed.and_then(|it| it.status.owner.as_deref()).filter(|it| *it != here);
        let owner = match &standing {
            Some(Standing::Told(VipState::Announced { .. })) => Some(here),
            Some(Standing::Told(VipState::Elsewhere { owner: Some(owner) })) => Some(&**owner),
            _ => other,
        };
        Self { address, owner: owner.map(str::to_owned), standing, agreed }
    }

    /// Whether this node answers for it.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.standing, Some(Standing::Told(VipState::Announced { .. })))
    }

    /// Whether this node may not answer for it.
    pub(crate) fn is_left_to_others(&self) -> bool {
        matches!(self.standing, Some(Standing::NotCandidate))
    }

    /// Puts into the row that was planned what is so.
    pub(crate) fn tell(&self, row: &mut Value, is_shared: bool) {
        row["owner"] = json!(self.owner);
        if let Some(standing) = &self.standing {
            row["state"] = json!(standing.to_string());
        }
        // Without privileges it is so of all, and told once.
        let silence = self.silence().filter(|it| it.standing != Some(Standing::Unprivileged));
        row["silence"] = json!(silence.map(|it| it.to_string()));
        if is_shared {
            let standbys = self.agreed.into_iter().flat_map(|it| &it.status.standbys);
            row["standbys"] = standbys.map(|it| &**it).collect();
            row["epoch"] = json!(self.agreed.map(|it| it.status.epoch));
            row["role"] = json!(self.agreed.map(|it| it.status.role));
            row["since"] = json!(self.agreement().and_then(since));
            row["reason"] = json!(self.agreement().and_then(|it| it.why.as_ref()));
        }
    }

    /// Who announces it, or why nobody does: one sentence, no trailing period.
    pub(crate) fn sentence(&self, planned: &Layer2Row) -> String {
        if let Some(silence) = self.silence() {
            return silence.to_string();
        }
        let owner = self.owner.as_deref().map(Into::into);
        let mut told = Layer2Row { owner, ..planned.clone() };
        if let Some(agreed) = self.agreed {
            told.standbys = agreed.status.standbys.clone().into();
        }
        let mut said = told.sentence();
        if let Some(agreed) = self.agreement() {
            said += &format!("; epoch {}", agreed.status.epoch);
            said += &since(agreed)
                .map(|it| format!(" since {}", history::date(it)))
                .unwrap_or_default();
            said += &agreed.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        }
        said
    }

    /// That nobody answers for it; none where somebody does.
    pub(crate) fn silence(&self) -> Option<Silence> {
        let standing = self.standing.clone();
        self.owner.is_none().then_some(Silence { address: self.address, standing })
    }

    /// What was agreed on, where it is of the owner that is told.
    fn agreement(&self) -> Option<&'a Ownership> {
        let owner = self.owner.as_deref()?;
        self.agreed.filter(|it| it.status.owner.as_deref() == Some(owner))
    }
}

/// An address that nobody answers for. [`fmt::Display`] says so, and why, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Silence {
    address: IpAddr,
    standing: Option<Standing>,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not announced", self.address)?;
        match &self.standing {
            None => Ok(()),
            Some(Standing::NotCandidate) => f.write_str(", as far as this node knows"),
            Some(standing) => match standing.reason() {
                Some(why) => write!(f, ": {why}"),
                None => f.write_str(" yet"),
            },
        }
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

    use steelyard_forward::Why;
    use steelyard_model::NamespacedName;
    use steelyard_plan::{AnnouncedBy, Occupant};
    use steelyard_speaker::NoInterface;

    use super::*;
    use crate::hands::announcements::Idle;

    fn agreed(owner: Option<&str>) -> Ownership {
        Ownership {
            interface: "eth0".into(),
            status: steelyard_speaker::ClaimStatus {
                vip: "10.0.0.1".parse().unwrap(),
                owner: owner.map(Into::into),
                epoch: 3,
                standbys: vec!["c".into()],
                role: "standing-by",
            },
            since: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400)),
            why: Some("it was not heard".into()),
        }
    }

    fn planned() -> Layer2Row {
        Layer2Row {
            address: "10.0.0.1".parse().unwrap(),
            service: NamespacedName::new("default", "web"),
            protocol: AnnouncedBy::Layer2,
            owner: Some("a".into()),
            standbys: ["b".into()].into(),
            interfaces: [].into(),
            peers: [],
        }
    }

    /// `OWNER | STATE | SENTENCE` on node a.
    fn told(standing: Option<Standing>, agreed: Option<&Ownership>, is_shared: bool) -> String {
        let planned = planned();
        let account = Account::new(planned.address, standing, agreed, "a");
        let mut row = serde_json::to_value(&planned).unwrap();
        account.tell(&mut row, is_shared);
        assert_eq!(account.silence().is_none(), row["owner"].is_string());
        let word = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        format!("{} | {} | {}", word("owner"), word("state"), account.sentence(&planned))
    }

    #[test]
    fn alone_the_owner_is_this_node_while_it_answers_and_else_nobody() {
        let own = NoInterface::OwnAddress { interface: "eth0".to_owned() };
        let rival = steelyard_speaker::Mac([2, 0, 0, 0, 0, 1]);
        let idle = Standing::Idle(Idle::NotCarried(Why::NoEndpoints));
        for (standing, expected) in [
            (
                Standing::Told(VipState::Announced { rival: None }),
                "a | announced | 10.0.0.1 is announced by a, then b",
            ),
            (
                Standing::Told(VipState::NoInterface(Box::new(own))),
                "- | no-interface: it is an address of this host, on eth0 | 10.0.0.1 is not \
                 announced: it is an address of this host, on eth0",
            ),
            (
                Standing::Told(VipState::Conflict { rival }),
                "- | conflict: 02:00:00:00:00:01 has it | 10.0.0.1 is not announced: \
                 02:00:00:00:00:01 has it",
            ),
            (Standing::Told(VipState::Probing), "- | probing | 10.0.0.1 is not announced yet"),
            (Standing::New, "- | new | 10.0.0.1 is not announced yet"),
            (
                idle,
                "- | idle: it has no ready endpoint | 10.0.0.1 is not announced: it has no ready \
                 endpoint",
            ),
            (
                Standing::Withheld(Occupant::Node("b".into())),
                "- | withheld: it is an address of node b | 10.0.0.1 is not announced: it is an \
                 address of node b",
            ),
            (
                Standing::Unprivileged,
                "- | not-announced: the LAN is not told of it without privileges | 10.0.0.1 is \
                 not announced: the LAN is not told of it without privileges",
            ),
        ] {
            assert_eq!(told(Some(standing), None, false), expected);
        }
        assert_eq!(told(None, None, false), "- | - | 10.0.0.1 is not announced");
    }

    #[test]
    fn among_several_the_owner_is_whom_they_agreed_on_unless_that_is_this_node_in_silence() {
        let by_b = "10.0.0.1 is announced by b, then c; epoch 3 since 1970-01-02 00:00:00 UTC: it \
                    was not heard";
        let elsewhere = |owner: Option<&str>| {
            Standing::Told(VipState::Elsewhere { owner: owner.map(Into::into) })
        };
        let not_candidate = "not-candidate: this node may not answer for it";
        let probing = || Standing::Told(VipState::Probing);
        for (standing, owner, expected) in [
            (elsewhere(Some("b")), Some("b"), format!("b | standby | {by_b}")),
            (Standing::NotCandidate, Some("b"), format!("b | {not_candidate} | {by_b}")),
            (probing(), Some("b"), format!("b | probing | {by_b}")),
            (probing(), Some("a"), "- | probing | 10.0.0.1 is not announced yet".to_owned()),
            (
                elsewhere(None),
                None,
                "- | standby: no node owns it yet | 10.0.0.1 is not announced: no node owns it yet"
                    .to_owned(),
            ),
            (
                Standing::NotCandidate,
                None,
                format!(
                    "- | {not_candidate} | 10.0.0.1 is not announced, as far as this node knows"
                ),
            ),
        ] {
            assert_eq!(told(Some(standing), Some(&agreed(owner)), true), expected);
        }
        let mut row = serde_json::to_value(planned()).unwrap();
        let agreed = agreed(Some("a"));
        let account = Account::new(planned().address, Some(probing()), Some(&agreed), "a");
        account.tell(&mut row, true);
        let got = ["owner", "standbys", "epoch", "since", "reason"].map(|it| row[it].clone());
        assert_eq!(json!(got), json!([null, ["c"], 3, null, null]));
    }
}
