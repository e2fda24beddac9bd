//! Who wears a connection out: frames that cost us more than whoever sends them (RFC 9113 §10.5).
//!
//! Each kind has a budget of its own, which grows slowly by itself and faster by what such frames
//! are there for: a client that takes much sends many updates of windows, one that asks much may
//! give up much. What an honest client does is far from any of them, however fast it is; what is
//! beyond costs a connection, and is counted by its name.

use std::time::{Duration, Instant};

use super::frames::FrameHead;

/// What a connection is ended for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flood {
    /// Requests that are given up at once (CVE-2023-44487).
    RapidReset,
    /// Streams that we are made to reset (CVE-2025-8671).
    MadeReset,
    /// Requests that are sent again and again though there is no place for them.
    Declined,
    /// A head in more pieces than any has (CVE-2024-27983).
    Continuation,
    /// SETTINGS (CVE-2019-9515).
    Settings,
    /// PING (CVE-2019-9512), and what answers none: who asks nobody is answered by nobody.
    Ping,
    /// DATA without bytes (CVE-2019-9518).
    EmptyData,
    /// DATA in crumbs that nobody takes: whoever keeps them notices it.
    SmallData,
    /// Updates of windows, for answers in crumbs (CVE-2019-9511).
    WindowUpdate,
    /// PRIORITY, and what nobody knows (CVE-2019-9513).
    Priority,
}

/// Keeps watch over a connection's frames.
#[derive(Clone, Debug)]
pub struct Calm {
    left: [u32; Flood::ALL.len()],
    /// When they grew last.
    grown: Instant,
    /// Frames and bytes of the head that is coming.
    head: (u32, u64),
}

/// What a budget begins with and never has more than, and how it grows by the second.
struct Budget {
    most: u32,
    per_second: u32,
}

/// Pieces and bytes of one head, at most; a head of the size that is taken fits into a few frames.
const MOST_PIECES: u32 = 10;
const MOST_BYTES: u64 = 160 * 1024;

/// DATA of fewer bytes is a crumb, which earns nothing.
const CRUMB: u32 = 256;

impl Flood {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::RapidReset,
        Self::MadeReset,
        Self::Declined,
        Self::Continuation,
        Self::Settings,
        Self::Ping,
        Self::EmptyData,
        Self::SmallData,
        Self::WindowUpdate,
        Self::Priority,
    ];

    /// For metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::RapidReset => "rapid-reset",
            Self::MadeReset => "made-reset",
            Self::Declined => "declined",
            Self::Continuation => "continuation",
            Self::Settings => "settings",
            Self::Ping => "ping",
            Self::EmptyData => "empty-data",
            Self::SmallData => "small-data",
            Self::WindowUpdate => "window-update",
            Self::Priority => "priority",
        }
    }

    fn budget(self) -> Budget {
        let (most, per_second) = match self {
            Self::RapidReset => (500, 20),
            Self::MadeReset => (100, 5),
            Self::Declined => (2_000, 100),
            Self::Continuation | Self::SmallData => (0, 0),
            Self::Settings => (50, 2),
            Self::Ping => (1_000, 50),
            Self::EmptyData => (50, 10),
            Self::WindowUpdate => (5_000, 1_000),
            Self::Priority => (500, 20),
        };
        Budget { most, per_second }
    }
}

impl Calm {
    /// A connection that has just come.
    pub fn new(now: Instant) -> Self {
        Self { left: Flood::ALL.map(|it| it.budget().most), grown: now, head: (0, 0) }
    }

