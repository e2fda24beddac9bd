//! Sockets of one place: each of them listens, and all share its address.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::net::{SocketType, getsockname};
use steelyard_host::netns_of_socket;

use crate::MOST_SOCKETS;
use crate::closing::{Closer, Shared};
use crate::word::LentPlace;

/// They; at least one.
#[derive(Debug)]
pub(crate) struct Sockets {
    all: Shared,
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
    pub(crate) fn opened(
        place: &LentPlace,
        all: Vec<TcpListener>,
        closer: &Closer,
    ) -> io::Result<Self> {
        let all = all.into_iter().map(Into::into).collect();
        Self::of(place, Shared::new(all, closer))
    }

    /// What somebody says is for this place.
    ///
    /// # Errors
    /// When it is no TCP socket that listens at its address, or too many are.
    pub(crate) fn of(place: &LentPlace, all: Shared) -> io::Result<Self> {
        if all.all().len() > MOST_SOCKETS {
            return Err(invalid("too many sockets"));
        }
        for socket in all.all() {
            if socket_type(socket)? != SocketType::STREAM || !socket_acceptconn(socket)? {
                return Err(invalid("it does not listen"));
            }
        }
        let addresses: io::Result<Vec<SocketAddr>> = all.all().iter().map(bound).collect();
        let addresses = addresses?;
        let [address, rest @ ..] = &addresses[..] else { return Err(invalid("no socket")) };
        if address.ip() != place.address.ip() || rest.iter().any(|it| it != address) {
            return Err(invalid("it listens elsewhere"));
        }
        all.all().iter().try_for_each(|it| rustix::io::ioctl_fionbio(it, true))?;
        let identity = rustix::fs::fstat(&all.all()[0])?.st_ino;
        Ok(Self { address: *address, all, identity })
    }

    /// Refuses those of another network namespace than that of `own`: anybody may listen at any
    /// address in one of their own, and nobody would ever come there.
    ///
    /// # Errors
    /// When they are.
    pub(crate) fn are_beside(&self, own: impl AsFd) -> io::Result<()> {
        let own = netns_of_socket(own)?;
        for socket in self.all.all() {
            if netns_of_socket(socket)? != own {
                return Err(invalid("it listens in another network"));
            }
        }
        Ok(())
    }

    /// What they are bound to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// They, to be sent.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.all.all().iter().map(AsFd::as_fd).collect()
    }

    /// They, once more.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub(crate) fn again(&self) -> io::Result<Vec<TcpListener>> {
        self.all.all().iter().map(|it| it.try_clone().map(Into::into)).collect()
    }
}

fn bound(socket: &OwnedFd) -> io::Result<SocketAddr> {
    SocketAddr::try_from(getsockname(socket)?).map_err(|_| invalid("it has no IP address"))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}
