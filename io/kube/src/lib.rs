//! An API server of Kubernetes: what a role reads of it, as it changes.
//!
//! [`Connection`] is whom to ask and who asks; [`Feed`] follows what a role reads and hands on what
//! it hears as [events](steelyard_manifest::ClusterEvent). It does not judge what an object means,
//! and what an API server does not say it does not take for gone: a list counts when it has come to
//! its end.
//!
//! What is written goes out by [`Writer`], while [`Leadership`] says that this replica may.

mod announced;
mod answer;
mod ask;
mod connection;
mod feed;
mod follow;
mod gap;
mod lease;
mod lines;
mod list;
mod neighbours;
mod pace;
mod pages;
mod patience;
mod proxy;
mod secret;
mod standing;
mod time;
mod trouble;
mod write;

pub use announced::L2Reports;
pub use ask::AskFailure;
pub use connection::{Connection, Unconnected};
pub use feed::Feed;
pub use gap::Gap;
pub use lease::{Leadership, LeaseOptions};
pub use list::list;
pub use neighbours::{RivalsUnknown, rivals};
pub use patience::Patience;
pub use proxy::{PodPlace, Relayed};
pub use secret::NewSecret;
pub use standing::{Standing, Standings};
pub use time::rfc3339;
pub use trouble::Trouble;
pub use write::{CarriedOut, Leads, Writer};
