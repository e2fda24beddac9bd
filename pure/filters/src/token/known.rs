//! What is known of tokens and keys, for all cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};
use steelyard_tokens::Claims;

use super::issuer::IssuerKeys;

/// Tokens that are remembered.
const PLACES: usize = 1 << 12;

/// What is known of tokens and keys.
#[derive(Debug)]
pub(crate) struct TokenMemory {
    /// By their digests.
    tokens: Box<[ArcSwapOption<KnownToken>]>,
    /// Those of the issuer.
    pub(super) keys: ArcSwapOption<IssuerKeys>,
    /// How often keys came.
    version: AtomicU64,
}

/// A token that was believed.
#[derive(Debug)]
struct KnownToken {
    digest: [u8; 32],
    /// By keys of this version.
    version: u64,
    claims: Arc<Claims>,
}

impl Default for TokenMemory {
    fn default() -> Self {
        let tokens = (0..PLACES).map(|_| ArcSwapOption::empty()).collect();
        Self { tokens, keys: ArcSwapOption::empty(), version: AtomicU64::new(1) }
    }
}

impl TokenMemory {
    /// What a token says that was believed, and is in its time.
    pub(super) fn known(&self, token: &str, version: u64, now: i64) -> Option<Arc<Claims>> {
        let digest = digest_of(token);
        let known = self.place(digest).load();
        let known = known.as_ref().filter(|it| it.digest == digest && it.version == version)?;
        known.claims.are_in_time(now).ok()?;
        Some(known.claims.clone())
    }

    /// It was believed.
    pub(super) fn learn(&self, token: &str, version: u64, claims: Claims) -> Arc<Claims> {
        let digest = digest_of(token);
        let claims = Arc::new(claims);
        let known = KnownToken { digest, version, claims: claims.clone() };
        self.place(digest).store(Some(Arc::new(known)));
        claims
    }

    /// Another version of keys.
    pub(super) fn next_version(&self) -> u64 {
        self.version.fetch_add(1, Ordering::Relaxed)
    }

    fn place(&self, digest: [u8; 32]) -> &ArcSwapOption<KnownToken> {
        &self.tokens[usize::from(u16::from_be_bytes([digest[0], digest[1]])) % PLACES]
    }
}

fn digest_of(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}
