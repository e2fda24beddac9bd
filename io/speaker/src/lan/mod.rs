//! The LAN side: ARP, NDP and echo for vips, and who of several nodes answers.
//!
//! A handle ([`Speaker`]) and a thread ([`driver`]) that knows all the rest: an interface has a
//! port (raw frames) and, where vips are shared, a group (heartbeats); a gate lets packets in as a
//! vip becomes ours.

mod driver;
mod former;
mod gate;
mod group;
mod interface;
mod legacy;
mod log;
mod membership;
mod metrics;
mod options;
mod port;
mod shared;
mod speaker;
mod status;
mod vip;

pub use former::{Former, Formers};
pub use gate::Gate;
pub use interface::{Exclude, NoInterface, Unfit};
pub use legacy::{Expectation, SpeakerLegacy};
pub use membership::{Membership, PORT};
pub use options::{NoSpeaker, SpeakerOptions};
pub use speaker::Speaker;
pub use status::{
    EventKind, Member, OwnerChange, Ownership, Sharing, SpeakerEvent, VipState, VipStatus,
};
pub use vip::Vip;
