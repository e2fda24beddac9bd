//! What proves who asks: JSON Web Tokens (RFC 7519, 7515, 7517, 7518), and requests signed with a
//! secret (draft-cavage-http-signatures-12).
//!
//! Invariants: which algorithm is believed is said by the key, never by the token alone, so `none`
//! and a public key taken for a secret open nothing (RFC 8725 §3.1); what a token says is looked
//! at only once its signature holds; input of any content ends in a value, and is bounded before
//! it is decoded.

mod algorithm;
mod claims;
mod exercise;
mod fault;
mod identity;
mod keys;
mod object;
mod signature;
mod token;

#[cfg(test)]
mod tests;

pub use algorithm::SigningAlgorithm;
pub use claims::{Claims, Untellable};
pub use exercise::exercise;
pub use fault::TokenFault;
pub use identity::{IdentityFault, IdentityTerms};
pub use keys::{KeyFault, KeyRing};
pub use signature::{RequestSignature, SignatureFault, is_digest_of};
pub use token::verified;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of base64url without padding (RFC 7515 §2).
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
