//! One HTTP/1 connection of the echo server: requests in order, answers in the same order.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::answer::Answer;
use super::facts::Scene;
use super::input::{Fault, Head, Input};

/// Answers requests until the peer or a request asks to end.
pub(super) async fn converse<S>(stream: S, scene: &Scene<'_>) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut input = Input::new(stream);
    loop {
        match exchange(&mut input, scene).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(Fault::Refused(reject)) => {
                send(&mut input, &Answer::refusal(reject), Close::Yes, Body::Sent).await?;
                break;
            }
            Err(Fault::Gone) => return Err(Fault::Gone),
        }
    }
    input.stream.shutdown().await?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    Yes,
    No,
}

/// Whether the answer's content follows its head (RFC 9110 §9.3.2: not for HEAD).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Sent,
    LeftOut,
}

/// One request and its answer; false ends the connection.
async fn exchange<S>(input: &mut Input<S>, scene: &Scene<'_>) -> Result<bool, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(head) = input.head().await? else { return Ok(false) };
    let length = read_body(input, &head).await?;
    let close = if head.closes { Close::Yes } else { Close::No };
    let body = if head.method == "HEAD" { Body::LeftOut } else { Body::Sent };
    send(input, &Answer::to(&head, length, scene), close, body).await?;
    Ok(close == Close::No)
}

async fn read_body<S>(input: &mut Input<S>, head: &Head) -> Result<u64, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if head.waits() && !head.old && !input.has_unread() {
        input.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    input.body(head.framing).await
}

async fn send<S>(
    input: &mut Input<S>,
    answer: &Answer,
    close: Close,
    body: Body,
) -> Result<(), Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connection = if close == Close::Yes { "close" } else { "keep-alive" };
    let mut bytes = format!(
        "HTTP/1.1 {}\r\nServer: steelyard-echo\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
         X-Replica: {}\r\nCache-Control: no-store\r\nConnection: {connection}\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.content.len(),
        answer.replica,
    )
    .into_bytes();
    if body == Body::Sent {
        bytes.extend_from_slice(answer.content.as_bytes());
    }
    input.stream.write_all(&bytes).await?;
    Ok(())
}
