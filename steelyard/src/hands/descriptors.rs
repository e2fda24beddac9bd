//! File descriptors: how many connections each part may have, and what is said when one has no
//! place left.
//!
//! The soft limit is raised to the hard one, and what may be open is divided ([`Shares`]): control
//! keeps its own. It is looked at each second, since the limit may be changed from outside and
//! listening sockets come and go.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use steelyard_host::descriptors;
use steelyard_host::places::Places;
use steelyard_metrics::{Exposition, MetricFamily, table};
use steelyard_plan::Shares;

/// What is open before anything was measured.
const AT_START: u64 = 64;

/// Whose connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Admin,
    Gateway,
    Flows,
    Sessions,
}

const PARTS: [Part; 4] = [Part::Admin, Part::Gateway, Part::Flows, Part::Sessions];

/// The places of all parts. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rooms {
    pub(crate) admin: Places,
    pub(crate) gateway: Places,
    pub(crate) flows: Places,
    pub(crate) sessions: Places,
    /// Connections to endpoints that the gateway may keep.
    pub(crate) kept: Arc<AtomicUsize>,
}

/// A part whose connections get no place, or no descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crowded {
    pub(crate) part: Part,
    /// Connections that it may have.
    pub(crate) limit: usize,
    /// Whether the system refused although there was a place.
    pub(crate) is_refused: bool,
}

/// Who has how many.
#[derive(Debug)]
pub(crate) struct Descriptors {
    pub(crate) rooms: Rooms,
    /// The limit, and what is open for other things than connections, when last divided.
    divided: (u64, u64),
    /// Open for other things than connections and listening.
    base: u64,
    /// For each part, how often there was no place, or no descriptor, when last looked at.
    told: [(u64, u64); PARTS.len()],
    crowded: Vec<Crowded>,
}

impl Descriptors {
    /// Raises the limit, and divides it.
    pub(crate) fn start() -> Self {
        if let Err(error) = descriptors::raise() {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
        let mut all = Self {
            rooms: Rooms::default(),
            divided: (0, 0),
            base: AT_START,
            told: Default::default(),
            crowded: Vec::new(),
        };
        all.divide(0);
        all
    }

    /// Measures what is open when everything runs and nobody is connected.
    pub(crate) fn measure(&mut self) {
        self.base = descriptors::open().unwrap_or(AT_START);
        let shares = self.divide(0);
        let (limit, _) = self.divided;
        tracing::debug!(limit, base = self.base, ?shares, "file descriptors");
        if shares.clients < 16 {
            tracing::warn!(
                "only {limit} files may be open, so few connections have a place: raise the hard \
                 limit (`ulimit -Hn`, `LimitNOFILE=` of systemd)"
            );
        }
    }

    fn divide(&mut self, listening: u64) -> Shares {
        let (limit, used) = (descriptors::limit(), self.base + listening);
        let shares = Shares::of(limit, used);
        if self.divided != (limit, used) {
            self.divided = (limit, used);
            self.rooms.admin.set_limit(shares.admin);
            self.rooms.gateway.set_limit(shares.clients);
            self.rooms.flows.set_limit(shares.flows);
            self.rooms.sessions.set_limit(shares.sessions);
            self.rooms.kept.store(shares.kept, Ordering::Relaxed);
        }
        shares
    }

    /// Looks again, with so many `listening` sockets. Whether other parts are crowded than before.
    pub(crate) fn look(&mut self, listening: usize) -> bool {
        self.divide(listening as u64);
        let mut crowded = Vec::new();
        for (part, told) in PARTS.into_iter().zip(&mut self.told) {
            let places = self.rooms.of(part);
            let now = (places.wanting(), places.failed());
            let was = self.crowded.iter().any(|it| it.part == part);
            // Once crowded, it has to become clearly less.
            let is_full = places.is_full() || was && places.taken() > places.limit() / 10 * 9;
            if now != *told || is_full {
                let is_refused = now.1 != told.1;
                crowded.push(Crowded { part, limit: places.limit(), is_refused });
            }
            *told = now;
        }
        let parts = |all: &[Crowded]| all.iter().map(|it| it.part).collect::<Vec<_>>();
        let is_news = parts(&crowded) != parts(&self.crowded);
        if is_news {
            self.crowded = crowded;
        }
        is_news
    }

    /// Parts whose connections get no place.
    pub(crate) fn crowded(&self) -> &[Crowded] {
        &self.crowded
    }
}

impl Rooms {
    fn of(&self, part: Part) -> &Places {
        match part {
            Part::Admin => &self.admin,
            Part::Gateway => &self.gateway,
            Part::Flows => &self.flows,
            Part::Sessions => &self.sessions,
        }
    }

    /// Tells who has how many.
    pub(crate) fn expose(&self, out: &mut Exposition) {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let mut family = |family: &MetricFamily<1>, of: &dyn Fn(&Places) -> u64| {
            let mut series = out.family(family);
            for part in PARTS {
                series.put([&part], of(self.of(part)));
            }
        };
        family(&table::CONNECTIONS, &|it| number(it.taken()));
        family(&table::CONNECTIONS_LIMIT, &|it| number(it.limit()));
        family(&table::CONNECTIONS_CROWDED, &Places::wanting);
        family(&table::CONNECTIONS_REFUSED, &Places::failed);
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "admin",
            Self::Gateway => "gateway",
            Self::Flows => "in-process-tcp",
            Self::Sessions => "in-process-udp",
        })
    }
}

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Admin => "the admin interface",
            Part::Gateway => "the gateway",
            Part::Flows => "TCP carried in process",
            Part::Sessions => "UDP carried in process",
        };
        if self.is_refused {
            return write!(f, "{part}: the system has no file descriptors for more connections");
        }
        write!(f, "{part}: all {} places for connections are taken at times; ", self.limit)?;
        f.write_str("a higher limit of open files (`LimitNOFILE=`, `ulimit -Hn`) gives more")
    }
}
