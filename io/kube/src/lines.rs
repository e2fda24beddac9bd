//! An answer's body as it comes: line by line, or as a whole, bounded.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body as _;
use kube::client::Body;
use memchr::memchr;

use crate::trouble::{Trouble, chain};

/// Bytes of one object; API servers take less.
const LINE: usize = 16 << 20;

/// The rest of an answer.
pub(crate) struct Lines {
    body: Body,
    buffer: BytesMut,
    /// In so many bytes of the buffer there is no end of a line.
    seen: usize,
}

impl Lines {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, buffer: BytesMut::new(), seen: 0 }
    }

    /// The next line; none at the end. What is cut off in the middle of a line is trouble.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Option<Bytes>, Trouble> {
        loop {
            if let Some(end) = memchr(b'\n', &self.buffer[self.seen..]) {
                let line = self.buffer.split_to(self.seen + end).freeze();
                self.buffer.advance(1);
                self.seen = 0;
                return Ok(Some(line));
            }
            self.seen = self.buffer.len();
            if !self.more(patience, LINE).await? {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(Trouble::Garbled("a line without an end".to_owned())),
                };
            }
        }
    }

    /// All of it, if it has at most `most` bytes.
    pub(crate) async fn whole(mut self, patience: Duration, most: usize) -> Result<Bytes, Trouble> {
        while self.more(patience, most).await? {}
        Ok(self.buffer.freeze())
    }

    /// Waits for more; false at the end.
    async fn more(&mut self, patience: Duration, most: usize) -> Result<bool, Trouble> {
        let frame = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx));
        let frame = tokio::time::timeout(patience, frame).await;
        let Some(frame) = frame.map_err(|_| Trouble::Silent(patience))? else { return Ok(false) };
        let frame = frame.map_err(|error| Trouble::Unreachable(chain(&error)))?;
        if let Ok(bytes) = frame.into_data() {
            if self.buffer.len() + bytes.len() > most {
                return Err(Trouble::TooLarge(most));
            }
            self.buffer.extend_from_slice(&bytes);
        }
        Ok(true)
    }
}
