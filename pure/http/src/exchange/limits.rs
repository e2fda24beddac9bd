//! How long what may take within an exchange. Nothing limits a whole one but who wants that for its
//! route ([`Exchange::end_by`](super::Exchange::end_by)): slow is not stuck.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Break;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the next piece of a request's body.
    pub request_body: Duration,
    /// For a client to take more bytes.
    pub write: Duration,
    /// For an endpoint to take more bytes.
    pub endpoint_write: Duration,
    /// For a response's head, from the last byte of the request.
    pub response_head: Option<Duration>,
    /// For the next bytes of a response, once its head has come.
    pub response_body: Option<Duration>,
    /// For the next bytes to a client that has closed its side.
    pub half_closed: Duration,
}

/// What may take too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    EndpointTakes,
    ClientTakes,
    ClientSends,
    EndpointSpeaks,
    EndpointGoesOn,
    EndpointEnds,
    Silence,
}

/// Since when each of them is waited for. Most exchanges wait for nothing that is limited, and have
/// no room for it.
pub(super) struct Waits {
    limits: Rc<Limits>,
    /// How long the head of a response may take of who is asked now.
    answer: Option<Duration>,
    began: Option<Box<Began>>,
}

/// When waits began.
#[derive(Default)]
struct Began {
    since: [Option<Instant>; Wait::ALL.len()],
    /// Since when nothing moved between us and the client, who alone is waited for.
    stalled: Option<Instant>,
}

impl Wait {
    pub(super) const ALL: [Self; 7] = [
        Self::EndpointTakes,
        Self::ClientTakes,
        Self::ClientSends,
        Self::EndpointSpeaks,
        Self::EndpointGoesOn,
        Self::EndpointEnds,
        Self::Silence,
    ];

    /// What it means that it took too long.
    pub(super) fn is_over(self) -> Break {
        match self {
            Self::EndpointTakes | Self::EndpointSpeaks | Self::EndpointGoesOn => {
                Break::EndpointTimeout
            }
            Self::EndpointEnds => Break::EndpointClosed,
            Self::ClientSends => Break::RequestTimeout,
            Self::ClientTakes | Self::Silence => Break::ClientGone,
        }
    }
}

impl Waits {
    pub(super) fn new(limits: Rc<Limits>) -> Self {
        Self { limits, answer: None, began: None }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Who is asked next answers within this.
    pub(super) fn answer_within(&mut self, limit: Option<Duration>) {
        self.answer = limit;
    }

    /// How long the head of a response may take.
    pub(super) fn response_head(&self) -> Option<Duration> {
        self.limits.response_head.into_iter().chain(self.answer).min()
    }

    /// Something moved, or it is not waited for.
    pub(super) fn forget(&mut self, wait: Wait) {
        if let Some(began) = &mut self.began {
            began.since[wait as usize] = None;
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.began = None;
    }

    /// The client sent or took something.
    pub(super) fn client_moved(&mut self, wait: Wait) {
        if let Some(began) = &mut self.began {
            (began.since[wait as usize], began.stalled) = (None, None);
        }
    }

    /// Nothing moves at `now`, and the client alone could change that, or not alone.
    pub(super) fn stall(&mut self, client_alone: bool, now: Instant) {
        if client_alone {
            self.began.get_or_insert_default().stalled.get_or_insert(now);
        } else if let Some(began) = &mut self.began {
            began.stalled = None;
        }
    }

    pub(super) fn stalled(&self) -> Option<Instant> {
        self.began.as_ref()?.stalled
    }

    /// Until when it may take, if it is limited: counted from when it was first waited for.
    pub(super) fn until(&mut self, wait: Wait, now: Instant) -> Option<Instant> {
        let limit = match wait {
            Wait::EndpointTakes => self.limits.endpoint_write,
            Wait::ClientTakes | Wait::EndpointEnds => self.limits.write,
            Wait::ClientSends => self.limits.request_body,
            Wait::EndpointSpeaks => self.response_head()?,
            Wait::EndpointGoesOn => self.limits.response_body?,
            Wait::Silence => self.limits.half_closed,
        };
        let began = self.began.get_or_insert_default();
        Some(*began.since[wait as usize].get_or_insert(now) + limit)
    }
}
