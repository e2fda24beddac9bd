//! Any input, for tests and fuzzing.

use crate::keys::KeyRing;
use crate::token::verified;

/// Reads `bytes` as a token, as a set of keys and as a key: nothing of it is believed by keys that
/// have signed nothing.
///
/// # Panics
/// When a token is believed that nobody signed.
pub fn exercise(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    _ = KeyRing::public(&text);
    let keys = KeyRing::set(bytes).or_else(|_| KeyRing::secret(b"nobody has signed with this"));
    if let Ok(keys) = keys {
        assert!(verified(&text, &keys, 0).is_err(), "believed: {text}");
    }
}
