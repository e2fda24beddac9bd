//! Bodies that are held before they are passed on.

use serde_json::Value;

use super::super::View;
use super::super::location::Location;
use super::super::size::bytes;
use crate::shape::Shape;

/// What nginx puts in a file of a response, at most, where nothing is said.
const IN_A_FILE: i64 = 1 << 30;

impl View<'_> {
    pub(super) fn buffering(self, of: &Location<'_>) -> Option<Value> {
        let (asks, options) = (of.ingress.asks, self.options);
        let requests = self.holds_requests(of);
        let responses = is_on(asks.written("proxy-buffering"), options.buffers_responses);
        if !requests && !responses {
            return None;
        }
        let size = |name: &str, usual: i64| bytes(asks.text(name)).unwrap_or(usual);
        let one = if responses {
            size("proxy-buffer-size", options.buffer_size)
        } else {
            options.buffer_size
        };
        let count = asks.number("proxy-buffers-number").filter(|_| responses);
        let held = one.saturating_mul(count.unwrap_or(options.buffers));
        let mut shape = Shape::default()
            .with("disableRequestBuffer", !requests)
            .with("disableResponseBuffer", !responses)
            .with("memResponseBodyBytes", held);
        shape = if requests {
            shape
                .with(
                    "memRequestBodyBytes",
                    size("client-body-buffer-size", options.client_body_buffer),
                )
                .with("maxRequestBodyBytes", self.largest_body(of))
        } else {
            shape
                .with("memRequestBodyBytes", options.client_body_buffer)
                .with("maxRequestBodyBytes", options.body_size)
        };
        if responses {
            let filed = size("proxy-max-temp-file-size", IN_A_FILE);
            shape = shape.with("maxResponseBodyBytes", held.saturating_add(filed));
        }
        Some(shape.done())
    }

    /// Whether bodies of requests are read as a whole first.
    pub(super) fn holds_requests(self, of: &Location<'_>) -> bool {
        let asked = of.ingress.asks.written("proxy-request-buffering");
        is_on(asked, self.options.buffers_requests)
    }

    /// The largest body of a request, in bytes; zero is any.
    pub(super) fn largest_body(self, of: &Location<'_>) -> i64 {
        bytes(of.ingress.asks.text("proxy-body-size")).unwrap_or(self.options.body_size)
    }
}

fn is_on(asked: Option<&str>, usual: bool) -> bool {
    asked.map_or(usual, |it| it == "on")
}
