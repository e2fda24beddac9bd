//! TLS over a socket, as bytes in clear: what is read was decrypted, what is written is encrypted
//! and has left by the time that is told.
//!
//! Invariants: an end without a farewell (`close_notify`) is an error, so that nobody takes what
//! was cut off for the whole; the memory of a session that waits is what rustls keeps of it.

use std::cell::RefCell;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::task::{Context, Poll, Waker, ready};

use rustls::Connection;

use super::socket::Socket;

/// A session.
pub(super) struct Session(RefCell<State>);

struct State {
    connection: Connection,
    /// Bytes that were taken, and are told once they have left.
    owed: usize,
}

/// Why a handshake came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unshaken {
    /// The socket failed, or was closed.
    #[error("the connection was closed in the handshake")]
    Broken,
    /// What came is not what was agreed on, or cannot be.
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

/// The socket as rustls reads and writes it, for one turn.
struct Turn<'a, 'c> {
    socket: &'a Socket,
    cx: &'a mut Context<'c>,
}

impl Session {
    pub(super) fn new(connection: Connection) -> Self {
        Self(RefCell::new(State { connection, owed: 0 }))
    }

    /// Goes on with the handshake until it is over.
    pub(super) fn poll_shake(
        &self,
        socket: &Socket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Unshaken>> {
        let state = &mut *self.0.borrow_mut();
        loop {
            ready!(state.poll_flush(socket, cx)).map_err(|_| Unshaken::Broken)?;
            if !state.connection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            match ready!(state.poll_take(socket, cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Unshaken::Broken)),
                Ok(_) => {}
            }
            if let Err(error) = state.connection.process_new_packets() {
                // The alert that says why, as far as the socket takes it.
                let _ = state.poll_flush(socket, cx);
                return Poll::Ready(Err(Unshaken::Refused(error)));
            }
        }
    }

    /// What was agreed on.
    pub(super) fn agreed<T>(&self, read: impl FnOnce(&Connection) -> T) -> T {
        read(&self.0.borrow().connection)
    }

    /// Whether nothing that was decrypted waits to be read, and no farewell.
    pub(super) fn is_silent(&self) -> bool {
        let unread = self.0.borrow_mut().connection.reader().fill_buf().map(|_| ());
        unread.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Reads into `room`. 0 means the other side has said farewell.
    pub(super) fn poll_read(
        &self,
        socket: &Socket,
        room: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let state = &mut *self.0.borrow_mut();
        loop {
            match state.connection.reader().read(room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            let Poll::Ready(taken) = state.poll_take(socket, cx) else {
                // Tickets, and answers to what is not data. A side that takes no more may have said
                // why, and that is still to be read; and ours may have been closed before.
                let _ = state.poll_flush(socket, cx);
                return Poll::Pending;
            };
            taken?;
            if let Err(error) = state.connection.process_new_packets() {
                let _ = state.poll_flush(socket, cx);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
    }

    /// Writes some of `slices`. Who gets no answer asks again with the same bytes.
    pub(super) fn poll_write(
        &self,
        socket: &Socket,
        slices: [&[u8]; 3],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let state = &mut *self.0.borrow_mut();
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        while state.owed == 0 {
            state.owed = state.connection.writer().write_vectored(&slices.map(IoSlice::new))?;
            if state.owed == 0 {
                ready!(state.poll_flush(socket, cx))?;
            }
        }
        ready!(state.poll_flush(socket, cx))?;
        Poll::Ready(Ok(std::mem::take(&mut state.owed)))
    }

    /// Says farewell, as far as the socket takes it.
    pub(super) fn close(&self, socket: &Socket) {
        let state = &mut *self.0.borrow_mut();
        state.connection.send_close_notify();
        let _ = state.poll_flush(socket, &mut Context::from_waker(Waker::noop()));
    }
}

impl State {
    fn poll_take(&mut self, socket: &Socket, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        pending(self.connection.read_tls(&mut Turn { socket, cx }))
    }

    fn poll_flush(&mut self, socket: &Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.wants_write() {
            if ready!(pending(self.connection.write_tls(&mut Turn { socket, cx })))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Read for Turn<'_, '_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        waiting(self.socket.poll_bytes(room, self.cx))
    }
}

impl Write for Turn<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        waiting(self.socket.poll_slices(slices, self.cx))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn waiting<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn pending<T>(done: io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done),
    }
}
