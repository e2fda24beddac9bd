//! Why TLS with an endpoint came to nothing.

use std::io;

use rustls::{CertificateError, Error};

use crate::wire::session::Unshaken;

/// Why an endpoint is not trusted, or does not trust us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Distrust {
    /// It said no, by an alert: to our certificate, or for want of one, or to the name.
    Refused,
    /// What it said is no TLS.
    NoTls,
    /// It closed the connection in the handshake.
    Closed,
    /// It speaks no version, cipher or group that we do.
    Incompatible,
    /// Nobody who is trusted has signed its certificate.
    UnknownIssuer,
    /// Its certificate is for other names.
    OtherName,
    /// Its certificate has expired.
    Expired,
    /// Its certificate is not valid yet.
    NotYetValid,
    /// Its certificate is not good otherwise.
    BadCertificate,
}

impl Distrust {
    /// What an error of a connection has to say of it; none where it is about something else.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?;
        if let Some(error) = inner.downcast_ref::<Error>() {
            let is_alert = matches!(error, Error::AlertReceived(_));
            return is_alert.then_some(Self::Refused);
        }
        Some(match inner.downcast_ref::<Unshaken>()? {
            Unshaken::Broken => Self::Closed,
            Unshaken::Refused(error) => Self::of_handshake(error),
        })
    }

    fn of_handshake(error: &Error) -> Self {
        match error {
            Error::AlertReceived(_) => Self::Refused,
            Error::InvalidMessage(_) => Self::NoTls,
            Error::InvalidCertificate(why) => Self::of_certificate(why),
            Error::PeerIncompatible(_) => Self::Incompatible,
            _ => Self::BadCertificate,
        }
    }

    fn of_certificate(why: &CertificateError) -> Self {
        use CertificateError as It;
        match why {
            It::UnknownIssuer => Self::UnknownIssuer,
            It::NotValidForName | It::NotValidForNameContext { .. } => Self::OtherName,
            It::Expired | It::ExpiredContext { .. } => Self::Expired,
            It::NotValidYet | It::NotValidYetContext { .. } => Self::NotYetValid,
            _ => Self::BadCertificate,
        }
    }

    /// For people.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Refused => "the endpoint refuses the TLS handshake",
            Self::NoTls => "the endpoint does not speak TLS",
            Self::Closed => "the endpoint closed the connection in the TLS handshake",
            Self::Incompatible => "the endpoint speaks no version or cipher of TLS that we do",
            Self::UnknownIssuer => "nobody who is trusted has signed the endpoint's certificate",
            Self::OtherName => "the endpoint's certificate is for other names",
            Self::Expired => "the endpoint's certificate has expired",
            Self::NotYetValid => "the endpoint's certificate is not valid yet",
            Self::BadCertificate => "the endpoint's certificate cannot be verified",
        }
    }

    /// The same as a label of metrics.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Refused => "endpoint-tls-refused",
            Self::NoTls => "endpoint-without-tls",
            Self::Closed => "endpoint-tls-closed",
            Self::Incompatible => "endpoint-tls-incompatible",
            Self::UnknownIssuer => "endpoint-certificate-issuer",
            Self::OtherName => "endpoint-certificate-name",
            Self::Expired => "endpoint-certificate-expired",
            Self::NotYetValid => "endpoint-certificate-early",
            Self::BadCertificate => "endpoint-certificate-bad",
        }
    }
}
