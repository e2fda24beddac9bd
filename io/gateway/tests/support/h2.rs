//! Clients of HTTP/2 for tests: one that speaks it, and one that writes frames as it likes.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};

use super::PATIENCE;

/// Runs `future` to its end, which takes no longer than patience does.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(PATIENCE, future).await.expect("it ends") };
    runtime.block_on(limited)
}

/// A connection to the gateway.
pub(crate) async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender.ready().await.unwrap()
}

/// A request to the host `a`.
pub(crate) fn request(method: &str, path: &str) -> Request<()> {
    let uri = format!("http://a{path}");
    Request::builder().method(method).uri(uri).version(http::Version::HTTP_2).body(()).unwrap()
}

/// A response that has come whole.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Whole {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request, and its response.
pub(crate) async fn ask(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: &[u8],
) -> Result<Whole, h2::Error> {
    let mut ready = sender.clone().ready().await?;
    let (response, mut send) = ready.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        push(&mut send, body, true).await?;
    }
    whole(response.await?).await
}

/// Sends `body` as the other side takes it.
pub(crate) async fn push(
    send: &mut SendStream<Bytes>,
    mut body: &[u8],
    is_end: bool,
) -> Result<(), h2::Error> {
    while !body.is_empty() {
        send.reserve_capacity(body.len());
        let room = match send.capacity() {
            0 => std::future::poll_fn(|cx| send.poll_capacity(cx)).await.unwrap_or(Ok(0))?,
            room => room,
        };
        let (now, rest) = body.split_at(room.min(body.len()));
        body = rest;
        send.send_data(Bytes::copy_from_slice(now), is_end && body.is_empty())?;
    }
    Ok(())
}

/// All of a response.
pub(crate) async fn whole(response: Response<RecvStream>) -> Result<Whole, h2::Error> {
    let (parts, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        body.extend_from_slice(&piece);
        stream.flow_control().release_capacity(piece.len())?;
    }
    let trailers = stream.trailers().await?;
    let (status, headers) = (parts.status.as_u16(), parts.headers);
    Ok(Whole { status, headers, body: body.into(), trailers })
}

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// HEADERS of a GET of `/`, at the host `a`: without compression but for what is always known.
pub(crate) fn get(stream: u32, ends: bool) -> Vec<u8> {
    let block = [0x82, 0x86, 0x84, 0x41, 0x01, b'a'];
    frame(1, if ends { 5 } else { 4 }, stream, &block)
}

/// A client that writes frames as it likes.
pub(crate) struct Raw<S = TcpStream>(pub(crate) S);

impl Raw {
    /// Has sent its preface, with these settings.
    pub(crate) fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        Self::over(stream, settings)
    }
}

impl<S: Read + Write> Raw<S> {
    /// The same on a connection that is there.
    pub(crate) fn over(stream: S, settings: &[(u16, u32)]) -> Self {
        let mut payload = Vec::new();
        for (id, value) in settings {
            payload.extend_from_slice(&id.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        let mut raw = Self(stream);
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        raw.send(frame(4, 0, 0, &payload));
        raw
    }

    /// Whether it was taken.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// The next frame: kind, flags, stream and payload; none at the end.
    pub(crate) fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], head[4], stream, payload))
    }

    /// Why the connection is ended, as it is said last.
    pub(crate) fn farewell(&mut self) -> Option<Reason> {
        let mut last = None;
        while let Some((kind, _, _, payload)) = self.next() {
            if kind == 7 {
                let code = payload[4..8].try_into().unwrap();
                last = Some(Reason::from(u32::from_be_bytes(code)));
            }
        }
        last
    }
}

/// What an endpoint makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Says what it was, with a trailer.
    Echo,
    /// The stream is reset with this reason.
    Reset(Reason),
    /// The same as echo, and no further requests are taken on the connection.
    EchoLast,
    /// No content.
    Nothing,
    /// More than anybody has to take.
    Large,
    /// Says what it was as gRPC does.
    Grpc,
    /// Says how long it is, and what stands behind it only when the request has ended.
    Late,
}

