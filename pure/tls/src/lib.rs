//! TLS as far as it is decided without a socket: what is in a certificate and its key, and which
//! certificate answers a server name.
//!
//! What it is not: it holds no handshake, and verifies no signature of a certificate; who connects
//! does that.
//!
//! Invariants: bytes of any content end in a value; a key is never shown.

mod agreement;
mod chain;
pub mod codes;
mod coverage;
mod der;
mod exercise;
mod key;
mod lapse;
mod material;
mod name;
mod ocsp;
mod particulars;
mod seen;
mod table;
mod unfit;
mod unheld;
mod x509;

#[cfg(test)]
mod tests;

pub use agreement::disagreements;
pub use chain::{CertificateText, ClientChain, ClientVerdict};
pub use coverage::{RouteCertificates, coverage};
pub use exercise::exercise;
pub use lapse::{CertificateStanding, instant, lapse, lapse_of_origin};
pub use material::{authorities, authorities_of, certificate, identity};
pub use name::DistinguishedName;
pub use ocsp::{
    Staple, StatusAnswer, StatusQuestion, Unstapled, must_staple, question, revoked, unstapled,
};
pub use particulars::{Particulars, particulars};
pub use seen::SeenCertificate;
pub use table::{CertificateTable, Offer};
pub use unfit::{AUTHORITIES_KEY, CERTIFICATE_KEY, PRIVATE_KEY, Unfit};
pub use unheld::{HeldHandshakes, Unheld};
pub use x509::validity;
