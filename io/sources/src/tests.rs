//! On real folders, each test in its own.

mod glancing;
mod naming;
mod reading;
mod scratch;
mod watching;
