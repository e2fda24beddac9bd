//! What the kernel tells of changes, to whoever asked to be told.
//!
//! Reading never waits. What comes faster than it is read is lost, and that is said.
#![allow(unsafe_code, reason = "libc's netlink address has private padding")]

use std::io::{self, Read};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::netlink;
use crate::socket;

/// Notices of one of the kernel's netlink families, in the namespace of the thread that opens it.
#[derive(Debug)]
pub(crate) struct Notices {
    socket: AsyncFd<Socket>,
}

/// A transaction of tens of thousands of elements is told of at once, also to whoever asked for it:
/// what does not fit is lost, and then nobody knows what is in a table. Taken up only while it is
/// used.
const RECEIVE_BUFFER: i32 = 64 * 1024 * 1024;
/// The kernel never makes a datagram of them longer.
const BUFFER: usize = 64 * 1024;

fn set_room(socket: &Socket, bytes: i32) {
    let _ = socket::set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &bytes);
}

impl Notices {
    /// `protocol` is one of libc's `NETLINK_*`, `groups` the mask of what is to be told. Must be
    /// called on a thread that runs a tokio runtime.
    pub(crate) fn open(protocol: i32, groups: u32) -> io::Result<Self> {
        let protocol = Some(Protocol::from(protocol));
        let kind = Type::RAW.nonblocking();
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), kind, protocol)?;
        set_room(&socket, RECEIVE_BUFFER);
        socket.bind(&members(groups))?;
        Ok(Self { socket: socket::register(socket)? })
    }

    /// Has less room from now on.
    #[cfg(test)]
    pub(crate) fn narrow(&self, bytes: i32) {
        set_room(self.socket.get_ref(), bytes);
    }

    /// Waits until there is something to read. Nothing is lost when the wait is given up.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(|mut ready| ready.retain_ready())
    }

    /// Reads all that there is: `each` gets the type of a message, the netlink port of who asked
    /// for what it tells, and its body. Whether some of it is lost.
    pub(crate) fn read(&self, mut each: impl FnMut(u16, u32, &[u8])) -> io::Result<bool> {
        let mut buffer = vec![0; BUFFER];
        let mut lost = false;
        loop {
            match self.socket.try_io(Interest::READABLE, |mut socket| socket.read(&mut buffer)) {
                Ok(length) => netlink::events(&buffer[..length])
                    .for_each(|(kind, port, body)| each(kind, port, body)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(lost),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => lost = true,
                Err(error) => return Err(error),
            }
        }
    }
}

/// The address of those who want to know of the changes in a mask.
fn members(groups: u32) -> SockAddr {
    // SAFETY: no field of it is a reference or an enum; all zeros is a valid value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = u16::try_from(libc::AF_NETLINK).expect("families are small");
    address.nl_groups = groups;
    socket::address(address)
}
