//! What is known of tokens and keys, for all cores.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use steelyard_tokens::Claims;

use super::issuer::IssuerKeys;
use super::mark::{KeyMark, mark};

/// Tokens that are remembered.
const PLACES: usize = 1 << 12;

/// What is known of tokens and keys.
#[derive(Debug)]
pub(crate) struct TokenMemory {
    /// By their digests.
    tokens: Box<[ArcSwapOption<KnownToken>]>,
    /// Those of the issuer.
    pub(super) keys: ArcSwapOption<IssuerKeys>,
}

/// A token that was believed.
#[derive(Debug)]
struct KnownToken {
    digest: [u8; 32],
    /// By these keys.
    by: KeyMark,
    claims: Arc<Claims>,
}

impl Default for TokenMemory {
    fn default() -> Self {
        let tokens = (0..PLACES).map(|_| ArcSwapOption::empty()).collect();
        Self { tokens, keys: ArcSwapOption::empty() }
    }
}

impl TokenMemory {
    /// What a token says that was believed by these keys, and is in its time.
    pub(super) fn known(&self, token: &str, by: &KeyMark, now: i64) -> Option<Arc<Claims>> {
        let digest = mark(&[token.as_bytes()]);
        let known = self.place(digest).load();
        let known = known.as_ref().filter(|it| it.digest == digest && it.by == *by)?;
        known.claims.are_in_time(now).ok()?;
        Some(known.claims.clone())
    }

    /// It was believed.
    pub(super) fn learn(&self, token: &str, by: KeyMark, claims: Claims) -> Arc<Claims> {
        let digest = mark(&[token.as_bytes()]);
        let claims = Arc::new(claims);
        let known = KnownToken { digest, by, claims: claims.clone() };
        self.place(digest).store(Some(Arc::new(known)));
        claims
    }

    fn place(&self, digest: [u8; 32]) -> &ArcSwapOption<KnownToken> {
        &self.tokens[usize::from(u16::from_be_bytes([digest[0], digest[1]])) % PLACES]
    }
}