    /// A frame came.
    pub fn came(&mut self, frame: FrameHead, now: Instant) -> Result<(), Flood> {
        match frame.kind {
            FrameHead::DATA if frame.length == 0 && !frame.ends_stream() => {
                self.spend(Flood::EmptyData, now)
            }
            FrameHead::DATA => {
                self.earn(Flood::Ping, 2);
                Ok(())
            }
            FrameHead::HEADERS => {
                self.head = (1, u64::from(frame.length));
                self.earn(Flood::Ping, 2);
                self.earn(Flood::Priority, 5);
                Ok(())
            }
            FrameHead::CONTINUATION => {
                self.head = (self.head.0 + 1, self.head.1 + u64::from(frame.length));
                let is_long = self.head.0 > MOST_PIECES || self.head.1 > MOST_BYTES;
                if is_long { Err(Flood::Continuation) } else { Ok(()) }
            }
            FrameHead::RST_STREAM => self.spend(Flood::RapidReset, now),
            FrameHead::SETTINGS if frame.is_ack() => Ok(()),
            FrameHead::SETTINGS => self.spend(Flood::Settings, now),
            FrameHead::PING => self.spend(Flood::Ping, now),
            FrameHead::WINDOW_UPDATE => self.spend(Flood::WindowUpdate, now),
            _ => self.spend(Flood::Priority, now),
        }
    }

    /// A frame was sent.
    pub fn sent(&mut self, frame: FrameHead, now: Instant) -> Result<(), Flood> {
        /// PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM:
        /// what only who is on the other side can have made us say.
        const THEIRS: [u32; 5] = [1, 3, 5, 6, 7];
        if frame.ends_stream() {
            self.earn(Flood::RapidReset, 1);
        }
        match frame.kind {
            FrameHead::RST_STREAM if THEIRS.contains(&frame.reason) => {
                return self.spend(Flood::MadeReset, now);
            }
            FrameHead::DATA if frame.length >= CRUMB => {
                self.earn(Flood::WindowUpdate, 3);
                self.earn(Flood::Ping, 2);
            }
            _ => {}
        }
        Ok(())
    }

    /// A stream is refused for want of a place, which is no doing of the client's; but who goes on
    /// asking costs as much as one who makes us reset.
    pub fn declined(&mut self, now: Instant) -> Result<(), Flood> {
        self.spend(Flood::Declined, now)
    }

    fn earn(&mut self, kind: Flood, count: u32) {
        let left = &mut self.left[kind as usize];
        *left = (*left + count).min(kind.budget().most);
    }

    fn spend(&mut self, kind: Flood, now: Instant) -> Result<(), Flood> {
        if self.left[kind as usize] == 0 {
            self.grow(now);
        }
        let left = self.left[kind as usize].checked_sub(1).ok_or(kind)?;
        self.left[kind as usize] = left;
        Ok(())
    }

