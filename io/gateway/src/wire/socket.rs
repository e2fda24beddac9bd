//! A socket as it is read and written, with or without TLS over it.

use std::io::{self, Read};
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A socket.
pub(super) struct Socket(pub(super) TcpStream);

impl Socket {
    /// Reads into `room`. 0 means the other side has closed.
    pub(super) fn poll_bytes(
        &self,
        room: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let mut count = None;
            let tried = self.0.try_io(Interest::READABLE, || {
                let read = (&*SockRef::from(&self.0)).read(room)?;
                count = Some(read);
                // There was less than there is room for: the next time is told by the reactor,
                // and costs no system call before.
                let is_all = (1..room.len()).contains(&read);
                if is_all { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(read) }
            });
            match (count, tried) {
                (Some(count), _) => return Poll::Ready(Ok(count)),
                (None, Err(error)) if is_transient(&error) => {}
                (None, tried) => return Poll::Ready(tried),
            }
        }
    }

    /// Writes some of `slices`, in one system call.
    pub(super) fn poll_slices(
        &self,
        slices: &[io::IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.0.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
            ready!(self.0.poll_write_ready(cx))?;
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        /// `MSG_PEEK | MSG_DONTWAIT` of Linux.
        const LOOK: i32 = 0x2 | 0x40;
        let seen = SockRef::from(&self.0).recv_with_flags(&mut byte, LOOK);
        matches!(seen, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    pub(super) fn is_alive(&self) -> bool {
        let mut byte = [0];
        let read = self.0.try_read(&mut byte);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
