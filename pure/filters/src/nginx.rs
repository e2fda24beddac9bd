//! What ingress-nginx does to the requests of a location: a frame each.

mod cors;
mod led;
mod rewrite;

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_http::{RequestEdits, ResponseEdits};
use steelyard_model::routing::filter::access::ClientSource;
use steelyard_model::routing::filter::nginx::NginxStep;

use crate::ask::Got;
use crate::client;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame, Leave};
use crate::response::Response;

/// One of them on one request.
#[derive(Clone, Debug)]
pub(crate) struct NginxFrame {
    step: Arc<NginxStep>,
    /// The page that asks, where that matters.
    origin: Option<Box<str>>,
}

impl NginxFrame {
    pub(crate) fn new(step: &Arc<NginxStep>) -> Self {
        Self { step: step.clone(), origin: None }
    }
}

/// Refuses clients of which this does not hold.
fn let_in(is_let: impl Fn(IpAddr) -> bool, cx: &mut Context<'_>, head: &RequestEdits<'_>) -> Enter {
    let client = client::address(&ClientSource::default(), cx.journey.peer, head);
    if client.is_some_and(is_let) {
        return Enter::Next;
    }
    cx.notes.push(Note::Reason("the client's address is none of those that are let in"));
    Enter::Answer(Box::new(Response::of_nginx(403)))
}

impl Frame for NginxFrame {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        match &*self.step {
            NginxStep::Cors(cors) => cors::enter(cors, &mut self.origin, cx, head),
            NginxStep::Return(to) => led::enter(to, cx, head),
            NginxStep::Deny(ranges) => let_in(|it| !ranges.contains(it), cx, head),
            NginxStep::Among(allowed, denied) => {
                let_in(|it| allowed.contains(it) && !denied.contains(it), cx, head)
            }
            NginxStep::Rewrite(rewrite) => rewrite::enter(rewrite, cx, head),
        }
    }

    fn leave(&mut self, _: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        if let NginxStep::Cors(cors) = &*self.step {
            cors::leave(cors, self.origin.as_deref(), head);
        }
        Leave::Next
    }
}
