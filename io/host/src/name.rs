//! A name in the network namespace that one process of ours holds: an abstract Unix socket. The
//! kernel lets go of it however the process ends.
//!
//! Anybody may bind such a name. One that is held by a user who is neither we nor root is passed
//! over: it stops nobody.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

/// Names that are tried; who holds all of them keeps us from noticing another instance, no more.
const TRIES: usize = 16;

/// A name that is held while this lives; nothing where all were others'.
#[derive(Debug)]
pub struct Name(Option<UnixListener>);

impl Name {
    /// One that another process of ours has taken, and gives to this one.
    pub fn given(held: OwnedFd) -> Self {
        Self(Some(held.into()))
    }

    /// It, for another process of ours: it is held until both have let it go.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn share(&self) -> io::Result<Option<OwnedFd>> {
        self.0.as_ref().map(|it| Ok(it.try_clone()?.into())).transpose()
    }
}

/// Another process of ours, or of root, holds the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken;

/// Takes `name`.
///
/// # Errors
/// [`Taken`].
pub fn take(name: &str) -> Result<Name, Taken> {
    for number in 0..TRIES {
        let full = if number == 0 { name.to_owned() } else { format!("{name}-{number}") };
        let Ok(address) = SocketAddr::from_abstract_name(full) else { break };
        match UnixListener::bind_addr(&address) {
            Ok(held) => return Ok(Name(Some(held))),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => break,
            Err(_) if is_ours(&address) => return Err(Taken),
            Err(_) => {}
        }
    }
    Ok(Name(None))
}

/// Whether who listens there is we or root; one that does not answer is not known to be.
fn is_ours(address: &SocketAddr) -> bool {
    let holder = UnixStream::connect_addr(address).and_then(|stream| peer(&stream));
    holder.is_ok_and(|holder| holder == 0 || holder == own_id())
}

#[allow(unsafe_code, reason = "the standard library has no call for it")]
fn own_id() -> u32 {
    // SAFETY: geteuid(2) takes nothing, cannot fail and touches no memory.
    unsafe { libc::geteuid() }
}

/// User id of who listens at the other end (unix(7), SO_PEERCRED).
#[allow(unsafe_code, reason = "the standard library has no stable call for it")]
fn peer(stream: &UnixStream) -> io::Result<u32> {
    let mut found = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).expect("a small struct");
    // SAFETY: the descriptor is open while `stream` lives; `found` and `length` are valid for
    // writes, and `length` is the size of `found`, which has no invalid bit patterns.
    let outcome = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    if outcome == 0 { Ok(found.uid) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_name_is_held_once_and_let_go() {
        let name = format!("sy-name-{}", std::process::id());
        let held = take(&name).unwrap();
        assert_eq!(take(&name).unwrap_err(), Taken);
        drop(held);
        // A child of another test has it open too, for as long as it takes to run its program.
        let deadline = Instant::now() + Duration::from_secs(10);
        while take(&name).is_err() {
            assert!(Instant::now() < deadline, "it is let go");
            std::thread::yield_now();
        }
    }
}
