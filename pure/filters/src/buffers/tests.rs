//! What goes on, and when.

use bytes::Bytes;

use super::*;
use crate::tests::{Asked, World};

fn buffers(max: u64, mem: u64, retry: Option<&str>) -> Buffers {
    let it = BodyBuffers {
        max_request: max,
        mem_request: mem,
        max_response: max,
        mem_response: mem,
        retry: retry.map(Into::into),
    };
    Buffers::new(&it).unwrap()
}

/// What comes of a request: a status, how much of the body is wanted, or that it goes on.
fn entered(
    frame: &mut Buffers,
    lines: &'static [(&'static str, &'static str)],
    got: Got,
) -> String {
    let asked = Asked::get("a.b", "/").with_all(lines);
    let mut world = World::new();
    match frame.enter(&mut world.context(), &mut RequestEdits::new(&asked), got) {
        Enter::Next => "goes on".to_owned(),
        Enter::Answer(answer) => answer.status.to_string(),
        Enter::Ask(Ask::Body { max }) => format!("wants {max}"),
        Enter::Ask(ask) => panic!("{ask:?}"),
    }
}

#[test]
fn requests() {
    let small = &[("Content-Length", "10")][..];
    let large = &[("Content-Length", "11")][..];
    for (max, mem, retry, lines, got, expected) in [
        (10, 5, None, small, Got::Nothing, "wants 5"),
        (10, 5, None, large, Got::Nothing, "413"),
        (10, 20, None, &[], Got::Nothing, "wants 10"),
        (10, 20, None, &[], Got::TooLarge, "413"),
        (10, 5, None, &[], Got::TooLarge, "goes on"),
        (0, 5, None, large, Got::Nothing, "wants 5"),
        (0, 5, None, large, Got::TooLarge, "goes on"),
        (0, u64::MAX, None, &[], Got::Nothing, "wants 67108864"),
        (0, 0, None, &[], Got::Nothing, "wants 1"),
        (10, 5, None, small, Got::Body(Bytes::new()), "goes on"),
        (10, 5, Some("IsNetworkError()"), small, Got::TooLarge, "goes on"),
        (10, 5, Some("IsNetworkError()"), &[], Got::TooLarge, "413"),
        (0, 5, Some("IsNetworkError()"), &[], Got::TooLarge, "goes on"),
    ] {
        let case = format!("{max} {mem} {retry:?} {lines:?} {got:?}");
        assert_eq!(entered(&mut buffers(max, mem, retry), lines, got), expected, "{case}");
    }
}

fn data(text: &'static str) -> Piece {
    Piece::Data(Bytes::from_static(text.as_bytes()))
}

#[test]
fn a_request_that_turns_out_too_large_ends() {
    let mut frame = buffers(10, 5, None);
    let mut world = World::new();
    let mut out = Vec::new();
    for (piece, is_sound) in [(data("123456"), true), (data("7890"), true), (data("1"), false)] {
        let flow = frame.request(&mut world.context(), piece, &mut out);
        assert_eq!(matches!(flow, Flow::Go), is_sound, "{flow:?}");
        if let Flow::Fail(answer) = flow {
            assert_eq!(answer.status, 413);
        }
    }
    assert_eq!(out, [data("123456"), data("7890")]);
}

