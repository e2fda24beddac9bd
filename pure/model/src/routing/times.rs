//! How long what may take on a route: one type for Gateway API, nginx and our own middleware.

use std::time::Duration;

/// How long things may take; none means without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteTimeouts {
    /// From the request's head to the answer's end.
    pub total: Option<Duration>,
    /// One attempt at one endpoint.
    pub attempt: Option<Duration>,
    /// Connecting.
    pub connect: Option<Duration>,
    /// Between two reads from the endpoint.
    pub idle_read: Option<Duration>,
    /// Between two writes to the endpoint.
    pub idle_send: Option<Duration>,
}

impl RouteTimeouts {
    /// What is said here, and by `other` where nothing is.
    pub fn or(self, other: &Self) -> Self {
        Self {
            total: self.total.or(other.total),
            attempt: self.attempt.or(other.attempt),
            connect: self.connect.or(other.connect),
            idle_read: self.idle_read.or(other.idle_read),
            idle_send: self.idle_send.or(other.idle_send),
        }
    }
}
