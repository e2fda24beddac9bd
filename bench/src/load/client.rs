//! The asking side.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use memchr::memmem;
use rustix::event::epoll;

use super::{Options, Report};

/// All asking connections and what they counted.
pub(super) struct Clients {
    slots: Vec<Client>,
    request: Request,
    /// When the next request is due, and how long after it the one after that; those who have
    /// nothing to wait for.
    pace: Option<(Instant, Duration)>,
    idle: Vec<usize>,
    target: std::net::SocketAddr,
    new_connections: bool,
    /// Count of answers by time in µs, the last one for everything slower.
    times: Vec<u32>,
    requests: u64,
    errors: u64,
    buffer: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    asked: Instant,
    head: Vec<u8>,
    /// What is still to come of the body, once the head is complete.
    left: Option<Left>,
}

/// The rest of a body.
enum Left {
    Bytes(usize),
    /// Chunks, as far as the last bytes that came: nothing is asked while they come, so that what
    /// ends like a body without trailers is its end.
    Chunks([u8; LAST.len()]),
}

/// How a body of chunks ends.
const LAST: &[u8; 7] = b"\r\n0\r\n\r\n";

/// What is asked.
struct Request {
    bytes: Vec<u8>,
    /// Where the number of a host stands, and how many there are.
    numbered: Option<(usize, u32)>,
    random: u64,
}

enum Progress {
    Waiting,
    Answered,
    Broken,
}

impl Clients {
    pub(super) fn start(poll: &OwnedFd, options: &Options) -> Result<Self> {
        let close = if options.new_connections { "Connection: close\r\n" } else { "" };
        let host =
            if options.hosts.is_some() { crate::peer::host(0) } else { options.host.clone() };
        let text = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) bench\r\n\
             Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\
             Accept-Encoding: gzip, deflate, br\r\n\
             Cookie: session=0123456789abcdef0123456789abcdef\r\n{close}\r\n",
            options.path, host
        );
        let begin = text.find("Host: h").map_or(0, |at| at + 7);
        let numbered = options.hosts.map(|count| (begin, count));
        let step = options.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let mut clients = Self {
            slots: Vec::new(),
            request: Request { bytes: text.into_bytes(), numbered, random: 88_172_645_463_325_252 },
            pace: step.map(|step| (Instant::now(), step)),
            idle: Vec::new(),
            target: options.target,
            new_connections: options.new_connections,
            times: vec![0; 1_000_001],
            requests: 0,
            errors: 0,
            buffer: vec![0; 256 * 1024],
        };
        for at in 0..options.connections {
            let client = clients.connect(poll, at)?;
            clients.slots.push(client);
        }
        Ok(clients)
    }

    fn connect(&mut self, poll: &OwnedFd, at: usize) -> Result<Client> {
        let mut stream = TcpStream::connect(self.target)
            .with_context(|| format!("cannot connect to {}", self.target))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET | epoll::EventFlags::RDHUP;
        epoll::add(poll, &stream, epoll::EventData::new_u64(at as u64 + 1), flags)?;
        stream.write_all(self.request.next())?;
        Ok(Client { stream, asked: Instant::now(), head: Vec::with_capacity(4096), left: None })
    }

    /// Goes on with the client `at`.
    pub(super) fn event(&mut self, poll: &OwnedFd, at: usize) -> Result<()> {
        let progress = self.slots[at].read(&mut self.buffer);
        match progress {
            Progress::Waiting => return Ok(()),
            Progress::Answered => self.count(at),
            Progress::Broken => self.errors += 1,
        }
        if self.errors > 100_000 {
            bail!("more than 100,000 requests failed");
        }
        let again =
            !self.new_connections && matches!(progress, Progress::Answered) && self.go_on(at);
        if !again {
            self.slots[at] = self.connect(poll, at)?;
        }
        Ok(())
    }

    /// The client `at` asks again, or waits until something is due; whether it can.
    fn go_on(&mut self, at: usize) -> bool {
        if self.pace.is_some() {
            self.idle.push(at);
            return true;
        }
        self.slots[at].ask(self.request.next(), Instant::now())
    }

    /// Asks what is due by now, as far as anybody is there to ask it; whether there is a pace.
    pub(super) fn ask_what_is_due(&mut self, now: Instant) -> bool {
        let Some((due, step)) = &mut self.pace else { return false };
        while *due <= now {
            let Some(at) = self.idle.pop() else { break };
            self.slots[at].ask(self.request.next(), *due);
            *due += *step;
        }
        true
    }

    fn count(&mut self, at: usize) {
        let client = &self.slots[at];
        if client.head.get(9..12) != Some(b"200") {
            self.errors += 1;
            return;
        }
        self.requests += 1;
        let last = self.times.len() - 1;
        let micros = usize::try_from(client.asked.elapsed().as_micros()).unwrap_or(last);
        self.times[micros.min(last)] += 1;
    }

    pub(super) fn report(&self, elapsed: Duration) -> Report {
        Report {
            requests: self.requests,
            errors: self.errors,
            p50: self.percentile(0.5),
            p99: self.percentile(0.99),
            seconds: elapsed.as_secs_f64(),
        }
    }

    fn percentile(&self, share: f64) -> u32 {
        let mut seen = 0;
        let wanted = share * self.requests as f64;
        let at = self.times.iter().position(|count| {
            seen += u64::from(*count);
            seen as f64 >= wanted
        });
        u32::try_from(at.unwrap_or(0)).unwrap_or(u32::MAX)
    }
}

impl Request {
    /// The bytes of the next one.
    fn next(&mut self) -> &[u8] {
        if let Some((at, count)) = self.numbered {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let mut number = self.random % u64::from(count);
            for digit in self.bytes[at..at + 8].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        &self.bytes
    }
}

impl Client {
    fn ask(&mut self, request: &[u8], due: Instant) -> bool {
        self.head.clear();
        self.left = None;
        self.asked = due;
        self.stream.write_all(request).is_ok()
    }

    fn read(&mut self, buffer: &mut [u8]) -> Progress {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Progress::Broken,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waiting,
                Err(_) => return Progress::Broken,
            };
            if self.take(&buffer[..count]) {
                return Progress::Answered;
            }
        }
    }

    /// Takes bytes of the answer; true when it is complete.
    fn take(&mut self, bytes: &[u8]) -> bool {
        if let Some(left) = &mut self.left {
            return left.take(bytes);
        }
        self.head.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.head, b"\r\n\r\n") else { return false };
        let (head, body) = (&self.head[..end], &self.head[end + 4..]);
        let mut left = match content_length(head) {
            Some(length) => Left::Bytes(length),
            None => Left::Chunks([0; LAST.len()]),
        };
        let ends = left.take(body);
        self.left = Some(left);
        ends
    }
}

impl Left {
    /// Takes bytes of the body; true when it is complete.
    fn take(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::Bytes(left) => {
                *left = left.saturating_sub(bytes.len());
                *left == 0
            }
            Self::Chunks(last) => {
                let new = &bytes[bytes.len().saturating_sub(LAST.len())..];
                last.copy_within(new.len().., 0);
                last[LAST.len() - new.len()..].copy_from_slice(new);
                last == LAST
            }
        }
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    let name = b"content-length:";
    let lines = head.split(|byte| *byte == b'\n');
    let value = lines.filter_map(|line| {
        let (first, rest) = line.split_at_checked(name.len())?;
        first.eq_ignore_ascii_case(name).then(|| String::from_utf8_lossy(rest).trim().parse().ok())
    });
    value.flatten().next()
}
