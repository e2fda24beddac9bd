//! Backends: an address of loopback each, a thread per connection, answers by role (`reply.rs`).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certs::Made;
use crate::record::{Received, Records};
use crate::{reply, rpc};

/// How long a connection may be silent.
const PATIENCE: Duration = Duration::from_secs(300);

/// Who answers at an address.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) backend: String,
    pub(crate) role: String,
    pub(crate) number: usize,
    /// The certificate it shows, where it speaks TLS.
    pub(crate) tls: Option<Made>,
    /// For the address of a Service: all its instances answer there in turn.
    pub(crate) is_service: bool,
    pub(crate) records: Arc<Records>,
}

/// Listening sockets; closed when dropped.
#[derive(Default)]
pub(crate) struct Listening(Mutex<BTreeMap<SocketAddr, Listener>>);

enum Listener {
    /// Whether a thread that takes connections is to end, and that thread, which leaves those
    /// that it took.
    Taking(Arc<AtomicBool>, JoinHandle<Vec<TcpStream>>),
    /// Nobody takes any, and no more can wait: who comes now is not answered by the kernel either.
    Full { _queue: TcpListener, _waiting: TcpStream },
}

impl Listening {
    /// Lets an instance answer at an address.
    pub(crate) fn open(&self, at: SocketAddr, instance: Instance) -> std::io::Result<()> {
        let listener = bound(at)?;
        if instance.role == "blackhole" {
            rustix::net::listen(&listener, 0)?;
            let full = Listener::Full { _waiting: TcpStream::connect(at)?, _queue: listener };
            self.0.lock().unwrap().insert(at, full);
            return Ok(());
        }
        let is_closed = Arc::new(AtomicBool::new(false));
        let told = is_closed.clone();
        let config = instance.tls.as_ref().map(|made| Arc::new(config(made)));
        let thread = std::thread::spawn(move || {
            let mut taken = Vec::new();
            while let Ok((stream, from)) = listener.accept() {
                if told.load(Ordering::Relaxed) {
                    break;
                }
                taken.extend(stream.try_clone());
                let (instance, config) = (instance.clone(), config.clone());
                let ended = stream.try_clone();
                std::thread::spawn(move || {
                    _ = serve(stream, from, &instance, config);
                    // What is kept of it holds it open.
                    _ = ended.map(|it| it.shutdown(Shutdown::Both));
                });
            }
            taken
        });
        self.0.lock().unwrap().insert(at, Listener::Taking(is_closed, thread));
        Ok(())
    }

    /// Nobody answers there any more, on connections that are open neither.
    pub(crate) fn close(&self, at: SocketAddr) {
        let found = self.0.lock().unwrap().remove(&at);
        if let Some(Listener::Taking(is_closed, thread)) = found {
            is_closed.store(true, Ordering::Relaxed);
            // Whoever waits for a connection looks at that.
            let _ = TcpStream::connect(at);
            for stream in thread.join().unwrap_or_default() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    pub(crate) fn close_all(&self) {
        let all: Vec<SocketAddr> = self.0.lock().unwrap().keys().copied().collect();
        all.into_iter().for_each(|at| self.close(at));
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.close_all();
    }
}

/// A listener; where another thread begins a process, that one has a copy of what was closed for a
/// moment, until it is another program.
fn bound(at: SocketAddr) -> std::io::Result<TcpListener> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match TcpListener::bind(at) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            bound => return bound,
        }
    }
}

fn config(made: &Made) -> ServerConfig {
    let (chain, key) = made.shown();
    let builder = ServerConfig::builder().with_no_client_auth();
    builder.with_single_cert(chain, key).expect("a certificate and its key")
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn serve(
    stream: TcpStream,
    from: SocketAddr,
    instance: &Instance,
    config: Option<Arc<ServerConfig>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    if instance.role == "no-read" {
        std::thread::sleep(PATIENCE);
        return Ok(());
    }
    if instance.role.starts_with("grpc") {
        return rpc::serve(stream, from, instance, config);
    }
    let is_tls = config.is_some();
    let stream: Box<dyn Stream> = match config {
        Some(config) => {
            let session = ServerConnection::new(config).map_err(std::io::Error::other)?;
            Box::new(StreamOwned::new(session, stream))
        }
        None => Box::new(stream),
    };
    let mut stream = BufReader::new(stream);
    for nth in 1.. {
        let Some(mut received) = receive(&mut stream)? else { return Ok(()) };
        received.backend.clone_from(&instance.backend);
        (received.instance, received.is_tls, received.nth) = (instance.number, is_tls, nth);
        (received.is_via_service, received.from) = (instance.is_service, Some(from));
        let close = received.header("connection").eq_ignore_ascii_case("close")
            || received.version == "HTTP/1.0";
        instance.records.add(received.clone());
        let answer = reply::of(instance, &received);
        stream.get_mut().write_all(&answer)?;
        stream.get_mut().flush()?;
        if close {
            return Ok(());
        }
    }
    Ok(())
}

/// The next request; none at the end of the connection.
fn receive(stream: &mut impl BufRead) -> std::io::Result<Option<Received>> {
    let Some(first) = line(stream)? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let mut word = || words.next().unwrap_or_default();
    let (method, target, version) = (word(), word(), word());
    let mut received = Received { method, target, version, ..Received::default() };
    while let Some(line) = line(stream)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        received.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let begun = Instant::now();
    if received.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        received.body = chunked(stream)?;
    } else if let Ok(length) = received.header("content-length").parse::<usize>() {
        received.body = vec![0; length];
        stream.read_exact(&mut received.body)?;
    }
    received.body_at = Some((begun, Instant::now()));
    Ok(Some(received))
}

/// A body in chunks, whole.
pub(crate) fn chunked(stream: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream)?.unwrap_or_default();
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(std::io::Error::other)?;
        let begin = body.len();
        body.resize(begin + size, 0);
        stream.read_exact(&mut body[begin..])?;
        let trailer = line(stream)?.unwrap_or_default();
        if size == 0 {
            // Trailers until an empty line.
            let mut last = trailer;
            while !last.is_empty() {
                last = line(stream)?.unwrap_or_default();
            }
            return Ok(body);
        }
    }
}

/// A line without its end; none at the end of the connection.
pub(crate) fn line(stream: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if stream.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}
