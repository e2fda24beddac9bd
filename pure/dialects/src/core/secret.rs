//! `v1` Secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use steelyard_manifest::kinds::core as raw;
use steelyard_model::{Item, Secret, SecretValue};

use crate::findings::Findings;

/// A value that is not base64 (encrypted for a tool, say) is noted and nothing is said: only who
/// needs it can tell whether that matters.
pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Secret = findings.read_lenient()?;
    let mut data = BTreeMap::new();
    let mut unreadable = BTreeSet::new();
    for (key, value) in raw.data.unwrap_or_default() {
        match decode(value.unwrap_or_default().as_bytes()) {
            Some(bytes) => _ = data.insert(key, SecretValue(Arc::from(bytes))),
            None => _ = unreadable.insert(key),
        }
    }
    let mut texts = BTreeSet::new();
    for (key, value) in raw.string_data.unwrap_or_default() {
        unreadable.remove(&key);
        texts.insert(key.clone());
        data.insert(key, SecretValue::from(value.unwrap_or_default().as_str()));
    }
    let kind = raw.kind.unwrap_or_else(|| "Opaque".to_owned());
    let object = findings.object().clone();
    Some(Item::Secret(Box::new(Secret { object, kind, data, unreadable, texts })))
}

/// Standard base64 (RFC 4648 §4) with padding; line breaks are skipped, as Go does.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> =
        text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.chunks(4) {
        let last = bytes.len() / 3 + 1 == text.len() / 4;
        let digits = if last { &group[..4 - padding] } else { group };
        let mut bits: u32 = 0;
        for &digit in digits {
            bits = bits << 6 | u32::from(sextet(digit)?);
        }
        bits <<= 6 * (4 - digits.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..digits.len()]);
    }
    Some(bytes)
}

fn sextet(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn base64() {
        for (text, expected) in [
            ("", Some("")),
            ("Zg==", Some("f")),
            ("Zm8=", Some("fo")),
            ("Zm9v", Some("foo")),
            ("Zm9vYmE=", Some("fooba")),
            ("Zm9v\nYmFy\n", Some("foobar")),
            ("Zg", None),
            ("Z===", None),
            ("====", None),
            ("Zg==Zg==", None),
            ("Zm9-", None),
            ("ENC[AES]", None),
        ] {
            let decoded = decode(text.as_bytes());
            assert_eq!(decoded.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }
}
