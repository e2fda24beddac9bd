//! Changes of owners, each as one thing to tell: the machine says who owns a vip now, and then why,
//! if this node had a part in it; else it is told from how the former owner is heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_membership::{Cause, Event, MemberStatus};

use super::Group;
use crate::lan::status::{OwnerChange, sharing};

/// Those of one moment.
#[derive(Default)]
pub(super) struct Moved {
    pub(super) changes: BTreeMap<IpAddr, OwnerChange>,
    /// As they were when it was first asked.
    members: Option<Vec<MemberStatus>>,
    /// Reasons that were given: of many vips they are few.
    reasons: BTreeSet<Arc<str>>,
}

impl Moved {
    /// Takes an event in, or gives it back.
    pub(super) fn take(&mut self, now: Instant, group: &mut Group, event: Event) -> Option<Event> {
        match event {
            Event::Owner { vip, owner, mut before, epoch } => {
                let (why, silence) = match group.given_up.remove(&vip).filter(|_| before.is_none())
                {
                    Some(former) => {
                        let why = format!("{former} gave it up");
                        before = Some(former);
                        (why, None)
                    }
                    None => self.guess(now, group, owner.is_some(), before.as_deref()),
                };
                if let (None, Some(former)) = (&owner, &before) {
                    group.given_up.insert(vip, Arc::clone(former));
                }
                let (cause, why) = (None, intern(&mut self.reasons, &why));
                let change = OwnerChange { owner, before, epoch, why, cause, silence };
                self.changes.insert(vip, change);
                None
            }
            Event::Took { vip, cause, after } => {
                let Some(change) = self.changes.get_mut(&vip) else { return Some(event) };
                let why = sharing::why_taken(cause, change.before.as_deref());
                change.why = intern(&mut self.reasons, &why);
                change.cause = Some(cause);
                // Its owner was silent for the dead time before that.
                let failover = cause == Cause::Failover;
                change.silence = failover.then(|| after + group.timing.dead());
                None
            }
            Event::Lost { vip, cause } => {
                let Some(change) = self.changes.get_mut(&vip) else { return Some(event) };
                change.why = intern(&mut self.reasons, sharing::why_lost(cause));
                change.silence = None;
                None
            }
            other => Some(other),
        }
    }

    fn guess(
        &mut self,
        now: Instant,
        group: &Group,
        is_owned: bool,
        before: Option<&str>,
    ) -> (String, Option<Duration>) {
        let Some(before) = before else { return (sharing::NEW.to_owned(), None) };
        if !is_owned {
            return (format!("{before} gave it up"), None);
        }
        let members = self.members.get_or_insert_with(|| group.segment.members(now));
        let Some(it) = members.iter().find(|it| *it.name == *before) else {
            return (format!("{before} is not known"), None);
        };
        let silence = it.heard.filter(|heard| !it.this && *heard > group.timing.interval * 2);
        match silence {
            Some(_) => (format!("{before} was not heard"), silence),
            None => (format!("{before} handed it over, or had the earlier claim"), None),
        }
    }
}

/// The same text, which lies in memory once.
fn intern(known: &mut BTreeSet<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(known) = known.get(text) {
        return Arc::clone(known);
    }
    let text: Arc<str> = text.into();
    known.insert(Arc::clone(&text));
    text
}
