//! The listener, and its connections.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use steelyard_admission::Beside;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::WebhookOptions;
use crate::answer::answer;
use crate::certificate::{Certificate, CertificateError, Shown};
use crate::pace::Pace;
use crate::places::{Places, Turn};

/// How often the folder of the certificate is looked at. A kubelet needs a minute to change it.
const LOOK: Duration = Duration::from_secs(5);
/// A handshake, and a request's head, are done in this time, or the connection is closed.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection is asked nothing more after this long, so that nobody keeps a place for good.
const LIFE: Duration = Duration::from_mins(5);
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

    /// Answers for ever, with what is `beside` objects.
    pub async fn serve(mut self, beside: Arc<dyn Beside>) {
        let tls = TlsAcceptor::from(self.certificate.config());
        let shown = self.certificate.shown();
        let mut places: Places<AbortHandle, TcpStream> = Places::default();
        let mut conversations = JoinSet::new();
        let pace = Arc::<Pace>::default();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while let Some(Turn { address, guest, ousted }) = places.next() {
                // What it has asked as a whole is answered: that waits for nothing.
                ousted.iter().for_each(AbortHandle::abort);
                let (shown, beside) = (shown.clone(), beside.clone());
                let asking = (address, pace.clone());
                let talk = converse(tls.clone(), shown, beside, (guest, asking));
                let held = conversations.spawn(talk);
                places.sit(address, held);
            }
            tokio::select! {
                _ = look.tick() => follow(&mut self.certificate),
                Some(_) = conversations.join_next() => places.retain(|it| !it.is_finished()),
                (stream, peer) = accept(&self.listener) => {
                    places.come(peer.ip().to_canonical(), stream);
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
    certificate.tell();
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::debug!(%error, "accepting a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(
    tls: TlsAcceptor,
    shown: Arc<Shown>,
    beside: Arc<dyn Beside>,
    (stream, (address, pace)): (TcpStream, (IpAddr, Arc<Pace>)),
) {
    let end = Instant::now() + LIFE;
    let stream = match timeout(PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "no handshake"),
        Err(_) => return tracing::debug!("a handshake took too long"),
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(async |it| {
                pace.turn(address).await;
                answer(it, &shown, &*beside).await
            }),
        );
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use steelyard_admission::NothingBeside;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::*;
    use crate::places::{PLACES, WAITING};
    use crate::{CERTIFICATE_FILE, KEY_FILE};

    const SOON: Duration = Duration::from_secs(60);

    async fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::from(from), 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    /// Whoever reaches the port takes all places, and comes again whenever one is taken from it.
    #[tokio::test]
    async fn one_address_keeps_no_other_out() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join(CERTIFICATE_FILE), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join(KEY_FILE), made.signing_key.serialize_pem()).unwrap();
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let options = WebhookOptions { listen, folder: folder.path().to_owned() };
        let webhook = Webhook::open(&options).await.unwrap();
        let at = webhook.address().unwrap();
        tokio::spawn(webhook.serve(Arc::new(NothingBeside)));

        let mut greedy = Vec::new();
        for _ in 0..PLACES + WAITING {
            let mut held = connect([127, 0, 0, 2], at).await;
            greedy.push(tokio::spawn(async move {
                loop {
                    let _ = held.read_u8().await;
                    held = connect([127, 0, 0, 2], at).await;
                }
            }));
        }

        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let ask = async {
            let mut asked = tls.connect(name, connect([127, 0, 0, 3], at).await).await.unwrap();
            asked.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 12];
            asked.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
        };
        timeout(SOON, ask).await.unwrap();
        greedy.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
