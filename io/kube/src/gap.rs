//! What of a cluster is not known as it is now.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use steelyard_manifest::{Selection, Verb};

use crate::standing::Standing;
use crate::trouble::Trouble;

/// Why something of it is known as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The API server is not heard.
    CutOff {
        /// Since when.
        since: Instant,
        /// Why.
        why: Trouble,
    },
    /// The API server was not heard yet; why.
    NotHeard(Trouble),
    /// The API server does not let us look.
    Refused {
        /// At what.
        watch: Selection,
        /// What it does not let us do.
        verb: Verb,
    },
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff { since, why } => {
                let seconds = since.elapsed().as_secs();
                write!(f, "the cluster has not been followed for {seconds} s: {why}")?;
            }
            Self::NotHeard(why) => {
                return write!(f, "the cluster is not heard: {why}");
            }
            Self::Refused { watch, verb } => {
                write!(f, "the API server does not let this account {verb} {watch}")?;
            }
        }
        f.write_str("; what was known of it stands")
    }
}

/// All gaps: the one since which it is cut off, or why it is not heard; and each refusal.
pub(crate) fn all(standings: &BTreeMap<Selection, Standing>) -> Vec<Gap> {
    let cut_off = standings.values().filter_map(|standing| match standing {
        Standing::CutOff { since, why } => Some((since, why)),
        _ => None,
    });
    let first = cut_off.min_by_key(|(since, _)| **since);
    let first = first.map(|(since, why)| Gap::CutOff { since: *since, why: why.clone() });
    let first = first.or_else(|| not_heard(standings));
    let refused = standings.iter().filter_map(|(watch, standing)| match standing {
        Standing::Refused { verb, .. } => Some(Gap::Refused { watch: watch.clone(), verb: *verb }),
        _ => None,
    });
    first.into_iter().chain(refused).collect()
}

fn not_heard(standings: &BTreeMap<Selection, Standing>) -> Option<Gap> {
    standings.values().find_map(|standing| match standing {
        Standing::Awaited(Some(why)) => Some(Gap::NotHeard(why.clone())),
        _ => None,
    })
}
