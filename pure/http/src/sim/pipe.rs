//! A TCP connection: bytes both ways, in small sockets, with its ends and its resets.

use std::collections::VecDeque;

use steelyard_testbed::Chance;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Who connected.
    Near,
    Far,
}

/// A connection as its kernels see it.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Towards the far end, and back.
    ways: [Way; 2],
    /// One side reset it.
    pub(super) reset: bool,
    /// A reset takes away what was not read.
    purges: bool,
}

#[derive(Debug)]
struct Way {
    bytes: VecDeque<u8>,
    /// How many bytes the sockets hold.
    room: usize,
    /// Nothing more will be written.
    fin: bool,
    /// Nobody reads any more.
    deaf: bool,
}

impl End {
    fn other(self) -> Self {
        match self {
            Self::Near => Self::Far,
            Self::Far => Self::Near,
        }
    }
}

impl Pipe {
    pub(super) fn new(chance: &mut Chance) -> Self {
        let mut way = || Way {
            bytes: VecDeque::new(),
            room: chance.pick(&[1, 17, 60, 200, 1000]),
            fin: false,
            deaf: false,
        };
        Self { ways: [way(), way()], reset: false, purges: chance.percent(50) }
    }

    /// Takes some of `bytes`; `None` without room.
    pub(super) fn write(
        &mut self,
        at: End,
        bytes: &[u8],
        chance: &mut Chance,
    ) -> Option<Result<usize, ()>> {
        let way = &mut self.ways[at as usize];
        if self.reset || way.fin {
            return Some(Err(()));
        }
        if way.deaf {
            self.reset_by(at.other());
            return Some(Ok(bytes.len()));
        }
        let most = bytes.len().min(way.room.saturating_sub(way.bytes.len()));
        if most == 0 {
            return None;
        }
        let count = if chance.percent(50) { most } else { 1 + chance.below(most) };
        way.bytes.extend(&bytes[..count]);
        Some(Ok(count))
    }

    /// Bytes that come together with those before, whatever the room.
    pub(super) fn push(&mut self, at: End, bytes: &[u8]) {
        self.ways[at as usize].bytes.extend(bytes);
    }

    /// Some of what there is: nothing at its end, `None` while there is nothing.
    pub(super) fn read(
        &mut self,
        at: End,
        most: usize,
        chance: &mut Chance,
    ) -> Option<Result<Vec<u8>, ()>> {
        let way = &mut self.ways[at.other() as usize];
        let most = most.min(way.bytes.len());
        if most > 0 {
            let count = if chance.percent(50) { most } else { 1 + chance.below(most) };
            return Some(Ok(way.bytes.drain(..count).collect()));
        }
        match (self.reset, way.fin) {
            (true, _) => Some(Err(())),
            (_, true) => Some(Ok(Vec::new())),
            _ => None,
        }
    }

    /// What lies there, unread.
    pub(super) fn unread(&self, at: End) -> impl Iterator<Item = u8> {
        self.ways[at.other() as usize].bytes.iter().copied()
    }

    /// Whether the other side writes nothing more.
    pub(super) fn is_ended(&self, at: End) -> bool {
        self.reset || self.ways[at.other() as usize].fin
    }

    /// Whether this side has closed, or broken it.
    pub(super) fn is_closed(&self, at: End) -> bool {
        self.reset || self.ways[at.other() as usize].deaf
    }

    /// Nothing more is written.
    pub(super) fn shut(&mut self, at: End) {
        self.ways[at as usize].fin = true;
    }

    /// The socket is closed: with bytes unread that is a reset.
    pub(super) fn close(&mut self, at: End) {
        self.shut(at);
        let way = &mut self.ways[at.other() as usize];
        way.deaf = true;
        if !way.bytes.is_empty() {
            self.reset_by(at);
        }
    }

    pub(super) fn reset_by(&mut self, at: End) {
        self.reset = true;
        self.ways[at.other() as usize].bytes.clear();
        if self.purges {
            self.ways[at as usize].bytes.clear();
        }
    }
}
