//! What a segment's machine is told, what it wants done, and what it has to tell.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::config::OwnerCandidate;
use crate::id::NodeId;
use crate::mark::ClaimMark;
use crate::seal::Keyring;

/// A link-layer address.
pub type MacBytes = [u8; 6];

/// What happened to this node on the segment.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A datagram came in.
    Datagram {
        /// Where it came from.
        from: SocketAddr,
        /// All of it.
        bytes: &'a [u8],
    },
    /// These are the vips on this segment, each with the nodes that may own it. Candidates are the
    /// same on every node, in the same order, whether or not they are alive.
    Vips(&'a BTreeMap<IpAddr, Arc<[OwnerCandidate]>>),
    /// Where hellos are sent besides the multicast group.
    Peers(&'a [SocketAddr]),
    /// How many nodes are configured, where only a side with more than half of them answers.
    Quorum(Option<usize>),
    /// These keys are good from now on.
    Keys(&'a Keyring),
    /// Somebody answered a probe for a vip.
    Answered {
        /// The vip.
        vip: IpAddr,
        /// Who.
        by: MacBytes,
        /// By which claim, if it is one of us.
        mark: Option<ClaimMark>,
    },
    /// Another machine claims on the LAN a vip that we answer for.
    Rival {
        /// The vip.
        vip: IpAddr,
        /// Who.
        by: MacBytes,
        /// By which claim, if it is one of us.
        mark: Option<ClaimMark>,
    },
    /// Anything came in from another host; or there is none that could be asked.
    Heard,
    /// Where on the segment this node takes packets of flows that it has: one address of each
    /// family at most.
    Addresses(&'a [IpAddr]),
    /// Whether the interface carries frames.
    Link(bool),
    /// This node is about to stop: it gives everything away, and goes on with the flows it has.
    Leave,
    /// It stops now.
    Stop,
    /// Owners are to be spread anew, on all nodes.
    Rebalance,
    /// Time passed.
    Time,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this datagram.
    Send {
        /// To whom.
        to: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// Send this datagram to the segment's multicast group.
    Multicast(Vec<u8>),
    /// Ask on the LAN who has this vip, once.
    Probe(IpAddr),
    /// Ask some hosts of the LAN whether they are there; that one is heard is told by
    /// [`Input::Heard`].
    Ask,
    /// From now on say this beside all that is said of this vip. It comes before
    /// [`Output::Own`].
    Mark {
        /// The vip.
        vip: IpAddr,
        /// By which claim we answer; none where that cannot be said.
        mark: Option<ClaimMark>,
    },
    /// From now on pass packets of flows that are not known here to this address on the segment:
    /// the vip's owner hands it over, and has flows. It comes before anybody is told.
    Pass {
        /// The vip.
        vip: IpAddr,
        /// The former owner's address, of the same family.
        to: IpAddr,
    },
    /// Pass no packet of this vip on any more: that node is gone.
    Forget(IpAddr),
    /// From now on answer for this vip, and announce it. No further question is needed.
    Own(IpAddr),
    /// Announce this vip, which is ours already, once more.
    Announce(IpAddr),
    /// From now on do not answer for this vip.
    Silence(IpAddr),
    /// Drop all that was received and not yet handed in, and answer for nothing: this node was
    /// asleep.
    Fence,
    /// Keep this on disk; at the next start it belongs into [`Config::kept`](crate::Config::kept).
    Keep {
        /// The vip.
        vip: IpAddr,
        /// The highest epoch known.
        epoch: u64,
    },
    /// All that was ours is in other hands, or nobody takes it: this node may stop, once its flows
    /// have ended.
    Left,
    /// Something happened.
    Event(Event),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A node is heard.
    MemberUp(Arc<str>),
    /// A node is no longer heard.
    MemberDown(Arc<str>),
    /// A node said that it stops.
    MemberLeft(Arc<str>),
    /// Another node has our name; nothing of it is believed.
    NameTaken(SocketAddr),
    /// A vip has another owner, here or elsewhere.
    Owner {
        /// The vip.
        vip: IpAddr,
        /// The new one; none after it was given up.
        owner: Option<Arc<str>>,
        /// The one before.
        before: Option<Arc<str>>,
        /// Of the claim.
        epoch: u64,
    },
    /// This node took a vip over.
    Took {
        /// The vip.
        vip: IpAddr,
        /// Why.
        cause: Cause,
        /// Since it was known to be needed.
        after: Duration,
    },
    /// This node no longer owns a vip.
    Lost {
        /// The vip.
        vip: IpAddr,
        /// Why.
        cause: Loss,
    },
    /// A vip has no owner, but a machine answers for it: it is not taken over.
    Refused {
        /// The vip.
        vip: IpAddr,
        /// That machine.
        by: MacBytes,
    },
    /// A machine that is none of us claims our vip; we keep it.
    Defended {
        /// The vip.
        vip: IpAddr,
        /// That machine.
        by: MacBytes,
    },
    /// This node was asleep for so long, and answers for nothing before it knows who does.
    Fenced(Duration),
    /// Nothing at all comes in from the LAN: this node answers for nothing.
    Deaf,
    /// From now on this node answers for what it owns.
    Awake,
    /// Too few nodes are heard to answer for anything.
    NoQuorum {
        /// Heard, this one included.
        heard: usize,
        /// Of so many.
        of: usize,
    },
}

/// Why a node took a vip over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody had it.
    First,
    /// Its owner is no longer heard, or does not answer for anything.
    Failover,
    /// Its owner gave it up, and left it to whoever comes.
    Released,
    /// Its owner handed it over.
    Handover,
    /// This node had it before, and nobody took it meanwhile.
    Resumed,
}

/// Why a node no longer owns a vip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Another took it as we offered.
    HandedOver(NodeId),
    /// Another has the better claim.
    Yielded(NodeId),
    /// We may not own it any more, and nobody else takes it.
    Released,
    /// Another machine claims it, and we are told to let it.
    Withdrawn(MacBytes),
    /// This node was asleep, sees too few nodes, or lost its interface.
    Silent,
    /// It is no vip of this segment any more.
    Removed,
}
