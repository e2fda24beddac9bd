//! HTTP/1 as clients speak it.

mod answer;
mod connection;
mod request;

pub(super) use connection::{Client, Connection, serve};
