//! From the valid world to what happens: join, then plan.

pub mod resolve;
