//! What hyper makes of bytes, beside what the gateway makes of them and sends on.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use steelyard_http::{
    Body, Hop, RequestHead, Semicolons, Slots, Spelling, client_lines, empty_lines,
};
use steelyard_model::routing::route::Manner;
use tokio::io::AsyncWriteExt;

/// A request as somebody understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Understood {
    method: String,
    body: Vec<u8>,
}

/// What the gateway does with bytes.
#[derive(Default)]
struct Passed {
    requests: Vec<Understood>,
    /// What goes on.
    out: Vec<u8>,
    /// How many bytes those requests are.
    consumed: usize,
}

/// Most bytes that are looked at.
const MOST: usize = 1 << 16;

/// # Panics
/// When hyper finds another request in what comes in, or in what goes on, than the gateway.
pub(crate) fn agree(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(MOST)];
    let passed = pass(bytes);
    for (what, input) in [("comes in", &bytes[..passed.consumed]), ("goes on", &*passed.out)] {
        let (theirs, is_fine) = understood(input);
        let text = input.escape_ascii();
        // Whoever refuses what we take has seen nothing else in it.
        assert!(passed.requests.starts_with(&theirs), "of what {what}: {theirs:?} in {text}");
        let is_whole = theirs.len() == passed.requests.len();
        assert!(is_whole || !is_fine || what == "comes in", "{theirs:?} of what {what}: {text}");
    }
}

/// The requests at the beginning, and what endpoints get of them.
fn pass(bytes: &[u8]) -> Passed {
    let mut passed = Passed::default();
    let lines = client_lines([192, 0, 2, 1].into(), "node", "gateway-1");
    let (path, manner) = (Spelling::Normal, Manner::Traefik);
    let hop = Hop {
        list: steelyard_http::USUAL_LIST,
        keeps_underscores: false,
        client_lines: &lines,
        fallback_host: "192.0.2.2:80",
        path,
        manner,
        semicolons: Semicolons::Kept,
        port: 80,
    };
    loop {
        let rest = &bytes[passed.consumed..];
        let rest = &rest[empty_lines(rest).min(8)..];
        let mut slots = Slots::default();
        let Ok(Some(head)) = RequestHead::parse(rest, &mut slots) else { return passed };
        // After a switch nobody counts requests.
        if !head.upgrade.is_empty() {
            return passed;
        }
        let mut content = rest[head.len..].to_vec();
        let mut payload = content.clone();
        let (mut body, mut plain) = (Body::new(head.framing), Body::payload(head.framing, true));
        let (Ok(fed), Ok(apart)) = (body.feed(&mut content), plain.feed(&mut payload)) else {
            return passed;
        };
        if !body.is_done() {
            return passed;
        }
        head.forward(&hop, None, &mut passed.out);
        passed.out.extend_from_slice(&content[..fed.forward]);
        passed.out.extend_from_slice(&fed.closing);
        let (method, body) = (head.method.to_owned(), payload[..apart.forward].to_vec());
        passed.requests.push(Understood { method, body });
        passed.consumed = bytes.len() - rest.len() + head.len + fed.consumed;
        if !head.keep_alive {
            return passed;
        }
    }
}

/// What hyper finds, and whether it found nothing wrong.
fn understood(bytes: &[u8]) -> (Vec<Understood>, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let to = seen.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let to = to.clone();
        async move {
            let method = request.method().to_string();
            // What ends too early is no request.
            if let Ok(body) = request.into_body().collect().await {
                let body = body.to_bytes().to_vec();
                to.borrow_mut().push(Understood { method, body });
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let is_fine = runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(16 * MOST);
        client.write_all(bytes).await.expect("it has room");
        client.shutdown().await.expect("it is open");
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.half_close(true).max_headers(400);
        let is_fine = builder.serve_connection(TokioIo::new(server), service).await.is_ok();
        drop(client);
        is_fine
    });
    let seen = seen.borrow().clone();
    (seen, is_fine)
}
