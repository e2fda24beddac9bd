//! Load that notices everything: requests on connections that are kept and on new ones, with bodies
//! and without; lines over a TCP connection; datagrams. What is not answered as it should be counts
//! as failed, whatever the reason: nothing is tried again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use steelyard_host::netns::Namespace;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many failures are told.
const TOLD: usize = 5;

/// What is asked, by one client.
#[derive(Clone, Debug)]
pub enum Ask {
    /// `GET` of this host, on a connection that is kept.
    Get(SocketAddr, String),
    /// The same, each on a new connection.
    GetAnew(SocketAddr, String),
    /// `POST` of a body to this host, on a connection that is kept.
    Post(SocketAddr, String),
    /// Lines over one TCP connection, which has to stay, to who says them back.
    Lines(SocketAddr),
    /// Datagrams from one port, to [`datagrams`]: all of them have to reach it from one port, too.
    Datagrams(SocketAddr),
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Tally {
    /// How often something was asked.
    pub asked: u64,
    /// How often the answer was not as it should be.
    pub failed: u64,
    /// The first few of these.
    pub why: Vec<String>,
}

/// Clients that ask until they are told to end.
#[derive(Debug)]
pub struct Load {
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Starts a client for each of `asks`, that asks each `pace`.
    pub fn start(asks: &[Ask], pace: Duration) -> Self {
        Self::start_on(None, asks, pace)
    }

    /// The same on another host.
    pub fn start_on(host: Option<&Namespace>, asks: &[Ask], pace: Duration) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let name = host.map(|it| it.name().to_owned());
        let clients = asks.iter().map(|ask| {
            let (ask, is_over, name) = (ask.clone(), Arc::clone(&is_over), name.clone());
            let work = move || match name {
                None => client(&ask, pace, &is_over),
                Some(name) => {
                    let host = Namespace::existing(&name).expect("the host is there");
                    host.run(|| client(&ask, pace, &is_over)).expect("the host can be entered")
                }
            };
            std::thread::spawn(work)
        });
        let clients = clients.collect();
        Self { is_over, clients }
    }

    /// Ends it, and tells what became of all.
    pub fn end(self) -> Tally {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for client in self.clients {
            let one = client.join().expect("a client ends by itself");
            all.asked += one.asked;
            all.failed += one.failed;
            all.why.extend(one.why);
        }
        all.why.truncate(TOLD);
        all
    }
}

impl Tally {
    /// Fails unless all was answered, and at least `least` was asked.
    pub fn is_whole(&self, least: u64) -> Result<()> {
        ensure!(self.failed == 0, "{} of {} failed: {:?}", self.failed, self.asked, self.why);
        ensure!(self.asked >= least, "only {} were asked, not {least}", self.asked);
        Ok(())
    }
}

