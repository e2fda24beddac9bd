//! Answers on the LAN for the vips of this node: one [`steelyard_layer2::Responder`] per suitable
//! interface, driven on raw sockets by a thread of its own, so that nothing else this program does
//! delays an answer.
//!
//! It is told which vips are ours and decides only on which interfaces; it delivers no packets and
//! sets nothing on the host: when the process is killed or stopped, nothing answers any more.
//!
//! Invariants: level-triggered (the same vips told twice change nothing; after every change of
//! interfaces everything is decided anew); a vip is announced only after nobody answered for it.

mod driver;
mod interface;
mod metrics;
mod port;
mod speaker;
mod status;

pub use interface::{Exclude, NoInterface, Unfit};
pub use speaker::{Speaker, SpeakerOptions, StartError, Vip};
pub use status::{EventKind, SpeakerEvent, VipState, VipStatus};
pub use steelyard_layer2::wire::Mac;
pub use steelyard_layer2::{ConflictPolicy, Timing};
