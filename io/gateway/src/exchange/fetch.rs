//! Requests of filters' own: one at a time, small, over the same connections as all others.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use steelyard_filters::{Letter, Response};
use steelyard_http::{
    Asked, Body, Head, ResponseHead, Reuse, Seen, Slots, Upgrades, push_number, release,
};
use steelyard_model::routing::id::BackendId;
use steelyard_model::routing::times::ReuseTerms;
use steelyard_model::routing::transport::ForwardingTimes;

use crate::core::live::{Caller, Picked, Target};
use crate::core::{Core, HEAD_BUFFER};
use crate::exchange::course::SMALL;
use crate::up::Origin;
use crate::up::reach::Reached;
use crate::up::upstream::{Doubt, Upstream};
use crate::wire::buffers::Buffer;
use crate::wire::stream::Stream;
use crate::wire::timer::within;

/// For whose request a filter asks.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// Who is connected.
    pub(crate) client: IpAddr,
    /// Lines that say which gateways the request has passed.
    pub(crate) passed: &'a [u8],
    /// Whether so many bytes more may be kept for it.
    pub(crate) room: &'a dyn Fn(usize) -> bool,
}

/// What a backend answers to a request of a filter; an error of the kind `FileTooLarge` where it is
/// more than the filter allows, `OutOfMemory` where it is more than there is room for, and others
/// where there is none in time.
pub(crate) async fn fetch(
    core: &Core,
    to: &BackendId,
    letter: &Letter,
    asker: Asker<'_>,
) -> io::Result<Response> {
    let reading =
        Reading { method: &letter.method, max: letter.max, is_cut: false, room: asker.room };
    let _asking = core.askings.begin(to).ok_or(io::ErrorKind::QuotaExceeded)?;
    let fetched = within(letter.patience, async {
        let found = found(core, to, asker.client).await?;
        let at = found.asked_by(letter);
        let head = head(core, letter, at, asker.passed).ok_or(io::ErrorKind::InvalidInput)?;
        let Found { upstream, may_share, times, .. } = found;
        let limit = times.connect.unwrap_or_else(|| core.options().timeouts.connect);
        if may_share && !upstream.is_alone() {
            return shared((core, limit, times.idle), &upstream, &head, reading).await;
        }
        let (stream, is_fresh) = connection(core, &upstream, times).await?;
        match exchange(core, &upstream, stream, &head, reading).await {
            // It may have been closed in the moment it was taken: a fresh one tells.
            Err(error) if !is_fresh && !is_too_much(&error) => {
                let stream = upstream.connect(limit).await?;
                exchange(core, &upstream, stream, &head, reading).await
            }
            fetched => fetched,
        }
    });
    let fetched = fetched.await;
    if let Err(error) = &fetched {
        tracing::debug!(%error, backend = %to, "a filter gets no answer");
    }
    fetched
}

/// Whether there is an answer, and too much of it: another one would be no smaller.
fn is_too_much(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::OutOfMemory)
}

/// The letter's head; none where it would not be one.
fn head(
    core: &Core,
    letter: &Letter,
    (host, below): (&str, Option<&str>),
    passed: &[u8],
) -> Option<Vec<u8>> {
    let target = match below {
        Some(below) => Cow::Owned(format!("{below}{}", letter.target)),
        None => Cow::Borrowed(&*letter.target),
    };
    let parts = [&*letter.method, &target, host];
    if !parts.iter().all(|part| !part.is_empty() && part.bytes().all(|it| it.is_ascii_graphic())) {
        return None;
    }
    let [method, target, authority] = parts;
    let (first, own) = (format!("{method} {target} HTTP/1.1"), &core.shared.pseudonym);
    let mut out = format!("{first}\r\nHost: {authority}\r\nCDN-Loop: {own}\r\n").into_bytes();
    out.extend_from_slice(passed);
    for (name, value) in letter.lines.added() {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    if !letter.body.is_empty() || !matches!(method, "GET" | "HEAD") {
        out.extend_from_slice(b"Content-Length: ");
        push_number(&mut out, letter.body.len() as u64);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&letter.body);
    Some(out)
}

/// An endpoint of a backend.
struct Found {
    upstream: Rc<Upstream>,
    /// Whether requests may share a connection to it.
    may_share: bool,
    /// The name that it is asked by, where that is its own.
    host: Option<String>,
    /// What the path that it is asked for is below.
    below: Option<Arc<str>>,
    /// How long what may take with it.
    times: ForwardingTimes,
}

impl Found {
    /// The name that it is asked by, and what paths are below.
    fn asked_by<'f>(&'f self, letter: &'f Letter) -> (&'f str, Option<&'f str>) {
        (self.host.as_deref().unwrap_or(&letter.authority), self.below.as_deref())
    }
}

