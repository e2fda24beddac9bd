use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::tests::{Asked, World};

fn frame(origins: &[&str]) -> GrpcWeb {
    let origins: Vec<Arc<str>> = origins.iter().map(|it| Arc::from(*it)).collect();
    GrpcWeb::new(&origins)
}

fn lines(head: &dyn Head) -> Vec<String> {
    let mut lines = Vec::new();
    head.each(&mut |name, value| lines.push(format!("{name}: {}", value.escape_ascii())));
    lines
}

fn web(kind: &'static str) -> Asked {
    Asked::by("POST", "http://a.b", "/x.Y/Z").with("Content-Type", kind)
}

/// What goes on of a request, and of its answer with these lines.
fn passed(frame: &mut GrpcWeb, asked: &Asked, answer: &[(&str, &str)]) -> [Vec<String>; 2] {
    let mut world = World::new();
    let mut request = RequestEdits::new(asked);
    let entered = frame.enter(&mut world.context(), &mut request, Got::Nothing);
    assert!(matches!(entered, Enter::Next), "{entered:?}");
    let sent = lines(&request);
    let mut response = Response::of(200);
    let line = |(name, value): &(&str, &str)| ((*name).into(), value.as_bytes().into());
    response.lines.extend(answer.iter().map(line));
    let mut response = ResponseEdits::new(&response);
    assert!(matches!(frame.leave(&mut world.context(), &mut response, Got::Nothing), Leave::Next));
    [sent, lines(&response)]
}

/// What becomes of pieces of a body, one way.
fn bodies(
    frame: &mut GrpcWeb,
    is_request: bool,
    pieces: Vec<Piece>,
) -> Result<Vec<Piece>, Box<Response>> {
    let (mut world, mut out) = (World::new(), Vec::new());
    for piece in pieces {
        let flow = match is_request {
            true => frame.request(&mut world.context(), piece, &mut out),
            false => frame.response(&mut world.context(), piece, &mut out),
        };
        match flow {
            Flow::Fail(response) => return Err(response),
            flow => assert!(matches!(flow, Flow::Go)),
        }
    }
    Ok(out)
}

fn data(bytes: &[u8]) -> Piece {
    Piece::Data(Bytes::copy_from_slice(bytes))
}

fn end(trailers: &[(&str, &str)]) -> Piece {
    let line = |(name, value): &(&str, &str)| ((*name).into(), value.as_bytes().into());
    Piece::End(trailers.iter().map(line).collect())
}

