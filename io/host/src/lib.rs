//! The host: what only the kernel can do, behind small safe types.
//!
//! Each module owns one outside resource. This is the only crate that may hold `unsafe`, and each
//! such block says why it is sound. It decides nothing: who calls it decides.

#[cfg(feature = "counting")]
pub mod allocations;
pub mod clock;
pub mod conntrack;
pub mod courtesy;
pub mod datagram;
pub mod descriptors;
pub mod files;
pub mod inherited;
pub mod kernel_watch;
pub mod links;
pub mod memory;
pub mod name;
mod netlink;
pub mod netns;
pub mod nft;
pub mod nft_counts;
pub mod nft_set;
pub mod nft_table;
pub mod nft_watch;
mod notices;
pub mod own_sockets;
pub mod packet;
pub mod places;
pub mod private;
pub mod random;
pub mod rule;
mod socket;
pub mod sysctl;
pub mod udp;
pub mod usage;
pub mod xtables;

pub use socket::{netns_of_socket, user_of_peer, watch_descriptor};
