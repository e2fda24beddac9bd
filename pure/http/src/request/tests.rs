use super::*;
use steelyard_model::routing::trust::Trust;

use crate::body::Framing;
use crate::forwarded::{ForwardedPolicy, NginxVouching};
use crate::head::push_number;
use crate::view::Head;

/// Method, target, host, framing, keep-alive.
type Gist = (String, String, String, Framing, bool);

fn parse(raw: &[u8]) -> Result<Option<Gist>, Reject> {
    let mut slots = Slots::default();
    let head = RequestHead::parse(raw, &mut slots)?;
    Ok(head.map(|head| {
        let target = format!("{}{}", head.path, head.query);
        (head.method.into(), target, head.authority.host.into(), head.framing, head.keep_alive)
    }))
}

fn forward(raw: &str) -> String {
    forward_spelled(raw, Spelling::Normal)
}

fn forward_spelled(raw: &str, path: Spelling) -> String {
    forward_as(raw, path, Manner::Traefik)
}

fn forward_as(raw: &str, path: Spelling, manner: Manner) -> String {
    forward_listing(raw, USUAL_LIST, path, manner)
}

fn forward_listing(raw: &str, list: &str, path: Spelling, manner: Manner) -> String {
    let mut slots = Slots::default();
    let head = RequestHead::parse(raw.as_bytes(), &mut slots).unwrap().unwrap();
    let lines = client_lines([192, 0, 2, 1].into(), "node-1", "gw-1");
    let fallback_host = "10.0.0.9:80";
    let hop = Hop {
        client_lines: &lines,
        list,
        keeps_underscores: false,
        fallback_host,
        path,
        manner,
        semicolons: Semicolons::Kept,
        port: 80,
    };
    let mut out = Vec::new();
    head.forward(&hop, None, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn accepted() {
    for (raw, method, target, host, framing, keep) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "a", Framing::None, true),
        (
            "\r\nGET /x?y=//z HTTP/1.1\r\nhost:A:80 \r\n\r\n",
            "GET",
            "/x?y=//z",
            "a",
            Framing::None,
            true,
        ),
        ("GET / HTTP/1.0\r\n\r\n", "GET", "/", "", Framing::None, false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET", "/", "", Framing::None, true),
        (
            "GET / HTTP/1.1\r\nHost:\r\nConnection: a, close\r\n\r\n",
            "GET",
            "/",
            "",
            Framing::None,
            false,
        ),
        (
            "PUT /a//b/../c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "PUT",
            "/a/c",
            "a",
            Framing::Length(5),
            true,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            "POST",
            "/",
            "a",
            Framing::Chunked,
            true,
        ),
        (
            "GET http://B.c:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET",
            "/p?q",
            "b.c",
            Framing::None,
            true,
        ),
        ("GET https://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/?q", "b", Framing::None, true),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "a", Framing::None, true),
        (
            &("\r\n".repeat(4) + "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            "GET",
            "/",
            "a",
            Framing::None,
            true,
        ),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000000000000005\r\n\r\n",
            "PUT",
            "/",
            "a",
            Framing::Length(5),
            true,
        ),
        (
            "OPTIONS http://a?q HTTP/1.1\r\nHost: b\r\n\r\n",
            "OPTIONS",
            "/?q",
            "a",
            Framing::None,
            true,
        ),
        ("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "a", Framing::None, true),
        ("BREW / HTTP/1.1\r\nHost: a\r\nX_Y: z\r\n\r\n", "BREW", "/", "a", Framing::None, true),
    ] {
        let expected = (method.into(), target.into(), host.into(), framing, keep);
        assert_eq!(parse(raw.as_bytes()), Ok(Some(expected)), "{raw:?}");
    }
}

#[test]
fn refused() {
    use Reject::*;
    let h = "Host: a\r\n";
    for (raw, why) in [
        ("GET / HTTP/1.1\r\n\r\n".into(), Host),
        (format!("GET / HTTP/1.1\r\n{h}{h}\r\n"), Host),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n".into(), Host),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n".into(), Host),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n".into(), Host),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n".into(), Host),
        (
            format!("GET / HTTP/1.1\r\n{h}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            ContentLength,
        ),
        (
            format!("GET / HTTP/1.1\r\n{h}Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
            ContentLength,
        ),
        (format!("GET / HTTP/1.1\r\n{h}Content-Length: 1, 1\r\n\r\n"), ContentLength),
        (format!("GET / HTTP/1.1\r\n{h}Content-Length: +1\r\n\r\n"), ContentLength),
        (format!("GET / HTTP/1.1\r\n{h}Content-Length: -1\r\n\r\n"), ContentLength),
        (format!("GET / HTTP/1.1\r\n{h}Content-Length: 0x1\r\n\r\n"), ContentLength),
        (format!("GET / HTTP/1.1\r\n{h}Content-Length:\r\n\r\n"), ContentLength),
        (
            format!("GET / HTTP/1.1\r\n{h}Content-Length: 99999999999999999999\r\n\r\n"),
            ContentLength,
        ),
        (
            format!("GET / HTTP/1.1\r\n{h}Content-Length: 00000000000000000005\r\n\r\n"),
            ContentLength,
        ),
        (
            format!("GET / HTTP/1.1\r\n{h}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            TransferEncoding,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\n{h}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            TransferEncoding,
        ),
        (
            format!("GET / HTTP/1.1\r\n{h}Transfer-Encoding: chunked, chunked\r\n\r\n"),
            TransferEncoding,
        ),
        (
            format!("GET / HTTP/1.1\r\n{h}Transfer-Encoding: chunked, gzip\r\n\r\n"),
            TransferEncoding,
        ),
        (format!("GET / HTTP/1.1\r\n{h}Transfer-Encoding: xchunked\r\n\r\n"), TransferEncoding),
        (format!("GET / HTTP/1.1\r\n{h}Transfer-Encoding: \"chunked\"\r\n\r\n"), TransferEncoding),
        (format!("GET / HTTP/1.1\r\n{h}Transfer-Encoding:\x0bchunked\r\n\r\n"), Syntax),
        (format!("GET / HTTP/1.1\r\n{h}Transfer-Encoding:\r\n\r\n"), TransferEncoding),
        (format!("GET / HTTP/1.1\r\n{h}Transfer-Encoding: gzip, chunked\r\n\r\n"), UnknownCoding),
        (format!("GET / HTTP/1.1\r\n{h}Transfer-Encoding: x-gzip, chunked\r\n\r\n"), UnknownCoding),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(), TransferEncoding),
        (format!("GET / HTTP/1.1\r\n{h}A : b\r\n\r\n"), Syntax),
        (format!("GET / HTTP/1.1\r\n{h} A: b\r\n\r\n"), Syntax),
        (format!("GET / HTTP/1.1\r\n{h}A: b\r\n c\r\n\r\n"), Syntax),
        (format!("GET / HTTP/1.1\r\n{h}A: b\rc\r\n\r\n"), Syntax),
        (format!("GET / HTTP/1.1\r\n{h}A: b\0c\r\n\r\n"), Syntax),
        (format!("GET / HTTP/1.1\r\n{h}: b\r\n\r\n"), Syntax),
        (format!("GET / HTTP/1.1\r\n{h}A\r\n\r\n"), Syntax),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n".into(), LineEnding),
        ("GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n".into(), LineEnding),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n".into(), LineEnding),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n".into(), LineEnding),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".into(), LineEnding),
        ("\r\n".repeat(5) + "GET / HTTP/1.1\r\nHost: a\r\n\r\n", Syntax),
        (format!("GET  / HTTP/1.1\r\n{h}\r\n"), Syntax),
        (format!("GET /a b HTTP/1.1\r\n{h}\r\n"), Syntax),
        (format!(" GET / HTTP/1.1\r\n{h}\r\n"), Syntax),
        (format!("GET / HTTP/1.2\r\n{h}\r\n"), Version),
        (format!("GET / HTTP/2.0\r\n{h}\r\n"), Version),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), Version),
        (format!("GET / http/1.1\r\n{h}\r\n"), Syntax),
        ("GET /\r\n\r\n".into(), Syntax),
        (format!("GET x HTTP/1.1\r\n{h}\r\n"), Target),
        (format!("GET * HTTP/1.1\r\n{h}\r\n"), Target),
        (format!("GET /a#b HTTP/1.1\r\n{h}\r\n"), Target),
        (format!("GET ftp://a/ HTTP/1.1\r\n{h}\r\n"), Target),
        (format!("GET http:///x HTTP/1.1\r\n{h}\r\n"), Target),
        (format!("GET http://u@a/x HTTP/1.1\r\n{h}\r\n"), Host),
        (format!("GET /%zz HTTP/1.1\r\n{h}\r\n"), Path),
        (format!("GET /a/..%2fb HTTP/1.1\r\n{h}\r\n"), Path),
        (format!("CONNECT a:80 HTTP/1.1\r\n{h}\r\n"), Connect),
        (
            format!("GET / HTTP/1.1\r\n{h}{}\r\n", "a: b\r\n".repeat(MAX_REQUEST_LINES)),
            TooManyHeaders,
        ),
        (format!("GET / HTTP/1.1\r\n{h}Connection: {}\r\n\r\n", "a,".repeat(33)), Connection),
        (format!("GET / HTTP/1.1\r\n{h}{}\r\n", "Connection: a\r\n".repeat(33)), Connection),
    ] {
        assert_eq!(parse(raw.as_bytes()), Err(why), "{raw:?}");
    }
}

