//! The access log: one line per request, as Traefik writes them.
//!
//! A core collects lines in its own buffer and hands them to one writer thread, at the latest
//! after a second. The writer may block (a slow disk, a stopped terminal); the cores never do:
//! when it is too far behind, lines are dropped and counted. Which requests and fields are logged
//! is settled before anything is written (`options/access_log.rs`). Where class nginx serves, its
//! ConfigMap may say so (`nginx.rs`, `places.rs`).

mod lines;
mod nginx;
mod places;
mod sink;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use steelyard_http::{RequestHead, Scheme, Witness};
use steelyard_model::routing::nginx_log::NginxLog;

use crate::options::{AccessLog, LogFields, LogFormat};
use crate::tell::request_id::RequestId;
use crate::tell::tracer::WantedLines;
use crate::wire::secured::Secured;
use crate::wire::writer::Lines;
pub(crate) use nginx::{NginxEntry, StreamEntry};
pub(crate) use places::{LogPlaces, kept};
use sink::LineBuffer;
pub(crate) use sink::{NginxLogging, NginxSink};

/// Lines of one core, on their way to the writer.
pub(crate) struct LogBuffer {
    chosen: Arc<AccessLog>,
    buffer: LineBuffer,
    /// Requests of all cores so far.
    count: Arc<AtomicU64>,
}

/// Which header lines a [`Note`] keeps.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted<'w> {
    pub(crate) fields: Option<WantedLines<'w>>,
    /// And what else nginx says of requests.
    pub(crate) nginx: Option<&'w NginxLog>,
}

/// What the log says of a request, kept from its head. Reused from request to request.
#[derive(Debug, Default)]
pub(crate) struct Note {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) host: String,
    /// Who the client is, where a filter has found that out.
    pub(crate) user: String,
    /// Bytes of the response's body before and after a filter made it smaller.
    pub(crate) shrunk: Option<(u64, u64)>,
    /// The protocol, where it is not told by the head.
    pub(crate) protocol: Option<&'static str>,
    http10: bool,
    /// Bytes of the head.
    pub(crate) head_length: u64,
    /// Path and query as they came, where nginx logs them.
    asked: String,
    /// What the request is called, where a filter has named it.
    pub(crate) name: String,
    /// It came by TLS, as far as that is believed.
    pub(crate) is_secure: bool,
    referer: Vec<u8>,
    pub(crate) user_agent: Vec<u8>,
    /// More header lines: `name:value` and a line end each.
    lines: Vec<u8>,
    /// The heads of the response, where they are shown.
    pub(crate) heads: Option<Box<Witness>>,
}

/// A request that is over.
pub(crate) struct Entry<'a> {
    pub(crate) note: &'a Note,
    /// Who asks, as far as those may say it that are trusted.
    pub(crate) client: IpAddr,
    /// Where the connection comes from.
    pub(crate) peer: SocketAddr,
    pub(crate) entry_point: &'a str,
    pub(crate) status: u16,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) duration: Duration,
    /// The part of it that the endpoint took.
    pub(crate) origin: Duration,
    pub(crate) router: Option<&'a str>,
    pub(crate) service: Option<&'a str>,
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) retries: u32,
    /// Why it was not answered by an endpoint, or not to the end.
    pub(crate) why: Option<&'static str>,
    /// The trace it is part of, and our part of it.
    pub(crate) traced: Option<(u128, u64)>,
    /// What was agreed on in the handshake of its connection.
    pub(crate) tls: Option<&'a Secured>,
    /// What it is called, where it was not answered with success.
    pub(crate) id: Option<RequestId>,
}

impl LogBuffer {
    pub(crate) fn new(chosen: Arc<AccessLog>, to: Lines, count: Arc<AtomicU64>) -> Self {
        Self { chosen, buffer: LineBuffer::new(to), count }
    }

    /// What is shown of requests, where that is more than a [`Note`] has of itself.
    pub(crate) fn wanted(&self) -> Option<&LogFields> {
        let fields = &self.chosen.fields;
        (self.chosen.format == LogFormat::Json && fields.wants_headers()).then_some(fields)
    }

    /// Adds a line for a request that is over `now`.
    pub(crate) fn write(&self, entry: &Entry<'_>, now: Instant) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let AccessLog { format, filters, fields, .. } = &*self.chosen;
        if !filters.pass(entry.status, entry.retries, entry.duration) {
            return;
        }
        let buffer = &self.buffer;
        buffer.add(|bytes| match format {
            LogFormat::Common => entry.common(bytes, fields, &buffer.stamp(now), count),
            LogFormat::GenericClf => entry.combined(bytes, fields, &buffer.stamp(now)),
            LogFormat::Json => entry.json(bytes, fields, count),
        });
    }

    /// Hands the lines to the writer.
    pub(crate) fn flush(&self) {
        self.buffer.flush();
    }
}

