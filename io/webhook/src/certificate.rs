//! The certificate that is shown, as it stands in its folder now: a Secret that is mounted changes
//! under its reader, by a symbolic link that is set anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use steelyard_tls::{CertificateStanding, validity};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::{CERTIFICATE_FILE, KEY_FILE};

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// What is in a file is not what should be.
    #[error("{} is not {expected} in PEM form: {source}", .path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// The key is of another certificate, or of a kind that is not known.
    #[error("the key in {} does not fit the certificate: {source}", .folder.display())]
    Mismatch {
        /// The folder of both.
        folder: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// The two files as they were last read, and what came of them.
#[derive(Debug)]
pub(crate) struct Certificate {
    folder: PathBuf,
    texts: (Vec<u8>, Vec<u8>),
    shown: Arc<Shown>,
    /// How what is shown stood when it was last told of.
    told: CertificateStanding,
}

/// What every handshake shows.
#[derive(Debug)]
pub(crate) struct Shown(ArcSwap<CertifiedKey>);

impl Certificate {
    /// Reads the folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, CertificateError> {
        let texts = texts(folder)?;
        let key = certified(folder, &texts)?;
        let shown = Arc::new(Shown(ArcSwap::from_pointee(key)));
        Ok(Self { folder: folder.to_owned(), texts, shown, told: CertificateStanding::Valid })
    }

    /// Reads it again; whether there is another certificate now. While what is there cannot be
    /// used, the one of before is shown.
    pub(crate) fn follow(&mut self) -> Result<bool, CertificateError> {
        let texts = texts(&self.folder)?;
        if texts == self.texts {
            return Ok(false);
        }
        let key = certified(&self.folder, &texts)?;
        self.shown.0.store(Arc::new(key));
        self.texts = texts;
        Ok(true)
    }

    /// Tells how what is shown stands, where that is otherwise than it was: an API server that is
    /// shown one that has lapsed asks nothing, and takes every object.
    pub(crate) fn tell(&mut self) {
        let now = self.shown.standing();
        if std::mem::replace(&mut self.told, now) == now {
            return;
        }
        let folder = self.folder.display();
        match now {
            CertificateStanding::Valid => tracing::info!("the certificate in {folder} is valid"),
            CertificateStanding::Lapsing => {
                tracing::warn!("the certificate in {folder} lapses soon")
            }
            CertificateStanding::Lapsed => {
                tracing::error!("the certificate in {folder} has lapsed: nothing is judged");
            }
            CertificateStanding::Early => {
                tracing::error!("the certificate in {folder} is not valid yet: nothing is judged");
            }
        }
    }

    /// What is shown, as it changes.
    pub(crate) fn shown(&self) -> Arc<Shown> {
        self.shown.clone()
    }

    /// How to shake hands, by whatever certificate is the current one then.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for them")
            .with_no_client_auth()
            .with_cert_resolver(self.shown.clone());
        Arc::new(config)
    }
}

impl Shown {
    /// Whether clients take it now.
    pub(crate) fn is_valid(&self) -> bool {
        matches!(self.standing(), CertificateStanding::Valid | CertificateStanding::Lapsing)
    }

    /// How it stands now. What cannot be read is for the client to judge.
    fn standing(&self) -> CertificateStanding {
        let shown = self.0.load();
        let Some(validity) = shown.cert.first().and_then(|it| validity(it)) else {
            return CertificateStanding::Valid;
        };
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        CertificateStanding::of(validity, i64::try_from(now).unwrap_or(i64::MAX))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn texts(folder: &Path) -> Result<(Vec<u8>, Vec<u8>), CertificateError> {
    let read = |name| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|source| CertificateError::Read { path, source })
    };
    Ok((read(CERTIFICATE_FILE)?, read(KEY_FILE)?))
}

fn certified(
    folder: &Path,
    (chain, key): &(Vec<u8>, Vec<u8>),
) -> Result<CertifiedKey, CertificateError> {
    let wrong = |name, expected| {
        move |source| CertificateError::Form { path: folder.join(name), expected, source }
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain =
        chain.and_then(|it| if it.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(it) });
    let chain = chain.map_err(wrong(CERTIFICATE_FILE, "a certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(wrong(KEY_FILE, "a private key"))?;
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|source| CertificateError::Mismatch { folder: folder.to_owned(), source })
}
