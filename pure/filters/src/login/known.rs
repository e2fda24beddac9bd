//! What is known of an issuer.

use std::sync::Arc;
use std::time::Instant;

use steelyard_login::ProviderDocument;
use steelyard_tokens::KeyRing;

/// What is known of an issuer.
pub(crate) struct KnownProvider {
    /// None where it never could be had.
    pub(super) said: Option<(Arc<ProviderDocument>, KeyRing)>,
    /// What it was asked for by: another configuration asks anew.
    pub(super) name: Arc<str>,
    /// When it was asked.
    pub(super) asked: Instant,
    /// When it is to be asked again.
    pub(super) due: Instant,
    /// When it answered.
    pub(super) came: Instant,
    /// Why it could not be had last.
    pub(super) why: &'static str,
}
