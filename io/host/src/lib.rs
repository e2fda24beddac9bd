//! The host: what only the kernel can do, behind small safe types.
//!
//! Each module owns one outside resource. This is the only crate that may hold `unsafe`, and each
//! such block says why it is sound. It decides nothing: who calls it decides.

pub mod links;
pub mod netns;
pub mod packet;
