//! The client: a request as its case writes it, and what comes back.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, StreamOwned};
use serde_json::Value;

use crate::backend::{chunked, line};
use crate::certs::Made;
use crate::handshake::{self, Handshake, Staple, Watched};
use crate::record::named;
use crate::reply::{SERVED, base64};

/// Longest wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) took: Duration,
    /// What its connection's handshake has shown.
    pub(crate) shown: Option<Handshake>,
    /// How many answers had come on the same connection before.
    pub(crate) on_same: usize,
}

impl Answer {
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        named(&self.headers, name)
    }

    /// Backend and instance that have answered.
    pub(crate) fn served(&self) -> Option<(String, usize)> {
        let text = self.all(SERVED).first().copied()?;
        let (backend, number) = text.rsplit_once('#')?;
        Some((backend.to_owned(), number.parse().ok()?))
    }

    /// Cookies that it sets, by name: value and attributes.
    pub(crate) fn cookies(&self) -> BTreeMap<String, (String, String)> {
        let cookie = |line: &str| {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=')?;
            Some((name.trim().to_owned(), (value.to_owned(), attributes.to_owned())))
        };
        self.all("set-cookie").into_iter().filter_map(cookie).collect()
    }
}

/// Where a request goes, with all placeholders filled in.
pub(crate) struct Target<'c> {
    pub(crate) address: IpAddr,
    pub(crate) request: &'c Value,
    pub(crate) certs: &'c BTreeMap<String, Made>,
    /// Longest wait for an answer.
    pub(crate) patience: Duration,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection, and what its handshake has shown.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream + Send>>,
    shown: Option<Handshake>,
    answers: usize,
}

impl Target<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.request[key].as_str()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.text("scheme") == Some("https")
    }

    /// Connects; the name is that of a handshake, where one is to follow.
    pub(crate) fn reached(&self) -> Result<(TcpStream, ServerName<'static>)> {
        let usual = if self.is_https() { 443 } else { 80 };
        let host = self.text("host").unwrap_or_default();
        // That of an address is where to go; that of a name is what the request says.
        let own = host.parse().ok().map(|at: SocketAddr| u64::from(at.port()));
        let usual = own.unwrap_or(usual);
        let port = &self.request["port"];
        let port = port.as_u64().or_else(|| port.as_str()?.parse().ok()).unwrap_or(usual);
        let at = SocketAddr::new(self.address, u16::try_from(port)?);
        let mut stream = TcpStream::connect_timeout(&at, PATIENCE).context("connect")?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_nodelay(true)?;
        if let Some(header) = self.text("proxy_header") {
            stream.write_all(header.as_bytes())?;
        }
        let name = match self.text("sni").unwrap_or(host) {
            _ if own.is_some() || !self.is_https() => ServerName::from(self.address),
            "none" => ServerName::from(self.address),
            name => ServerName::try_from(name.to_owned()).context("a server name")?,
        };
        Ok((stream, name))
    }

    /// Connects, with a handshake where that is asked for.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let (stream, name) = self.reached()?;
        if !self.is_https() {
            let stream = BufReader::new(Box::new(stream) as Box<dyn Stream + Send>);
            return Ok(Connection { stream, shown: None, answers: 0 });
        }
        let staple = Staple::default();
        let session = ClientConnection::new(self.config(&staple)?, name)?;
        let watched = Watched { stream, seen: Some(Vec::new()) };
        let mut stream = StreamOwned::new(session, watched);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        let seen = stream.sock.seen.take().unwrap_or_default();
        let shown = Some(handshake::of(&stream.conn, &seen, &staple));
        let stream = BufReader::new(Box::new(stream) as Box<dyn Stream + Send>);
        Ok(Connection { stream, shown, answers: 0 })
    }

    /// How it speaks TLS; the staple that is shown is put there.
    pub(crate) fn config(&self, staple: &Staple) -> Result<Arc<ClientConfig>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions: &[&rustls::SupportedProtocolVersion] = match self.text("tls_max") {
            Some("1.2") => &[&rustls::version::TLS12],
            _ => rustls::ALL_VERSIONS,
        };
        let builder =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
        let believed = self.text("trust").and_then(|name| self.certs.get(name));
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Believing {
            only: believed.map(|made| made.ders[0].clone()),
            staple: staple.clone(),
        }));
        let shown = self.text("client_cert").and_then(|name| self.certs.get(name));
        let mut config = match shown.map(Made::shown) {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = self.text("sni") != Some("none");
        Ok(Arc::new(config))
    }

    /// The head of the request.
    fn head(&self) -> String {
        let method = self.text("method").unwrap_or("GET");
        let (host, path) = (self.text("host").unwrap_or_default(), self.text("path"));
        let mut head = format!("{method} {} HTTP/1.1\r\nHost: {host}\r\n", path.unwrap_or("/"));
        let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        for (name, value) in self.request["headers"].as_object().into_iter().flatten() {
            match value {
                Value::String(text) => add(name, text),
                Value::Array(values) => {
                    values.iter().filter_map(Value::as_str).for_each(|value| add(name, value));
                }
                other => add(name, &other.to_string()),
            }
        }
        if let Some(user) = self.text("basic_auth") {
            add("Authorization", &format!("Basic {}", base64(user.as_bytes())));
        }
        let cookies = self.request["cookies"].as_object().into_iter().flatten();
        let cookies: Vec<String> = cookies
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect();
        if !cookies.is_empty() {
            add("Cookie", &cookies.join("; "));
        }
        head
    }

    /// Sends the request on a connection, and reads the answer.
    pub(crate) fn ask(&self, on: &mut Connection) -> Result<Answer> {
        let begun = Instant::now();
        let mut head = self.head();
        let body = &self.request["body"];
        let text = match (body.as_str(), body["size"].as_u64()) {
            (Some(text), _) => Some(text.as_bytes().to_vec()),
            (None, Some(size)) => Some(vec![b'b'; usize::try_from(size)?]),
            (None, None) => None,
        };
        match (&text, body["chunks"].as_array()) {
            (Some(body), _) => head.push_str(&format!("Content-Length: {}\r\n", body.len())),
            (None, Some(_)) => head.push_str("Transfer-Encoding: chunked\r\n"),
            (None, None) => {}
        }
        head.push_str("\r\n");
        let stream = on.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        // Who refuses a body may close before all of it has come.
        let sent = text.map_or(Ok(()), |body| stream.write_all(&body));
        if let Some(chunks) = body["chunks"].as_array() {
            send_chunks(stream, chunks, body["pause"].as_f64().unwrap_or_default())?;
        }
        let flushed = stream.flush();
        let answer = on.read(self.text("method") == Some("HEAD"));
        let mut answer = match (sent.and(flushed), answer) {
            (_, Ok(answer)) => answer,
            (Err(error), _) => return Err(error.into()),
            (_, Err(error)) => return Err(error),
        };
        answer.took = begun.elapsed();
        Ok(answer)
    }
}