fn whole(pieces: &[Piece]) -> Vec<u8> {
    let bytes = pieces.iter().filter_map(|piece| match piece {
        Piece::Data(bytes) => Some(&bytes[..]),
        Piece::Flush | Piece::End(_) => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

#[test]
fn types_are_those_of_grpc_inside_and_of_the_web_outside() {
    for (asked, sent, answered, told) in [
        ("application/grpc-web", "application/grpc", "application/grpc", "application/grpc-web"),
        (
            "application/grpc-web+proto",
            "application/grpc+proto",
            "application/grpc+proto",
            "application/grpc-web+proto",
        ),
        (
            "application/grpc-web-text+proto",
            "application/grpc+proto",
            "application/grpc",
            "application/grpc-web-text",
        ),
        ("application/grpc-web-text", "application/grpc", "text/plain", "text/plain"),
    ] {
        let mut frame = frame(&[]);
        let [request, response] =
            passed(&mut frame, &web(asked), &[("Content-Type", answered), ("x-b", "1")]);
        assert_eq!(request, [format!("Content-Type: {sent}")]);
        assert!(response.contains(&format!("Content-Type: {told}")), "{response:?}");
        let exposed = "Access-Control-Expose-Headers: Content-Type, Vary, X-B, grpc-status, \
                       grpc-message";
        assert!(response.contains(&exposed.to_owned()), "{response:?}");
        let is_grpc = answered != "text/plain";
        assert_eq!(frame.needs().response == Direction::Transform, is_grpc);
    }
}

#[test]
fn what_is_no_browsers_is_left_alone() {
    for asked in [
        Asked::by("POST", "http://a.b", "/").with("Content-Type", "application/grpc"),
        Asked::by("GET", "http://a.b", "/").with("Content-Type", "application/grpc-web"),
        Asked::by("POST", "http://a.b", "/"),
        Asked::by("OPTIONS", "http://a.b", "/")
            .with("Access-Control-Request-Headers", "x-grpc-web"),
        Asked::by("OPTIONS", "http://a.b", "/").with("Access-Control-Request-Method", "POST"),
    ] {
        let mut frame = frame(&["*"]);
        let [request, response] =
            passed(&mut frame, &asked, &[("Content-Type", "application/grpc")]);
        assert_eq!(request, lines(&RequestEdits::new(&asked)));
        assert_eq!(response, ["Content-Type: application/grpc"]);
        let body = || vec![data(b"no base64!"), end(&[("grpc-status", "0")])];
        assert_eq!(bodies(&mut frame, true, body()).unwrap(), body());
    }
}

#[test]
fn only_pages_that_may_are_told_so() {
    for (origins, origin, is_told) in [
        (&["http://foo.bar"][..], "http://foo.bar", true),
        (&["*"], "http://foo.bar", true),
        (&["http://foo.bar"], "http://foo.bar.evil", false),
        (&["http://foo.bar"], "null", false),
        (&[], "http://foo.bar", false),
        (&["*"], "", false),
    ] {
        let asked = web("application/grpc-web").with("Origin", origin);
        let [_, response] = passed(&mut frame(origins), &asked, &[]);
        let told = response.contains(&format!("Access-Control-Allow-Origin: {origin}"));
        assert_eq!(told, is_told, "{origins:?} {origin} {response:?}");
        assert!(response.contains(&"Vary: Origin".to_owned()));
        let asked = Asked::by("OPTIONS", "http://a.b", "/x").with_all(&[
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type,X-Grpc-Web"),
        ]);
        let mut request = RequestEdits::new(&asked);
        let mut world = World::new();
        let entered = frame(origins).enter(&mut world.context(), &mut request, Got::Nothing);
        let Enter::Answer(answer) = entered else { panic!("{entered:?}") };
        assert_eq!(answer.status, 204);
        let all = lines(&*answer);
        let mut expected = vec![format!("Vary: {}", ASKED_BY.escape_ascii())];
        if is_told {
            expected.extend([
                format!("Access-Control-Allow-Origin: {origin}"),
                "Access-Control-Allow-Methods: POST".to_owned(),
                "Access-Control-Allow-Headers: content-type,X-Grpc-Web".to_owned(),
                "Access-Control-Allow-Credentials: true".to_owned(),
                "Access-Control-Max-Age: 600".to_owned(),
            ]);
        }
        assert_eq!(all, expected);
    }
}

const TRAILER: &[u8] = b"\x80\0\0\0\x22grpc-message: ok\r\ngrpc-status: 0\r\n";

#[test]
fn what_stands_behind_an_answer_is_its_last_frame() {
    let trailers = || end(&[("Grpc-Status", "0"), ("grpc-message", "ok")]);
    let mut frame = frame(&[]);
    passed(&mut frame, &web("application/grpc-web"), &[("Content-Type", "application/grpc")]);
    let out = bodies(&mut frame, false, vec![data(b"\0\0\0\0\x01a"), Piece::Flush, trailers()]);
    let out = out.unwrap();
    assert_eq!(whole(&out), [b"\0\0\0\0\x01a", TRAILER].concat());
    assert_eq!(out.last(), Some(&end(&[])), "and stands behind it no more");
    assert!(out.contains(&Piece::Flush));
    // Without any there is no frame.
    assert_eq!(bodies(&mut frame, false, vec![end(&[])]).unwrap(), [end(&[])]);
}

#[test]
fn texts_are_base64_in_parts() {
    let mut frame = frame(&[]);
    passed(&mut frame, &web("application/grpc-web-text"), &[("Content-Type", "application/grpc")]);
    let pieces = vec![data(b"abcd"), data(b"ef"), data(b"g"), Piece::Flush, data(b"h")];
    let mut out = bodies(&mut frame, false, pieces).unwrap();
    assert_eq!(whole(&out), b"YWJjZGVmZw==");
    out.extend(
        bodies(&mut frame, false, vec![end(&[("grpc-message", "ok"), ("grpc-status", "0")])])
            .unwrap(),
    );
    let text = whole(&out);
    let (first, second) = text.split_at(12);
    assert_eq!(STANDARD.decode(first).unwrap(), b"abcdefg");
    assert_eq!(STANDARD.decode(second).unwrap(), [b"h", TRAILER].concat());
    // In whatever pieces they come.
    for size in [1, 2, 3, 5, 100] {
        let mut frame = self::frame(&[]);
        passed(&mut frame, &web("application/grpc-web-text"), &[]);
        let body = b"AAAAAAFh\r\nYQ==YWI=\nYWJj";
        let mut pieces: Vec<_> = body.chunks(size).map(data).collect();
        pieces.push(end(&[]));
        let out = bodies(&mut frame, true, pieces).unwrap();
        assert_eq!(whole(&out), b"\0\0\0\0\x01aaababc", "{size}");
        assert_eq!(out.last(), Some(&end(&[])));
    }
}

#[test]
fn what_is_no_base64_is_refused() {
    for body in
        [&b"A"[..], b"AAA", b"A===", b"====", b"AA=A", b"AAA\0", b"AAAA-_AA", b"AAAB AAAA", b"YR=="]
    {
        let mut frame = frame(&[]);
        passed(&mut frame, &web("application/grpc-web-text"), &[]);
        let answer = bodies(&mut frame, true, vec![data(body), end(&[])]);
        assert_eq!(answer.map_err(|it| it.status), Err(400), "{}", body.escape_ascii());
    }
}

proptest::proptest! {
    #[test]
    fn any_body_comes_back(body: Vec<u8>, cuts in proptest::collection::vec(0_usize..50, 0..6)) {
        let mut encoder = Encoder::default();
        let (mut left, mut text) = (&body[..], Vec::new());
        for cut in cuts {
            let (piece, rest) = left.split_at(cut.min(left.len()));
            text.extend(encoder.encode(piece));
            if cut % 2 == 0 {
                text.extend(encoder.finish());
            }
            left = rest;
        }
        text.extend(encoder.encode(left));
        text.extend(encoder.finish());
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for piece in text.chunks(7) {
            found.extend(decoder.decode(piece).unwrap());
        }
        proptest::prop_assert_eq!(found, body);
        proptest::prop_assert!(decoder.is_whole());
    }
}
