use proptest::prelude::*;

use super::*;
use crate::head::Slots;
use crate::request::RequestHead;
use crate::upgrade::Upgrades;

const KEY: &str = "S0VZ";

fn get() -> H2Request<'static> {
    H2Request {
        method: "GET",
        scheme: Some("https"),
        authority: Some("a"),
        path: Some("/"),
        protocol: None,
        is_end: true,
    }
}

fn post() -> H2Request<'static> {
    H2Request { method: "POST", is_end: false, ..get() }
}

fn websocket() -> H2Request<'static> {
    H2Request { method: "CONNECT", protocol: Some("websocket"), is_end: false, ..get() }
}

fn spell(request: H2Request<'_>, lines: &[(&str, &str)]) -> Result<(String, Framing), Reject> {
    let mut out = Vec::new();
    let fields = || lines.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let framing = request_to_h1(&request, fields, KEY, &mut out)?;
    Ok((String::from_utf8(out).unwrap(), framing))
}

/// A row: the request, its fields, and what it comes to, `|` for line ends.
type Row<'a> = (H2Request<'a>, &'a [(&'a str, &'a str)], &'a str, Framing);

#[test]
fn requests_as_http1_spells_them() {
    let rows: [Row<'_>; 16] = [
        (get(), &[], "GET / HTTP/1.1|Host: a|", Framing::None),
        (
            H2Request { path: Some("/a//b?c=%2F&d"), authority: Some("a.b:81"), ..get() },
            &[("x-a", "1"), ("x-a", ""), ("accept", "*/*")],
            "GET /a//b?c=%2F&d HTTP/1.1|x-a: 1|x-a: |accept: */*|Host: a.b:81|",
            Framing::None,
        ),
        (
            H2Request { authority: None, ..get() },
            &[("host", "b"), ("x", "y")],
            "GET / HTTP/1.1|x: y|Host: b|",
            Framing::None,
        ),
        (get(), &[("host", "A")], "GET / HTTP/1.1|Host: a|", Framing::None),
        (get(), &[("te", "trailers")], "GET / HTTP/1.1|te: trailers|Host: a|", Framing::None),
        (
            get(),
            &[("cookie", "a=b"), ("x", "y"), ("cookie", "c=d; e=f"), ("cookie", "g")],
            "GET / HTTP/1.1|x: y|Host: a|cookie: a=b; c=d; e=f; g|",
            Framing::None,
        ),
        (
            get(),
            &[("content-length", "0")],
            "GET / HTTP/1.1|Host: a|Content-Length: 0|",
            Framing::Length(0),
        ),
        (post(), &[], "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|", Framing::Chunked),
        (
            post(),
            &[("content-length", "007")],
            "POST / HTTP/1.1|Host: a|Content-Length: 7|",
            Framing::Length(7),
        ),
        (
            H2Request { is_end: true, ..post() },
            &[],
            "POST / HTTP/1.1|Host: a|Content-Length: 0|",
            Framing::Length(0),
        ),
        (
            post(),
            &[("expect", "100-continue")],
            "POST / HTTP/1.1|expect: 100-continue|Host: a|Transfer-Encoding: chunked|",
            Framing::Chunked,
        ),
        (
            H2Request { is_end: false, ..get() },
            &[],
            "GET / HTTP/1.1|Host: a|Transfer-Encoding: chunked|",
            Framing::Chunked,
        ),
        (
            H2Request { method: "OPTIONS", path: Some("*"), ..get() },
            &[],
            "OPTIONS * HTTP/1.1|Host: a|",
            Framing::None,
        ),
        (
            H2Request { method: "PROPFIND", scheme: Some("http"), ..get() },
            &[],
            "PROPFIND / HTTP/1.1|Host: a|",
            Framing::None,
        ),
        (
            websocket(),
            &[("sec-websocket-version", "13"), ("sec-websocket-key", "x")],
            "GET / HTTP/1.1|sec-websocket-version: 13|Host: a|Connection: upgrade|\
             Upgrade: websocket|Sec-WebSocket-Key: S0VZ|",
            Framing::None,
        ),
        (
            websocket(),
            &[("content-length", "0")],
            "GET / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: websocket|Sec-WebSocket-Key: S0VZ|",
            Framing::None,
        ),
    ];
    for (request, lines, text, framing) in rows {
        let (spelled, framed) = spell(request, lines).unwrap();
        assert_eq!(spelled, format!("{}\r\n", text.replace('|', "\r\n")));
        assert_eq!(framed, framing, "{text}");
        let mut slots = Slots::default();
        let head = RequestHead::parse(spelled.as_bytes(), &mut slots).unwrap().unwrap();
        let read = if framing == Framing::Length(0) { Framing::None } else { framing };
        assert_eq!((head.len, head.framing), (spelled.len(), read), "{text}");
        let upgrade = request.protocol.map_or(Upgrades::NONE, |_| Upgrades::WEBSOCKET);
        assert_eq!(head.upgrade, upgrade, "{text}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let fields: [(&str, &str, Reject); 23] = [
        ("connection", "close", Reject::Field),
        ("connection", "x-forwarded-for", Reject::Field),
        ("proxy-connection", "keep-alive", Reject::Field),
        ("keep-alive", "timeout=5", Reject::Field),
        ("transfer-encoding", "chunked", Reject::Field),
        ("transfer-encoding", "identity", Reject::Field),
        ("upgrade", "h2c", Reject::Field),
        ("te", "gzip", Reject::Field),
        ("te", "trailers, gzip", Reject::Field),
        ("X-Upper", "a", Reject::Field),
        (":path", "/other", Reject::Field),
        ("", "a", Reject::Field),
        ("a b", "c", Reject::Field),
        ("a:b", "c", Reject::Field),
        ("a\r\nhost", "c", Reject::Field),
        ("a", "b\r\nx: y", Reject::Field),
        ("a", "b\n", Reject::Field),
        ("a", "b\0c", Reject::Field),
        ("a", " b", Reject::Field),
        ("host", "b", Reject::Host),
        ("host", "a:80", Reject::Host),
        ("content-length", "1", Reject::ContentLength),
        ("content-length", "0, 0", Reject::ContentLength),
    ];
    for (name, value, reject) in fields {
        let refused = spell(get(), &[(name, value)]);
        assert_eq!(refused, Err(reject), "{name:?}: {value:?}");
    }
    let twice: [(&str, &str, &str, Reject); 3] = [
        ("host", "a", "a", Reject::Host),
        ("content-length", "5", "5", Reject::ContentLength),
        ("content-length", "5", "6", Reject::ContentLength),
    ];
    for (name, one, other, reject) in twice {
        assert_eq!(spell(post(), &[(name, one), (name, other)]), Err(reject), "{name}");
    }
}

#[test]
fn pseudo_header_fields_mean_one_thing() {
    let rows = [
        (H2Request { scheme: None, ..get() }, Reject::Pseudo),
        (H2Request { scheme: Some("ftp"), ..get() }, Reject::Pseudo),
        (H2Request { path: None, ..get() }, Reject::Pseudo),
        (H2Request { path: Some(""), ..get() }, Reject::Target),
        (H2Request { path: Some("a"), ..get() }, Reject::Target),
        (H2Request { path: Some("*"), ..get() }, Reject::Target),
        (H2Request { path: Some("http://b/"), ..get() }, Reject::Target),
        (H2Request { path: Some("/ HTTP/1.1\r\nx: y"), ..get() }, Reject::Target),
        (H2Request { path: Some("/a b"), ..get() }, Reject::Target),
        (H2Request { path: Some("/\u{e9}"), ..get() }, Reject::Target),
        (H2Request { method: "", ..get() }, Reject::Pseudo),
        (H2Request { method: "G T", ..get() }, Reject::Pseudo),
        (H2Request { method: "GET / HTTP/1.1\r\nx:", ..get() }, Reject::Pseudo),
        (H2Request { authority: None, ..get() }, Reject::Host),
        (H2Request { method: "CONNECT", path: None, scheme: None, ..get() }, Reject::Connect),
        (H2Request { protocol: Some("connect-udp"), ..websocket() }, Reject::Connect),
        (H2Request { protocol: Some("websocket"), ..get() }, Reject::Pseudo),
    ];
    for (request, reject) in rows {
        assert_eq!(spell(request, &[]), Err(reject), "{request:?}");
    }
    assert_eq!(spell(websocket(), &[("content-length", "3")]), Err(Reject::ContentLength));
}

/// What is spelled is still to be parsed, and that is where a host or path is judged.
#[test]
fn what_http1_refuses_is_refused() {
    for (request, reject) in [
        (H2Request { authority: Some("user@a"), ..get() }, Reject::Host),
        (H2Request { authority: Some("a, b"), ..get() }, Reject::Host),
        (H2Request { path: Some("/a#b"), ..get() }, Reject::Target),
        (H2Request { path: Some("/..%2Fa"), ..get() }, Reject::Path),
    ] {
        let (spelled, _) = spell(request, &[]).unwrap();
        let mut slots = Slots::default();
        let read = RequestHead::parse(spelled.as_bytes(), &mut slots).map(|_| ());
        assert_eq!(read, Err(reject), "{request:?}");
    }
}

fn field() -> impl Strategy<Value = (String, String)> {
    let known = "content-length|transfer-encoding|connection|host|te|cookie|expect|upgrade";
    let name = prop_oneof![
        4 => "[a-z-]{1,12}",
        2 => known,
        1 => "\\PC{0,6}",
        1 => "[a-z]{1,3}[\r\n:\0 A-Z][a-z]{0,3}",
    ];
    let value = prop_oneof![
        4 => "[ -~]{0,12}",
        2 => "[0-9]{0,3}|chunked|close|a|trailers",
        1 => "[a-z]{0,3}[\r\n\0][a-z:]{0,6}",
        1 => "\\PC{0,6}",
    ];
    (name, value)
}

proptest! {
    /// What is taken is one request, and the same one, to whoever reads it as HTTP/1.
    #[test]
    fn what_is_taken_means_the_same(
        fields in prop::collection::vec(field(), 0..8),
        method in "[A-Z]{1,8}|[A-Z ]{1,4}|CONNECT|POST",
        path in "/[ -~]{0,12}|\\PC{0,6}",
        authority in prop::option::of("[a-z.]{1,6}(:[0-9]{1,4})?|\\PC{0,4}"),
        is_end in any::<bool>(),
    ) {
        let request = H2Request {
            method: &method,
            scheme: Some("http"),
            authority: authority.as_deref(),
            path: Some(&path),
            protocol: None,
            is_end,
        };
        let mut out = Vec::new();
        let lines = || fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let Ok(framing) = request_to_h1(&request, lines, KEY, &mut out) else { return Ok(()) };
        let mut slots = Slots::default();
        let Ok(Some(head)) = RequestHead::parse(&out, &mut slots) else { return Ok(()) };
        prop_assert_eq!(head.len, out.len(), "nothing follows");
        prop_assert_eq!(head.method, &*method);
        prop_assert_eq!(format!("{}{}", head.asked(), head.query), &*path);
        let read = if framing == Framing::Length(0) { Framing::None } else { framing };
        prop_assert_eq!(head.framing, read);
        prop_assert!(!is_end || read == Framing::None, "the end is the end");
        if let Some(authority) = &authority {
            prop_assert_eq!(head.authority.raw, &**authority);
        }
        let mut count = 0;
        head.each_line(&mut |_, _| count += 1);
        prop_assert!(count <= fields.len() + 3, "{} lines of {} fields", count, fields.len());
    }
}
