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

/// A text in double quotes, as rules are made of it: with the escapes of Go.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => {
                let _ = write!(quoted, "\\x{:02x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
