//! Descriptors that another process opened for this one: systemd, for a service that it starts by
//! its sockets (sd_listen_fds(3)), or the process that this one takes over from.
//!
//! Whoever is to open something asks here first. What nobody takes is closed with the last clone.
#![allow(unsafe_code, reason = "a descriptor that was inherited is only a number at first")]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::net::sockopt::socket_type;
use rustix::net::{SocketType, getsockname};

/// The first descriptor that systemd passes (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// Of sockets that systemd passes, at most.
const MOST: RawFd = 1024;

/// They; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Inherited(Arc<Mutex<Vec<Heirloom>>>);

#[derive(Debug)]
struct Heirloom {
    name: String,
    /// It may be taken for whatever is to be at its address.
    by_address: bool,
    held: OwnedFd,
}

impl Inherited {
    /// What systemd passes to this process: `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`. To be
    /// called at the start, before anything is opened; only the first call has any.
    ///
    /// # Errors
    /// When what these say is not so.
    pub fn activated() -> io::Result<Self> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let number = |name| std::env::var(name).ok().and_then(|it| it.parse::<u32>().ok());
        let all = Self::default();
        let is_for_us = number("LISTEN_PID") == Some(std::process::id());
        let count = number("LISTEN_FDS").and_then(|it| RawFd::try_from(it).ok()).unwrap_or(0);
        if !is_for_us || count == 0 || TAKEN.swap(true, Ordering::Relaxed) {
            return Ok(all);
        }
        if count > MOST {
            return Err(io::Error::other(format!("LISTEN_FDS={count}: that many are not taken")));
        }
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        for number in FIRST..FIRST + count {
            let name = names.next().unwrap_or("unknown").to_owned();
            // SAFETY: by sd_listen_fds(3) these numbers are open descriptors of this process alone,
            // which nobody here has opened or taken: it is the first call, before anything else is
            // opened. That it is open at all is asked next; until then nothing is done with it.
            let held = unsafe { OwnedFd::from_raw_fd(number) };
            if let Err(error) = fcntl_getfd(&held) {
                // Not ours to close.
                std::mem::forget(held);
                return Err(io::Error::other(format!("LISTEN_FDS: {number} is not open: {error}")));
            }
            fcntl_setfd(&held, FdFlags::CLOEXEC)?;
            all.lock().push(Heirloom { name, by_address: true, held });
        }
        Ok(all)
    }

    /// One more, for who asks by this name.
    pub fn put(&self, name: &str, held: OwnedFd) {
        self.lock().push(Heirloom { name: name.to_owned(), by_address: false, held });
    }

    /// Those that were put by this name, in the order in which that was done.
    pub fn take(&self, name: &str) -> Vec<OwnedFd> {
        self.take_if(|it| !it.by_address && it.name == name)
    }

    /// Sockets that listen at this address, or are bound to it for datagrams, and came without any
    /// other sign of what they are for.
    pub fn take_bound(&self, datagrams: bool, at: SocketAddr) -> Vec<OwnedFd> {
        self.take_if(|it| it.by_address && bound(&it.held) == Some((datagrams, at)))
    }

    /// What is left that systemd passed: its name, and where it is.
    pub fn unclaimed(&self) -> Vec<String> {
        let all = self.lock();
        let told = all.iter().filter(|it| it.by_address).map(|it| match bound(&it.held) {
            Some((true, at)) => format!("{} (UDP {at})", it.name),
            Some((false, at)) => format!("{} ({at})", it.name),
            None => format!("{} (no IP socket)", it.name),
        });
        told.collect()
    }

    fn take_if(&self, mut wanted: impl FnMut(&Heirloom) -> bool) -> Vec<OwnedFd> {
        let mut all = self.lock();
        let (taken, left) = std::mem::take(&mut *all).into_iter().partition(|it| wanted(it));
        *all = left;
        let taken: Vec<Heirloom> = taken;
        taken.into_iter().map(|it| it.held).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Heirloom>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a socket is for datagrams, and what it is bound to.
fn bound(socket: &OwnedFd) -> Option<(bool, SocketAddr)> {
    let kind = socket_type(socket).ok()?;
    let at = SocketAddr::try_from(getsockname(socket).ok()?).ok()?;
    Some((kind == SocketType::DGRAM, at))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn what_is_asked_for_is_had_once() {
        let all = Inherited::default();
        let at = "127.0.0.1:0";
        let (first, second) = (TcpListener::bind(at).unwrap(), TcpListener::bind(at).unwrap());
        let places = [&first, &second].map(|it| it.local_addr().unwrap());
        all.put("web", first.into());
        all.put("web", second.into());
        let udp = UdpSocket::bind(at).unwrap();
        let place = udp.local_addr().unwrap();
        all.lock().push(Heirloom { name: "dns".into(), by_address: true, held: udp.into() });
        assert_eq!(all.unclaimed(), [format!("dns (UDP {place})")]);
        assert!(all.clone().take_bound(false, place).is_empty(), "it is not of TCP");
        assert!(all.take_bound(false, places[0]).is_empty(), "it is for who asks by name");
        let taken: Vec<_> = all.take("web").into_iter().map(TcpListener::from).collect();
        assert_eq!(taken.iter().map(|it| it.local_addr().unwrap()).collect::<Vec<_>>(), places);
        assert!(all.take("web").is_empty());
        assert_eq!(all.take_bound(true, place).len(), 1);
        assert!(all.unclaimed().is_empty());
    }
}
