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
    answers: Answers,
}

/// Heads and bodies, small ones first; the last is text that a compressor has work with.
type Answers = [Vec<u8>; 4];

struct Connection {
    stream: TcpStream,
    head: Vec<u8>,
    /// What is still to be sent: which answer, and how much of it is sent.
    sending: Option<(usize, usize)>,
}

/// Bytes of a large body.
const LARGE: usize = 1024 * 1024;

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
        let same = |length| vec![b'x'; length];
        let bodies = [same(128), same(16 * 1024), same(LARGE), text(LARGE)];
        let answers = bodies.map(|body| answer(&body));
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
    fn go_on(&mut self, answers: &Answers) -> bool {
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
    fn send(&mut self, answers: &Answers) -> Option<bool> {
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
            Some(b't') => 3,
            _ => 0,
        };
        self.head.drain(..end);
        Some(which)
    }
}

fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: max-age=60\r\nETag: \"5f3a-1b2c3d4e\"\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Words of a small vocabulary, as often as chance has them: gzip makes about a third of it.
fn text(length: usize) -> Vec<u8> {
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let words: Vec<Vec<u8>> = (0..2_000)
        .map(|_| (0..2 + next(9)).map(|_| b'a' + u8::try_from(next(26)).unwrap_or(0)).collect())
        .collect();
    let mut text = Vec::with_capacity(length + 16);
    while text.len() < length {
        // The smaller of two: few words are said often, as in any language.
        let word = next(2_000).min(next(2_000));
        text.extend_from_slice(&words[usize::try_from(word).unwrap_or(0)]);
        text.push(b' ');
    }
    text.truncate(length);
    text
}