/// An endpoint that speaks HTTP/2 and nothing else.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Most requests that one connection had at a time.
    pub(crate) most: Arc<AtomicUsize>,
    /// Bytes of large answers that its windows let go, and of bodies that came.
    pub(crate) sent: Arc<AtomicUsize>,
    pub(crate) received: Arc<AtomicUsize>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Endpoint {
    /// Takes `at_a_time` requests on a connection, and does with the nth as it is told.
    pub(crate) fn start(
        at_a_time: u32,
        deed: impl Fn(usize, &http::request::Parts) -> Deed + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (connections, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (count, peak, deed) = (connections.clone(), most.clone(), Arc::new(deed));
        let meters = Meters::default();
        let (sent, received) = (meters.sent.clone(), meters.received.clone());
        std::thread::spawn(move || {
            let serving = async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let number = Arc::<AtomicUsize>::default();
                while let Ok((stream, _)) = listener.accept().await {
                    count.fetch_add(1, Ordering::SeqCst);
                    let (peak, deed, number) = (peak.clone(), deed.clone(), number.clone());
                    let meters = meters.clone();
                    tokio::spawn(async move {
                        let mut builder = h2::server::Builder::new();
                        builder.max_concurrent_streams(at_a_time);
                        let Ok(mut connection) = builder.handshake(stream).await else { return };
                        let open = Arc::<AtomicUsize>::default();
                        while let Some(Ok((request, respond))) = connection.accept().await {
                            let (parts, body) = request.into_parts();
                            let what = deed(number.fetch_add(1, Ordering::SeqCst), &parts);
                            peak.fetch_max(
                                open.fetch_add(1, Ordering::SeqCst) + 1,
                                Ordering::SeqCst,
                            );
                            if what == Deed::EchoLast {
                                connection.graceful_shutdown();
                            }
                            let meters = Meters { open: open.clone(), ..meters.clone() };
                            tokio::spawn(async move {
                                let _ = answer(what, parts, body, respond, &meters).await;
                            });
                        }
                    });
                }
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tokio::select! { () = serving => {}, _ = stopped => {} }
            });
        });
        Self { address, connections, most, sent, received, _stop: stop }
    }
}

/// What an endpoint counts.
#[derive(Clone, Default)]
struct Meters {
    /// Requests of one connection.
    open: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    received: Arc<AtomicUsize>,
}

async fn answer(
    deed: Deed,
    parts: http::request::Parts,
    mut body: RecvStream,
    mut respond: h2::server::SendResponse<Bytes>,
    Meters { open, sent, received }: &Meters,
) -> Result<(), h2::Error> {
    let mut got = Vec::new();
    if let Deed::Reset(reason) = deed {
        open.fetch_sub(1, Ordering::SeqCst);
        respond.send_reset(reason);
        return Ok(());
    }
    let mut late = None;
    if deed == Deed::Late {
        let response = Response::builder().header("content-length", 5).body(()).unwrap();
        let send = late.insert(respond.send_response(response, false)?);
        push(send, b"hello", false).await?;
    }
    while let Some(piece) = body.data().await {
        let piece = piece?;
        got.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
        received.fetch_add(piece.len(), Ordering::SeqCst);
    }
    let trailers = body.trailers().await?;
    if let Some(mut send) = late {
        return send.send_trailers(trailers.unwrap_or_default());
    }
    if deed == Deed::Grpc {
        open.fetch_sub(1, Ordering::SeqCst);
        let response = Response::builder().header("content-type", "application/grpc+proto");
        let mut send = respond.send_response(response.body(()).unwrap(), false)?;
        push(&mut send, &got, false).await?;
        let wants = parts.headers.get("te").is_some_and(|it| it == "trailers");
        let message = if wants { "done" } else { "nobody wants them" };
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", 0.into());
        trailers.insert("grpc-message", message.parse().unwrap());
        trailers.insert("x-sum", got.len().into());
        return send.send_trailers(trailers);
    }
    let response = Response::builder().header("x-a", "1").header("set-cookie", "a=b");
    if deed == Deed::Nothing {
        open.fetch_sub(1, Ordering::SeqCst);
        respond.send_response(response.status(204).body(()).unwrap(), true)?;
        return Ok(());
    }
    let mut send = respond.send_response(response.body(()).unwrap(), false)?;
    if deed == Deed::Large {
        // Until nobody takes it any more.
        loop {
            push(&mut send, &[b'x'; 16 * 1024], false).await?;
            sent.fetch_add(16 * 1024, Ordering::SeqCst);
        }
    }
    let fields: String = parts
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    let said = format!("{} {}\n{fields}trailers: {trailers:?}\n\n", parts.method, parts.uri);
    push(&mut send, said.as_bytes(), false).await?;
    push(&mut send, &got, false).await?;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", got.len().into());
    trailers.insert("set-cookie", http::HeaderValue::from_static("late=1"));
    open.fetch_sub(1, Ordering::SeqCst);
    send.send_trailers(trailers)
}
