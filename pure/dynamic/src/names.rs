//! Names, as Traefik's providers make them.

use std::fmt::Write;

use aws_lc_rs::digest;

/// The provider of Traefik's own kinds.
pub(crate) const OF_KINDS: &str = "kubernetescrd";
/// The provider of Ingresses.
pub(crate) const OF_INGRESSES: &str = "kubernetes";
/// The provider of Ingresses of class nginx.
pub(crate) const OF_NGINX: &str = "kubernetesingressnginx";

/// The provider of files.
pub(crate) const OF_FILES: &str = "file";

/// Words of letters and digits, joined by dashes.
pub(crate) fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// `namespace-name`; an object may be in none.
pub(crate) fn id(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}-{name}") }
}

/// The first ten bytes of a rule's SHA-256, in hex.
pub(crate) fn hash(rule: &str) -> String {
    let digest = digest::digest(&digest::SHA256, rule.as_bytes());
    digest.as_ref()[..10].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Name and provider of `name@provider`.
pub(crate) fn provided(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('@')
}

/// A host and a port; addresses of IPv6 are in brackets.
pub(crate) fn address(host: &str, port: i64) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Whether a character is seen where it is shown. Marks are, behind what they stand on.
fn is_printable(c: char) -> bool {
    format!("a{c}").escape_debug().nth(1) == Some(c)
}

/// A text in double quotes, as rules are made of it: with the escapes of Go.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                let _ = write!(quoted, "\\x{:02x}", c as u32);
            }
            c if c.is_ascii() || is_printable(c) => quoted.push(c),
            c if (c as u32) < 0x1_0000 => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c => {
                let _ = write!(quoted, "\\U{:08x}", c as u32);
            }
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped_as_go_does() {
        for (text, expected) in [
            ("/a b", r#""/a b""#),
            ("/\"\\", r#""/\"\\""#),
            ("/\u{7}\u{8}\u{b}\u{c}\n\r\t", r#""/\a\b\v\f\n\r\t""#),
            ("/\u{1}\u{7f}", r#""/\x01\x7f""#),
            ("/\u{a0}\u{200b}", r#""/\u00a0\u200b""#),
            ("/e\u{301}é😀", "\"/e\u{301}é😀\""),
            ("/\u{e0001}", r#""/\U000e0001""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