#[test]
fn responses_are_kept_until_they_are_whole_or_large() {
    let end = || Piece::End(Vec::new());
    for (pieces, expected) in [
        (vec![data("a"), Piece::Flush, data("b")], vec![]),
        (vec![data("a"), Piece::Flush, data("b"), end()], vec![data("a"), data("b"), end()]),
        (
            vec![data("abc"), data("def"), Piece::Flush],
            vec![data("abc"), data("def"), Piece::Flush],
        ),
        (vec![end()], vec![end()]),
    ] {
        let mut frame = buffers(10, 5, None);
        let mut world = World::new();
        let mut out = Vec::new();
        for piece in pieces {
            let flow = frame.response(&mut world.context(), piece, &mut out);
            assert!(matches!(flow, Flow::Go));
        }
        assert_eq!(out, expected);
    }
    let mut frame = buffers(100, 50, None);
    let mut world = World::new();
    let mut out = Vec::new();
    frame.response(&mut world.context(), data("abc"), &mut out);
    assert_eq!((frame.kept(), out.len()), (3, 0));
    frame.let_go();
    frame.response(&mut world.context(), data("d"), &mut out);
    frame.response(&mut world.context(), Piece::Flush, &mut out);
    assert_eq!((frame.kept(), out), (0, vec![data("abc"), data("d"), Piece::Flush]));
    let mut frame = buffers(10, 5, None);
    let flow = frame.response(&mut World::new().context(), data("12345678901"), &mut Vec::new());
    assert!(matches!(flow, Flow::Fail(answer) if answer.status == 500));
}

#[test]
fn a_response_that_says_it_is_too_large_is_none() {
    for (length, is_replaced) in [("10", false), ("11", true), ("x", false)] {
        let mut response = Response::of(200);
        response.lines.push(("Content-Length".into(), length.as_bytes().into()));
        let mut world = World::new();
        let mut edits = ResponseEdits::new(&response);
        let left = buffers(10, 5, None).leave(&mut world.context(), &mut edits, Got::Nothing);
        assert_eq!(matches!(left, Leave::Replace(it) if it.status == 500), is_replaced, "{length}");
    }
}

#[test]
fn what_says_its_length_keeps_it_and_what_has_no_body_is_never_too_large() {
    for (method, status, length, expected) in [
        ("GET", 200, Some("10"), Some(Direction::Untouched)),
        ("GET", 200, None, Some(Direction::Transform)),
        ("GET", 200, Some("11"), None),
        ("HEAD", 200, Some("11"), Some(Direction::Untouched)),
        ("GET", 304, Some("11"), Some(Direction::Untouched)),
        ("GET", 204, None, Some(Direction::Untouched)),
    ] {
        let (mut frame, mut world) = (buffers(10, 5, None), World::new());
        let asked = Asked::by(method, "a.b", "/");
        frame.enter(&mut world.context(), &mut RequestEdits::new(&asked), Got::Nothing);
        let mut response = Response::of(status);
        let line = length.map(|it| ("Content-Length".into(), it.as_bytes().into()));
        response.lines.extend(line);
        let mut edits = ResponseEdits::new(&response);
        let left = frame.leave(&mut world.context(), &mut edits, Got::Nothing);
        let found = matches!(left, Leave::Next).then(|| frame.needs().response);
        assert_eq!(found, expected, "{method} {status} {length:?}");
    }
}

#[test]
fn it_asks_again_as_the_expression_says() {
    use Answerer::{Backend, Gateway, Nobody};
    let faults = "IsNetworkError() && Attempts() <= 2";
    for (expression, cause, status, expected) in [
        (Some(faults), Nobody, 502, 3),
        (Some(faults), Gateway, 504, 3),
        (Some(faults), Gateway, 503, 1),
        (Some(faults), Backend, 502, 1),
        (Some("ResponseCode() == 500"), Backend, 500, 10),
        (Some("ResponseCode() == 500"), Backend, 200, 1),
        (None, Nobody, 502, 1),
    ] {
        let mut frame = buffers(10, 5, expression);
        let mut world = World::new();
        let response = Response::of(status);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut cx = Context { cause, ..world.context() };
            let left = frame.leave(&mut cx, &mut ResponseEdits::new(&response), Got::Nothing);
            if !matches!(left, Leave::Again { .. }) {
                break;
            }
        }
        assert_eq!(attempts, expected, "{expression:?} {cause:?} {status}");
    }
    let it = BodyBuffers {
        max_request: 0,
        mem_request: 0,
        max_response: 0,
        mem_response: 0,
        retry: Some("NetworkErrorRatio() > 1".into()),
    };
    assert!(Buffers::new(&it).is_none());
}
