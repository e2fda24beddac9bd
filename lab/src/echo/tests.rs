//! The echo server over an in-memory pipe, and once over real sockets.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::facts::Scene;
use super::{Echo, Identity, http};

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn who() -> Identity {
    Identity { name: "shop".into(), replica: 2 }
}

/// Sends `sent` in pieces of `step` bytes, closes, returns everything answered.
fn talk_in_steps(sent: &str, step: usize) -> String {
    block(async {
        let (mut client, server) = tokio::io::duplex(16);
        let who = who();
        let peer: SocketAddr = "10.1.1.5:4000".parse().unwrap();
        let scene = Scene { who: &who, peer, local: "10.244.1.2:80".parse().unwrap() };
        let conversation = async {
            let _ = http::converse(server, &scene).await;
        };
        let client = async {
            let (mut from, mut to) = tokio::io::split(&mut client);
            let send = async {
                for piece in sent.as_bytes().chunks(step) {
                    if to.write_all(piece).await.is_err() {
                        return;
                    }
                }
                let _ = to.shutdown().await;
            };
            let mut answered = String::new();
            let receive = from.read_to_string(&mut answered);
            let ((), _) = tokio::join!(send, receive);
            answered
        };
        tokio::join!(conversation, client).1
    })
}

fn talk(sent: &str) -> String {
    let whole = talk_in_steps(sent, sent.len());
    assert_eq!(whole, talk_in_steps(sent, 1), "the answer depends on how the bytes arrive");
    whole
}

fn count(answered: &str, part: &str) -> usize {
    answered.matches(part).count()
}

#[test]
fn an_answer_says_who_and_what() {
    let answered = talk("GET /a?b=1 HTTP/1.1\r\nHost: x.test\r\nX-Y: z\r\nx-y: w\r\n\r\n");
    for part in [
        "HTTP/1.1 200 OK\r\n",
        "Content-Type: text/plain",
        "X-Replica: shop-2\r\n",
        "name:    shop\n",
        "replica: 2\n",
        "request: GET /a?b=1 HTTP/1.1\n",
        "host:    x.test\n",
        "peer:    10.1.1.5:4000\n",
        "x-y: z, w\n",
    ] {
        assert!(answered.contains(part), "{part:?} is missing in {answered}");
    }
}

#[test]
fn the_form_follows_accept() {
    let form = |accept: &str| {
        let answered = talk(&format!("GET / HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n"));
        let (_, rest) = answered.split_once("Content-Type: ").unwrap();
        rest.split_once('\r').unwrap().0.split(';').next().unwrap().to_owned()
    };
    assert_eq!(form("*/*"), "text/plain");
    assert_eq!(form("text/html,application/xhtml+xml,*/*;q=0.8"), "text/html");
    assert_eq!(form("application/json"), "application/json");
    assert_eq!(form("application/json, text/html"), "application/json");
    assert_eq!(form("text/html;q=0.3, application/json;q=0.9"), "application/json");
    assert_eq!(form("image/png"), "text/plain");
    assert_eq!(form("text/html;q=0"), "text/plain");
}

#[test]
fn json_is_json() {
    let answered = talk(
        "GET /\" HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
    );
    let (_, content) = answered.split_once("\r\n\r\n").unwrap();
    let facts: serde_json::Value = serde_json::from_str(content).unwrap();
    assert_eq!(facts["name"], "shop");
    assert_eq!(facts["target"], "/\"");
    assert_eq!(facts["headers"]["host"], "x");
    assert_eq!(facts["bodyBytes"], 0);
}

#[test]
fn pages_are_escaped() {
    let answered = talk(
        "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nX-A: <script>&\"\r\nConnection: close\r\n\r\n",
    );
    assert!(answered.contains("&lt;script&gt;&amp;&quot;"), "{answered}");
    assert!(!answered.contains("<script>"));
}

