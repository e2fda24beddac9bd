//! Just enough netlink for requests that the kernel answers at once: build, send, read.
//!
//! One request is outstanding at a time. What comes back is read with bounds checks; what cannot
//! be read ends the iteration, never the program. Message layout: linux/netlink.h.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::socket;

/// A socket to one of the kernel's netlink families, in the namespace of the thread that opens it.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    /// By which others know this socket, once something came back.
    port: Option<u32>,
    buffer: Vec<u8>,
}

/// A request under construction.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    kind: u16,
    flags: u16,
    payload: Vec<u8>,
}

/// One attribute of an answer.
pub(crate) struct Attribute<'a> {
    /// Its type, without the flag bits.
    pub(crate) kind: u16,
    /// What it holds.
    pub(crate) value: &'a [u8],
    /// The attribute itself with its padding, to be sent back as it came.
    pub(crate) whole: &'a [u8],
}

pub(crate) const DUMP: u16 = 0x300;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const REPLACE: u16 = 0x100;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const TYPE_ERROR: u16 = 2;
const TYPE_DONE: u16 = 3;
const TYPE_MASK: u16 = 0x3fff;
const HEADER: usize = 16;
const PATIENCE: Duration = Duration::from_secs(5);
/// The kernel never makes a datagram of a dump longer.
const BUFFER: usize = 64 * 1024;

impl Netlink {
    /// `protocol` is one of libc's `NETLINK_*`.
    pub(crate) fn open(protocol: i32) -> io::Result<Self> {
        let protocol = Some(Protocol::from(protocol));
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, protocol)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, sequence: 0, port: None, buffer: vec![0; BUFFER] })
    }

    /// Lets requests be as long as this, where the privileges suffice.
    pub(crate) fn send_at_once(&self, bytes: i32) {
        let _ = socket::set_option(&self.socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &bytes);
    }

    /// The port that others see its changes come from; none before the first request.
    pub(crate) fn port(&self) -> Option<u32> {
        self.port
    }

    /// Sends `request` and waits for the kernel's acknowledgement.
    pub(crate) fn change(&mut self, request: Request) -> io::Result<()> {
        self.ask(request, |_, _| {})
    }

    /// Sends `request`; `each` gets the type and the body of every answer (one, or for
    /// [`DUMP`] all there are).
    pub(crate) fn ask(
        &mut self,
        mut request: Request,
        mut each: impl FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        if request.flags & DUMP != DUMP {
            request.flags |= ACKNOWLEDGE;
        }
        self.socket.write_all(&request.emit(self.sequence))?;
        loop {
            let length = self.read()?;
            let mut rest = &self.buffer[..length];
            while let Some((message, after)) = Message::split(rest) {
                rest = after;
                if message.sequence != self.sequence {
                    continue;
                }
                self.port = Some(message.port);
                match message.kind {
                    TYPE_DONE => return Ok(()),
                    TYPE_ERROR => return status(message.body),
                    kind => each(kind, message.body),
                }
            }
        }
    }

    /// Sends all of `requests` as one, `last` behind them, and waits until the kernel has answered
    /// for the last of `requests`. For families that take several as one transaction.
    pub(crate) fn change_all(&mut self, requests: Vec<Request>, last: Request) -> io::Result<()> {
        let mut bytes = Vec::new();
        let count = requests.len();
        for (at, mut request) in requests.into_iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            if at + 1 == count {
                request.flags |= ACKNOWLEDGE;
            }
            let request = request.emit(self.sequence);
            bytes.extend(&request);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes.extend(last.emit(self.sequence.wrapping_add(1)));
        let first = self.sequence.wrapping_sub(u32::try_from(count).expect("few") - 1);
        self.socket.write_all(&bytes)?;
        let waited_for = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let mut outcome = Ok(());
        loop {
            let length = self.read()?;
            let mut rest = &self.buffer[..length];
            while let Some((message, after)) = Message::split(rest) {
                rest = after;
                let ours = message.sequence.wrapping_sub(first) <= waited_for.wrapping_sub(first);
                if !ours || message.kind != TYPE_ERROR {
                    continue;
                }
                self.port = Some(message.port);
                if outcome.is_ok() {
                    outcome = status(message.body);
                }
                // A batch that is refused as a whole is answered for by its first message.
                if message.sequence == waited_for || message.sequence == first {
                    return outcome;
                }
            }
        }
    }

    /// A read with a time limit is not taken up again by itself after a signal (SIGCHLD, say).
    fn read(&mut self) -> io::Result<usize> {
        loop {
            match self.socket.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

impl Request {
    /// `fixed` is the family's own header (`rtmsg`, `nfgenmsg`…).
    pub(crate) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        Self { kind, flags, payload: fixed.to_vec() }
    }

    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).expect("attributes we send are short");
        self.payload.extend(length.to_ne_bytes());
        self.payload.extend(kind.to_ne_bytes());
        self.payload.extend(value);
        self.payload.resize(self.payload.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    pub(crate) fn address(self, kind: u16, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(four) => self.attribute(kind, &four.octets()),
            IpAddr::V6(six) => self.attribute(kind, &six.octets()),
        }
    }

    /// Attributes as they came in an answer.
    pub(crate) fn raw(mut self, attributes: &[u8]) -> Self {
        self.payload.extend(attributes);
        self
    }

    /// What it says behind its header.
    pub(crate) fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    fn emit(&self, sequence: u32) -> Vec<u8> {
        let length = HEADER + self.payload.len();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend(u32::try_from(length).expect("requests are short").to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend((self.flags | REQUEST).to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(&self.payload);
        bytes
    }
}

struct Message<'a> {
    kind: u16,
    sequence: u32,
    port: u32,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = number(bytes)? as usize;
        let kind = short(bytes.get(4..)?)?;
        let sequence = number(bytes.get(8..)?)?;
        let port = number(bytes.get(12..)?)?;
        let body = bytes.get(HEADER..length)?;
        let next = length.checked_next_multiple_of(4)?.min(bytes.len());
        Some((Self { kind, sequence, port, body }, &bytes[next..]))
    }
}

