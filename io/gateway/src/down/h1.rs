//! HTTP/1 as clients speak it.

mod answer;
mod connection;
mod request;

pub(crate) use connection::serve;
