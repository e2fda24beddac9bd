//! What a connection says before its protocol begins: a header of the PROXY protocol, a TLS
//! ClientHello, Postgres' wish for TLS. Read from what has come so far, of which nothing is taken
//! away: who decides by it may pass every byte on.
//!
//! Invariants: input of any content ends in a value; each reading is bounded in bytes, and costs
//! the same in total however small the pieces are that it comes in.

pub mod client_hello;
mod crc32c;
mod exercise;
mod fields;
pub mod opening;
pub mod proxy;

#[cfg(test)]
mod tests;

pub use client_hello::{ClientHello, HelloFault, HelloReader};
pub use exercise::exercise;
pub use opening::{FirstBytes, first_bytes};
pub use proxy::{ProxyFault, ProxyHeader};
