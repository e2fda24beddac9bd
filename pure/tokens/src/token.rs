//! One token: its parts, its signature, its time.

use serde_json::{Map, Value};

use crate::algorithm::SigningAlgorithm;
use crate::bytes_of;
use crate::claims::Claims;
use crate::fault::TokenFault;
use crate::keys::KeyRing;
use crate::object;

/// Bytes of a token that are read, at most: heads have no more, and less is decoded than this.
pub(crate) const LONGEST: usize = 64 << 10;

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
    let algorithm = text("alg").and_then(SigningAlgorithm::of_name).filter(|it| keys.knows(*it));
    let algorithm = algorithm.ok_or(TokenFault::Algorithm)?;
    // A name that is no text is none that a key could have (RFC 7515 §4.1.4).
    if head.get("kid").is_some_and(|name| !name.is_string()) {
        return Err(TokenFault::Unreadable);
    }
    let key = text("kid");
    if keys.signed(algorithm, key, message.as_bytes(), signature) {
        Ok(())
    } else {
        Err(TokenFault::Signature(key.map(str::to_owned)))
    }
}

pub(crate) fn object(part: &str) -> Result<Map<String, Value>, TokenFault> {
    let bytes = bytes_of(part).ok_or(TokenFault::Unreadable)?;
    object::object(&bytes).ok_or(TokenFault::Unreadable)
}
