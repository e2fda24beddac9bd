//! Bytes and time: sockets, buffers, deadlines; and lines on their way to a file (`writer`).

pub(crate) mod buffers;
pub(crate) mod copied;
pub(crate) mod flow;
pub(crate) mod link;
pub(crate) mod listen;
pub(crate) mod secured;
pub(crate) mod session;
mod socket;
pub(crate) mod stream;
pub(crate) mod timer;
pub(crate) mod writer;

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{Interest, Ready};

use buffers::{Buffer, BufferPool};
use flow::Trailers;
use timer::within;

/// What carries the bytes of HTTP/1 both ways, by reference: a socket, or what speaks as one.
pub(crate) trait Wire {
    /// What access logs call the protocol, where its bytes do not tell.
    const PROTOCOL: Option<&'static str> = None;

    /// Whether who is answered may be silent in the middle of what it asks.
    const IS_DUPLEX: bool = false;

    /// Reads behind the bytes in `slot`, which is empty again while there are none. 0 means the
    /// other side has closed.
    fn poll_read(
        &self,
        pool: &Rc<BufferPool>,
        slot: &mut Option<Buffer>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>>;

    /// Writes some of `slices`, in one system call; 0 when there are none. The `last` bytes of a
    /// connection that is closed right after are held back by the kernel while they are not a full
    /// segment, so that the FIN travels with them.
    fn poll_write(
        &self,
        slices: [&[u8]; 3],
        last: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>>;

    /// Waits for what is not bytes: that the other side closes, or the connection breaks.
    async fn ready(&self, interest: Interest) -> io::Result<Ready>;

    /// What stood behind the body that came, where it does not come with its bytes.
    fn trailers(&self) -> Option<Trailers> {
        None
    }

    /// What is to stand behind the body that is written, where that is not among its bytes.
    fn carry(&self, _: Trailers) {}

    /// An exchange is over, and another one may follow. Whether nothing that was read is of it.
    fn turn(&self) -> bool {
        false
    }

    /// Closes our side.
    fn close(&self) -> io::Result<()>;

    /// Says that all has been said, where a connection that is just closed leaves that open
    /// (RFC 8446 §6.1).
    fn say_farewell(&self) {}

    /// When it is dropped, it ends so that nobody takes that for the end of what was said.
    fn reset(&self);

    /// Waits for bytes and reads them, as [`Self::poll_read`] does.
    async fn read(&self, pool: &Rc<BufferPool>, slot: &mut Option<Buffer>) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(pool, slot, cx)).await
    }

    /// Writes all of `bytes`; each wait for room is limited to `stall`. On failure the number of
    /// bytes that were taken comes along.
    async fn write_all(&self, bytes: &[u8], stall: Duration) -> Result<(), (io::Error, usize)> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = [&bytes[done..], b"", b""];
            let now = poll_fn(|cx| match self.poll_write(rest, false, cx) {
                Poll::Pending => Poll::Ready(None),
                Poll::Ready(written) => Poll::Ready(Some(written)),
            });
            let outcome = match now.await {
                Some(outcome) => outcome,
                None => {
                    let writing = poll_fn(|cx| self.poll_write(rest, false, cx));
                    // Rare, and as large as the rest together.
                    Box::pin(within(stall, writing)).await
                }
            };
            match outcome {
                Ok(count) => done += count,
                Err(error) => return Err((error, done)),
            }
        }
        Ok(())
    }
}
