//! What an endpoint gets first of a request in whose body filters have a hand.

use steelyard_filters::{Flow, Piece};
use steelyard_http::{Framing, RequestHead, RequestSlots, Wrapping};

use super::body::have_body;
use super::{Connection, Inner, Opened, leaving};
use crate::down::h1::inward::Filtered;
use crate::down::h1::request::{Request, take_body};
use crate::exchange::course::Course;
use crate::tell::fault::Fault;
use crate::wire::Wire;

impl<C: Wire> Connection<C> {
    /// Puts together what the endpoint gets first, where filters have a hand in the request's body;
    /// or what becomes of the request without one.
    pub(super) fn open(
        &mut self,
        request: &mut Request,
        filtered: &mut Filtered,
    ) -> Result<Opened, Box<Inner>> {
        let Filtered { course, way, head: text, .. } = filtered;
        if request.has_body && course.stack().has_hand_in_request() {
            have_body(course, request);
        }
        let (mut pieces, mut until) = (Vec::new(), None);
        if course.has_body {
            let flushed = course.flush(&mut pieces);
            let taken = match flushed {
                Flow::Fail(_) => Ok(Flow::Go),
                _ => self.take_in(course, request, &mut pieces),
            };
            let taken = taken.map_err(|fault| Inner::failed(fault, request))?;
            for flow in [flushed, taken] {
                match flow {
                    Flow::Go => {}
                    Flow::WaitUntil(then) => until = until.max(Some(then)),
                    Flow::Fail(response) => {
                        let mut leaving = leaving(*response, request, None);
                        leaving.is_repeatable = false;
                        return Err(Box::new(Inner::Leaving(leaving)));
                    }
                }
            }
        }
        let mut opened = Opened::of(course, request, &pieces);
        opened.until = until;
        let mut slots = RequestSlots::default();
        let (context, held, out, _) = self.parts(request.started);
        let head = RequestHead::again(text, &mut slots, context.vouching);
        let (Some(head), Some(chosen)) = (head, way.backend()) else {
            return Err(Box::new(Inner::failed(Fault::GivenUp, request)));
        };
        let manner = (chosen.route.manner(), opened.framing);
        let written = context.write(&head, course.changes(), request, manner, out);
        opened.is_as_asked = written.map_err(|fault| Inner::failed(fault, request))?;
        for piece in &pieces {
            match piece {
                Piece::Data(bytes) => opened.wrapping.push(bytes, out),
                Piece::Flush => {}
                Piece::End(trailers) => opened.wrapping.end(trailers, out),
            }
        }
        if !course.has_body {
            let taken = take_body(held, 0, request, out);
            taken.map_err(|reject| Inner::failed(reject.into(), request))?;
        }
        Ok(opened)
    }
}

impl Opened {
    fn of(course: &mut Course, request: &Request, pieces: &[Piece]) -> Self {
        let is_ended = matches!(pieces.last(), Some(Piece::End(_)));
        let has_trailers = matches!(pieces.last(), Some(Piece::End(it)) if !it.is_empty());
        let is_chunked = course.stack().changes_request() || request.framing == Framing::Chunked;
        let length = |piece: &Piece| match piece {
            Piece::Data(bytes) => bytes.len() as u64,
            Piece::Flush | Piece::End(_) => 0,
        };
        let (framing, wrapping) = match course.has_body {
            false => (None, Wrapping::Plain),
            true if is_ended && !has_trailers => {
                let length = pieces.iter().map(length).sum();
                (Some(Framing::Length(length)), Wrapping::Plain)
            }
            true if is_chunked || has_trailers => (Some(Framing::Chunked), Wrapping::Chunks),
            true => (None, Wrapping::Plain),
        };
        Self { framing, wrapping, is_ended, is_as_asked: true, until: None }
    }
}
