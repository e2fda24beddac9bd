//! The answering side: fixed bodies, six response headers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use memchr::memmem;
use rustix::event::epoll;

/// Accepts connections and answers requests by the first letter of their path.
pub(super) struct Backend {
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    answers: [Vec<u8>; 3],
}

struct Connection {
    stream: TcpStream,
    head: Vec<u8>,
    /// What is still to be sent: which answer, and how much of it is sent.
    sending: Option<(usize, usize)>,
}

/// A proxy may connect for all its clients at once. Beyond the library's 128 the kernel would drop
/// connections that the proxy believes to have, and reset what it says over them.
const BACKLOG: i32 = 4096;

impl Backend {
    pub(super) fn listen(poll: &OwnedFd, at: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(at).with_context(|| format!("cannot listen on {at}"))?;
        listener.set_nonblocking(true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        let flags = epoll::EventFlags::IN;
        epoll::add(poll, &listener, epoll::EventData::new_u64(super::LISTENER as u64), flags)?;
        let answers = [128, 16 * 1024, 1024 * 1024].map(answer);
        Ok(Self { listener, connections: Vec::new(), answers })
    }

    pub(super) fn accept(&mut self, poll: &OwnedFd) -> Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let free = self.connections.iter().position(Option::is_none);
            let at = free.unwrap_or(self.connections.len());
            let token = super::BACKEND + at;
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(poll, &stream, epoll::EventData::new_u64(token as u64), flags)?;
            let connection = Connection { stream, head: Vec::with_capacity(4096), sending: None };
            if at == self.connections.len() {
                self.connections.push(Some(connection));
            } else {
                self.connections[at] = Some(connection);
            }
        }
        Ok(())
    }

    pub(super) fn serve(&mut self, at: usize) {
        let Some(slot) = self.connections.get_mut(at) else { return };
        let Some(connection) = slot else { return };
        if !connection.go_on(&self.answers) {
            *slot = None;
        }
    }
}

impl Connection {
    /// Sends and reads as far as possible; false when the connection is over.
    fn go_on(&mut self, answers: &[Vec<u8>; 3]) -> bool {
        let mut buffer = [0; 8192];
        loop {
            if let Some(open) = self.send(answers) {
                return open;
            }
            if let Some(which) = self.next_request() {
                self.sending = Some((which, 0));
                continue;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.head.extend_from_slice(&buffer[..count]),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// Sends what is to be sent; something when it must wait (true) or is over (false).
    fn send(&mut self, answers: &[Vec<u8>; 3]) -> Option<bool> {
        while let Some((which, sent)) = self.sending {
            match self.stream.write(&answers[which][sent..]) {
                Ok(count) if sent + count == answers[which].len() => self.sending = None,
                Ok(count) => self.sending = Some((which, sent + count)),
                Err(error) => return Some(error.kind() == ErrorKind::WouldBlock),
            }
        }
        None
    }

    fn next_request(&mut self) -> Option<usize> {
        let end = memmem::find(&self.head, b"\r\n\r\n")? + 4;
        let which = match self.head.get(5) {
            Some(b'm') => 1,
            Some(b'l') => 2,
            _ => 0,
        };
        self.head.drain(..end);
        Some(which)
    }
}

fn answer(length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Cache-Control: max-age=60\r\nETag: \"5f3a-1b2c3d4e\"\r\n\r\n"
    );
    let mut answer = head.into_bytes();
    answer.resize(answer.len() + length, b'x');
    answer
}
