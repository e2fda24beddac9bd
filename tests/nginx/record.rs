//! What backends have received.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Instant;

/// A request as a backend received it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    /// The backend as its case calls it, and its instance.
    pub(crate) backend: String,
    pub(crate) instance: usize,
    pub(crate) method: String,
    /// The target as it came.
    pub(crate) target: String,
    pub(crate) version: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) is_tls: bool,
    /// The address that was connected to is the Service's.
    pub(crate) is_via_service: bool,
    /// Which request of its connection it is, from 1, and which connection.
    pub(crate) nth: usize,
    pub(crate) from: Option<SocketAddr>,
    /// When its body began, and ended.
    pub(crate) body_at: Option<(Instant, Instant)>,
}

impl Received {
    /// All values of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        named(&self.headers, name)
    }

    /// The first value of this name.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }
}

/// All values of a name among header lines.
pub(crate) fn named<'h>(lines: &'h [(String, String)], name: &str) -> Vec<&'h str> {
    let of = lines.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
    of.map(|(_, value)| value.as_str()).collect()
}

/// All that the backends of a case have received, in order.
#[derive(Default)]
pub(crate) struct Records(Mutex<Vec<Received>>);

impl Records {
    pub(crate) fn add(&self, received: Received) {
        self.0.lock().unwrap().push(received);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Those after the first `count`.
    pub(crate) fn since(&self, count: usize) -> Vec<Received> {
        self.0.lock().unwrap()[count..].to_vec()
    }
}
