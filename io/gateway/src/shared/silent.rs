//! Endpoints that took no connection when they were last asked for one, by requests: nobody else
//! asks. A table of routes begins with none.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many are known at most.
const MOST: usize = 4096;

/// They, for all cores.
#[derive(Debug, Default)]
pub(crate) struct Silent {
    /// Whether there are any, so that new connections to endpoints that work cost one look.
    any: AtomicBool,
    known: Mutex<BTreeSet<SocketAddr>>,
}

impl Silent {
    /// Notes what came of asking `endpoint` for a connection.
    pub(crate) fn note<T>(&self, endpoint: SocketAddr, outcome: &io::Result<T>) {
        match outcome {
            Ok(_) if self.any.load(Ordering::Relaxed) => drop(self.lock().remove(&endpoint)),
            Err(error) if is_its_own(error.kind()) => {
                let mut known = self.lock();
                if known.len() < MOST {
                    known.insert(endpoint);
                    self.any.store(true, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn forget(&self) {
        self.lock().clear();
        self.any.store(false, Ordering::Relaxed);
    }

    pub(crate) fn all(&self) -> BTreeSet<SocketAddr> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is the endpoint that fails, rather than this host.
fn is_its_own(kind: ErrorKind) -> bool {
    use ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
    };
    [ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut]
        .contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_silent_from_a_refusal_to_the_next_connection() {
        let silent = Silent::default();
        let [a, b] = ["10.0.0.1:80", "10.0.0.2:80"].map(|it| it.parse::<SocketAddr>().unwrap());
        let failed = |kind: ErrorKind| Err::<(), _>(io::Error::from(kind));
        silent.note(a, &failed(ErrorKind::ConnectionRefused));
        silent.note(b, &failed(ErrorKind::TimedOut));
        assert_eq!(silent.all(), [a, b].into());
        silent.note(a, &Ok(()));
        assert_eq!(silent.all(), [b].into());
        silent.forget();
        // Nothing of the endpoint's doing.
        silent.note(a, &failed(ErrorKind::AddrNotAvailable));
        assert_eq!(silent.all(), [].into());
    }

    #[test]
    fn no_more_are_known_than_fit() {
        let silent = Silent::default();
        for port in 1..=MOST + 1 {
            let endpoint = SocketAddr::from(([10, 0, 0, 1], u16::try_from(port).unwrap()));
            silent.note(endpoint, &Err::<(), _>(ErrorKind::ConnectionRefused.into()));
        }
        assert_eq!(silent.all().len(), MOST);
    }
}
