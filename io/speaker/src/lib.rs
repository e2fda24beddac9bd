//! Answers on the LAN for the vips of this node: one [`steelyard_layer2::Responder`] per suitable
//! interface, driven on raw sockets by a thread of its own, so that nothing else this program does
//! delays an answer.
//!
//! Several nodes may share vips: a [`steelyard_membership::Segment`] per interface then says which
//! of them this node owns, and the responder answers for those.
//!
//! It is told which vips are ours, or may be, and decides only on which interfaces; it delivers no
//! packets and sets nothing on the host: when the process is killed or stopped, nothing answers
//! any more.
//!
//! Invariants: level-triggered (the same vips told twice change nothing; after every change of
//! interfaces everything is decided anew); a vip is announced only after nobody answered for it.

mod lan;

pub use lan::{
    EventKind, Exclude, Expectation, Former, Formers, Gate, Member, Membership, NoInterface,
    NoSpeaker, OwnerChange, Ownership, PORT, Sharing, Speaker, SpeakerEvent, SpeakerLegacy,
    SpeakerOptions, Unfit, Vip, VipState, VipStatus,
};
pub use steelyard_layer2::wire::Mac;
pub use steelyard_layer2::{ConflictPolicy, Timing};
pub use steelyard_membership::{
    Cause, ClaimStatus, Event as SharedEvent, HeartbeatTiming, Key, Keyring, MemberStatus,
    NAME_TAKEN, Policy,
};
