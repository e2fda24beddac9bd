use super::*;
use crate::MAX_RESPONSE_LINES;

const PLAIN: Asked = Asked { head: false, http10: false, upgrade: Upgrades::NONE };

fn parse(raw: &str, asked: Asked) -> Result<Option<(u16, Framing, bool)>, BadResponse> {
    let mut slots = Slots::default();
    let head = ResponseHead::parse(raw.as_bytes(), &mut slots, asked)?;
    Ok(head.map(|head| (head.status, head.framing, head.keep_alive)))
}

fn forward(raw: &str, asked: Asked, persistence: Persistence) -> String {
    let mut slots = Slots::default();
    let head = ResponseHead::parse(raw.as_bytes(), &mut slots, asked).unwrap().unwrap();
    if head.is_verbatim(persistence) {
        return "verbatim".into();
    }
    let mut out = Vec::new();
    head.forward(persistence, None, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn accepted() {
    let head = Asked { head: true, ..PLAIN };
    for (raw, asked, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", PLAIN, (200, Framing::Length(3), true)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", PLAIN, (200, Framing::None, true)),
        (
            "HTTP/1.1 200\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            PLAIN,
            (200, Framing::Length(3), true),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            PLAIN,
            (200, Framing::Chunked, true),
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", PLAIN, (200, Framing::UntilClose, false)),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
            PLAIN,
            (200, Framing::Length(1), false),
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", PLAIN, (200, Framing::Length(1), false)),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n",
            PLAIN,
            (200, Framing::Length(1), true),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", head, (200, Framing::None, true)),
        ("HTTP/1.1 200 OK\r\n\r\n", head, (200, Framing::None, true)),
        ("HTTP/1.1 204 No Content\r\n\r\n", PLAIN, (204, Framing::None, true)),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", PLAIN, (204, Framing::None, true)),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            PLAIN,
            (304, Framing::None, true),
        ),
        ("HTTP/1.1 100 Continue\r\n\r\n", PLAIN, (100, Framing::None, true)),
    ] {
        assert_eq!(parse(raw, asked), Ok(Some(expected)), "{raw:?}");
    }
}

#[test]
fn refused() {
    use BadResponse::*;
    for (raw, why) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", ContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n", ContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3,\r\nContent-Length: 4\r\n\r\n", ContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", ContentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ContentLength),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            ContentLength,
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", TransferEncoding),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            TransferEncoding,
        ),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", TransferEncoding),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Upgrade),
        ("HTTP/1.1 099 Low\r\n\r\n", Syntax),
        ("HTTP/2.0 200 OK\r\n\r\n", Syntax),
        ("HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", Syntax),
        ("\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", Syntax),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Syntax),
        ("HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", Syntax),
        ("HTTP/1.1 200 OK\r\n A: b\r\n\r\n", Syntax),
        ("ICY 200 OK\r\n\r\n", Syntax),
    ] {
        assert_eq!(parse(raw, PLAIN), Err(why), "{raw:?}");
    }
    let both = "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n";
    for status in ["103 Hints", "200 OK", "204 No", "304 No"] {
        for head in [false, true] {
            let raw = format!("HTTP/1.1 {status}\r\n{both}\r\n");
            assert_eq!(parse(&raw, Asked { head, ..PLAIN }), Err(ContentLength), "{status} {head}");
        }
    }
}