impl Note {
    /// Keeps what the log needs of `head`.
    pub(crate) fn take(&mut self, head: &RequestHead<'_, '_>, wanted: Wanted<'_>) {
        self.clear();
        self.method.push_str(head.method);
        self.target.push_str(&head.path);
        self.target.push_str(head.query);
        self.host.push_str(head.authority.raw);
        self.http10 = head.is_http10;
        self.referer.extend_from_slice(head.header("referer").unwrap_or_default());
        self.user_agent.extend_from_slice(head.header("user-agent").unwrap_or_default());
        self.head_length = head.len as u64;
        self.is_secure = head.scheme == Scheme::Https;
        if wanted.nginx.is_some() {
            self.asked.push_str(head.asked());
            self.asked.push_str(head.query);
        }
        let Wanted { fields, nginx } = wanted;
        if fields.is_none() && nginx.is_none() {
            return;
        }
        let is_said = |log: &NginxLog, name: &str| {
            log.text.headers.iter().any(|said| said.eq_ignore_ascii_case(name))
        };
        head.each_line(&mut |name, value| {
            let is_shown = fields.is_some_and(|it| it.has(name));
            if is_shown || nginx.is_some_and(|log| is_said(log, name)) {
                for part in [name.as_bytes(), b":", value, b"\n"] {
                    self.lines.extend_from_slice(part);
                }
            }
        });
    }

    /// Path and query as they came.
    fn asked(&self) -> &str {
        if self.asked.is_empty() { &self.target } else { &self.asked }
    }

    /// Calls `see` with each header line that is kept.
    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        for line in self.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let name = parts.next().and_then(|name| str::from_utf8(name).ok());
            if let (Some(name), Some(value)) = (name, parts.next()) {
                see(name, value);
            }
        }
    }

    /// Whether nginx says nothing of it.
    pub(crate) fn is_skipped(&self, log: &NginxLogging) -> bool {
        log.skips(self.asked())
    }

    /// The same of a head that is rewritten for an endpoint, as far as it is still known.
    pub(crate) fn take_rewritten(&mut self, head: &[u8]) {
        self.clear();
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let text = |bytes| str::from_utf8(bytes).unwrap_or_default();
        let mut words = text(lines.next().unwrap_or_default()).split(' ');
        self.method.push_str(words.next().unwrap_or_default());
        self.target.push_str(words.next().unwrap_or_default());
        for line in lines.take_while(|line| !line.is_empty()) {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            if parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"host")) {
                let value = parts.next().unwrap_or_default().trim_ascii();
                return self.host.push_str(text(value));
            }
        }
    }

    /// More header lines of the request that are kept: names and values.
    pub(crate) fn kept_lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let lines = self.lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| {
            let end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            (&line[..end], line.get(end + 1..).unwrap_or_default())
        })
    }

    /// Forgets the request before.
    pub(crate) fn clear(&mut self) {
        let Self { method, target, host, user, asked, name, .. } = self;
        for text in [method, target, host, user, asked, name] {
            text.clear();
        }
        (self.head_length, self.is_secure) = (0, false);
        self.referer.clear();
        self.user_agent.clear();
        self.lines.clear();
        self.heads.iter_mut().for_each(|heads| heads.clear());
        self.shrunk = None;
    }

    /// Has the heads of the response again.
    pub(crate) fn keep_heads(&mut self, heads: Option<Box<Witness>>) {
        if heads.is_some() {
            self.heads = heads;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_handed_over_when_they_are_many() {
        let path = std::env::temp_dir().join(format!("log-buffer-{}", std::process::id()));
        let writer = crate::wire::writer::Writer::start(Some(&path), None).unwrap();
        let buffer = LogBuffer::new(Arc::default(), writer.lines.clone(), Arc::default());
        let note = Note { target: "x".repeat(1_000), method: "GET".into(), ..Note::default() };
        let entry = Entry {
            note: &note,
            client: [127, 0, 0, 1].into(),
            peer: ([127, 0, 0, 1], 1).into(),
            entry_point: "web",
            status: 200,
            bytes_in: 0,
            bytes_out: 0,
            duration: Duration::ZERO,
            origin: Duration::ZERO,
            router: None,
            service: None,
            endpoint: None,
            retries: 0,
            why: None,
            traced: None,
            tls: None,
            id: None,
        };
        let mut most = 0;
        for _ in 0..200 {
            buffer.write(&entry, Instant::now());
            most = most.max(buffer.buffer.bytes.borrow().len());
        }
        let full = sink::FLUSH_AT;
        assert!((full - 2_000..full).contains(&most), "{most}");
        buffer.flush();
        drop(buffer);
        writer.finish();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count(), 200);
        for line in text.lines() {
            let (_, rest) = line.split_once('[').unwrap();
            let (stamp, _) = rest.split_once("] \"GET ").unwrap();
            assert!(stamp.len() == 26 && stamp.ends_with(" +0000"), "{stamp}");
        }
    }
}
