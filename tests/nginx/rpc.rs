//! gRPC, as the client calls and as backends answer: HTTP/2 over TLS, or by prior knowledge.
//!
//! Messages are the JSON that a case writes them in: both ends are ours, and nobody between them
//! looks into one.

use std::future::Future;
use std::io::{Error, Result as IoResult};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response, Version};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::backend::Instance;
use crate::client::{Answer, Target};
use crate::record::Received;
use crate::reply::SERVED;

/// What speaks it by TLS says so.
const PROTOCOL: &[u8] = b"h2";
/// What stands before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The kinds of header lines that a call may not write itself.
const STATUS: &str = "grpc-status";

fn run<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

/// A call, and what comes back. Its own status stands in the answer.
pub(crate) fn call(target: &Target<'_>) -> Result<Answer> {
    let (stream, name) = target.reached()?;
    stream.set_nonblocking(true)?;
    let begun = Instant::now();
    let called = async {
        let stream = tokio::net::TcpStream::from_std(stream)?;
        if !target.is_https() {
            return exchanged(target, stream).await;
        }
        let mut config = (*target.config(&Arc::default())?).clone();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        if stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
            bail!("the server does not speak HTTP/2");
        }
        exchanged(target, stream).await
    };
    let limited = async { tokio::time::timeout(target.patience, called).await };
    let mut answer = run(limited)?.context("no answer in time")??;
    answer.took = begun.elapsed();
    Ok(answer)
}

async fn exchanged<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    target: &Target<'_>,
    stream: S,
) -> Result<Answer> {
    let (sender, connection) = h2::client::handshake(stream).await?;
    tokio::spawn(async move { drop(connection.await) });
    let mut sender = sender.ready().await?;
    let (response, mut body) = sender.send_request(asked(target)?, false)?;
    let message = target.request["grpc"]["message"].to_string();
    let length = u32::try_from(message.len())?.to_be_bytes();
    body.send_data([&[0], &length[..], message.as_bytes()].concat().into(), true)?;
    let (parts, mut body) = response.await?.into_parts();
    let mut lines = lines_of(&parts.headers);
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        whole.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    lines.extend(body.trailers().await?.iter().flat_map(lines_of));
    let mut answer = Answer { status: parts.status.as_u16(), body: whole, ..Answer::default() };
    answer.headers = lines;
    Ok(answer)
}

fn asked(target: &Target<'_>) -> Result<Request<()>> {
    let grpc = &target.request["grpc"];
    let method = grpc["method"].as_str().context("a method")?;
    let host = target.request["host"].as_str().unwrap_or_default();
    let scheme = if target.is_https() { "https" } else { "http" };
    let mut asked = Request::post(format!("{scheme}://{host}/{method}")).version(Version::HTTP_2);
    asked = asked.header("content-type", "application/grpc").header("te", "trailers");
    for (name, value) in grpc["metadata"].as_object().into_iter().flatten() {
        asked = asked.header(name, value.as_str().context("metadata")?);
    }
    Ok(asked.body(())?)
}

fn lines_of(headers: &HeaderMap) -> Vec<(String, String)> {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(line).collect()
}

/// The status of a call: what is no answer to one at all has none.
pub(crate) fn status(answer: &Answer) -> Option<u64> {
    answer.all(STATUS).first()?.parse().ok()
}

/// Answers all calls of a connection.
pub(crate) fn serve(
    stream: TcpStream,
    from: SocketAddr,
    instance: &Instance,
    config: Option<Arc<ServerConfig>>,
) -> IoResult<()> {
    stream.set_nonblocking(true)?;
    let served = async {
        let stream = tokio::net::TcpStream::from_std(stream)?;
        match config {
            None => calls(stream, from, instance).await,
            Some(config) => {
                let mut config = (*config).clone();
                config.alpn_protocols = vec![PROTOCOL.to_vec()];
                let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
                calls(stream, from, instance).await
            }
        }
    };
    run(served).map_err(Error::other)?
}

async fn calls<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    from: SocketAddr,
    instance: &Instance,
) -> IoResult<()> {
    let mut connection = h2::server::handshake(stream).await.map_err(Error::other)?;
    let mut nth = 0;
    while let Some(asked) = connection.accept().await {
        let (request, respond) = asked.map_err(Error::other)?;
        nth += 1;
        let (instance, from) = (instance.clone(), Some(from));
        tokio::spawn(async move {
            let place = Received { nth, from, ..Received::default() };
            // Who has gone away meanwhile is told nothing.
            drop(answered(&instance, request, respond, place).await);
        });
    }
    Ok(())
}

async fn answered(
    instance: &Instance,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    mut received: Received,
) -> Result<(), h2::Error> {
    let (parts, mut body) = request.into_parts();
    received.backend.clone_from(&instance.backend);
    (received.instance, received.is_tls) = (instance.number, instance.tls.is_some());
    (received.is_via_service, received.version) = (instance.is_service, "HTTP/2".to_owned());
    received.method = parts.method.to_string();
    received.target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let authority = parts.uri.authority().map(ToString::to_string).unwrap_or_default();
    received.headers = lines_of(&parts.headers);
    received.headers.push((":authority".to_owned(), authority));
    while let Some(piece) = body.data().await {
        let piece = piece?;
        received.body.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    instance.records.add(received.clone());
    let message = received.body.get(PREFIX..).unwrap_or_default();
    let message: Value = serde_json::from_slice(message).unwrap_or_default();
    let delay = message["request_attributes"]["delay"].as_f64().unwrap_or_default();
    tokio::time::sleep(Duration::from_secs_f64(delay)).await;
    let served = format!("{}#{}", instance.backend, instance.number);
    let head = Response::builder().header("content-type", "application/grpc");
    let head = head.header(SERVED, served).body(()).map_err(|_| Reason::INTERNAL_ERROR)?;
    let mut send = respond.send_response(head, false)?;
    send.send_data(Bytes::from_static(&[0; PREFIX]), false)?;
    let status = HeaderMap::from_iter([(
        http::HeaderName::from_static(STATUS),
        http::HeaderValue::from_static("0"),
    )]);
    send.send_trailers(status)
}
