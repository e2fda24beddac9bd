//! A certificate for the webhook, and the authority by which an API server believes it.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// How long a certificate is good. It is renewed long before.
const LIFETIME: Duration = Duration::from_hours(24 * 365);
/// It is good for clocks that are this much behind.
const SKEW: Duration = Duration::from_hours(24);

/// It cannot be made: the cryptography's reason.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a certificate: {0}")]
pub struct IdentityError(#[from] rcgen::Error);

/// A certificate, its key, and who signed it, all in PEM form.
///
/// The authority's key is gone once it has signed this one certificate: nobody can have another
/// one signed by it. A new certificate has a new authority.
#[derive(Debug)]
pub struct Identity {
    /// What goes into a `caBundle`.
    pub authority: String,
    /// The certificate.
    pub certificate: String,
    /// Its key. Secret.
    pub key: String,
}

impl Identity {
    /// One for a server that is reached by `names`, good from `now` (since 1970) on for a year.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate, or keys cannot be made.
    pub fn new(names: &[String], now: Duration) -> Result<Self, IdentityError> {
        let issuer_key = KeyPair::generate()?;
        let mut issuer = params(&[], "steelyard webhook authority", now)?;
        issuer.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        issuer.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = issuer.self_signed(&issuer_key)?;
        let key = KeyPair::generate()?;
        let mut server = params(names, "steelyard webhook", now)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = server.signed_by(&key, &Issuer::new(issuer, issuer_key))?;
        Ok(Self {
            authority: authority.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// How long one that was made at `made` can still stay in place at `now` (both since 1970):
    /// until a third of its lifetime is left.
    pub fn left(made: Duration, now: Duration) -> Duration {
        (made + LIFETIME * 2 / 3).saturating_sub(now)
    }
}

fn params(
    names: &[String],
    called: &str,
    now: Duration,
) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, called);
    let start = std::time::UNIX_EPOCH + now;
    params.not_before = (start - SKEW).into();
    params.not_after = (start + LIFETIME).into();
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_replaced_when_a_third_is_left() {
        let day = Duration::from_hours(24);
        for (made, now, left) in [
            (day, day, LIFETIME * 2 / 3),
            (Duration::ZERO, LIFETIME / 3, LIFETIME / 3),
            (Duration::ZERO, LIFETIME * 2 / 3, Duration::ZERO),
            (Duration::ZERO, LIFETIME * 9, Duration::ZERO),
            // The clock was set back.
            (day, Duration::ZERO, LIFETIME * 2 / 3 + day),
        ] {
            assert_eq!(Identity::left(made, now), left);
        }
    }
}
