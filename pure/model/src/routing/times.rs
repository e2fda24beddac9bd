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
    /// How long connections to endpoints are used.
    pub reuse: ReuseTerms,
}

/// How long a connection to an endpoint is used for one request after the other; none means as the
/// program has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReuseTerms {
    /// It was idle for less.
    pub idle: Option<Duration>,
    /// It was made less than that ago.
    pub age: Option<Duration>,
    /// It has carried fewer requests.
    pub requests: Option<u32>,
}

impl ReuseTerms {
    /// What is said here, and by `other` where nothing is.
    pub fn or(self, other: Self) -> Self {
        Self {
            idle: self.idle.or(other.idle),
            age: self.age.or(other.age),
            requests: self.requests.or(other.requests),
        }
    }
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
            reuse: self.reuse.or(other.reuse),
        }
    }
}