#[test]
fn a_pipeline_is_answered_in_order_whatever_the_bodies() {
    let answered = talk(
        "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\nGET /no HTTP/1.1\
         POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
         5;ext=1\r\nGET /\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n\
         HEAD /3 HTTP/1.1\r\nHost: x\r\n\r\n\
         GET /4 HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert_eq!(count(&answered, "HTTP/1.1 200 OK"), 4, "{answered}");
    let places: Vec<_> =
        ["request: POST /1", "body:    16 bytes", "request: POST /2", "body:    15 bytes"]
            .iter()
            .chain(["request: GET /4"].iter())
            .map(|part| answered.find(part).unwrap_or_else(|| panic!("no {part} in {answered}")))
            .collect();
    assert!(places.is_sorted(), "{answered}");
    assert!(!answered.contains("/3"), "an answer to HEAD has a length but no content: {answered}");
}

#[test]
fn the_connection_ends_when_asked() {
    for (head, answers) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n", 2),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", 1),
        ("GET / HTTP/1.0\r\nHost: x\r\n", 1),
        ("GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n", 2),
    ] {
        let answered = talk_in_steps(&format!("{head}\r\n{head}\r\n"), 1000);
        assert_eq!(count(&answered, "200 OK"), answers, "{head}");
    }
}

#[test]
fn what_is_ambiguous_is_refused() {
    let post = "POST / HTTP/1.1\r\nHost: x\r\n";
    for (head, status) in [
        ("nonsense\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\n".to_owned(), 400),
        (format!("{post}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400),
        (format!("{post}Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
        (format!("{post}Content-Length: +1\r\n"), 400),
        (format!("{post}Transfer-Encoding: gzip\r\n"), 400),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), 400),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"), 400),
        (format!("{post}X: {}\r\n", "x".repeat(65 * 1024)), 431),
    ] {
        let head = &head[..];
        let next = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";
        let answered = talk_in_steps(&format!("{head}\r\n{next}"), 1000);
        let first = &head[..head.len().min(100)];
        assert!(answered.starts_with(&format!("HTTP/1.1 {status} ")), "{first}: {answered}");
        assert_eq!(count(&answered, "HTTP/1.1"), 1, "nothing after a refusal: {answered}");
    }
}

#[test]
fn a_waiting_peer_is_told_to_go_on() {
    block(async {
        let (mut client, server) = tokio::io::duplex(4096);
        let who = who();
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let scene = Scene { who: &who, peer: address, local: address };
        let client = async move {
            let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
                        Content-Length: 2\r\n\r\n";
            client.write_all(head.as_bytes()).await.unwrap();
            let mut word = [0; 25];
            client.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
            client.write_all(b"ok").await.unwrap();
            client.shutdown().await.unwrap();
            let mut answered = String::new();
            client.read_to_string(&mut answered).await.unwrap();
            assert!(answered.contains("body:    2 bytes"), "{answered}");
        };
        let _ = tokio::join!(http::converse(server, &scene), client);
    });
}

#[test]
fn real_sockets_tcp_and_udp() {
    block(async {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let echo = Echo::start(&who(), &[any, any], &[any]).await.unwrap();
        assert_ne!(echo.tcp[0], echo.tcp[1]);

        let mut stream = tokio::net::TcpStream::connect(echo.tcp[1]).await.unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answered = String::new();
        stream.read_to_string(&mut answered).await.unwrap();
        assert!(answered.contains("shop-2"), "{answered}");

        let socket = tokio::net::UdpSocket::bind(any).await.unwrap();
        socket.send_to(b"hello", echo.udp[0]).await.unwrap();
        let mut datagram = [0; 1500];
        let (length, from) = socket.recv_from(&mut datagram).await.unwrap();
        let text = String::from_utf8_lossy(&datagram[..length]);
        assert_eq!(from, echo.udp[0]);
        assert!(text.starts_with("shop-2\n") && text.ends_with("\nhello"), "{text}");
        let peer = socket.local_addr().unwrap();
        assert!(text.contains(&format!("peer:    {peer}")), "{text}");
    });
}
