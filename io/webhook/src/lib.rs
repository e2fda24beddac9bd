//! The HTTPS server that an API server asks before it takes an object (`steelyard-admission`
//! decides).
//!
//! It holds no state: it reads a folder with a certificate, and answers. Nobody
//! needs it for traffic; without it objects come in unjudged, and `steelyard check` and statuses
//! say what is wrong with them.

mod answer;
mod certificate;
mod pace;
mod places;
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use certificate::CertificateError;
pub use server::{ServeError, Webhook};
pub use steelyard_admission::{Beside, NothingBeside};

/// Name of the file with the certificate and what it hangs on, as in a Secret of type
/// `kubernetes.io/tls`.
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// Name of the file with its key.
pub const KEY_FILE: &str = "tls.key";

/// How to serve.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder that has [`CERTIFICATE_FILE`] and [`KEY_FILE`]; followed as it changes.
    pub folder: PathBuf,
}
