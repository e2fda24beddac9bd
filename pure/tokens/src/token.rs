//! One token: its parts, its signature, its time.

use std::fmt;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::bytes_of;
use crate::claims::Claims;
use crate::keys::KeyRing;

/// Bytes of a token that are read, at most: heads have no more, and less is decoded than this.
pub(crate) const LONGEST: usize = 64 << 10;

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// More than 64 KiB.
    TooLong,
    /// No three parts of base64url with JSON objects in the first two.
    Unreadable,
    /// None of its keys is for the algorithm it names, or it names none that is known.
    Algorithm,
    /// It demands what is not understood (`crit`, RFC 7515 §4.1.11).
    Critical,
    /// It was not signed by one of the keys; the name of the key that it says, if it says one.
    Signature(Option<String>),
    /// Its time is over (`exp`).
    Expired,
    /// Its time has not come (`nbf`).
    Early,
    /// `exp` or `nbf` says no time.
    Timeless,
}

impl TokenFault {
    /// The same in words.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLong => "the token has more than 64 KiB",
            Self::Unreadable => "it is no signed JSON Web Token",
            Self::Algorithm => "no key is for the algorithm of the token's signature",
            Self::Critical => "the token demands an extension that is not known (crit)",
            Self::Signature(_) => "the token's signature is by none of the keys",
            Self::Expired => "the token has expired",
            Self::Early => "the token is not valid yet",
            Self::Timeless => "exp or nbf of the token is no time",
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// What `token` says, where it is by one of `keys` and in its time. `now` is in seconds since
/// 1970; clocks may differ by a minute. Who issued it, and for whom, is asked of the claims.
///
/// # Errors
/// When it is not believed.
pub fn verified(token: &str, keys: &KeyRing, now: i64) -> Result<Claims, TokenFault> {
    if token.len() > LONGEST {
        return Err(TokenFault::TooLong);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenFault::Unreadable)?;
    let (head, body) = message.split_once('.').ok_or(TokenFault::Unreadable)?;
    let head = object(head)?;
    let signature = bytes_of(signature).ok_or(TokenFault::Unreadable)?;
    is_signed(&head, message, &signature, keys)?;
    let claims = Claims(object(body)?);
    claims.are_in_time(now)?;
    Ok(claims)
}

fn is_signed(
    head: &Map<String, Value>,
    message: &str,
    signature: &[u8],
    keys: &KeyRing,
) -> Result<(), TokenFault> {
    let text = |name: &str| head.get(name).and_then(Value::as_str);
    if head.contains_key("crit") {
        return Err(TokenFault::Critical);
    }
    let algorithm = text("alg").and_then(Algorithm::of_name).filter(|it| keys.knows(*it));
    let algorithm = algorithm.ok_or(TokenFault::Algorithm)?;
    let key = text("kid");
    if keys.signed(algorithm, key, message.as_bytes(), signature) {
        Ok(())
    } else {
        Err(TokenFault::Signature(key.map(str::to_owned)))
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenFault> {
    let bytes = bytes_of(part).ok_or(TokenFault::Unreadable)?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(TokenFault::Unreadable),
    }
}