    /// Only looked at when a budget is at its end, so that frames need no clock.
    fn grow(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.grown).min(Duration::from_hours(1));
        let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
        if seconds > 0 {
            self.grown = now;
            for kind in Flood::ALL {
                self.earn(kind, kind.budget().per_second.saturating_mul(seconds));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    fn frame(kind: u8, flags: u8, length: u32) -> FrameHead {
        FrameHead { kind, flags, length, reason: 0 }
    }

    fn reset(reason: u32) -> FrameHead {
        FrameHead { reason, ..frame(FrameHead::RST_STREAM, 0, 4) }
    }

    /// How many of a frame are taken at once, if not all.
    fn taken(frames: u32, mut one: impl FnMut() -> Result<(), Flood>) -> Result<(), (u32, Flood)> {
        (0..frames).try_for_each(|count| one().map_err(|flood| (count, flood)))
    }

    #[test]
    fn each_flood_is_noticed_by_its_name() {
        let start = start();
        for (came, expected) in [
            (reset(8), Some((500, Flood::RapidReset))),
            (frame(FrameHead::SETTINGS, 0, 0), Some((50, Flood::Settings))),
            (frame(FrameHead::PING, 0, 8), Some((1_000, Flood::Ping))),
            (frame(FrameHead::DATA, 0, 0), Some((50, Flood::EmptyData))),
            (frame(FrameHead::WINDOW_UPDATE, 0, 4), Some((5_000, Flood::WindowUpdate))),
            (frame(2, 0, 5), Some((500, Flood::Priority))),
            (frame(200, 0, 5), Some((500, Flood::Priority))),
            (frame(FrameHead::CONTINUATION, 0, 0), Some((10, Flood::Continuation))),
            (frame(FrameHead::CONTINUATION, 0, 100_000), Some((1, Flood::Continuation))),
            (frame(FrameHead::SETTINGS, 1, 0), None),
            (frame(FrameHead::PING, 1, 8), Some((1_000, Flood::Ping))),
            (frame(FrameHead::DATA, 0, 1), None),
            (frame(FrameHead::DATA, 1, 0), None),
            (frame(FrameHead::HEADERS, 4, 9), None),
        ] {
            let mut calm = Calm::new(start);
            let seen = taken(100_000, || calm.came(came, start));
            assert_eq!(seen.err(), expected, "{came:?}");
        }
        for (reason, expected) in [
            (1, Some((100, Flood::MadeReset))),
            (3, Some((100, Flood::MadeReset))),
            (5, Some((100, Flood::MadeReset))),
            (6, Some((100, Flood::MadeReset))),
            (7, Some((100, Flood::MadeReset))),
            (0, None),
            (2, None),
            (8, None),
        ] {
            let mut calm = Calm::new(start);
            let seen = taken(100_000, || calm.sent(reset(reason), start));
            assert_eq!(seen.err(), expected, "{reason}");
        }
    }

    /// A browser that finds no place for all that a page is made of, many times over.
    #[test]
    fn who_is_declined_is_taken_for_a_flood_much_later() {
        let start = start();
        let mut calm = Calm::new(start);
        assert!(taken(2_000, || calm.declined(start)).is_ok());
        assert_eq!(calm.declined(start), Err(Flood::Declined));
        assert_eq!(calm.sent(reset(7), start), Ok(()), "the other has a budget of its own");
        let later = start + Duration::from_secs(2);
        assert_eq!(taken(999, || calm.declined(later)), Err((200, Flood::Declined)));
    }

    #[test]
    fn a_head_in_few_pieces_is_fine_however_many_there_are() {
        let start = start();
        let mut calm = Calm::new(start);
        for _ in 0..10_000 {
            calm.came(frame(FrameHead::HEADERS, 0, 16_000), start).unwrap();
            for _ in 0..5 {
                calm.came(frame(FrameHead::CONTINUATION, 0, 16_000), start).unwrap();
            }
        }
    }

    #[test]
    fn what_is_there_for_something_is_earned() {
        let start = start();
        let mut calm = Calm::new(start);
        for round in 0..20_000 {
            let sent = [frame(FrameHead::DATA, 0, 16_000), frame(FrameHead::HEADERS, 1, 50)];
            for frame in sent {
                calm.sent(frame, start).unwrap();
            }
            let asked = frame(FrameHead::HEADERS, 5, 50);
            let update = frame(FrameHead::WINDOW_UPDATE, 0, 4);
            let ping = frame(FrameHead::PING, 0, 8);
            for frame in [asked, update, update, ping, frame(2, 0, 5), reset(8)] {
                assert_eq!(calm.came(frame, start), Ok(()), "round {round}");
            }
        }
    }

    /// A crumb is sent for each update that a small window gets: that is what it is about.
    #[test]
    fn crumbs_earn_nothing() {
        let start = start();
        let mut calm = Calm::new(start);
        let seen = taken(100_000, || {
            calm.sent(frame(FrameHead::DATA, 0, 1), start)?;
            calm.came(frame(FrameHead::WINDOW_UPDATE, 0, 4), start)
        });
        assert_eq!(seen, Err((5_000, Flood::WindowUpdate)));
    }

    #[test]
    fn budgets_grow_by_the_second_and_not_without_end() {
        let start = start();
        let mut calm = Calm::new(start);
        let ping = frame(FrameHead::PING, 0, 8);
        assert!(taken(1_000, || calm.came(ping, start)).is_ok());
        let later = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(calm.came(ping, later(999)).is_err());
        assert_eq!(taken(99, || calm.came(ping, later(1_000))), Err((50, Flood::Ping)));
        assert_eq!(taken(9_999, || calm.came(ping, later(900_000))), Err((1_000, Flood::Ping)));
    }
}
