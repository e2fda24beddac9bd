//! A copy whose way has filters of its own: they see the request as it goes on to others, and what
//! they make of it is sent. One that answers keeps the copy back. Of what an endpoint answers they
//! are told the status alone, since nobody gets more of it.

use std::rc::Rc;

use bytes::Bytes;
use steelyard_filters::{
    Answerer, Ask, Ending, Flow, Got, Inward, Journey, Piece, Recipe, Response,
};
use steelyard_http::{
    Body, Framing, RequestChanges, RequestHead, ResponseChanges, Scheme, Slots, TrailerLine,
};

use super::{Nobody, carried};
use crate::core::Core;
use crate::core::listener::Listener;
use crate::core::live::Chosen;
use crate::exchange::asks;
use crate::exchange::course::Course;
use crate::tell::fault::Fault;

/// All of a body, as frames take it.
type Whole = (Bytes, Vec<TrailerLine>);

/// What a copy is answered; nothing where a filter keeps it back.
pub(super) async fn sent(
    core: &Rc<Core>,
    to: (Chosen, &Rc<Listener>),
    (recipes, journey): (Vec<Recipe>, Journey),
    bytes: &[u8],
) -> Option<Result<u16, Fault>> {
    let mut slots = Slots::default();
    let mut head = RequestHead::parse(bytes, &mut slots).ok().flatten()?;
    head.scheme = if journey.is_tls { Scheme::Https } else { Scheme::Http };
    let body = &bytes[head.len..];
    let mut course = Course::new(recipes, journey, head.passed(), &core.stock);
    let written = let_in(core, &mut course, &head, body).await?;
    let answered = carried(core, to, &written).await;
    let (status, cause) = match &answered {
        Ok(status) => (*status, Answerer::Backend),
        Err(fault) => (fault.status(), fault.answerer()),
    };
    let (response, mut changes) = (Response::of(status), ResponseChanges::default());
    course.leave(&response, &mut changes, Got::Nothing, cause, false);
    course.finish(Ending::Finished);
    Some(answered)
}

/// The copy as all filters let it in.
async fn let_in(
    core: &Core,
    course: &mut Course,
    head: &RequestHead<'_, '_>,
    body: &[u8],
) -> Option<Vec<u8>> {
    let framing = head.framing;
    let mut whole = payload(framing, body)?;
    let mut pieces = Vec::new();
    let mut got = Got::Nothing;
    loop {
        got = match course.enter(Some(head), got) {
            Inward::Inside => break,
            Inward::Answer(_) => return None,
            Inward::Ask(Ask::Body { .. }) if framing == Framing::None => Got::Body(Bytes::new()),
            Inward::Ask(Ask::Body { .. }) => {
                course.has_body = true;
                bring(course, &mut whole, &mut pieces)?;
                course.stack().body().unwrap_or(Got::TooLarge)
            }
            Inward::Ask(ask) => asks::answer(ask, course, core, &Nobody).await.ok()?,
        };
    }
    if framing != Framing::None && course.stack().has_hand_in_request() {
        course.has_body = true;
    }
    if course.has_body {
        if let Flow::Fail(_) = course.flush(&mut pieces) {
            return None;
        }
        bring(course, &mut whole, &mut pieces)?;
    }
    let data = pieces.iter().filter_map(|piece| match piece {
        Piece::Data(bytes) => Some(&**bytes),
        Piece::Flush | Piece::End(_) => None,
    });
    let data = data.collect::<Vec<_>>().concat();
    let length = u64::try_from(data.len()).ok()?;
    let framing = course.has_body.then_some(Framing::Length(length));
    let body = if course.has_body { &data } else { body };
    let mut written = Vec::new();
    let changes = RequestChanges { framing, ..course.changes().clone() };
    head.rewrite(&changes, &mut written);
    written.extend_from_slice(body);
    Some(written)
}

/// Gives frames all of the body, once; nothing where one of them refuses it.
fn bring(course: &mut Course, whole: &mut Option<Whole>, out: &mut Vec<Piece>) -> Option<()> {
    let Some((data, trailers)) = whole.take() else { return Some(()) };
    match course.bring(data, Some(trailers), out) {
        Flow::Fail(_) => None,
        Flow::Go | Flow::WaitUntil(_) => Some(()),
    }
}

/// A body without its framing, and what stands behind it; nothing where it is not whole.
fn payload(framing: Framing, body: &[u8]) -> Option<Option<Whole>> {
    if framing == Framing::None {
        return Some(None);
    }
    let (mut machine, mut bytes) = (Body::payload(framing, true), body.to_vec());
    let fed = machine.feed(&mut bytes).ok().filter(|_| machine.is_done())?;
    bytes.truncate(fed.forward);
    Some(Some((bytes.into(), machine.trailer_lines())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_taken_out_of_their_framing() {
        let whole = |data: &'static str| Some(Some((Bytes::from_static(data.as_bytes()), vec![])));
        for (framing, body, expected) in [
            (Framing::None, "", Some(None)),
            (Framing::Length(3), "abc", whole("abc")),
            (Framing::Length(4), "abc", None),
            (Framing::Chunked, "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", whole("abc")),
            (Framing::Chunked, "1\r\na\r\n", None),
        ] {
            assert_eq!(payload(framing, body.as_bytes()), expected, "{framing:?} {body}");
        }
    }
}
