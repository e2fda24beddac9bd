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

/// An option's value that is a plain C structure or number, any bits of which are one.
trait RawOption: Copy + Default {}

impl RawOption for u64 {}
impl RawOption for Peer {}

/// `struct ucred` of Linux.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Peer {
    process: libc::pid_t,
    user: libc::uid_t,
    group: libc::gid_t,
}

fn option<T: RawOption>(socket: impl AsFd, name: i32) -> io::Result<T> {
    let mut found = T::default();
    let mut length = libc::socklen_t::try_from(size_of::<T>()).expect("option values are small");
    // SAFETY: the descriptor is open while `socket` is borrowed; `found` and `length` are valid for
    // writes, `length` is the size of `found`, and any bits are a value of a `RawOption`.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    if outcome == 0 { Ok(found) } else { Err(io::Error::last_os_error()) }
}

/// Which network namespace a socket is of, as a number that no other one has; none where the kernel
/// does not tell (before Linux 5.14).
///
/// # Errors
/// When it is no socket.
pub fn netns_of_socket(socket: impl AsFd) -> io::Result<Option<u64>> {
    match option(socket, libc::SO_NETNS_COOKIE) {
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(None),
        found => found.map(Some),
    }
}

/// The user that the other side of a Unix socket was when it connected, or began to listen.
///
/// Not by rustix, which takes a process's number to be never 0: it is, where the other side is in
/// another namespace of processes, as in another pod.
///
/// # Errors
/// When it is no socket.
pub fn user_of_peer(socket: impl AsFd) -> io::Result<u32> {
    option(socket, libc::SO_PEERCRED).map(|peer: Peer| peer.user)
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