fn send_chunks(stream: &mut dyn Write, chunks: &[Value], pause: f64) -> Result<()> {
    for (index, chunk) in chunks.iter().filter_map(Value::as_str).enumerate() {
        if index > 0 {
            std::thread::sleep(Duration::from_secs_f64(pause));
        }
        write!(stream, "{:x}\r\n{chunk}\r\n", chunk.len())?;
        stream.flush()?;
    }
    Ok(stream.write_all(b"0\r\n\r\n")?)
}

impl Connection {
    fn read(&mut self, is_head: bool) -> Result<Answer> {
        let mut answer = loop {
            let first = line(&mut self.stream)?.context("the connection ended")?;
            let status = first.split(' ').nth(1).and_then(|it| it.parse().ok());
            let mut answer = Answer { status: status.context("a status")?, ..Answer::default() };
            while let Some(line) = line(&mut self.stream)?.filter(|line| !line.is_empty()) {
                let (name, value) = line.split_once(':').context("a header line")?;
                answer.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            if answer.status >= 200 {
                break answer;
            }
        };
        let first = |name| answer.all(name).first().copied().map(str::to_owned);
        let length = first("content-length").and_then(|it| it.parse::<usize>().ok());
        let is_chunked = first("transfer-encoding").is_some();
        let is_empty = is_head || matches!(answer.status, 204 | 304);
        match (is_empty, is_chunked, length) {
            (true, ..) => {}
            (_, true, _) => answer.body = chunked(&mut self.stream)?,
            (_, _, Some(length)) => {
                answer.body = vec![0; length];
                self.stream.read_exact(&mut answer.body)?;
            }
            _ => {
                // TLS may end without a word.
                let _ = self.stream.read_to_end(&mut answer.body);
            }
        }
        answer.shown = self.shown.clone();
        answer.on_same = self.answers;
        self.answers += 1;
        Ok(answer)
    }

    /// Whether the next request must go elsewhere.
    pub(crate) fn has_ended(&mut self, last: &Answer) -> bool {
        let closes = last.all("connection").iter().any(|it| it.eq_ignore_ascii_case("close"));
        closes || self.stream.buffer().is_empty() && self.answers == 0
    }
}

/// Bytes as they are, and all that comes back within a while.
pub(crate) fn raw(address: IpAddr, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect((address, 80))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(bytes)?;
    let mut stream = BufReader::new(stream);
    let mut heard = Vec::new();
    while let Ok(part) = stream.fill_buf() {
        let length = part.len();
        if length == 0 {
            break;
        }
        heard.extend_from_slice(part);
        stream.consume(length);
    }
    Ok(heard)
}

/// Believes everybody, or the one that is named.
#[derive(Debug)]
struct Believing {
    only: Option<Vec<u8>>,
    staple: Staple,
}

fn provider() -> &'static CryptoProvider {
    static PROVIDER: OnceLock<CryptoProvider> = OnceLock::new();
    PROVIDER.get_or_init(aws_lc_rs::default_provider)
}

impl ServerCertVerifier for Believing {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        staple: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.staple.lock().unwrap() = staple.to_vec();
        match &self.only {
            Some(only) if only != leaf.as_ref() => {
                Err(rustls::Error::General("another certificate".to_owned()))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Fails where an answer is not as long as it says.
pub(crate) fn status_class(status: u16, class: &str) -> Result<bool> {
    let (digit, rest) = class.split_at(1);
    ensure!(rest == "xx", "no class of statuses: {class}");
    match digit.parse::<u16>() {
        Ok(digit) => Ok(status / 100 == digit),
        Err(_) => bail!("no class of statuses: {class}"),
    }
}