/// The messages in `bytes`, up to the first that is cut short: type, the port of who asked for what
/// is told, and body.
pub(crate) fn events(mut bytes: &[u8]) -> impl Iterator<Item = (u16, u32, &[u8])> {
    std::iter::from_fn(move || {
        let (message, rest) = Message::split(bytes)?;
        bytes = rest;
        Some((message.kind, message.port, message.body))
    })
}

/// The attributes in `bytes`, up to the first that is cut short.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    std::iter::from_fn(move || {
        let length = usize::from(short(bytes)?);
        let kind = short(bytes.get(2..)?)? & TYPE_MASK;
        let value = bytes.get(4..length)?;
        let (whole, rest) = bytes.split_at(length.next_multiple_of(4).min(bytes.len()));
        bytes = rest;
        Some(Attribute { kind, value, whole })
    })
}

/// The number at the start of `bytes`.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|four| u32::from_ne_bytes(*four))
}

fn short(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|two| u16::from_ne_bytes(*two))
}

/// The address that `bytes` are, by their length.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn status(body: &[u8]) -> io::Result<()> {
    let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back_as_it_was_built() {
        let request = Request::new(26, DUMP, &[2, 0, 0, 0])
            .attribute(1, &[10, 0, 0, 1])
            .attribute(9, &[7])
            .number(15, 8192);
        let bytes = request.emit(3);
        let (message, rest) = Message::split(&bytes).unwrap();
        assert_eq!((message.kind, message.sequence, rest), (26, 3, &[][..]));
        let read: Vec<(u16, &[u8])> = attributes(&message.body[4..])
            .map(|attribute| (attribute.kind, attribute.value))
            .collect();
        let table = 8192u32.to_ne_bytes();
        assert_eq!(read, [(1, &[10, 0, 0, 1][..]), (9, &[7]), (15, &table)]);
    }

    #[test]
    fn cut_bytes_never_panic() {
        let bytes = Request::new(26, 0, &[0; 4]).number(1, 1).emit(1);
        for end in 0..bytes.len() {
            let _ = Message::split(&bytes[..end]).is_some();
            let _ = attributes(&bytes[end..]).count();
        }
    }

    #[test]
    fn the_kernel_answers_a_dump_and_refuses_nonsense() {
        let mut netlink = Netlink::open(libc::NETLINK_ROUTE).unwrap();
        let mut links = 0;
        netlink.ask(Request::new(18, DUMP, &[0; 16]), |_, _| links += 1).unwrap();
        assert!(links > 0, "there is at least lo");
        assert!(netlink.change(Request::new(4000, 0, &[0; 4])).is_err());
    }
}
