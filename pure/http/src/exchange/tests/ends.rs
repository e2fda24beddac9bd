//! How exchanges end, and what is said to whom until then.

use super::*;

fn client_sends(exchange: &mut Exchange<&'static [u8], Bytes>, bytes: &[u8]) {
    *exchange.client_slot() = Some(Bytes(bytes.to_vec()));
    exchange.client_sent();
}

/// Whether nothing was written, and whether anything was answered, decide about another attempt.
#[test]
fn only_what_came_to_nothing_is_tried_again() {
    let answer = |why| Verdict::Answer { why, stays: true };
    for (idempotent, wrote, came, why, verdict) in [
        (true, true, &b""[..], Break::EndpointClosed, Verdict::Retry(Break::EndpointClosed)),
        (false, false, b"", Break::EndpointClosed, Verdict::Retry(Break::EndpointClosed)),
        (false, true, b"", Break::EndpointClosed, answer(Break::EndpointClosed)),
        (true, true, b"HTTP/1.1 2", Break::EndpointClosed, answer(Break::EndpointClosed)),
        (true, true, b"", Break::EndpointTimeout, answer(Break::EndpointTimeout)),
        (true, false, b"", Break::ClientGone, Verdict::Cut(Break::ClientGone, After::Close)),
        (true, true, b"", Break::GivenUp, Verdict::Answer { why: Break::GivenUp, stays: false }),
    ] {
        let terms = Terms { idempotent, ..terms(Framing::None) };
        let mut exchange = by(terms, limits(), Framing::None);
        if wrote {
            written(&mut exchange);
        } else {
            exchange.wrote_to_endpoint(0);
        }
        if !came.is_empty() {
            from_endpoint(&mut exchange, came);
        }
        exchange.fail(why);
        assert!(exchange.is_over());
        assert_eq!(exchange.verdict(), verdict, "{idempotent} {wrote} {why:?}");
    }
}

#[test]
fn what_may_be_repeated_was_at_hand_and_is_as_good_twice() {
    for (idempotent, framing, is_repeatable) in [
        (true, Framing::None, true),
        (false, Framing::None, false),
        (true, Framing::Length(2), false),
        (false, Framing::Length(2), false),
    ] {
        let terms = Terms { idempotent, ..terms(framing) };
        let exchange = by(terms, limits(), framing);
        assert_eq!(exchange.is_repeatable(), is_repeatable, "{idempotent} {framing:?}");
    }
}

/// An interim response of which the client has a part cannot be taken back.
#[test]
fn whoever_has_a_part_of_an_answer_gets_no_other() {
    let mut exchange = exchange(Framing::None);
    written(&mut exchange);
    from_endpoint(&mut exchange, b"HTTP/1.1 103 X\r\n\r\n");
    exchange.wrote_to_client(3);
    exchange.endpoint_broke();
    assert_eq!(exchange.verdict(), Verdict::Cut(Break::EndpointClosed, After::Reset));
}

#[test]
fn a_response_that_is_none_is_blamed_on_its_line() {
    for (response, bad, line) in [
        ("HTTP/1.1 200 OK\r\nA b\r\n\r\n", BadResponse::Syntax, "A b\r\n"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n",
            BadResponse::Chunk,
            "xyz\r\n",
        ),
    ] {
        let mut exchange = exchange(Framing::None);
        written(&mut exchange);
        from_endpoint(&mut exchange, response.as_bytes());
        assert_eq!(exchange.to_blame(), Some(Excerpt::line(line.as_bytes())));
        assert!(exchange.is_over());
        assert!(
            matches!(
                exchange.verdict(),
                Verdict::Answer { why: Break::BadResponse(why), .. } if why == bad
            ) || matches!(
                exchange.verdict(),
                Verdict::Cut(Break::BadResponse(why), After::Reset) if why == bad
            )
        );
    }
}