#[test]
fn a_head_in_pieces_is_not_complete_before_its_end() {
    let raw = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    for end in 0..raw.len() {
        assert_eq!(parse(&raw[..end]), Ok(None), "{end}");
        assert!(!crate::may_be_complete(&raw[..end], 0));
        assert!(crate::may_be_complete(raw, end));
    }
    assert!(parse(raw).unwrap().is_some());
}

#[test]
fn forwarded_as_it_came() {
    let out = forward("GET /a?b HTTP/1.1\r\nhOST:  a.b:81\r\nX_y:  z \r\nAccept: */*\r\n\r\n");
    assert_eq!(
        out,
        "GET /a?b HTTP/1.1\r\nhOST:  a.b:81\r\nX_y:  z \r\nAccept: */*\r\n\
         X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Server: node-1\r\nX-Real-Ip: 192.0.2.1\r\n\
         CDN-Loop: gw-1\r\n\
         X-Forwarded-Host: a.b:81\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 81\r\n\r\n"
    );
}

#[test]
fn what_is_for_us_or_forged_stays_here() {
    let out = forward(
        "GET / HTTP/1.1\r\nX-Forwarded-For: 1.2.3.4\r\nx_forwarded_proto: https\r\nHost: a\r\n\
         Connection: keep-alive, x-custom, host, x-real-ip, content-length\r\nKeep-Alive: 5\r\n\
         X-Custom: 1\r\nX-Real-IP: 9.9.9.9\r\nTE: trailers\r\nTrailer: t\r\nUpgrade: h2c\r\n\
         Proxy: http://evil\r\nForwarded: for=1.2.3.4\r\ncontent_length: 5\r\n\
         Transfer_Encoding: chunked\r\nkeep_alive: 5\r\n\
         HTTP2-Settings: x\r\nProxy-Authorization: p\r\nX-Forwarded-Extra: kept\r\n\
         Content-Length: 0\r\n\r\n",
    );
    assert_eq!(
        out,
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Extra: kept\r\nContent-Length: 0\r\n\
         X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Server: node-1\r\nX-Real-Ip: 192.0.2.1\r\n\
         CDN-Loop: gw-1\r\n\
         X-Forwarded-Host: a\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n\
         Connection: TE\r\nTE: trailers\r\n\r\n"
    );
}

