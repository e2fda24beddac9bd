//! An API server of Kubernetes: what a role reads of it, as it changes.
//!
//! [`Connection`] is whom to ask and who asks; [`Feed`] follows what a role reads and hands on what
//! it hears as [events](steelyard_manifest::ClusterEvent). It does not judge what an object means,
//! and what an API server does not say it does not take for gone: a list counts when it has come to
//! its end.

mod announced;
mod answer;
mod connection;
mod feed;
mod follow;
mod lines;
mod pace;
mod patience;
mod proxy;
mod standing;
mod trouble;

pub use announced::{L2Reports, NoReports};
pub use connection::{Connection, Unconnected};
pub use feed::Feed;
pub use patience::Patience;
pub use proxy::{PodPlace, Relayed};
pub use standing::Standing;
pub use trouble::Trouble;