#[test]
fn who_ends_the_connection_says_so_with_the_last_answer() {
    let closing = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nab";
    let staying = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab";
    for (keep_alive, closes, said) in
        [(true, false, staying), (true, true, closing), (false, false, closing)]
    {
        let terms = Terms { keep_alive, ..terms(Framing::None) };
        let mut exchange = by(terms, limits(), Framing::None);
        if closes {
            exchange.close_client();
        }
        assert_eq!(exchange.status(), 0);
        assert!(!exchange.endpoint_sends_body());
        written(&mut exchange);
        from_endpoint(&mut exchange, &[HEAD, b"ab"].concat());
        assert_eq!(exchange.status(), 200);
        assert!(exchange.endpoint_sends_body() && !exchange.is_last());
        assert_eq!(written(&mut exchange)[1], said);
        from_endpoint(&mut exchange, b"cde");
        assert_eq!(exchange.is_last(), said == closing);
        assert_eq!(written(&mut exchange)[1], "cde");
        assert_eq!(exchange.bytes(), (0, 5));
    }
}

/// A connection that may still bring something is closed gently.
#[test]
fn what_becomes_of_the_client() {
    for (keep_alive, framing, ahead, after) in [
        (true, Framing::None, &b""[..], After::Next),
        (true, Framing::None, b"GET", After::Next),
        (false, Framing::None, b"", After::Close),
        (false, Framing::None, b"GET", After::Linger),
        (false, Framing::Length(2), b"ab", After::Linger),
        (true, Framing::Length(2), b"a", After::Linger),
    ] {
        let terms = Terms { keep_alive, ..terms(framing) };
        let mut exchange = by(terms, limits(), framing);
        written(&mut exchange);
        if !ahead.is_empty() {
            client_sends(&mut exchange, ahead);
            written(&mut exchange);
        }
        from_endpoint(&mut exchange, &[HEAD, b"abcde"].concat());
        written(&mut exchange);
        assert_eq!(exchange.verdict(), Verdict::Passed(after), "{keep_alive} {framing:?}");
        let body = if framing == Framing::None { 0 } else { ahead.len() as u64 };
        assert_eq!(exchange.bytes(), (body, 5));
    }
}

/// Clients of HTTP/1.0 know no interim responses; others get them without what was for us.
#[test]
fn interim_responses_go_to_who_knows_them() {
    for (http10, hint, said) in [
        (false, "HTTP/1.1 103 X\r\nA: b\r\n\r\n", "HTTP/1.1 103 X\r\nA: b\r\n\r\n"),
        (false, "HTTP/1.1 103 X\r\nA: b\r\nTE: c\r\n\r\n", "HTTP/1.1 103 X\r\nA: b\r\n\r\n"),
        (true, "HTTP/1.1 103 X\r\nA: b\r\n\r\n", ""),
        (true, "HTTP/1.1 103 X\r\nA: b\r\nTE: c\r\n\r\n", ""),
    ] {
        let asked = Asked { http10, ..terms(Framing::None).asked };
        let mut exchange = by(Terms { asked, ..terms(Framing::None) }, limits(), Framing::None);
        written(&mut exchange);
        from_endpoint(&mut exchange, hint.as_bytes());
        assert_eq!(written(&mut exchange)[1], said);
        from_endpoint(&mut exchange, &[HEAD, b"abcde"].concat());
        written(&mut exchange);
        assert!(matches!(exchange.verdict(), Verdict::Passed(_)), "{:?}", exchange.verdict());
    }
}

/// Who asks for a tunnel and for nothing else is not told that it has one.
#[test]
fn success_is_no_tunnel() {
    for (is_duplex, status, passes) in [
        (true, 200, false),
        (true, 299, false),
        (true, 300, true),
        (true, 403, true),
        (false, 200, true),
    ] {
        let asked = Asked { upgrade: Upgrades::WEBSOCKET, ..terms(Framing::None).asked };
        let mut exchange = by(Terms { asked, ..terms(Framing::None) }, limits(), Framing::None);
        if is_duplex {
            exchange.make_duplex();
        }
        written(&mut exchange);
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        from_endpoint(&mut exchange, answer.as_bytes());
        written(&mut exchange);
        let why = Break::BadResponse(BadResponse::NoTunnel);
        let refused = Verdict::Answer { why, stays: true };
        let verdict = exchange.verdict();
        assert_eq!(matches!(verdict, Verdict::Passed(_)), passes, "{status} {verdict:?}");
        assert!(passes || verdict == refused, "{status} {verdict:?}");
    }
}

