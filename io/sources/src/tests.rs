//! On real folders, each test in its own.

mod reading;
mod scratch;
mod watching;
