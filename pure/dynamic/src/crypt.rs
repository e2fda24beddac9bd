//! Base64, and the hash of passwords of `kubernetes.io/basic-auth`.

use aws_lc_rs::digest;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Text that is written in base64 (RFC 4648, 4); none where it is not.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let letters = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=');
    let (mut held, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for letter in letters {
        let value = LETTERS.iter().position(|it| *it == letter)?;
        held = (held << 6 | u32::try_from(value).ok()?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Bytes in base64.
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let all = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let all = u32::from_be_bytes([0, all[0], all[1], all[2]]);
        for at in 0..4 {
            let letter = LETTERS[(all >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// `user:{SHA}hash`, as Traefik writes down who may pass by name and password.
pub(crate) fn user(name: &str, password: &str) -> String {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    format!("{name}:{{SHA}}{}", encoded(hash.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_there_and_back() {
        for text in ["", "a", "ab", "abc", "user: päss"] {
            assert_eq!(decoded(&encoded(text.as_bytes())).as_deref(), Some(text));
        }
        assert_eq!(decoded("dXNlcg==").as_deref(), Some("user"));
        assert_eq!(decoded("not!"), None);
        // RFC 2307, 5.3 spells it so.
        assert_eq!(user("u", "secret"), "u:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
    }
}
