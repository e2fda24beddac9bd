#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod believed;
mod claims;
mod hostile;
mod identity;
mod mint;
mod signature;
