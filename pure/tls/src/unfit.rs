//! Why a Secret is no certificate, and what mends that.

use std::fmt;

/// Keys of a Secret of type `kubernetes.io/tls`.
pub const CERTIFICATE_KEY: &str = "tls.crt";
/// The same, of its private key.
pub const PRIVATE_KEY: &str = "tls.key";

/// The key of those who are believed.
pub const AUTHORITIES_KEY: &str = "ca.crt";

/// Why a Secret is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unfit {
    /// It has no such key.
    Absent(&'static str),
    /// The value of this key is not base64.
    NotBase64(&'static str),
    /// No certificate stands in it as PEM.
    NoCertificate,
    /// One that stands in it is none.
    BadCertificate,
    /// No private key stands in it as PEM.
    NoKey,
    /// The private key needs a password.
    EncryptedKey,
    /// What stands there as private key is none.
    BadKey,
    /// An RSA key that is too short.
    ShortKey,
    /// A kind of key that nobody here signs with.
    KeyAlgorithm,
    /// The key is that of another certificate.
    Mismatch,
    /// What stands among those who are to be believed is no PEM certificate.
    BadAuthorities,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(key) => write!(f, "it has no `{key}`"),
            Self::NotBase64(key) => write!(f, "its `{key}` is not base64"),
            Self::NoCertificate => write!(f, "its `{CERTIFICATE_KEY}` has no PEM certificate"),
            Self::BadCertificate => {
                write!(f, "a certificate in its `{CERTIFICATE_KEY}` cannot be read")
            }
            Self::NoKey => write!(f, "its `{PRIVATE_KEY}` has no PEM private key"),
            Self::EncryptedKey => write!(f, "the key in its `{PRIVATE_KEY}` wants a password"),
            Self::BadKey => write!(f, "the key in its `{PRIVATE_KEY}` cannot be read"),
            Self::ShortKey => write!(f, "its RSA key has fewer than 2048 bits"),
            Self::KeyAlgorithm => {
                write!(f, "its key is none of RSA, ECDSA (P-256, P-384, P-521) and Ed25519")
            }
            Self::Mismatch => {
                write!(f, "the key in its `{PRIVATE_KEY}` is that of another certificate")
            }
            Self::BadAuthorities => {
                write!(
                    f,
                    "its `{AUTHORITIES_KEY}` has no PEM certificate, or one that cannot be read"
                )
            }
        }
    }
}

impl Unfit {
    /// The key whose value is to blame.
    pub fn key(self) -> &'static str {
        match self {
            Self::Absent(key) | Self::NotBase64(key) => key,
            Self::NoCertificate | Self::BadCertificate => CERTIFICATE_KEY,
            Self::NoKey
            | Self::EncryptedKey
            | Self::BadKey
            | Self::ShortKey
            | Self::KeyAlgorithm
            | Self::Mismatch => PRIVATE_KEY,
            Self::BadAuthorities => AUTHORITIES_KEY,
        }
    }

    /// The same of what stands in a file of its own.
    pub fn of_file(self) -> &'static str {
        match self {
            Self::Absent(_) | Self::NotBase64(_) => "it is not there",
            Self::NoCertificate => "no PEM certificate stands there",
            Self::BadCertificate => "a certificate that stands there cannot be read",
            Self::NoKey => "no PEM private key stands there",
            Self::EncryptedKey => "the key there wants a password",
            Self::BadKey => "the key there cannot be read",
            Self::ShortKey => "the RSA key there has fewer than 2048 bits",
            Self::KeyAlgorithm => {
                "the key there is none of RSA, ECDSA (P-256, P-384, P-521) and Ed25519"
            }
            Self::Mismatch => "the key there is that of another certificate",
            Self::BadAuthorities => "no PEM certificate stands there, or one that cannot be read",
        }
    }

    /// What mends it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Absent(_) | Self::NotBase64(_) => {
                "make it by `kubectl create secret tls NAME --cert FILE --key FILE`"
            }
            Self::NoCertificate | Self::BadCertificate => {
                "put the certificate, then those that signed it, there as PEM"
            }
            Self::BadAuthorities => "put the certificates of those who sign there as PEM",
            Self::NoKey | Self::BadKey => "put the certificate's private key there as PEM",
            Self::EncryptedKey => "take the password off: `openssl pkey -in FILE -out NEW`",
            Self::ShortKey | Self::KeyAlgorithm => {
                "make a new key, best on P-256: `openssl genpkey -algorithm EC \
                 -pkeyopt ec_paramgen_curve:P-256`"
            }
            Self::Mismatch => {
                "compare `openssl x509 -pubkey -noout -in CERT` and `openssl pkey -pubout -in KEY`"
            }
        }
    }
}