/// Hints have an end, also those that nobody is told.
#[test]
fn interim_responses_are_few() {
    for http10 in [false, true] {
        let asked = Asked { http10, ..terms(Framing::None).asked };
        let mut exchange = by(Terms { asked, ..terms(Framing::None) }, limits(), Framing::None);
        written(&mut exchange);
        for _ in 0..32 {
            from_endpoint(&mut exchange, b"HTTP/1.1 103 X\r\n\r\n");
            written(&mut exchange);
            assert!(!exchange.is_over());
        }
        from_endpoint(&mut exchange, b"HTTP/1.1 103 X\r\n\r\n");
        let verdict = exchange.verdict();
        let Verdict::Answer { why, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(why, Break::BadResponse(BadResponse::TooManyInterims));
    }
}

/// One write for a short answer, no copy of a long one or of what goes on as it came.
#[test]
fn a_rewritten_head_and_a_short_body_are_one_piece() {
    let lengths = |exchange: &Exchange<&'static [u8], Bytes>| exchange.to_client().map(<[u8]>::len);
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n".len();
    for (size, pieces) in
        [(0, [head, 0, 0]), (4_000, [head + 4_000, 0, 0]), (9_000, [head, 9_000, 0])]
    {
        let mut exchange = exchange(Framing::None);
        written(&mut exchange);
        let came = b"HTTP/1.1 200 OK\r\nTE: x\r\nContent-Length: 9000\r\n\r\n";
        from_endpoint(&mut exchange, &[&came[..], &vec![b'x'; size]].concat());
        assert_eq!(lengths(&exchange), pieces, "{size}");
    }
    let mut verbatim = exchange(Framing::None);
    written(&mut verbatim);
    from_endpoint(&mut verbatim, &[HEAD, b"ab"].concat());
    assert_eq!(lengths(&verbatim), [0, HEAD.len() + 2, 0]);
}

#[test]
fn memory_comes_back_empty() {
    let terms = terms(Framing::None);
    let scratch = Vec::with_capacity(4_096);
    let mut exchange: Exchange<&[u8], Bytes> =
        Exchange::new(terms, limits(), b"head", Body::new(Framing::None), None, scratch);
    exchange.begin();
    exchange.close_client();
    written(&mut exchange);
    from_endpoint(&mut exchange, &[HEAD, b"ab"].concat());
    let scratch = exchange.take_parts().1;
    assert!(scratch.is_empty() && scratch.capacity() >= 4_096);
}

#[test]
fn what_was_sent_ahead_of_a_tunnel_is_the_tunnels() {
    let asked = Asked { upgrade: Upgrades::WEBSOCKET, ..terms(Framing::None).asked };
    let mut exchange = by(Terms { asked, ..terms(Framing::None) }, limits(), Framing::None);
    written(&mut exchange);
    client_sends(&mut exchange, b"ahead");
    from_endpoint(&mut exchange, b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n");
    written(&mut exchange);
    assert_eq!(exchange.verdict(), Verdict::Switched);
    assert_eq!(exchange.take_ahead().map(|ahead| ahead.0), Some(b"ahead".to_vec()));
    assert!(exchange.take_ahead().is_none());
}

#[test]
fn a_request_in_hand_may_pause() {
    let mut exchange = exchange(Framing::Length(4));
    exchange.tap_request(Wrapping::Plain, false);
    written(&mut exchange);
    assert_eq!(exchange.watch(), Watch::Bytes);
    exchange.pause_request(true);
    assert_eq!(exchange.watch(), Watch::Break);
    exchange.pause_request(false);
    assert_eq!(exchange.watch(), Watch::Bytes);
}