#[test]
fn hosts_of_absolute_targets_and_of_old_clients() {
    let out = forward("GET http://B.c/x HTTP/1.1\r\nHost: other\r\n\r\n");
    assert!(out.starts_with("GET /x HTTP/1.1\r\nHost: B.c\r\nX-Forwarded-For"), "{out}");
    for raw in ["GET / HTTP/1.0\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n"] {
        let out = forward(raw);
        assert!(out.starts_with("GET / HTTP/1.1\r\nHost: 10.0.0.9:80\r\nX-Forwarded-F"), "{out}");
    }
    let out = forward("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
    assert!(out.starts_with("GET / HTTP/1.1\r\nHost: 10.0.0.9:80\r\nX-Forwarded-For"), "{out}");
    assert!(!out.contains("X-Forwarded-Host") && !out.contains("Expect"), "{out}");
}

#[test]
fn upgrades() {
    let out = forward(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    assert!(out.contains("X-Forwarded-Proto: ws\r\n"), "{out}");
    assert!(out.ends_with("\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), "{out}");
    let body = "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\n";
    for raw in [body, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"] {
        assert!(!forward(raw).to_ascii_lowercase().contains("upgrade"), "{raw}");
    }
}

/// Lines that frame the body are never copied unless they are as we write them.
#[test]
fn framing_is_canonical() {
    for (line, written) in [
        ("Content-Length: 5", "Content-Length: 5\r\nA: b\r\n"),
        ("content-length: 5", "content-length: 5\r\nA: b\r\n"),
        ("Content-Length:5", "A: b\r\nContent-Length: 5\r\n"),
        ("Content-Length:\t 5 ", "A: b\r\nContent-Length: 5\r\n"),
        ("Content-Length: 005", "A: b\r\nContent-Length: 5\r\n"),
        ("Content-Length: 00", "A: b\r\nContent-Length: 0\r\n"),
        ("Content-Length: 0", "Content-Length: 0\r\nA: b\r\n"),
        ("transfer-encoding:  CHUNKED ", "A: b\r\nTransfer-Encoding: chunked\r\n"),
    ] {
        let out = forward(&format!("POST / HTTP/1.1\r\nHost: a\r\n{line}\r\nA: b\r\n\r\n"));
        let expected = format!("POST / HTTP/1.1\r\nHost: a\r\n{written}X-Forwarded-For");
        assert!(out.starts_with(&expected), "{line}: {out}");
    }
}

/// What Connection names is left out, at a cost that has a bound.
#[test]
fn names_in_connection_are_counted_over_all_lines() {
    let named = |count: usize| {
        let lines: String = (0..count).map(|n| format!("Connection: x-{n}, close\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}X-0: y\r\nX-31: y\r\nX-40: z\r\n\r\n")
    };
    let out = forward(&named(32));
    assert!(out.starts_with("GET / HTTP/1.1\r\nHost: a\r\nX-40: z\r\nX-Forwarded-For"), "{out}");
    assert_eq!(parse(named(33).as_bytes()), Err(Reject::Connection));
    let options = "close, keep-alive, ".repeat(1_000);
    let raw = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {options}\r\n\r\n");
    assert!(parse(raw.as_bytes()).is_ok(), "options are no names");
}

#[test]
fn whom_a_request_has_passed() {
    for (lines, passes) in [
        ("", 0),
        ("CDN-Loop: gw-1\r\n", 1),
        ("cdn-loop: other, gw-1; v=1 ,gw-1\r\nCDN-Loop: gw-1;x, gw-12\r\n", 3),
        ("CDN-Loop: gw-1x, x; gw-1\r\ncdn_loop: gw-1\r\n", 0),
        // The line itself stays.
        ("Connection: cdn-loop\r\nCDN-Loop: gw-1\r\n", 1),
    ] {
        let raw = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let mut slots = Slots::default();
        let head = RequestHead::parse(raw.as_bytes(), &mut slots).unwrap().unwrap();
        assert_eq!(head.passes("gw-1"), passes, "{lines}");
        let hop = forward(&raw);
        let mut slots = Slots::default();
        let next = RequestHead::parse(hop.as_bytes(), &mut slots).unwrap().unwrap();
        assert_eq!(next.passes("gw-1"), passes + 1, "{lines}");
    }
}

#[test]
fn the_path_goes_on_as_the_route_wants_it() {
    for (target, asked, unresolved, normal) in [
        ("/a//b/../%7Ec?d=//", "/a//b/../%7Ec?d=//", "/a//b/../~c?d=//", "/a/~c?d=//"),
        ("http://b/a//b", "/a//b", "/a//b", "/a/b"),
        ("http://b?x", "/?x", "/?x", "/?x"),
    ] {
        let raw = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        for (spelling, expected) in [
            (Spelling::AsAsked, asked),
            (Spelling::Unresolved, unresolved),
            (Spelling::Normal, normal),
        ] {
            let out = forward_spelled(&raw, spelling);
            assert!(out.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{target}: {out}");
        }
    }
}

/// What a client says, and what the endpoint hears of it from a route of either class.
#[test]
fn whose_words_stay() {
    let all = "X-Forwarded-For: 192.0.2.1";
    for (line, traefik, nginx) in [
        ("X-Custom: a", "X-Custom: a", "X-Custom: a"),
        ("X_Custom: a", "X_Custom: a", ""),
        ("X.Custom: a", "X.Custom: a", ""),
        ("x!y~z: a", "x!y~z: a", ""),
        ("X-Forwarded-Extra: a", "X-Forwarded-Extra: a", "X-Forwarded-Extra: a"),
        ("X-Request-ID: a", "X-Request-ID: a", "X-Request-ID: a"),
        ("X-Scheme: https", "X-Scheme: https", "X-Scheme: http"),
        ("x-scheme: https", "x-scheme: https", "X-Scheme: http"),
        ("X_Scheme: https", "X_Scheme: https", "X-Scheme: http"),
        ("X-Forwarded-Scheme: https", "X-Forwarded-Scheme: https", "X-Forwarded-Scheme: http"),
        ("X-Original-URL: /admin", "X-Original-URL: /admin", ""),
        ("X-Original-URI: /admin", "X-Original-URI: /admin", ""),
        ("X-Original-Method: GET", "X-Original-Method: GET", ""),
        ("ssl-client-verify: SUCCESS", "ssl-client-verify: SUCCESS", ""),
        ("SSL-Client-Subject-DN: CN=a", "SSL-Client-Subject-DN: CN=a", ""),
        ("Ssl-Client-Issuer-Dn: CN=a", "Ssl-Client-Issuer-Dn: CN=a", ""),
        ("Ssl-Client-Cert: a", "Ssl-Client-Cert: a", ""),
        ("Ssl_Client_Verify: SUCCESS", "Ssl_Client_Verify: SUCCESS", ""),
        ("Ssl-Client-Verified: a", "Ssl-Client-Verified: a", "Ssl-Client-Verified: a"),
        ("X-Original-Forwarded-For: 9.9.9.9", "X-Original-Forwarded-For: 9.9.9.9", ""),
        (
            "X-Forwarded-For: 9.9.9.9\r\nx-forwarded-for:  8.8.8.8 ",
            all,
            "X-Original-Forwarded-For: 9.9.9.9, 8.8.8.8",
        ),
        ("X-Forwarded-Host: b", "X-Forwarded-Host: a", "X-Original-Forwarded-Host: b"),
        ("X_Forwarded_For: 9.9.9.9", all, all),
        ("X-Forwarded-Proto: https", "X-Forwarded-Proto: http", "X-Forwarded-Proto: http"),
        ("X-Forwarded-Port: 443", "X-Forwarded-Port: 80", "X-Forwarded-Port: 80"),
        ("X-Forwarded-Server: b", "X-Forwarded-Server: node-1", "X-Forwarded-Server: node-1"),
        ("X-Real-IP: 9.9.9.9", "X-Real-Ip: 192.0.2.1", "X-Real-Ip: 192.0.2.1"),
        ("X-Forwarded-Prefix: /b", "", ""),
        ("X-Forwarded-Uri: /b", "", ""),
        ("X-Forwarded-Method: PUT", "", ""),
        ("X-Forwarded-Tls-Client-Cert: b", "", ""),
        ("Forwarded: for=9.9.9.9", "", ""),
        ("Proxy: b", "", ""),
    ] {
        let raw = format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        for (manner, expected) in [(Manner::Traefik, traefik), (Manner::Nginx, nginx)] {
            let out = forward_as(&raw, Spelling::Normal, manner);
            let plain = forward_as("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Spelling::Normal, manner);
            let more: Vec<&str> = out.lines().filter(|line| !plain.contains(line)).collect();
            let known = plain.lines().any(|line| line == expected);
            let expected = if known || expected.is_empty() { vec![] } else { vec![expected] };
            assert_eq!(more, expected, "{line} as {manner:?}");
        }
    }
}

/// What the line has goes on that lists others here, under the name that it has with ingress-nginx.
#[test]
fn a_list_by_another_name() {
    let raw = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n\
               CF-Connecting-IP: 8.8.8.8\r\n\r\n";
    let out = forward_listing(raw, "cf-connecting-ip", Spelling::Normal, Manner::Nginx);
    let listed: Vec<&str> = out.lines().filter(|it| it.contains("8.8.8.8")).collect();
    assert_eq!(listed, ["CF-Connecting-IP: 8.8.8.8", "X-Original-Forwarded-For: 8.8.8.8"]);
    assert!(!out.contains("9.9.9.9"), "{out}");
}

/// Names with underscores go on to backends of ingress-nginx where that is said, but for those that
/// some servers read as what only a gateway says.
#[test]
fn underscores_where_they_are_let() {
    let raw = "GET / HTTP/1.1\r\nHost: a\r\nmy_line: 1\r\nX_Original_URL: /b\r\nX_Forwarded_For: 9\r\n\
               x.dot: 2\r\n\r\n";
    for (keeps_underscores, expected) in [(false, vec![]), (true, vec!["my_line: 1"])] {
        let mut slots = Slots::default();
        let head = RequestHead::parse(raw.as_bytes(), &mut slots).unwrap().unwrap();
        let hop = Hop {
            client_lines: &[],
            list: USUAL_LIST,
            keeps_underscores,
            fallback_host: "b",
            path: Spelling::AsAsked,
            manner: Manner::Nginx,
            semicolons: Semicolons::Kept,
            port: 80,
        };
        let mut out = Vec::new();
        head.forward(&hop, None, &mut out);
        let out = String::from_utf8(out).unwrap();
        let kept: Vec<&str> = out.lines().skip(1).filter(|it| it.contains(['_', '.'])).collect();
        assert_eq!(kept, expected);
    }
}

/// A switch to WebSocket is a scheme of its own for Traefik only.
#[test]
fn schemes() {
    let plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let switch = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (raw, scheme, manner, said, port) in [
        (plain, Scheme::Http, Manner::Traefik, "http", 80),
        (plain, Scheme::Https, Manner::Traefik, "https", 443),
        (switch, Scheme::Http, Manner::Traefik, "ws", 80),
        (switch, Scheme::Https, Manner::Traefik, "wss", 443),
        (switch, Scheme::Http, Manner::Nginx, "http", 80),
        (switch, Scheme::Https, Manner::Nginx, "https", 443),
    ] {
        let mut slots = Slots::default();
        let mut head = RequestHead::parse(raw.as_bytes(), &mut slots).unwrap().unwrap();
        head.scheme = scheme;
        let hop = Hop {
            client_lines: b"",
            list: USUAL_LIST,
            keeps_underscores: false,
            fallback_host: "b",
            path: Spelling::Normal,
            manner,
            semicolons: Semicolons::Kept,
            port,
        };
        let mut out = Vec::new();
        head.forward(&hop, None, &mut out);
        let out = String::from_utf8(out).unwrap();
        let lines = format!("X-Forwarded-Proto: {said}\r\nX-Forwarded-Port: {port}\r\n");
        assert!(out.contains(&lines), "{out}");
    }
}

#[test]
fn numbers() {
    for number in [0, 7, 10, 65_535, u64::MAX] {
        let mut out = Vec::new();
        push_number(&mut out, number);
        assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
    }
}

#[test]
fn what_may_be_done_twice_and_what_is_the_server_itself() {
    for (line, is_idempotent, is_asterisk) in [
        ("GET /", true, false),
        ("DELETE /a", true, false),
        ("POST /", false, false),
        ("get /", false, false),
        ("OPTIONS *", true, true),
        ("OPTIONS /*", true, false),
    ] {
        let raw = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut slots = Slots::default();
        let head = RequestHead::parse(raw.as_bytes(), &mut slots).unwrap().unwrap();
        assert_eq!((head.is_idempotent(), head.is_asterisk()), (is_idempotent, is_asterisk));
    }
}

/// A switch is asked for in Connection too, of HTTP/1.1, and by a request without a body.
#[test]
fn who_asks_to_go_on_with_another_protocol() {
    for (version, lines, asks) in [
        ("1.1", "Connection: upgrade\r\n", true),
        ("1.1", "", false),
        ("1.0", "Connection: upgrade\r\n", false),
        ("1.1", "Connection: upgrade\r\nContent-Length: 2\r\n", false),
        ("1.1", "Connection: upgrade\r\nContent-Length: 0\r\n", true),
    ] {
        let raw = format!("GET / HTTP/{version}\r\nHost: a\r\nUpgrade: websocket\r\n{lines}\r\n");
        assert_eq!(forward(&raw).contains("Upgrade: websocket\r\n"), asks, "{version} {lines}");
    }
}

#[test]
fn old_clients_expect_nothing() {
    for (version, stays) in [("1.1", true), ("1.0", false)] {
        let raw = format!("PUT / HTTP/{version}\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(forward(&raw).contains("Expect: 100-continue\r\n"), stays, "{version}");
    }
}

#[test]
fn what_came_is_there_as_it_came() {
    let raw = "GET /a//b?c HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nConnection: x-a\r\n\r\n";
    let mut slots = Slots::default();
    let head = RequestHead::parse(raw.as_bytes(), &mut slots).unwrap().unwrap();
    assert_eq!(head.asked(), "/a//b");
    let mut lines = Vec::new();
    head.each_line(&mut |name, value| lines.push(format!("{name}={}", value.escape_ascii())));
    assert_eq!(lines, ["Host=a", "X-A=1", "Connection=x-a"]);
}

/// What backends of ingress-nginx are told where peers may say it, by what they may say.
#[test]
fn nginx_tells_what_believed_peers_say() {
    let said = "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-Forwarded-Host: b, c\r\n\
        X-Forwarded-Proto: myproto\r\nX-Forwarded-Port: 1234\r\nCF-Client: 203.0.113.5\r\n";
    let all = |list: Option<&str>, has_lines, is_full| NginxVouching {
        list: list.map(Into::into),
        has_lines,
        is_full,
    };
    let usual = Some("X-Forwarded-For");
    for (range, nginx, expected) in [
        ("0.0.0.0/0", all(usual, true, false), "b|203.0.113.9|b|myproto|1234"),
        ("192.0.2.0/24", all(usual, true, false), "b|198.51.100.7|b|myproto|1234"),
        (
            "192.0.2.0/24",
            all(usual, true, true),
            "b|203.0.113.9, 198.51.100.7, 192.0.2.1|b|myproto|1234",
        ),
        ("192.0.2.0/24", all(usual, false, false), "a|198.51.100.7|a|http|81"),
        ("192.0.2.0/24", all(Some("cf-client"), true, false), "b|203.0.113.5|b|myproto|1234"),
        // Connections say who is there.
        ("192.0.2.0/24", all(None, true, false), "b|192.0.2.1|b|myproto|1234"),
        // A stranger.
        ("10.0.0.0/8", all(usual, true, true), "a|192.0.2.1|a|http|81"),
    ] {
        let raw = format!("GET / HTTP/1.1\r\nHost: a\r\n{said}\r\n");
        let trust = Trust::Ranges(vec![range.parse().unwrap()]);
        let policy = ForwardedPolicy { trust, nginx: Some(nginx.clone()), ..Default::default() };
        let mut slots = Slots::default();
        let mut head = RequestHead::parse(raw.as_bytes(), &mut slots).unwrap().unwrap();
        head.settle(&Vouching::new(policy.into(), [192, 0, 2, 1].into()));
        let hop = Hop {
            client_lines: &client_lines([192, 0, 2, 1].into(), "node-1", "gw-1"),
            list: USUAL_LIST,
            keeps_underscores: false,
            fallback_host: "10.0.0.9:80",
            path: Spelling::Normal,
            manner: Manner::Nginx,
            semicolons: Semicolons::Kept,
            port: 81,
        };
        let mut out = Vec::new();
        head.forward(&hop, None, &mut out);
        let out = String::from_utf8(out).unwrap();
        let line = |name: &str| {
            let mut named = out.lines().filter_map(|line| line.strip_prefix(&format!("{name}: ")));
            let found = named.next().unwrap_or_default();
            assert_eq!(named.next(), None, "{name} once: {out}");
            found.to_owned()
        };
        let names = ["Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Scheme", "X-Forwarded-Port"];
        assert_eq!(names.map(line).join("|"), expected, "{range} {nginx:?}");
        assert_eq!(line("X-Forwarded-Proto"), line("X-Scheme"));
    }
}

/// Lines that Connection names are nobody's. Those that an entry point lets it name are seen by
/// rules and filters; endpoints get none of them.
#[test]
fn what_connection_names_is_seen_where_it_may_be() {
    let raw = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-team, X-Other,te, cdn-loop\r\n\
               X-Team: t\r\nX-Other: o\r\nX-Plain: p\r\nTE: trailers\r\nCDN-Loop: c\r\n\
               X-Real-Ip: 1.2.3.4\r\n\r\n";
    for (shown, seen) in [
        (&[][..], &["cdn-loop", "x-plain"][..]),
        (&["X-TEAM", "te", "X-Real-Ip"], &["cdn-loop", "x-plain", "x-team"]),
        (&["x-plain"], &["cdn-loop", "x-plain"]),
    ] {
        let shown = shown.iter().map(|name| (*name).into()).collect();
        let policy = ForwardedPolicy { shown, ..ForwardedPolicy::default() };
        let mut slots = Slots::default();
        let mut head = RequestHead::parse(raw.as_bytes(), &mut slots).unwrap().unwrap();
        head.settle(&Vouching::new(policy.into(), [192, 0, 2, 1].into()));
        let mut by_filters = Vec::new();
        Head::each(&head, &mut |name, _| by_filters.push(name.to_ascii_lowercase()));
        by_filters.sort();
        assert_eq!(by_filters, seen);
        let all = ["cdn-loop", "x-other", "x-plain", "x-team"];
        let by_rules = all.into_iter().filter(|name| head.headers_called(name).next().is_some());
        assert_eq!(by_rules.collect::<Vec<_>>(), seen);
        let firsts = all.into_iter().filter(|name| Head::first(&head, name).is_some());
        assert_eq!(firsts.collect::<Vec<_>>(), seen);
        let mut out = Vec::new();
        let hop = Hop {
            client_lines: &[],
            list: USUAL_LIST,
            keeps_underscores: false,
            fallback_host: "b",
            path: Spelling::Normal,
            manner: Manner::Traefik,
            semicolons: Semicolons::Kept,
            port: 80,
        };
        head.forward(&hop, None, &mut out);
        let out = String::from_utf8(out).unwrap().to_ascii_lowercase();
        assert!(!out.contains("x-team") && !out.contains("x-other"), "{out}");
        assert!(out.contains("x-plain: p") && out.contains("cdn-loop: c"), "{out}");
    }
}
