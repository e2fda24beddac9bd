//! The stage with its endpoints, as clients and the gateway see them.

use std::time::Duration;

use super::endpoint::{Endpoint, Plan, Surplus, Then};
use super::pipe::End;
use super::stage::Stage;
use crate::{Clean, Limits};

/// Whom one may connect to, and what is known of them.
pub(super) struct World {
    pub(super) stage: Stage,
    pub(super) endpoints: Vec<Endpoint>,
    /// Connections of clients that the gateway has not taken yet.
    pub(super) arrivals: Vec<usize>,
    /// How often a connection to an endpoint was used again.
    pub(super) reused: usize,
}

pub(super) fn limits() -> Limits {
    Limits {
        request_body: Duration::from_secs(60),
        write: Duration::from_secs(60),
        endpoint_write: Duration::from_secs(60),
        response_head: None,
        response_body: None,
        half_closed: Duration::from_secs(10),
    }
}

impl World {
    pub(super) fn new(stage: Stage) -> Self {
        Self { stage, endpoints: Vec::new(), arrivals: Vec::new(), reused: 0 }
    }

    /// A client's connection.
    pub(super) fn connect(&mut self) -> usize {
        let pipe = self.stage.lay();
        self.arrivals.push(pipe);
        pipe
    }

    /// A connection to an endpoint.
    pub(super) fn dial(&mut self) -> usize {
        let pipe = self.stage.lay();
        self.endpoints.push(Endpoint::new(pipe));
        pipe
    }

    /// An idle connection to an endpoint on which nothing came.
    pub(super) fn checkout(&mut self) -> Option<Clean<usize>> {
        while let Some(clean) = self.stage.pool.pop() {
            let pipe = &mut self.stage.pipes[*clean.get()];
            if !pipe.is_ended(End::Near) && pipe.unread(End::Near).next().is_none() {
                self.reused += 1;
                return Some(clean);
            }
            pipe.close(End::Near);
        }
        None
    }

    fn endpoint_at(&self, pipe: usize) -> Option<&Endpoint> {
        self.endpoints.iter().find(|it| it.pipe == pipe)
    }

    /// What the endpoint does about a request, if it got it.
    pub(super) fn plan_at(&self, pipe: usize, id: usize) -> Option<Plan> {
        self.endpoint_at(pipe)?.at.filter(|(at, _)| *at == id).map(|(_, plan)| plan)
    }

    /// Whether a request may end without its answer: who got it misbehaves.
    pub(super) fn may_fail(&self, id: usize) -> bool {
        let pipes = self.stage.asks.get(id).map_or(&[][..], |ask| &ask.pipes[..]);
        pipes.iter().any(|pipe| self.endpoint_at(*pipe).is_some_and(|it| it.misbehaves))
    }

    /// Whether the endpoint has all of a request, or will have when it reads what lies there.
    pub(super) fn has_whole(&self, pipe: usize) -> bool {
        let Some(endpoint) = self.endpoint_at(pipe) else { return false };
        let mut reader = endpoint.reader.clone();
        let mut bytes = self.stage.pipes[pipe].unread(End::Far);
        let read = bytes.try_for_each(|byte| reader.feed(byte, &mut Vec::new()));
        read.is_ok() && reader.is_idle()
    }

    /// Whether a connection is as good as new, as far as both ends know.
    pub(super) fn is_untouched(&self, pipe: usize, id: usize) -> bool {
        let Some(endpoint) = self.endpoint_at(pipe) else { return false };
        let Some((_, plan)) = endpoint.at.filter(|(at, _)| *at == id) else { return false };
        plan.then == Then::Stay
            && plan.surplus != Surplus::With
            && (plan.hundred || !self.stage.asks[id].expects)
            && endpoint.is_flushed()
            && self.stage.pipes[pipe].unread(End::Near).next().is_none()
            && !self.stage.pipes[pipe].is_ended(End::Near)
            && self.has_whole(pipe)
    }
}
