//! What there is to tell of nodes that share vips.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use steelyard_layer2::wire::Mac;
use steelyard_membership::{Cause, ClaimStatus, Event, Loss, MemberStatus};

/// The nodes, and who owns what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Nodes, by interface, this one first.
    pub members: Vec<Member>,
    /// Vips, by interface.
    pub vips: Vec<Ownership>,
}

/// A node on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Our interface.
    pub interface: Arc<str>,
    /// How it stands.
    pub status: MemberStatus,
}

/// Who owns a vip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    /// Our interface.
    pub interface: Arc<str>,
    /// The vip, its owner, and what this node does about it.
    pub status: ClaimStatus,
    /// Since when that is the owner, as seen from here.
    pub since: Option<SystemTime>,
    /// Why it is; of one that owns it no longer, why it did.
    pub why: Option<Arc<str>>,
}

impl Sharing {
    /// Whether the nodes are these, but for round trips and times.
    pub(crate) fn knows_much_like(&self, members: &[Member]) -> bool {
        let essence = |member: &Member| {
            let it = &member.status;
            (member.interface.clone(), it.name.clone(), it.address, it.state)
        };
        self.members.iter().map(essence).eq(members.iter().map(essence))
    }

    /// Whether vips have just these owners. To see that takes no memory, however many there are.
    pub(crate) fn owns_just(&self, mut vips: impl Iterator<Item = Ownership>) -> bool {
        let mut known = self.vips.iter();
        vips.all(|it| known.next() == Some(&it)) && known.next().is_none()
    }
}

/// A vip has another owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerChange {
    /// The new one; none after it was given up.
    pub owner: Option<Arc<str>>,
    /// The one before.
    pub before: Option<Arc<str>>,
    /// Of the claim.
    pub epoch: u64,
    /// Why, as far as this node knows.
    pub why: Arc<str>,
    /// Why this node took it; none where another did.
    pub cause: Option<Cause>,
    /// How long nobody answered, as far as this node knows.
    pub silence: Option<Duration>,
}

impl OwnerChange {
    /// What there is to say without addresses, numbers and times: the same for all vips that share
    /// a fate.
    pub(crate) fn gist(&self) -> String {
        format!("{:?} {:?} {}", self.owner, self.before, self.why)
    }

    /// One word, kebab-case, stable.
    pub(super) fn word(&self) -> &'static str {
        match self.cause {
            Some(_) => "took-over",
            None => "owner",
        }
    }

    /// One sentence.
    pub(super) fn say(&self, f: &mut fmt::Formatter<'_>, vip: &str) -> fmt::Result {
        let owner = self.owner.as_deref().unwrap_or("nobody");
        write!(f, "{vip} is owned by {owner} (epoch {})", self.epoch)?;
        if let Some(before) = &self.before {
            write!(f, ", no longer by {before}")?;
        }
        write!(f, ": {}", self.why)?;
        match self.silence {
            Some(silence) => write!(f, "; nobody answered for {} ms", silence.as_millis()),
            None => Ok(()),
        }
    }
}

/// Why somebody has a vip that nobody had before.
pub(crate) const NEW: &str = "nobody had it";

/// Why this node has a vip, that was `before`'s.
pub(crate) fn why_taken(cause: Cause, before: Option<&str>) -> Cow<'static, str> {
    let before = before.unwrap_or("its owner");
    match cause {
        Cause::First => NEW.into(),
        Cause::Failover => format!("{before} was not heard").into(),
        Cause::Released => format!("{before} gave it up").into(),
        Cause::Handover => format!("{before} handed it over").into(),
        Cause::Resumed => "it was this node's before".into(),
    }
}

/// One word, kebab-case, stable.
pub(super) fn word(event: &Event) -> &'static str {
    match event {
        Event::MemberUp(_) => "member-up",
        Event::MemberDown(_) => "member-down",
        Event::MemberLeft(_) => "member-left",
        Event::NameTaken(_) => "name-taken",
        Event::Owner { .. } => "owner",
        Event::Took { .. } => "took-over",
        Event::Lost { .. } => "gave-up",
        Event::Refused { .. } => "not-taken-over",
        Event::Defended { .. } => "defended",
        Event::Fenced(_) => "fenced",
        Event::Deaf => "deaf",
        Event::Awake => "awake",
        Event::NoQuorum { .. } => "no-quorum",
    }
}

