//! What the HTTPS routes of one host ask of its handshakes.

use std::collections::BTreeMap;

use steelyard_model::routing::id::TlsPolicyId;

use crate::shards::Vacant;

/// How many routes ask for which policy; none is the listener's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyVotes(BTreeMap<Option<TlsPolicyId>, usize>);

/// What comes of the votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<'v> {
    Agreed(Option<&'v TlsPolicyId>),
    Disagreed,
}

impl PolicyVotes {
    pub(crate) fn add(&mut self, policy: Option<TlsPolicyId>) {
        *self.0.entry(policy).or_default() += 1;
    }

    pub(crate) fn take(&mut self, policy: Option<&TlsPolicyId>) {
        let policy = policy.cloned();
        if let Some(votes) = self.0.get_mut(&policy) {
            *votes -= 1;
            if *votes == 0 {
                self.0.remove(&policy);
            }
        }
    }

    pub(crate) fn verdict(&self) -> Verdict<'_> {
        let mut asked = self.0.keys();
        match (asked.next(), asked.next()) {
            (Some(policy), None) => Verdict::Agreed(policy.as_ref()),
            (None, _) => Verdict::Agreed(None),
            (Some(_), Some(_)) => Verdict::Disagreed,
        }
    }
}

impl Vacant for PolicyVotes {
    fn is_vacant(&self) -> bool {
        self.0.is_empty()
    }
}