/// The endpoint of the backend whose turn it is.
async fn found(core: &Core, to: &BackendId, client: IpAddr) -> io::Result<Found> {
    let picked = {
        let live = core.live();
        core.scene(&live).pick(to, &Caller::at(client))
    };
    endpoint(core, picked).await
}

async fn endpoint(core: &Core, picked: Picked) -> io::Result<Found> {
    let Picked::Leaf(leaf) = picked else {
        return Err(io::Error::other("no endpoint is ready"));
    };
    let Some(index) = leaf.attempts().next() else {
        return Err(io::Error::other("no endpoint is ready"));
    };
    let backend = &leaf.backend;
    let (may_share, host) = (backend.may_share(), leaf.host(index));
    let (below, times) = (backend.below(), backend.times());
    let (name, port) = match leaf.target(index) {
        Target::Address(upstream) => {
            let upstream = backend.origin(upstream, None);
            return Ok(Found { upstream, may_share, host, below, times });
        }
        Target::Name(name, port) => (name, *port),
    };
    let limit = core.options().timeouts.connect;
    let addresses = core.upstreams.resolve(name, port, Instant::now(), limit).await?;
    let first: Option<&SocketAddr> = addresses.first();
    let first = first.ok_or(io::ErrorKind::NotFound)?;
    let upstream = backend.origin(&core.upstreams.at(*first), Some(name));
    Ok(Found { upstream, may_share, host, below, times })
}

/// A connection to an endpoint of a backend that is not asked by HTTP.
pub(crate) async fn reached(core: &Core, to: &BackendId, client: IpAddr) -> io::Result<Stream> {
    let picked = {
        let live = core.live();
        core.scene(&live).pick_for_bytes(to, &Caller::at(client))
    };
    let Found { upstream, .. } = endpoint(core, picked).await?;
    upstream.connect(core.options().timeouts.connect).await
}

/// The same over connections that requests share.
async fn shared(
    (core, limit, idle): (&Core, Duration, Option<Duration>),
    upstream: &Upstream,
    head: &[u8],
    reading: Reading<'_>,
) -> io::Result<Response> {
    if let Some(errand) = upstream.place(core.tick.get(), idle) {
        match exchange(core, upstream, errand, head, reading).await {
            Err(error) if !is_too_much(&error) => {}
            answered => return answered,
        }
    }
    match upstream.reach(limit).await? {
        Reached::Shared(errand) => exchange(core, upstream, errand, head, reading).await,
        Reached::Alone(stream) => exchange(core, upstream, stream, head, reading).await,
    }
}

/// A connection, and whether it is a fresh one.
async fn connection(
    core: &Core,
    upstream: &Upstream,
    times: ForwardingTimes,
) -> io::Result<(Stream, bool)> {
    let terms = ReuseTerms { idle: times.idle, ..ReuseTerms::default() };
    let doubt = Doubt { is_repeatable: false, now: core.tick.get(), terms };
    if let Some(kept) = upstream.checkout(doubt) {
        return Ok((kept.into_inner(), false));
    }
    let limit = times.connect.unwrap_or_else(|| core.options().timeouts.connect);
    Ok((upstream.connect(limit).await?, true))
}

/// What of an answer is read.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'r> {
    /// The method of what is asked.
    pub(crate) method: &'r str,
    /// Bytes of its body, at most.
    pub(crate) max: usize,
    /// Of a longer one that much is enough.
    pub(crate) is_cut: bool,
    /// Whether so many bytes more may be kept.
    pub(crate) room: &'r dyn Fn(usize) -> bool,
}

