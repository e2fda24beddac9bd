//! The listener, and its connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::WebhookOptions;
use crate::answer::answer;
use crate::certificate::{Certificate, CertificateError};

/// How often the folder of the certificate is looked at. A kubelet needs a minute to change it.
const LOOK: Duration = Duration::from_secs(5);
/// A handshake, and a request's head, are done in this time, or the connection is closed.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection is asked nothing more after this long, so that nobody keeps a place for good.
const LIFE: Duration = Duration::from_mins(5);
/// Connections at a time, which bounds what questions hold of memory. More wait.
const CONNECTIONS: usize = 16;
/// After a failed accept (no more descriptors), try again this much later.
const PAUSE: Duration = Duration::from_millis(100);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no certificate to show.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// A listener that is open, and a certificate for it.
#[derive(Debug)]
pub struct Webhook {
    listener: TcpListener,
    certificate: Certificate,
}

impl Webhook {
    /// Opens the listener and reads the certificate.
    ///
    /// # Errors
    /// When either fails.
    pub async fn open(options: &WebhookOptions) -> Result<Self, ServeError> {
        let certificate = Certificate::open(&options.folder)?;
        let address = options.listen;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| ServeError::Bind { address, source })?;
        Ok(Self { listener, certificate })
    }

    /// Where it listens; none where the system does not say.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers for ever.
    pub async fn serve(mut self) {
        let tls = TlsAcceptor::from(self.certificate.config());
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = look.tick() => follow(&mut self.certificate),
                (stream, place) = accept(&self.listener, &places) => {
                    tokio::spawn(converse(tls.clone(), stream, place));
                }
            }
        }
    }
}

fn follow(certificate: &mut Certificate) {
    match certificate.follow() {
        Ok(true) => tracing::info!("another certificate is shown from now on"),
        Ok(false) => {}
        Err(error) => tracing::warn!("the certificate of before is shown: {error}"),
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("it is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::debug!(%error, "accepting a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(tls: TlsAcceptor, stream: TcpStream, _place: OwnedSemaphorePermit) {
    let end = Instant::now() + LIFE;
    let stream = match timeout(PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "no handshake"),
        Err(_) => return tracing::debug!("a handshake took too long"),
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let mut connection = std::pin::pin!(connection);
    let ended = match timeout_at(end, connection.as_mut()).await {
        Ok(ended) => ended,
        Err(_) => {
            // What is being answered still is.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
