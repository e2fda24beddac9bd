//! Lines of one core on their way to a writer, and the logs of ingress-nginx's ConfigMap, which may
//! come and go.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use steelyard_model::routing::nginx_log::NginxLog;

use super::nginx::{self, LogSource, NginxEntry, StreamEntry};
use crate::tell::date::Civil;
use crate::wire::writer::Lines;

/// Buffers of this size are handed over at once.
pub(super) const FLUSH_AT: usize = 64 * 1024;

/// Room for the line with which they are full.
const LONG: usize = 2 * 1024;

/// Lines that are collected.
pub(crate) struct LineBuffer {
    pub(super) bytes: RefCell<Vec<u8>>,
    /// How many lines these are.
    lines: Cell<u64>,
    to: Lines,
    /// How the second looks that was formatted last, and until when it lasts.
    stamp: RefCell<String>,
    until: Cell<Option<Instant>>,
}

/// A log of nginx's on this core: where its lines go, and how they look.
#[derive(Clone)]
pub(crate) struct NginxLogging {
    pub(crate) log: Arc<NginxLog>,
    to: Rc<NginxSink>,
}

/// Where lines go.
pub(crate) struct NginxSink {
    buffer: LineBuffer,
    /// A value, before it is spelled.
    scratch: RefCell<Vec<u8>>,
}

impl LineBuffer {
    pub(super) fn new(to: Lines) -> Self {
        let (bytes, lines, stamp, until) = Default::default();
        Self { bytes, lines, to, stamp, until }
    }

    /// Adds a line.
    pub(super) fn add(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.capacity() == 0 {
            // To grow would be to copy it all a few times.
            bytes.reserve_exact(FLUSH_AT + LONG);
        }
        write(&mut bytes);
        self.lines.set(self.lines.get() + 1);
        if bytes.len() >= FLUSH_AT {
            self.hand_over(&mut bytes);
        }
    }

    fn hand_over(&self, bytes: &mut Vec<u8>) {
        self.to.send(std::mem::take(bytes), self.lines.take());
    }

    /// Asks what time it is once a second.
    pub(super) fn stamp(&self, now: Instant) -> Ref<'_, String> {
        if self.until.get().is_none_or(|until| now >= until) {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            *self.stamp.borrow_mut() = Civil::from_unix(since.as_secs()).log();
            let part = Duration::from_nanos(since.subsec_nanos().into());
            self.until.set(Some(now + (Duration::from_secs(1) - part)));
        }
        self.stamp.borrow()
    }

    /// Hands the lines to the writer.
    pub(super) fn flush(&self) {
        let mut bytes = self.bytes.borrow_mut();
        if !bytes.is_empty() {
            self.hand_over(&mut bytes);
        }
    }
}

impl NginxSink {
    pub(crate) fn new(to: Lines) -> Rc<Self> {
        Rc::new(Self { buffer: LineBuffer::new(to), scratch: RefCell::default() })
    }

    /// Whether its lines go there.
    pub(crate) fn goes_to(&self, lines: &Lines) -> bool {
        self.buffer.to.is(lines)
    }

    pub(crate) fn flush(&self) {
        self.buffer.flush();
    }
}

impl NginxLogging {
    pub(crate) fn new(log: Arc<NginxLog>, to: Rc<NginxSink>) -> Self {
        Self { log, to }
    }

    /// Whether it says nothing of what is asked for.
    pub(crate) fn skips(&self, asked: &str) -> bool {
        self.log.skips.iter().any(|word| word.is(asked))
    }

    /// Adds a line for a request that is over `now`.
    pub(crate) fn request(&self, entry: &NginxEntry<'_>, now: Instant) {
        self.line(entry, now);
    }

    /// The same for a connection.
    pub(crate) fn stream(&self, entry: &StreamEntry<'_>, now: Instant) {
        self.line(entry, now);
    }

    fn line(&self, of: &dyn LogSource, now: Instant) {
        let NginxSink { buffer, scratch } = &*self.to;
        let text = &self.log.text;
        buffer.add(|out| {
            nginx::line(text, of, &buffer.stamp(now), &mut scratch.borrow_mut(), out);
        });
    }
}
