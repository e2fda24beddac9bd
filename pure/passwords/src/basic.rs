//! What `Authorization: Basic` says (RFC 7617).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a password, at most: what some hashes take grows with it.
pub const MOST_PASSWORD: usize = 512;

/// A name and a password, as a client says them.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicCredentials {
    /// Who it says it is: up to the first colon.
    pub name: Box<str>,
    /// What it proves that by: at most [`MOST_PASSWORD`] bytes.
    pub password: Box<[u8]>,
}

impl BasicCredentials {
    /// None where the value is of another scheme, no base 64, has no colon, a name that is not
    /// UTF-8, or too long a password.
    pub fn read(value: &[u8]) -> Option<Self> {
        let (scheme, rest) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let plain = STANDARD.decode(rest.trim_ascii()).ok()?;
        let colon = plain.iter().position(|byte| *byte == b':')?;
        let (name, password) = (&plain[..colon], &plain[colon + 1..]);
        if password.len() > MOST_PASSWORD {
            return None;
        }
        Some(Self { name: str::from_utf8(name).ok()?.into(), password: password.into() })
    }
}

/// Without the password.
impl fmt::Debug for BasicCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicCredentials").field("name", &self.name).finish_non_exhaustive()
    }
}
