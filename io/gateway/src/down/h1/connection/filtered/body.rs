//! A request's body on its way to the filters.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use steelyard_filters::{Flow, Got, Piece, Response};
use steelyard_http::{Body, Framing, Reject, release};

use super::Connection;
use crate::down::h1::request::Request;
use crate::exchange::asks::{self, unless_gone};
use crate::exchange::course::Course;
use crate::tell::fault::Fault;
use crate::wire::Wire;

impl<C: Wire> Connection<C> {
    /// Has the request's body come, as far as a frame wants it; or what a frame answers to it.
    pub(super) async fn collect(
        &mut self,
        course: &mut Course,
        request: &mut Request,
    ) -> Result<Result<Got, Box<Response>>, Fault> {
        if !request.has_body {
            return Ok(Ok(Got::Body(Bytes::new())));
        }
        have_body(course, request);
        if request.expects && self.held.is_none() && !request.body.is_done() {
            // An endpoint that was told so would have it asked for once more.
            request.expects = false;
            self.ask_for_body().await?;
        }
        let mut none = Vec::new();
        loop {
            if let Some(got) = course.stack().body() {
                return Ok(Ok(got));
            }
            if request.body.is_done() {
                return Ok(Ok(Got::TooLarge));
            }
            let flow = self.take_in(course, request, &mut none)?;
            match flow {
                Flow::Go => {}
                Flow::WaitUntil(until) => {
                    let pause = tokio::time::sleep_until(until.into());
                    let passed = unless_gone(&self.core, &self.stream, pause).await;
                    passed.map_err(|asks::Gone| Fault::ClientGone)?;
                }
                Flow::Fail(response) => return Ok(Err(response)),
            }
            if course.stack().is_collecting() && !request.body.is_done() {
                self.read_body().await?;
            }
        }
    }

    /// The client waits to be asked for the body (RFC 9110 §10.1.1).
    async fn ask_for_body(&mut self) -> Result<(), Fault> {
        let stall = self.core.options().timeouts.write;
        let writing = self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n", stall);
        let written = self.waiting.unless_pressed(writing).await.ok_or(Fault::MadeRoom)?;
        written.map_err(|_| Fault::ClientGone)
    }

    /// Takes in what is held of the body.
    pub(super) fn take_in(
        &mut self,
        course: &mut Course,
        request: &mut Request,
        out: &mut Vec<Piece>,
    ) -> Result<Flow, Fault> {
        let Some(buffer) = self.held.as_mut().filter(|_| !request.body.is_done()) else {
            return Ok(Flow::Go);
        };
        let fed = request.body.feed(buffer).map_err(|_| Fault::Rejected(Reject::Chunk))?;
        let payload = Bytes::copy_from_slice(&buffer[..fed.forward]);
        request.bytes_in += fed.payload as u64;
        release(&mut self.held, fed.consumed);
        let end = request.body.is_done().then(|| request.body.trailer_lines());
        Ok(course.bring(payload, end, out))
    }

    /// The next bytes of a body.
    async fn read_body(&mut self) -> Result<(), Fault> {
        let began = Instant::now();
        let deadline = began + self.listener.limits.request_body;
        let from = &self.stream;
        let (pool, held, waiting) = (&self.core.bulk, &mut self.held, &self.waiting);
        let reading = poll_fn(|cx| match from.poll_read(pool, held, cx) {
            Poll::Ready(read) => {
                waiting.go_on();
                Poll::Ready(read.ok().filter(|count| *count > 0).ok_or(Fault::ClientGone))
            }
            Poll::Pending if waiting.wait_for_progress(cx, began) => {
                waiting.go_on();
                Poll::Ready(Err(Fault::MadeRoom))
            }
            Poll::Pending => Poll::Pending,
        });
        let read = self.timer.until(deadline, reading).await;
        self.waiting.go_on();
        read.unwrap_or(Err(Fault::RequestTimeout)).map(|_| ())
    }
}

/// From now on frames have the body in hand.
pub(super) fn have_body(course: &mut Course, request: &mut Request) {
    if !std::mem::replace(&mut course.has_body, true) {
        let body = std::mem::replace(&mut request.body, Body::new(Framing::None));
        request.body = body.into_payload(request.framing);
    }
}
