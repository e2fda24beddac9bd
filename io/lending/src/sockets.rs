//! Sockets of one place: each of them listens, and all share its address.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::SocketType;
use rustix::net::sockopt::{socket_acceptconn, socket_type};

use crate::MOST_SOCKETS;
use crate::word::LentPlace;

/// They; at least one.
#[derive(Debug)]
pub(crate) struct Sockets {
    all: Vec<TcpListener>,
    /// What they are bound to.
    address: SocketAddr,
    /// Tells whether two are the same sockets, whatever their descriptors are.
    pub(crate) identity: u64,
}

impl Sockets {
    /// Those that were opened for a place.
    ///
    /// # Errors
    /// When they are of no use for it.
    pub(crate) fn opened(place: &LentPlace, all: Vec<TcpListener>) -> io::Result<Self> {
        Self::of(place, all.into_iter().map(Into::into).collect())
    }

    /// What somebody says is for this place.
    ///
    /// # Errors
    /// When it is no TCP socket that listens at its address, or too many are.
    pub(crate) fn of(place: &LentPlace, sockets: Vec<OwnedFd>) -> io::Result<Self> {
        let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        if sockets.len() > MOST_SOCKETS {
            return Err(invalid("too many sockets"));
        }
        for socket in &sockets {
            if socket_type(socket)? != SocketType::STREAM || !socket_acceptconn(socket)? {
                return Err(invalid("it does not listen"));
            }
        }
        let all: Vec<TcpListener> = sockets.into_iter().map(Into::into).collect();
        let addresses: io::Result<Vec<SocketAddr>> = all.iter().map(|it| it.local_addr()).collect();
        let addresses = addresses?;
        let [address, rest @ ..] = &addresses[..] else { return Err(invalid("no socket")) };
        if address.ip() != place.address.ip() || rest.iter().any(|it| it != address) {
            return Err(invalid("it listens elsewhere"));
        }
        all.iter().try_for_each(|it| it.set_nonblocking(true))?;
        let identity = rustix::fs::fstat(&all[0])?.st_ino;
        Ok(Self { address: *address, all, identity })
    }

    /// What they are bound to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// They, to be sent.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.all.iter().map(AsFd::as_fd).collect()
    }

    /// They, once more.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub(crate) fn again(&self) -> io::Result<Vec<TcpListener>> {
        self.all.iter().map(TcpListener::try_clone).collect()
    }
}
