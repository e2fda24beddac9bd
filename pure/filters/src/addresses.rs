//! Lets clients of some addresses in, and answers others.

use std::sync::Arc;

use ipnet::IpNet;
use steelyard_http::RequestEdits;

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::response::Response;

/// Who is let in, and with what others are answered.
#[derive(Clone, Debug)]
pub(crate) struct AllowedAddresses {
    pub(crate) ranges: Arc<[IpNet]>,
    pub(crate) status: u16,
}

impl Frame for AllowedAddresses {
    fn enter(&mut self, cx: &mut Context<'_>, _: &mut RequestEdits<'_>, _: Got) -> Enter {
        let peer = cx.journey.peer.to_canonical();
        if self.ranges.iter().any(|range| range.contains(&peer)) {
            return Enter::Next;
        }
        cx.notes.push(Note::Reason("the client's address is not among those that are let in"));
        Enter::Answer(Box::new(Response::of(self.status)))
    }
}
