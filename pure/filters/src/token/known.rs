//! What is known of tokens and keys, for all cores.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use steelyard_tokens::Claims;

use super::issuer::IssuerKeys;
use super::mark::KeyMark;
use crate::found_out::{Digest, DigestParts, FoundOut};

/// Tokens that are remembered.
const PLACES: usize = 1 << 12;

/// What is known of tokens and keys.
#[derive(Debug, Default)]
pub(crate) struct TokenMemory {
    /// What those say that were believed.
    tokens: FoundOut<Arc<Claims>, PLACES>,
    /// Those of the issuer.
    pub(super) keys: ArcSwapOption<IssuerKeys>,
}

impl TokenMemory {
    /// What a token says that was believed by these keys, and is in its time.
    pub(super) fn known(&self, token: &str, by: &KeyMark, now: i64) -> Option<Arc<Claims>> {
        let claims = self.tokens.look(&digest(token, by), Arc::clone)?;
        claims.are_in_time(now).ok()?;
        Some(claims)
    }

    /// It was believed.
    pub(super) fn learn(&self, token: &str, by: &KeyMark, claims: Claims, now: i64) -> Arc<Claims> {
        let claims = Arc::new(claims);
        let is_over = |other: &Arc<Claims>| other.are_in_time(now).is_err();
        self.tokens.learn(digest(token, by), claims.clone(), is_over);
        claims
    }
}

fn digest(token: &str, by: &KeyMark) -> Digest {
    DigestParts::by(by).and(token.as_bytes()).digest()
}
