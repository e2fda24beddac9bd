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

/// A part whose places for connections are all taken, or that gets no descriptors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crowded {
    pub(crate) part: Part,
    /// Connections that it may have.
    pub(crate) limit: usize,
    pub(crate) want: Want,
}

/// What a want of places comes to: the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Want {
    /// Who is idle leaves, and who is new is served all the same.
    RoomIsMade,
    /// All are served: who is new waits, or is not served.
    Waits,
    /// The system refuses although there is a place.
    IsRefused,
}

/// Who was kept waiting is for so many looks.
const CALM: u32 = 3;

/// Who has how many.
#[derive(Debug)]
pub(crate) struct Descriptors {
    pub(crate) rooms: Rooms,
    /// The limit, and what is open for other things than connections, when last divided.
    divided: (u64, u64),
    /// Open for other things than connections and listening.
    base: u64,
    known: [Known; PARTS.len()],
    crowded: Vec<Crowded>,
}

/// What is known of a part since it was looked at last.
#[derive(Debug, Default)]
struct Known {
    /// How often there was no place at once.
    wanting: u64,
    /// How often somebody was kept waiting.
    delayed: u64,
    /// How often there was no descriptor.
    failed: u64,
    want: Option<Want>,
    /// The worst that was told since it is crowded.
    told: Option<Want>,
    /// Looks since it was as bad.
    calm: u32,
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
            known: Default::default(),
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

    /// Looks again, with so many `listening` sockets. What is to be told of parts that are more
    /// crowded than was told; none where all is as it was.
    pub(crate) fn look(&mut self, listening: usize) -> Option<Vec<Crowded>> {
        self.divide(listening as u64);
        let (mut crowded, mut worse) = (Vec::new(), Vec::new());
        for (part, known) in PARTS.into_iter().zip(&mut self.known) {
            let places = self.rooms.of(part);
            let is_worse = known.look(places);
            let limit = places.limit();
            let found = known.want.map(|want| Crowded { part, limit, want });
            worse.extend(found.clone().filter(|_| is_worse));
            crowded.extend(found);
        }
        let kinds = |all: &[Crowded]| all.iter().map(|it| (it.part, it.want)).collect::<Vec<_>>();
        let is_news = kinds(&crowded) != kinds(&self.crowded);
        if is_news {
            self.crowded = crowded;
        }
        is_news.then_some(worse)
    }

    /// Parts whose places are all taken.
    pub(crate) fn crowded(&self) -> &[Crowded] {
        &self.crowded
    }
}

impl Known {
    /// Looks again; whether it is worse than was told.
    fn look(&mut self, places: &Places) -> bool {
        let (wanting, delayed, failed) = (places.wanting(), places.delayed(), places.failed());
        // Once crowded, it has to become clearly less.
        let stays = self.want.is_some() && places.taken() > places.limit() / 10 * 9;
        let is_full = places.is_full() || stays || wanting != self.wanting;
        let now = match () {
            () if failed != self.failed => Some(Want::IsRefused),
            () if delayed != self.delayed => Some(Want::Waits),
            () => is_full.then_some(Want::RoomIsMade),
        };
        (self.wanting, self.delayed, self.failed) = (wanting, delayed, failed);
        self.calm = if now >= self.want { 0 } else { self.calm + 1 };
        if now.is_none() || now >= self.want || self.calm >= CALM {
            (self.want, self.calm) = (now, 0);
        }
        let is_worse = self.want > self.told;
        self.told = self.want.and_then(|want| self.told.max(Some(want)));
        is_worse
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

impl Crowded {
    /// Whether there are some who are not served: as long as others make room, all are.
    pub(crate) fn keeps_waiting(&self) -> bool {
        self.want > Want::RoomIsMade
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
        let limit = self.limit;
        match self.want {
            Want::IsRefused => {
                return write!(
                    f,
                    "{part}: the system has no file descriptors for more connections"
                );
            }
            Want::Waits => write!(
                f,
                "{part}: all {limit} places for connections are taken, and who is new waits; "
            )?,
            Want::RoomIsMade => write!(
                f,
                "{part}: all {limit} places for connections are taken at times, and who is idle \
                 makes room; "
            )?,
        }
        f.write_str("a higher limit of open files (`LimitNOFILE=`, `ulimit -Hn`) gives more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_room_is_no_trouble_and_what_is_worse_is_told_once() {
        use Want::{IsRefused, RoomIsMade, Waits};
        let (places, mut known) = (Places::new(1), Known::default());
        let mut place = places.take_now();
        let look = |known: &mut Known| (known.look(&places), known.want);
        assert_eq!(look(&mut known), (true, Some(RoomIsMade)));
        assert_eq!(look(&mut known), (false, Some(RoomIsMade)));
        places.note_delay();
        assert_eq!(look(&mut known), (true, Some(Waits)));
        // For a while, so that nobody is told by turns.
        for _ in 1..CALM {
            assert_eq!(look(&mut known), (false, Some(Waits)));
        }
        assert_eq!(look(&mut known), (false, Some(RoomIsMade)));
        places.note_delay();
        assert_eq!(look(&mut known), (false, Some(Waits)), "it was told");
        places.note_failure();
        assert_eq!(look(&mut known), (true, Some(IsRefused)));
        drop(place.take());
        assert_eq!(look(&mut known), (false, None));
        place = places.take_now();
        assert_eq!(look(&mut known), (true, Some(RoomIsMade)), "once more");
        drop(place);
    }
}
