//! How a vip stands on this node; an account adds who answers for it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use steelyard_plan::Occupant;
use steelyard_speaker::{VipState, VipStatus};

use crate::hands::announcements::Idle;

/// How a vip stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As the speaker says.
    Told(VipState),
    /// It is ours, and nothing behind it works: it is better left to silence, so that clients fail
    /// at once.
    Idle(Idle),
    /// The speaker has not taken it up yet.
    New,
    /// Another machine has it as its own, so that nobody answers for it.
    Withheld(Occupant),
    /// Of the nodes that share it this one is none that may have it.
    NotCandidate,
    /// Nothing is told to the LAN without privileges.
    Unprivileged,
}

impl Standing {
    /// How `vip` stands, one of this node's.
    pub(crate) fn of(vip: IpAddr, idle: &BTreeMap<IpAddr, Idle>, told: &[VipStatus]) -> Self {
        if let Some(idle) = idle.get(&vip) {
            return Self::Idle(idle.clone());
        }
        let known = told.binary_search_by_key(&vip, |it| it.address);
        known.map_or(Self::New, |at| Self::Told(told[at].state.clone()))
    }

    /// One word, as users see it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Told(state) => state.as_str(),
            Self::Idle(Idle::Shadow) => "shadow",
            Self::Idle(_) => "idle",
            Self::New => "new",
            Self::Withheld(_) => "withheld",
            Self::NotCandidate => "not-candidate",
            Self::Unprivileged => "not-announced",
        }
    }

    /// Why it is not as it should be, one sentence; none while it is, or where time will do.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Told(state) => state.reason(),
            Self::Idle(why) => Some(why.to_string()),
            Self::New => None,
            Self::Withheld(occupant) => Some(format!("it is an address of {occupant}")),
            Self::NotCandidate => Some("this node may not answer for it".to_owned()),
            Self::Unprivileged => Some("the LAN is not told of it without privileges".to_owned()),
        }
    }
}

/// `conflict: 02:00:00:00:00:01 has it`
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        self.reason().iter().try_for_each(|why| write!(f, ": {why}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use steelyard_forward::Why;

    use super::*;

    #[test]
    fn what_is_idle_comes_before_what_the_speaker_says() {
        let vip = |text: &str| text.parse::<IpAddr>().unwrap();
        let status = |text: &str, state| VipStatus {
            address: vip(text),
            state,
            interfaces: Default::default(),
            since: SystemTime::UNIX_EPOCH,
        };
        let told = [
            status("10.0.0.1", VipState::Announced { rival: None }),
            status("10.0.0.2", VipState::Elsewhere { owner: None }),
            status("10.0.0.3", VipState::Elsewhere { owner: Some("b".into()) }),
        ];
        let idle = BTreeMap::from([(vip("10.0.0.4"), Idle::NotCarried(Why::NoEndpoints))]);
        for (address, text) in [
            ("10.0.0.1", "announced"),
            ("10.0.0.2", "standby: no node owns it yet"),
            ("10.0.0.3", "standby"),
            ("10.0.0.4", "idle: it has no ready endpoint"),
            ("10.0.0.5", "new"),
        ] {
            let standing = Standing::of(vip(address), &idle, &told);
            assert_eq!(standing.to_string(), text);
        }
    }
}
