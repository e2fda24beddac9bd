//! What ingress-nginx does to the requests of a location: a frame each.

mod cors;
mod led;
mod rewrite;

use std::sync::Arc;

use steelyard_http::{RequestEdits, ResponseEdits};
use steelyard_model::routing::filter::nginx::NginxStep;

use crate::ask::Got;
use crate::context::Context;
use crate::frame::{Enter, Frame, Leave};

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

impl Frame for NginxFrame {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        match &*self.step {
            NginxStep::Cors(cors) => cors::enter(cors, &mut self.origin, cx, head),
            NginxStep::Return(to) => led::enter(to, cx, head),
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
