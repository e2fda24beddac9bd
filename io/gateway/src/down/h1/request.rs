//! A request on its way: what is left of the head once it is parsed.

use std::net::IpAddr;
use std::time::Instant;

use steelyard_http::{
    Asked, Body, Framing, Hop, Reject, RequestChanges, RequestHead, Terms, Vouching, release,
    wants_html,
};

use steelyard_model::routing::filter::nginx::NginxStrays;
use steelyard_model::routing::nginx_log::NginxLog;
use steelyard_model::routing::route::Manner;

use crate::core::Core;
use crate::core::listener::Listener;
use crate::tell::metrics::method_label;
use crate::tell::tracer::Traced;
use crate::wire::buffers::Buffer;
use crate::wire::secured::Secured;

/// What the head of a request said, as far as it is needed later.
pub(crate) struct Request {
    pub(crate) started: Instant,
    pub(crate) method: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) asked: Asked,
    pub(crate) keep_alive: bool,
    pub(crate) is_idempotent: bool,
    /// The endpoint is asked for a 100 before the body, since nobody has asked for it here.
    pub(crate) expects: bool,
    pub(crate) has_body: bool,
    /// Where the body ends.
    pub(crate) framing: Framing,
    /// The client is a browser: error pages are for people.
    pub(crate) wants_html: bool,
    pub(crate) body: Body,
    pub(crate) bytes_in: u64,
    /// Who asks.
    pub(crate) client: IpAddr,
    /// It is part of a trace that is recorded.
    pub(crate) traced: Option<Box<Traced>>,
}

/// What a decision depends on, apart from the bytes.
pub(crate) struct Context<'a> {
    pub(crate) core: &'a Core,
    pub(crate) listener: &'a Listener,
    pub(crate) client_lines: &'a [u8],
    /// The line in which a client lists others, and whether backends of class nginx are told lines
    /// whose names have underscores.
    pub(crate) list: (&'a str, bool),
    pub(crate) started: Instant,
    /// What the peer may say of the client.
    pub(crate) vouching: &'a Vouching,
    /// The port that it has asked at.
    pub(crate) port: u16,
    /// What is answered as ingress-nginx does where no route is, and whether TLS alone is spoken.
    pub(crate) strays: Option<(&'a NginxStrays, bool)>,
    /// How ingress-nginx logs requests here, if it does.
    pub(crate) log: Option<&'a NginxLog>,
    /// What was agreed on in the handshake.
    pub(crate) tls: Option<&'a Secured>,
}

impl Context<'_> {
    /// What the next hop is told of the client, in a route's manner.
    pub(super) fn hop(&self, manner: Manner) -> Hop<'_> {
        self.listener.hop((self.client_lines, self.list), self.port, manner)
    }
}

impl Request {
    pub(super) fn new(
        head: &RequestHead<'_, '_>,
        started: Instant,
        client: IpAddr,
        vouching: &Vouching,
    ) -> Self {
        Self {
            started,
            method: method_label(head.method),
            protocol: if head.is_websocket() { "websocket" } else { "http" },
            asked: Asked {
                head: head.method == "HEAD",
                http10: head.is_http10,
                upgrade: head.upgrade,
            },
            keep_alive: head.keep_alive,
            is_idempotent: head.is_idempotent(),
            expects: head.expects,
            has_body: head.framing != Framing::None,
            framing: head.framing,
            wants_html: wants_html(head.accept),
            body: Body::of_request(head.framing, vouching),
            bytes_in: 0,
            client,
            traced: None,
        }
    }

    /// Nothing goes on that its client has written behind its body, where some endpoints read lines
    /// too: filters tell them by lines of its head what their client may not.
    pub(super) fn end_bare(&mut self) {
        let body = std::mem::replace(&mut self.body, Body::new(Framing::None));
        self.body = body.ending_bare();
    }

    /// What endpoints are told of the trace, where there is one.
    pub(super) fn traced_changes(&self) -> Option<RequestChanges> {
        let traced = self.traced.as_ref()?;
        let mut changes = RequestChanges::default();
        traced.tell(&mut changes.lines);
        Some(changes)
    }
}

impl From<&Request> for Terms {
    fn from(request: &Request) -> Self {
        Self {
            asked: request.asked,
            keep_alive: request.keep_alive,
            idempotent: request.is_idempotent,
            expects: request.expects,
            has_body: request.has_body,
        }
    }
}

/// Moves what has come of the body behind the head in `out`.
pub(crate) fn take_body(
    held: &mut Option<Buffer>,
    head_len: usize,
    request: &mut Request,
    out: &mut Vec<u8>,
) -> Result<(), Reject> {
    let Some(buffer) = held else { return Ok(()) };
    let mut consumed = head_len;
    if !request.body.is_done() {
        let rest = &mut buffer[head_len..];
        let fed = request.body.feed(rest).map_err(|_| Reject::Chunk)?;
        out.extend_from_slice(&rest[..fed.forward]);
        out.extend_from_slice(&fed.closing);
        request.bytes_in += fed.payload as u64;
        consumed += fed.consumed;
    }
    release(held, consumed);
    Ok(())
}