fn client(ask: &Ask, pace: Duration, is_over: &AtomicBool) -> Tally {
    let (mut tally, mut kept) = (Tally::default(), None);
    let mut due = Instant::now();
    while tally.asked == 0 || !is_over.load(Ordering::Relaxed) {
        tally.asked += 1;
        if let Err(error) = once(ask, tally.asked, &mut kept) {
            kept = None;
            tally.failed += 1;
            if tally.why.len() < TOLD {
                tally.why.push(format!("{ask:?} number {}: {error:#}", tally.asked));
            }
        }
        due += pace;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    tally
}

/// What a client keeps between two questions.
enum Kept {
    Stream(BufReader<TcpStream>),
    /// And the port that the other side saw.
    Socket(UdpSocket, Option<String>),
}

fn once(ask: &Ask, number: u64, kept: &mut Option<Kept>) -> Result<()> {
    match ask {
        Ask::Get(at, host) => {
            let head = format!("GET /n{number} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            request(*at, kept, head.as_bytes(), &format!("/n{number}"))
        }
        Ask::GetAnew(at, host) => {
            let head =
                format!("GET /n{number} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            request(*at, &mut None, head.as_bytes(), &format!("/n{number}"))
        }
        Ask::Post(at, host) => {
            let body = "x".repeat(2000);
            let head = format!(
                "POST /n{number} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            request(*at, kept, head.as_bytes(), &format!("/n{number}"))
        }
        Ask::Lines(at) => {
            if kept.is_none() {
                ensure!(number == 1, "the connection is gone");
            }
            let stream = stream(*at, kept)?;
            writeln!(stream.get_mut(), "{number}")?;
            let mut said = String::new();
            stream.read_line(&mut said)?;
            ensure!(said.trim_end() == number.to_string(), "{said:?}");
            Ok(())
        }
        Ask::Datagrams(at) => datagram(*at, number, kept),
    }
}

fn stream(at: SocketAddr, kept: &mut Option<Kept>) -> Result<&mut BufReader<TcpStream>> {
    if kept.is_none() {
        let stream = TcpStream::connect_timeout(&at, PATIENCE).context("connecting")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        *kept = Some(Kept::Stream(BufReader::new(stream)));
    }
    match kept {
        Some(Kept::Stream(stream)) => Ok(stream),
        _ => bail!("it is no connection"),
    }
}

/// One request, whose answer has to be a success that has `part` in it.
fn request(at: SocketAddr, kept: &mut Option<Kept>, bytes: &[u8], part: &str) -> Result<()> {
    let stream = stream(at, kept)?;
    stream.get_mut().write_all(bytes).context("sending")?;
    let (mut head, mut line) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        ensure!(stream.read_line(&mut line)? > 0, "the connection ended after {head:?}");
        head += &line;
    }
    let fields = head.to_ascii_lowercase();
    let field = |name: &str| {
        let start = fields.lines().find_map(|it| it.strip_prefix(name))?;
        Some(start.trim().to_owned())
    };
    let length = field("content-length:").context("an answer without a length")?.parse()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).context("the body is cut off")?;
    let body = String::from_utf8_lossy(&body);
    ensure!(head.starts_with("HTTP/1.1 200 ") && body.contains(part), "{head}{body}");
    if field("connection:").is_some_and(|it| it == "close") {
        *kept = None;
    }
    Ok(())
}

fn datagram(at: SocketAddr, number: u64, kept: &mut Option<Kept>) -> Result<()> {
    if kept.is_none() {
        let socket = UdpSocket::bind((if at.is_ipv4() { "0.0.0.0" } else { "::" }, 0))?;
        socket.connect(at)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        *kept = Some(Kept::Socket(socket, None));
    }
    let Some(Kept::Socket(socket, seen)) = kept else { bail!("it is no socket") };
    socket.send(number.to_string().as_bytes())?;
    let mut buffer = [0; 100];
    let length = socket.recv(&mut buffer).context("no answer to a datagram")?;
    let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let (port, word) = said.split_once(' ').context("an answer of two words")?;
    ensure!(word == number.to_string(), "{said:?}");
    let seen = seen.get_or_insert_with(|| port.to_owned());
    ensure!(seen == port, "it comes from port {port} by now, not from {seen}");
    Ok(())
}

/// Says back each line, at a free port of `at`, for as long as the test runs.
pub fn lines(at: &str) -> Result<SocketAddr> {
    let listener = TcpListener::bind(at)?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || -> std::io::Result<()> {
                let lines = BufReader::new(stream.try_clone()?).lines();
                lines.map_while(Result::ok).try_for_each(|line| writeln!(stream, "{line}"))
            });
        }
    });
    Ok(address)
}

/// Says back each datagram behind the port that it came from, at a free port of `at`, for as long
/// as the test runs.
pub fn datagrams(at: &str) -> Result<SocketAddr> {
    let socket = UdpSocket::bind(at)?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let word = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let _ = socket.send_to(format!("{} {word}", from.port()).as_bytes(), from);
        }
    });
    Ok(address)
}

/// For how long a proof goes on, where `STEELYARD_PROVE_SECONDS` says so.
pub fn lasting() -> Option<Duration> {
    let seconds = std::env::var("STEELYARD_PROVE_SECONDS").ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// How many clients ask how often: some 400 requests a second, unless `STEELYARD_PROVE_RATE` says
/// otherwise.
pub fn pace() -> (u32, Duration) {
    let rate = std::env::var("STEELYARD_PROVE_RATE").ok().and_then(|it| it.parse().ok());
    let clients = 8;
    (clients, Duration::from_secs(1) * clients / rate.unwrap_or(400).max(1))
}
