//! What a filter does that looks at heads alone, without a frame: by the same code as its frame
//! does, and only as far as it lets a request in. Where it does not, or has more to do, its frame
//! sees to the request, as if nobody had looked.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_http::{Head as _, LineEdits, RequestEdits};

use crate::addresses::{AllowedAddresses, RefusedAddresses};
use crate::context::Context;
use crate::frame::Frame as _;
use crate::headers::WrittenLines;
use crate::led::{ByRegex, ToScheme};
use crate::limit::counts::Ticket;
use crate::limit::flight::InFlight;
use crate::limit::rate::Rate;
use crate::memory::Lifespan;
use crate::redirect::Redirect;
use crate::rewrite::Rewritten;

/// What one of them does.
#[derive(Debug)]
pub(crate) enum Step {
    Allowed(AllowedAddresses),
    Refused(RefusedAddresses),
    Lines(Arc<WrittenLines>),
    Rewrite(Rewritten),
    Redirect(Redirect),
    ByRegex(ByRegex),
    ToScheme(ToScheme),
    Rate(Rate),
    InFlight(InFlight),
}

impl Step {
    /// Whether it counts requests: who was let in by one that does is not to be asked of twice.
    pub(crate) fn counts(&self) -> bool {
        matches!(self, Self::Rate(_) | Self::InFlight(_))
    }

    /// How long what it keeps counts; none where it keeps nothing.
    pub(crate) fn lifespan(&self) -> Option<&Lifespan> {
        match self {
            Self::Rate(it) => it.lifespan(),
            Self::InFlight(it) => it.lifespan(),
            _ => None,
        }
    }

    /// Whether it may change something about a request.
    pub(crate) fn writes(&self) -> bool {
        matches!(self, Self::Lines(_) | Self::Rewrite(_))
    }

    /// Lets a request in that came from `peer`, perhaps over TLS. Where it does not, nothing of the
    /// request is changed.
    pub(crate) fn lets_in(
        &self,
        (peer, is_tls): (IpAddr, bool),
        head: &mut RequestEdits<'_>,
    ) -> bool {
        match self {
            Self::Allowed(it) => it.lets_in(peer, head),
            Self::Refused(it) => it.lets_in(peer, head),
            Self::Lines(it) => {
                let is_page = it.has_cors() && head.first("origin").is_some();
                if !is_page {
                    it.tell(head);
                }
                !is_page
            }
            Self::Rewrite(it) => it.lets_in(head).is_ok(),
            Self::Redirect(it) => it.leads(head).is_none(),
            Self::ByRegex(it) => it.leads(is_tls, head).is_none(),
            Self::ToScheme(it) => it.leads(is_tls, head).is_none(),
            Self::Rate(_) | Self::InFlight(_) => false,
        }
    }

    /// The same where it may count. Who is let in by one that counts has a ticket of it, of which
    /// there is one at most.
    pub(crate) fn enter(
        &self,
        cx: &Context<'_>,
        head: &mut RequestEdits<'_>,
        ticket: &mut Option<Ticket>,
    ) -> bool {
        match self {
            Self::Rate(it) => it.lets_in_now(cx, head),
            Self::InFlight(it) => {
                *ticket = it.ticket_for(cx, head);
                ticket.is_some()
            }
            other => other.lets_in((cx.journey.peer, cx.journey.is_tls), head),
        }
    }

    /// What it changes about a response.
    pub(crate) fn answer_with(&self, is_secure: bool, lines: &mut LineEdits) {
        if let Self::Lines(it) = self {
            it.answer_to_all(is_secure, lines);
        }
    }
}