#[test]
fn forwarded() {
    let plain = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(forward(plain, PLAIN, Persistence::Implied), "verbatim");
    assert_eq!(
        forward(plain, PLAIN, Persistence::Close),
        "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
    );
    let hop = "HTTP/1.0 404 Nope\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nA: b\r\n\
               Keep-Alive: timeout=5\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(
        forward(hop, PLAIN, Persistence::Implied),
        "HTTP/1.1 404 Nope\r\nA: b\r\nContent-Length: 3\r\n\r\n"
    );
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n";
    assert_eq!(
        forward(chunked, PLAIN, Persistence::Implied),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    assert_eq!(
        forward(chunked, Asked { http10: true, ..PLAIN }, Persistence::Close),
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    );
    let doubled = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(
        forward(doubled, PLAIN, Persistence::Implied),
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n\r\n"
    );
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nA: b\r\n\r\n";
    assert_eq!(
        forward(switch, Asked { upgrade: Upgrades::WEBSOCKET, ..PLAIN }, Persistence::Implied),
        "HTTP/1.1 101 Switching Protocols\r\nA: b\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
}

/// One meaning, an unusual spelling: taken, and written as everybody reads it.
#[test]
fn unusual_spellings() {
    let many = "A: b\r\n".repeat(250);
    for (raw, written) in [
        ("X-Id : 7\r\nContent-Length: 2\r\n\r\n", "X-Id: 7\r\nContent-Length: 2\r\n\r\n"),
        ("A\t : b\nContent-Length : 2\n\n", "A: b\r\nContent-Length: 2\r\n\r\n"),
        ("A: b\r\nContent-Length: 2\n\n", "A: b\r\nContent-Length: 2\r\n\r\n"),
        ("Content-Length: 2\r\n\n", "Content-Length: 2\r\n\r\n"),
        ("Content-Length:2\r\nA: b\r\n\r\n", "A: b\r\nContent-Length: 2\r\n\r\n"),
        ("Content-Length: 002\r\n\r\n", "Content-Length: 2\r\n\r\n"),
        ("Content-Length: 2, 2\r\n\r\n", "Content-Length: 2\r\n\r\n"),
        ("Transfer-Encoding:Chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"),
        (&format!("{many}Content-Length: 2\r\n\r\n"), "verbatim"),
        ("A: b\r\n\r\n", "A: b\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("Upgrade: h2,h2c\r\nContent-Length: 2\r\n\r\n", "Content-Length: 2\r\n\r\n"),
    ] {
        let out = forward(&format!("HTTP/1.1 200 OK\r\n{raw}"), PLAIN, Persistence::Implied);
        let line = if written == "verbatim" { "" } else { "HTTP/1.1 200 OK\r\n" };
        assert_eq!(out, format!("{line}{written}"), "{raw:?}");
    }
    let asks = "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(forward(asks, PLAIN, Persistence::Implied), "verbatim");
    let most = "A: b\r\n".repeat(MAX_RESPONSE_LINES - 1);
    let full = format!("HTTP/1.1 200 OK\r\nContent-Length:2\r\n{most}\r\n");
    let written = format!("HTTP/1.1 200 OK\r\n{most}Content-Length: 2\r\n\r\n");
    assert_eq!(forward(&full, PLAIN, Persistence::Implied), written);
    let no_reason = "HTTP/1.1 200\nContent-Length: 2\n\n";
    assert_eq!(
        forward(no_reason, PLAIN, Persistence::Implied),
        "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n"
    );
    let too_many = format!("HTTP/1.1 200 OK\r\n{many}{many}\r\n");
    assert_eq!(parse(&too_many, PLAIN), Err(BadResponse::TooManyLines));
}

/// No word about a body where there is none, one at most where there would be one.
#[test]
fn words_about_the_body() {
    let head = Asked { head: true, ..PLAIN };
    let old = Asked { http10: true, ..PLAIN };
    let chunked = "Transfer-Encoding: Chunked\r\n";
    for (status, lines, asked, written) in [
        ("204 No", "Content-Length: 5\r\n", PLAIN, ""),
        ("204 No", "Transfer-Encoding: chunked\r\n", PLAIN, ""),
        ("103 Hints", "Content-Length: 0\r\n", PLAIN, ""),
        ("200 OK", chunked, head, "Transfer-Encoding: chunked\r\n"),
        ("304 No", chunked, PLAIN, "Transfer-Encoding: chunked\r\n"),
        ("200 OK", chunked, Asked { head: true, ..old }, ""),
        ("304 No", "Content-Length: 05\r\n", PLAIN, "Content-Length: 5\r\n"),
        ("200 OK", "", old, "verbatim"),
        ("200 OK", "", head, "verbatim"),
    ] {
        let raw = format!("HTTP/1.1 {status}\r\n{lines}\r\n");
        let out = forward(&raw, asked, Persistence::Implied);
        if written == "verbatim" {
            assert_eq!(out, written, "{raw:?}");
        } else {
            assert_eq!(out, format!("HTTP/1.1 {status}\r\n{written}\r\n"), "{raw:?}");
        }
    }
    for lines in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
        let raw = format!("HTTP/1.1 204 No\r\n{lines}\r\n");
        let reuse = parse(&raw, PLAIN).unwrap().unwrap().2;
        assert!(!reuse, "what is announced may come: {lines:?}");
    }
}

#[test]
fn a_switch_is_to_what_was_asked_for() {
    let switch = |lines: &str, upgrade| {
        let raw = format!("HTTP/1.1 101 Switching\r\n{lines}\r\n");
        let mut slots = Slots::default();
        let head = ResponseHead::parse(raw.as_bytes(), &mut slots, Asked { upgrade, ..PLAIN });
        head.map(|head| {
            let mut out = Vec::new();
            let head = head.unwrap();
            assert!(!head.is_verbatim(Persistence::Implied), "{lines:?}");
            head.forward(Persistence::Implied, None, &mut out);
            String::from_utf8(out).unwrap()
        })
    };
    let websocket =
        Ok("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".into());
    let line = "Upgrade: WebSocket\r\nContent-Length: 0\r\n";
    assert_eq!(switch(line, Upgrades::WEBSOCKET), websocket);
    assert_eq!(switch("", Upgrades::WEBSOCKET), websocket);
    let mut two = Upgrades::WEBSOCKET;
    two.add_known(b"tcp");
    assert_eq!(switch(line, two), websocket);
    for (lines, upgrade) in [
        (line, Upgrades::NONE),
        ("", two),
        ("Upgrade: tcp\r\n", Upgrades::WEBSOCKET),
        ("Upgrade: h2c\r\n", Upgrades::WEBSOCKET),
        ("Upgrade: websocket, tcp\r\n", two),
        ("Upgrade: websocket\r\nUpgrade: websocket\r\n", Upgrades::WEBSOCKET),
    ] {
        assert_eq!(switch(lines, upgrade), Err(BadResponse::Upgrade), "{lines:?}");
    }
}

#[test]
fn connection_cannot_remove_the_framing() {
    let raw = "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(
        forward(raw, PLAIN, Persistence::Implied),
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    );
}
