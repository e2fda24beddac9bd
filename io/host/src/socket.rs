//! Sockets: options and addresses that neither the standard library nor socket2 knows, and
//! waiting for them.
#![allow(unsafe_code, reason = "setsockopt is a foreign function, and so is epoll")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use socket2::{SockAddr, SockAddrStorage, Socket};
use tokio::io::unix::AsyncFd;

/// An address of a family that the standard library does not know. Only for whole `sockaddr_*`
/// structures that begin with their family: hence the closed list of implementations.
pub(crate) trait RawAddress: Copy {}

impl RawAddress for libc::sockaddr_ll {}
impl RawAddress for libc::sockaddr_nl {}

/// Sets an option whose value is the plain C structure (or number) `value`.
pub(crate) fn set_option<T: Copy>(
    socket: &Socket,
    level: i32,
    name: i32,
    value: &T,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).expect("option values are small");
    // SAFETY: the descriptor is open as long as `socket`; the pointer and the length describe
    // `value`, which the kernel reads during the call and does not keep.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Which network namespace a socket is of, as a number that no other one has; none where the kernel
/// does not tell (before Linux 5.14).
///
/// # Errors
/// When it is no socket.
pub fn netns_of_socket(socket: impl AsFd) -> io::Result<Option<u64>> {
    let mut found = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).expect("a number");
    // SAFETY: the descriptor is open while `socket` is borrowed; `found` and `length` are valid for
    // writes, `length` is the size of `found`, and every bit pattern is a number.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    let error = io::Error::last_os_error();
    match outcome {
        0 => Ok(Some(found)),
        _ if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(None),
        _ => Err(error),
    }
}

/// Hands a non-blocking socket to the tokio runtime of this thread.
pub(crate) fn register(socket: Socket) -> io::Result<AsyncFd<Socket>> {
    // SAFETY: a Socket owns its descriptor, always returns the same one, and nothing of ours closes
    // or replaces it before the Socket is dropped.
    let registered = unsafe { AsyncFd::register(socket) };
    registered.map_err(io::Error::from)
}

/// Hands a descriptor that does not block to the tokio runtime of this thread.
///
/// # Errors
/// When the kernel has no room to watch it.
pub fn watch_descriptor(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd owns its descriptor, always returns the same one, and nothing of ours
    // closes or replaces it before the OwnedFd is dropped.
    let registered = unsafe { AsyncFd::register(descriptor) };
    registered.map_err(io::Error::from)
}

/// The same address, as socket2 takes it.
pub(crate) fn address<T: RawAddress>(raw: T) -> SockAddr {
    const { assert!(size_of::<T>() <= size_of::<SockAddrStorage>()) };
    let fill = |storage: *mut SockAddrStorage, length: *mut libc::socklen_t| {
        // SAFETY: both pointers are valid; the storage is large enough (checked above) and aligned
        // for every kind of address.
        unsafe {
            storage.cast::<T>().write(raw);
            *length = libc::socklen_t::try_from(size_of::<T>()).expect("addresses are small");
        }
        Ok(())
    };
    // SAFETY: `fill` writes a whole address, whose family says what it is, and its length.
    let filled = unsafe { SockAddr::try_init(fill) };
    filled.expect("filling in never fails").1
}
