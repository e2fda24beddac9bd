//! What ingress-nginx does to the requests of a location: a frame each.

mod aim;
mod backed;
mod blocked;
mod body;
mod clients;
mod cors;
mod decided;
mod led;
mod pace;
mod rewrite;
mod site;
mod spoken;
pub(crate) mod strays;
mod told;

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_http::{RequestEdits, RequestView as _, ResponseEdits, ResponseView as _};
use steelyard_model::routing::filter::access::ClientSource;
use steelyard_model::routing::filter::nginx::NginxStep;

use crate::ask::Got;
use crate::client;
use crate::context::{Context, Note};
use crate::frame::{Enter, Flow, Frame, Leave, Needs, Piece};
use crate::response::Response;
use pace::Paced;

/// One of them on one request.
#[derive(Clone, Debug)]
pub(crate) struct NginxFrame {
    step: Arc<NginxStep>,
    /// The page that asks, or the site that is asked, where that matters.
    origin: Option<Box<str>>,
    /// What lines of the answer say.
    said: Box<[String]>,
    /// Bytes of a request's body that have gone on.
    bytes: u64,
    /// An answer whose body goes on no faster than it may.
    paced: Option<Box<Paced>>,
}

impl NginxFrame {
    pub(crate) fn new(step: &Arc<NginxStep>) -> Self {
        Self { step: step.clone(), origin: None, said: Box::default(), bytes: 0, paced: None }
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
    fn needs(&self) -> Needs {
        match &*self.step {
            NginxStep::Body(_) => body::needs(),
            NginxStep::Pace(_) => pace::needs(),
            _ => Needs::default(),
        }
    }

    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, got: Got) -> Enter {
        match &*self.step {
            NginxStep::Cors(cors) => cors::enter(cors, &mut self.origin, cx, head),
            NginxStep::Return(to) => led::enter(to, cx, head),
            NginxStep::Deny(ranges) => let_in(|it| !ranges.contains(it), cx, head),
            NginxStep::Among(allowed, denied) => {
                let_in(|it| allowed.contains(it) && !denied.contains(it), cx, head)
            }
            NginxStep::Rewrite(rewrite) => rewrite::enter(rewrite, cx, head),
            NginxStep::Body(most) => body::enter(*most, cx, head),
            NginxStep::Secure(to) => led::secure(to, cx, head),
            NginxStep::ToHost(to, status) => led::to_host(*to, *status, cx, head),
            NginxStep::Slash(folder) => led::slash(folder, cx, head),
            NginxStep::Say(lines) => {
                self.said = told::said(lines, cx, head).into();
                Enter::Next
            }
            NginxStep::Blocked(blocked) => blocked::enter(blocked, cx, head),
            NginxStep::Tell(lines) => told::enter(lines, cx, head),
            NginxStep::Decided(by) => decided::enter(by, cx, head),
            NginxStep::Aim(at) => aim::enter(at, cx, head),
            NginxStep::Speak(speech) => spoken::enter(*speech, head, &got),
            NginxStep::Site(site) => site::enter(site, cx, head),
            NginxStep::Nothing => {
                cx.notes.push(Note::Reason("no rule of the host has this path"));
                Enter::Answer(Box::new(Response::of_nginx(404)))
            }
            NginxStep::Location(_) => {
                self.origin =
                    Some(led::site(head.scheme(), head.authority(), false).into_boxed_str());
                Enter::Next
            }
            NginxStep::Clients(it) => clients::enter(it, cx, head),
            NginxStep::OnlyTls => clients::only_tls(cx),
            NginxStep::Cookies(_) | NginxStep::Pace(_) | NginxStep::NoPage(_) => Enter::Next,
        }
    }

    fn leave(&mut self, cx: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        match &*self.step {
            NginxStep::Cors(cors) => cors::leave(cors, self.origin.as_deref(), head),
            NginxStep::Site(site) => return site::leave(site, cx, head),
            NginxStep::Say(lines) => told::leave(lines, &self.said, head),
            NginxStep::Cookies(cookies) => backed::cookies(cookies, cx, head),
            NginxStep::Location(location) => {
                backed::location(location, self.origin.as_deref(), cx, head);
            }
            NginxStep::NoPage(statuses) if statuses.contains(&head.status()) => {
                return Leave::Replace(Box::new(Response::of_nginx(404)));
            }
            _ => {}
        }
        Leave::Next
    }

    fn request(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        if let NginxStep::Body(most) = &*self.step {
            return body::request(*most, &mut self.bytes, cx, (piece, out));
        }
        out.push(piece);
        Flow::Go
    }

    fn response(&mut self, cx: &mut Context<'_>, piece: Piece, out: &mut Vec<Piece>) -> Flow {
        let NginxStep::Pace(pace) = &*self.step else {
            out.push(piece);
            return Flow::Go;
        };
        let paced = self.paced.get_or_insert_with(|| Box::new(Paced::new(cx.now)));
        paced.response(pace, cx.now, (piece, out))
    }

    fn kept(&self) -> usize {
        self.paced.as_ref().map_or(0, |it| it.held())
    }
}
