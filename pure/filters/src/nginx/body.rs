//! How large bodies of requests may be (`client_max_body_size`): one that says its size is refused
//! at once, and else is counted as it comes.

use steelyard_http::{Head as _, RequestEdits};

use crate::context::{Context, Note};
use crate::frame::{Direction, Enter, Flow, Needs, Piece};
use crate::response::Response;

pub(super) fn needs() -> Needs {
    Needs { request: Direction::Transform, ..Needs::default() }
}

pub(super) fn enter(most: u64, cx: &mut Context<'_>, head: &RequestEdits<'_>) -> Enter {
    let told = head.first("content-length").and_then(|it| str::from_utf8(it).ok());
    match told.and_then(|it| it.parse::<u64>().ok()) {
        Some(told) if told > most => {
            note(cx);
            Enter::Answer(Box::new(Response::of_nginx(413)))
        }
        _ => Enter::Next,
    }
}

fn note(cx: &mut Context<'_>) {
    cx.notes.push(Note::Reason("the request's body is larger than it may be"));
}

pub(super) fn request(
    most: u64,
    bytes: &mut u64,
    cx: &mut Context<'_>,
    (piece, out): (Piece, &mut Vec<Piece>),
) -> Flow {
    if let Piece::Data(data) = &piece {
        *bytes = bytes.saturating_add(data.len() as u64);
    }
    if *bytes > most {
        note(cx);
        return Flow::Fail(Box::new(Response::of_nginx(413)));
    }
    out.push(piece);
    Flow::Go
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use steelyard_model::routing::filter::nginx::NginxStep;

    use super::*;
    use crate::ask::Got;
    use crate::frame::Frame;
    use crate::nginx::NginxFrame;
    use crate::tests::{Asked, World};

    #[test]
    fn a_body_is_refused_once_it_is_too_large() {
        let mut world = World::new();
        for (told, pieces, is_fine) in [
            (Some("10"), &[10][..], true),
            (Some("11"), &[], false),
            (None, &[5, 5], true),
            (None, &[5, 6], false),
        ] {
            let mut frame = NginxFrame::new(&Arc::new(NginxStep::Body(10)));
            let asked = Asked::get("http://a.b", "/");
            let asked = told.iter().fold(asked, |asked, it| asked.with("Content-Length", it));
            let mut head = RequestEdits::new(&asked);
            let entered = frame.enter(&mut world.context(), &mut head, Got::Nothing);
            let mut passes = matches!(entered, Enter::Next);
            for size in pieces {
                let piece = Piece::Data(Bytes::from(vec![0; *size]));
                let flow = frame.request(&mut world.context(), piece, &mut Vec::new());
                passes &= matches!(flow, Flow::Go);
            }
            assert_eq!(passes, is_fine, "{told:?} {pieces:?}");
        }
    }
}