/// Sends `head`, with what follows it, and reads the answer.
pub(crate) async fn exchange<E: Origin>(
    core: &Core,
    upstream: &Upstream,
    stream: E,
    head: &[u8],
    reading: Reading<'_>,
) -> io::Result<Response> {
    let mut reuse = Reuse::new(false);
    reuse.see(Seen::Owed(head.len()));
    reuse.see(Seen::RequestEnds);
    let stall = core.options().timeouts.write;
    stream.write_all(head, stall).await.map_err(|(error, _)| error)?;
    reuse.see(Seen::Wrote(head.len()));
    let mut slot = None;
    let (mut response, mut body, persistent) = loop {
        if stream.read(&core.heads, &mut slot).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(read) = read_head(&mut slot, reading.method)? {
            break read;
        }
    };
    let mut payload = Vec::new();
    loop {
        if let Some(buffer) = &mut slot {
            let fed = body.feed(buffer).map_err(|_| io::Error::other("the body is none"))?;
            let small = SMALL.saturating_sub(payload.len());
            let more = fed.forward.saturating_sub(small);
            if more > 0 && !(reading.room)(more) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            payload.extend_from_slice(&buffer[..fed.forward]);
            release(&mut slot, fed.consumed);
        }
        if payload.len() > reading.max {
            if reading.is_cut {
                break;
            }
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if body.is_done() {
            let over = slot.as_ref().map_or(0, |rest| rest.len());
            reuse.see(Seen::ResponseEnds { persistent, over });
            break;
        }
        if stream.read(&core.heads, &mut slot).await? == 0 {
            reuse.see(Seen::Broken);
            if body.end().is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            break;
        }
    }
    if let Some(clean) = reuse.settle(stream) {
        E::give_back(clean, upstream, core.tick.get());
    }
    response.body = Bytes::from(payload);
    Ok(response)
}

/// The final response's head, once it has come: its lines, its body's end, and whether another
/// request may follow.
fn read_head(
    slot: &mut Option<Buffer>,
    method: &str,
) -> io::Result<Option<(Response, Body, bool)>> {
    loop {
        let Some(buffer) = slot.as_ref() else { return Ok(None) };
        let mut slots = Slots::default();
        let asked = Asked { head: method == "HEAD", http10: false, upgrade: Upgrades::NONE };
        let parsed = ResponseHead::parse(buffer, &mut slots, asked)
            .map_err(|bad| io::Error::other(bad.as_str()))?;
        let Some(head) = parsed else {
            let is_full = buffer.filled >= HEAD_BUFFER;
            return if is_full { Err(io::Error::other("the head is too large")) } else { Ok(None) };
        };
        let len = head.len;
        if head.is_interim() {
            release(slot, len);
            continue;
        }
        let mut response = Response::of(head.status);
        head.each(&mut |name, value| response.lines.push((name.into(), value.into())));
        let (body, persistent) = (Body::payload(head.framing, false), head.keep_alive);
        release(slot, len);
        return Ok(Some((response, body, persistent)));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use steelyard_http::{LineEdits, Scheme};

    use super::*;
    use crate::core::worker::Servants;
    use crate::options::GatewayOptions;
    use crate::shared::Shared;

    fn core() -> Rc<Core> {
        Core::new(0, Shared::new(GatewayOptions::default()), None, Servants::of_test(|_| ()))
    }

    fn letter(method: &str, target: &str, body: &'static [u8]) -> Letter {
        let mut lines = LineEdits::default();
        lines.add("X-A", b"1").unwrap();
        Letter {
            method: method.into(),
            scheme: Scheme::Http,
            authority: "a".into(),
            target: target.into(),
            lines,
            body: Bytes::from_static(body),
            max: 5,
            patience: std::time::Duration::from_secs(9),
        }
    }

    #[test]
    fn letters_are_requests_or_nothing() {
        let core = core();
        let own = &core.shared.pseudonym;
        let text = |letter| {
            let head = head(&core, &letter, (&letter.authority, None), b"CDN-Loop: other\r\n");
            head.map(|head| String::from_utf8(head).unwrap())
        };
        for (method, body, framing) in [
            ("GET", "", "\r\n"),
            ("HEAD", "", "\r\n"),
            ("POST", "", "Content-Length: 0\r\n\r\n"),
            ("GET", "x", "Content-Length: 1\r\n\r\nx"),
            ("POST", "xy", "Content-Length: 2\r\n\r\nxy"),
        ] {
            let passed = format!("CDN-Loop: {own}\r\nCDN-Loop: other\r\n");
            let expected =
                format!("{method} /t HTTP/1.1\r\nHost: a\r\n{passed}X-A: 1\r\n{framing}");
            assert_eq!(text(letter(method, "/t", body.as_bytes())), Some(expected));
        }
        for (method, target) in [("", "/"), ("GET", ""), ("GET", "/ x"), ("G\r\n", "/")] {
            assert_eq!(text(letter(method, target, b"")), None, "{method:?} {target:?}");
        }
    }

    const LENGTH: &str = "HTTP/1.1 203 X\r\nContent-Length: 5\r\n\r\n";

    /// What an endpoint that says `pieces` and closes comes to.
    async fn fetched(method: &str, pieces: &[&str]) -> io::Result<(u16, Bytes)> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let core = core();
        let upstream = core.upstreams.at(listener.local_addr().unwrap());
        let stream = upstream.connect(core.options().timeouts.connect).await?;
        let mut endpoint = listener.accept()?.0;
        let pieces: Vec<String> = pieces.iter().map(|it| (*it).to_owned()).collect();
        let saying = std::thread::spawn(move || {
            endpoint.set_nodelay(true).unwrap();
            // Closing with unread bytes would reset the connection.
            assert!(endpoint.read(&mut [0; 1_024]).unwrap() > 0);
            for piece in pieces {
                endpoint.write_all(piece.as_bytes()).unwrap();
            }
        });
        let letter = letter(method, "/", b"");
        let response = {
            let head = head(&core, &letter, (&letter.authority, None), b"").unwrap();
            let (method, max) = (&*letter.method, letter.max);
            let reading = Reading { method, max, is_cut: false, room: &|_| true };
            exchange(&core, &upstream, stream, &head, reading).await
        };
        saying.join().unwrap();
        response.map(|response| (response.status, response.body))
    }

    #[tokio::test]
    async fn answers_are_whole_and_small_enough() {
        let open = "HTTP/1.1 203 X\r\n\r\n";
        let long = "HTTP/1.1 203 X\r\nContent-Length: 6\r\n\r\n";
        let five = Some((203, Bytes::from_static(b"abcde")));
        for (pieces, expected) in [
            (&[LENGTH, "abcde"][..], five.clone()),
            (&["HTTP/1.1 103 X\r\n\r\n", LENGTH, "ab", "cde"][..], five.clone()),
            (&["HTTP/1.1 203 X\r\nContent-", "Length: 5\r\n\r\nabcde"][..], five.clone()),
            (&[open, "abcde"][..], five),
            (&[LENGTH, "abcd"][..], None),
            (&[long, "abcdef"][..], None),
            (&["HTTP/1.1 203 X\r\n"][..], None),
            (&["none\r\n\r\n"][..], None),
        ] {
            assert_eq!(fetched("GET", pieces).await.ok(), expected, "{pieces:?}");
        }
        assert_eq!(fetched("HEAD", &[LENGTH]).await.ok(), Some((203, Bytes::new())));
    }

    #[test]
    fn a_head_is_read_when_it_is_whole_and_not_too_large() {
        let core = core();
        let read = |bytes: &[u8]| {
            let mut buffer = core.heads.take();
            buffer.room()[..bytes.len()].copy_from_slice(bytes);
            buffer.filled = bytes.len();
            read_head(&mut Some(buffer), "GET")
        };
        let whole = b"HTTP/1.1 203 X\r\nContent-Length: 5\r\n\r\n";
        assert!(read(whole).is_ok_and(|read| read.is_some_and(|(head, ..)| head.status == 203)));
        assert!(read(&whole[..30]).is_ok_and(|read| read.is_none()));
        let endless = [&b"HTTP/1.1 203 X\r\nX: "[..], &vec![b'x'; HEAD_BUFFER]].concat();
        assert!(read(&endless[..HEAD_BUFFER - 1]).is_ok_and(|read| read.is_none()));
        assert!(read(&endless[..HEAD_BUFFER]).is_err());
    }
}
