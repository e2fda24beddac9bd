//! Filters that ask for a key.

use std::fmt;
use std::sync::Arc;

/// Asks for a key that only its owner has, as Traefik Hub's `apiKey` does. What is known of keys
/// never shows in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyAuth {
    /// The line in which it may come.
    pub header: Option<Arc<str>>,
    /// What comes before it there.
    pub scheme: Option<Arc<str>>,
    /// A parameter of the query in which it may come.
    pub parameter: Option<Arc<str>>,
    /// A cookie in which it may come.
    pub cookie: Option<Arc<str>>,
    /// Clients write it in base64.
    pub is_encoded: bool,
    /// Hashes of the keys that open, or where one is: `urn:k8s:secret:NAME:KEY`.
    pub hashes: Vec<Arc<str>>,
}

impl fmt::Debug for KeyAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, scheme, parameter, cookie, is_encoded, hashes } = self;
        f.debug_struct("KeyAuth")
            .field("header", header)
            .field("scheme", scheme)
            .field("parameter", parameter)
            .field("cookie", cookie)
            .field("is_encoded", is_encoded)
            .field("hashes", &hashes.len())
            .finish()
    }
}

/// What the place of a hash in a Secret begins with.
pub const SECRET_PLACE: &str = "urn:k8s:secret:";

/// The Secret and the key that such a place names.
pub fn secret_place(text: &str) -> Option<(&str, &str)> {
    let (name, key) = text.strip_prefix(SECRET_PLACE)?.split_once(':')?;
    (!name.is_empty() && !key.is_empty()).then_some((name, key))
}