/// Whether somebody should look after it.
pub(super) fn is_warning(event: &Event) -> bool {
    match event {
        Event::MemberDown(_)
        | Event::NameTaken(_)
        | Event::Refused { .. }
        | Event::Defended { .. }
        | Event::Fenced(_)
        | Event::Deaf
        | Event::NoQuorum { .. } => true,
        Event::Took { cause, .. } => *cause == Cause::Failover,
        Event::Lost { cause, .. } => {
            matches!(cause, Loss::Silent | Loss::Withdrawn(_) | Loss::Released)
        }
        Event::MemberUp(_) | Event::MemberLeft(_) | Event::Owner { .. } | Event::Awake => false,
    }
}

/// What to do about it; none where nothing is to be done.
pub(super) fn help(event: &Event) -> Option<&'static str> {
    match event {
        Event::NameTaken(_) => Some("give one of the two another name with --node"),
        Event::Refused { .. } => Some(
            "if that machine is one of the nodes, see why its heartbeats do not come through \
             (UDP port 9181); else give it another address",
        ),
        Event::Defended { .. } => {
            Some("find that machine and give it another address, or take this one out of the pool")
        }
        Event::Fenced(_) => Some(
            "this machine was stopped or suspended, or has too little processor time for a node \
             that others rely on",
        ),
        Event::Deaf => Some("see to its cable, the switch and the network card"),
        Event::NoQuorum { .. } => Some("bring other nodes back, or mend the network between them"),
        _ => None,
    }
}

/// One sentence.
pub(super) fn say(f: &mut fmt::Formatter<'_>, interface: &str, event: &Event) -> fmt::Result {
    match event {
        Event::MemberUp(node) => write!(f, "{node} is heard on {interface}"),
        Event::MemberDown(node) => write!(f, "{node} is not heard on {interface} any more"),
        Event::MemberLeft(node) => write!(f, "{node} left"),
        Event::NameTaken(address) => write!(
            f,
            "{address} on {interface} has this node's name, and started later: silent there"
        ),
        Event::Owner { vip, owner: Some(owner), before: None, .. } => {
            write!(f, "{vip} is owned by {owner}")
        }
        Event::Owner { vip, owner: Some(owner), before: Some(before), .. } => {
            write!(f, "{vip} is owned by {owner}, no longer by {before}")
        }
        Event::Owner { vip, owner: None, .. } => write!(f, "{vip} is owned by nobody"),
        Event::Took { vip, cause, after } => {
            let after = after.as_millis();
            write!(f, "{vip} is ours after {after} ms: {}", why_taken(*cause, None))
        }
        Event::Lost { vip, cause } => write!(f, "{vip} is ours no longer: {}", why_lost(*cause)),
        Event::Refused { vip, by } => {
            write!(f, "{vip} has no owner, but {} on {interface} answers for it", Mac(*by))
        }
        Event::Defended { vip, by } => {
            write!(f, "{} on {interface} claims {vip} too: announced again", Mac(*by))
        }
        Event::Fenced(slept) => {
            let slept = slept.as_millis();
            write!(f, "this node was asleep for {slept} ms: silent on {interface} for now")
        }
        Event::Deaf => {
            write!(f, "nothing at all is heard on {interface}, of no host: silent there")
        }
        Event::Awake => write!(f, "this node answers for what it owns on {interface}"),
        Event::NoQuorum { heard, of } => {
            write!(f, "only {heard} of {of} nodes hear each other on {interface}: silent")
        }
    }
}

pub(crate) fn why_lost(cause: Loss) -> &'static str {
    match cause {
        Loss::HandedOver(_) => "handed over",
        Loss::Yielded(_) => "another node has the later claim",
        Loss::Released => "this node may not have it, and no other takes it",
        Loss::Withdrawn(_) => "another machine claims it",
        Loss::Silent => "this node cannot know whether it still is",
        Loss::Removed => "it is no address of this segment any more",
    }
}
