//! What a certificate says of itself, for people who look at it.

use aws_lc_rs::digest::{SHA256, digest};

use crate::key::{EC, P256, P384, P521, RSA, modulus};
use crate::name::DistinguishedName;
use crate::x509::X509;

/// What a certificate says of itself, in the words of Go where those are shown by Traefik.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Particulars {
    /// Whose it is.
    pub subject: DistinguishedName,
    /// Who signed it.
    pub issuer: DistinguishedName,
    /// 3, but of very old ones.
    pub version: u8,
    /// `RSA`, `ECDSA` or `Unknown`.
    pub key_type: &'static str,
    /// Bits of the key; 0 where that says nothing.
    pub key_bits: usize,
    /// `ECDSA-SHA256`; `0` of one that nobody here knows.
    pub signature: &'static str,
    /// SHA-256 of it, as hexadecimal digits.
    pub fingerprint: String,
    /// The same of its public key (`SubjectPublicKeyInfo`).
    pub key_fingerprint: String,
}

/// What begins the identifiers of signatures by RSA (PKCS #1) and ECDSA (ANSI X9.62).
const BY_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const BY_ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
const BY_ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Signatures by the end of their identifiers.
const SIGNATURES: [(&[u8], &[u8], &str); 8] = [
    (BY_RSA, &[5], "SHA1-RSA"),
    (BY_RSA, &[11], "SHA256-RSA"),
    (BY_RSA, &[12], "SHA384-RSA"),
    (BY_RSA, &[13], "SHA512-RSA"),
    (BY_ECDSA, &[3, 2], "ECDSA-SHA256"),
    (BY_ECDSA, &[3, 3], "ECDSA-SHA384"),
    (BY_ECDSA, &[3, 4], "ECDSA-SHA512"),
    (BY_ED25519, &[], "Ed25519"),
];

/// Of a certificate as DER; none where it is none.
pub fn particulars(der: &[u8]) -> Option<Particulars> {
    let read = X509::read(der)?;
    let (key_type, key_bits) = match (read.algorithm, read.parameters) {
        (RSA, _) => ("RSA", modulus(&read) * 8),
        (EC, P256) => ("ECDSA", 256),
        (EC, P384) => ("ECDSA", 384),
        (EC, P521) => ("ECDSA", 521),
        _ => ("Unknown", 0),
    };
    let is_it = |(begin, end, _): &&(&[u8], &[u8], &str)| {
        read.signature.strip_prefix(*begin).is_some_and(|rest| rest == *end)
    };
    Some(Particulars {
        subject: DistinguishedName::read(read.subject),
        issuer: DistinguishedName::read(read.issuer),
        version: read.version,
        key_type,
        key_bits,
        signature: SIGNATURES.iter().find(is_it).map_or("0", |(.., name)| *name),
        fingerprint: fingerprint(der),
        key_fingerprint: fingerprint(read.whole_key),
    })
}

fn fingerprint(der: &[u8]) -> String {
    digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P384_SHA384};

    use super::*;

    #[test]
    fn a_certificate_says_who_and_how() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let mut params = CertificateParams::new(vec!["a.b".to_owned()]).unwrap();
        let mut name = rcgen::DistinguishedName::new();
        name.push(DnType::CountryName, "NL");
        name.push(DnType::OrganizationName, "Shop");
        name.push(DnType::CommonName, "a.b");
        params.distinguished_name = name;
        let certificate = params.self_signed(&key).unwrap();
        let found = particulars(certificate.der()).unwrap();
        for name in [&found.subject, &found.issuer] {
            assert_eq!(
                (&*name.common_name, &name.organizations[..]),
                ("a.b", &["Shop".into()][..])
            );
            assert_eq!(name.countries, ["NL"]);
        }
        assert_eq!((found.version, found.key_type, found.key_bits), (3, "ECDSA", 384));
        assert_eq!((found.signature, found.fingerprint.len()), ("ECDSA-SHA384", 64));
        assert_eq!(found.key_fingerprint.len(), 64);
        assert_eq!(particulars(b"none"), None);
    }
}
