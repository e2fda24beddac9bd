//! HTTP/1 as clients speak it.

mod answer;
mod connection;
mod decision;
mod inward;
mod request;

pub(super) use connection::{Client, Connection, serve};
