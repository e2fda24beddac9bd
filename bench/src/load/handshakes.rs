//! Handshakes: a connection over TLS for each request, by a few threads, each of which waits for
//! its answer. They are not what is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, HandshakeKind, SignatureScheme, StreamOwned};

use super::Report;

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Handshakes {
    /// Whole ones, over X25519
    Full,
    /// Whole ones, over X25519MLKEM768
    Hybrid,
    /// Of sessions that were there before
    Resumed,
}

/// A connection that has its answer and stays.
pub(crate) type Waiting = StreamOwned<ClientConnection, TcpStream>;

const THREADS: usize = 8;

impl Handshakes {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Hybrid => "hybrid",
            Self::Resumed => "resumed",
        }
    }

    fn config(self) -> Result<Arc<ClientConfig>> {
        let group = match self {
            Self::Full | Self::Resumed => aws_lc_rs::kx_group::X25519,
            Self::Hybrid => aws_lc_rs::kx_group::X25519MLKEM768,
        };
        let provider = CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() };
        let provider = Arc::new(provider);
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?.dangerous();
        let builder = builder.with_custom_certificate_verifier(Arc::new(Anybody(provider)));
        let mut config = builder.with_no_client_auth();
        if self != Self::Resumed {
            config.resumption = Resumption::disabled();
        }
        Ok(Arc::new(config))
    }
}

/// Asks over new connections for so long.
pub(crate) fn run(
    target: SocketAddr,
    host: &str,
    which: Handshakes,
    seconds: f64,
) -> Result<Report> {
    let config = which.config()?;
    if which == Handshakes::Resumed {
        // Sessions to go on with, all begun at a time: each is good for one connection, and some
        // peers give one session for one.
        std::thread::scope(|scope| {
            let ask = || ask(target, host, &config).map(drop);
            let threads: Vec<_> = (0..2 * THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<Result<()>>()
        })?;
    }
    let started = Instant::now();
    let end = started + Duration::from_secs_f64(seconds);
    let expected = match which {
        Handshakes::Resumed => HandshakeKind::Resumed,
        Handshakes::Full | Handshakes::Hybrid => HandshakeKind::Full,
    };
    let one = || {
        let (mut requests, mut errors) = (0, 0);
        while Instant::now() < end {
            match ask(target, host, &config) {
                Ok(kind) if kind == expected => requests += 1,
                _ => errors += 1,
            }
        }
        (requests, errors)
    };
    let counts: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let (requests, errors) = counts.iter().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    Ok(Report { requests, errors, p50: 0, p99: 0, seconds: started.elapsed().as_secs_f64() })
}

/// One request over a connection of its own.
fn ask(target: SocketAddr, host: &str, config: &Arc<ClientConfig>) -> Result<HandshakeKind> {
    let mut stream = connect(target, host, config)?;
    write!(stream, "GET /s HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::with_capacity(1024);
    stream.read_to_end(&mut answer)?;
    ensure!(answer.get(9..12) == Some(b"200"), "another answer");
    stream.conn.handshake_kind().context("no handshake")
}

/// A handshake to its end, and nothing more.
pub(crate) fn shake_hands(target: SocketAddr, host: &str) -> Result<()> {
    let mut stream = connect(target, host, &Handshakes::Full.config()?)?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(())
}

/// Connections that have asked once, and wait.
pub(crate) fn wait(target: SocketAddr, host: &str, count: usize) -> Result<Vec<Waiting>> {
    let config = Handshakes::Full.config()?;
    let one = || {
        let mut stream = connect(target, host, &config)?;
        write!(stream, "GET /s HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while !answer.ends_with(b"hello") {
            let read = stream.read(&mut buffer)?;
            ensure!(read > 0, "closed after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..read]);
        }
        Ok(stream)
    };
    (0..count).map(|_| one()).collect()
}

fn connect(target: SocketAddr, host: &str, config: &Arc<ClientConfig>) -> Result<Waiting> {
    let name = ServerName::try_from(host.to_owned())?;
    let connection = ClientConnection::new(config.clone(), name)?;
    let stream = TcpStream::connect(target)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(StreamOwned::new(connection, stream))
}

/// Takes whatever is shown: nobody else is there.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
