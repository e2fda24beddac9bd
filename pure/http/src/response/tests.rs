use super::*;

const PLAIN: Asked = Asked { head: false, http10: false, upgrade: false };

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
    head.forward(persistence, &mut out);
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
        ("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n", ContentLength),
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
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", Syntax),
        ("HTTP/1.1 200 OK\r\nA: b\n\r\n", Syntax),
        ("\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n", Syntax),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Syntax),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Syntax),
        ("ICY 200 OK\r\n\r\n", Syntax),
    ] {
        assert_eq!(parse(raw, PLAIN), Err(why), "{raw:?}");
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
        forward(switch, Asked { upgrade: true, ..PLAIN }, Persistence::Implied),
        "HTTP/1.1 101 Switching Protocols\r\nA: b\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
}

#[test]
fn connection_cannot_remove_the_framing() {
    let raw = "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 3\r\n\r\n";
    assert_eq!(
        forward(raw, PLAIN, Persistence::Implied),
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    );
}
