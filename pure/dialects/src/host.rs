//! Host names of rules: DNS names in lower case, a wildcard only as the whole first label.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::routing::pattern::HostPattern;

/// Which hosts a rule's `host` is for, or what to write instead.
pub(crate) fn parse(text: &str) -> Result<HostPattern, String> {
    if text.is_empty() {
        return Ok(HostPattern::Any);
    }
    if let Some(help) = fault(text) {
        return Err(help);
    }
    Ok(match text.strip_prefix("*.") {
        Some(suffix) => HostPattern::Label(Arc::from(suffix)),
        None => HostPattern::Exact(Arc::from(text)),
    })
}

/// The host name that a text is likely to be meant as: without scheme, path, port and last dot, in
/// lower case.
pub(crate) fn meant(text: &str) -> String {
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split_once('/').map_or(host, |(host, _)| host);
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let host = host.rsplit_once(':').filter(|it| is_port(it.1)).map_or(host, |it| it.0);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn fault(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let name = text.strip_prefix("*.").unwrap_or(text);
    if text == "*" {
        Some("leave host out to match every host".to_owned())
    } else if is_name(name) && name.parse::<IpAddr>().is_err() {
        None
    } else if address(name) {
        Some("leave host out to match requests to an address".to_owned())
    } else if !text.is_ascii() {
        Some("write the name in its ASCII form (xn--…)".to_owned())
    } else if name.contains('*') {
        Some("use `*` only as the whole first label, as in *.example.com".to_owned())
    } else if text.contains("://") {
        Some("write the host name alone, without scheme and path".to_owned())
    } else if let Some((host, _)) = text.split_once(':') {
        Some(format!("leave the port out: {host}"))
    } else if let Some((host, _)) = text.split_once('/') {
        Some(format!("write {host} here and the path under http.paths"))
    } else if let Some(host) = text.strip_suffix('.') {
        Some(format!("leave the last dot out: {host}"))
    } else if is_name(lower.strip_prefix("*.").unwrap_or(&lower)) {
        Some(format!("write it in lower case: {lower}"))
    } else {
        Some("use labels of letters, digits and dashes, separated by dots".to_owned())
    }
}

/// Whether it is an address, also in brackets and with a port.
fn address(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let bare = inner.map_or(text, |(address, _)| address);
    bare.parse::<IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok()
}

/// Whether it is a DNS name as Kubernetes takes it (RFC 1123 §2.1), in lower case.
pub fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last label is all digits is an address somebody mistyped (RFC 1123 §2.1).
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.split('.').all(label)
        && !(text.contains('.') && last.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn hosts() {
        for (text, expected) in [
            ("test.homelab.local", Ok("test.homelab.local")),
            ("*.home.example.com", Ok("*.home.example.com")),
            ("*.local", Ok("*.local")),
            ("nas", Ok("nas")),
            ("", Ok("*")),
            ("*", Err("leave host out")),
            ("a.*.example.com", Err("first label")),
            ("*a.example.com", Err("first label")),
            ("*.*.example.com", Err("first label")),
            ("10.1.1.100", Err("leave host out")),
            ("10.1.1.300", Err("labels")),
            ("fd00::1", Err("leave host out")),
            ("[::1]", Err("leave host out")),
            ("[fd00::1]:8080", Err("leave host out")),
            ("10.1.1.100:8080", Err("leave host out")),
            ("Test.Local", Err("test.local")),
            ("*.Test.Local", Err("*.test.local")),
            ("test.local:80", Err("test.local")),
            ("http://test.local", Err("scheme")),
            ("test.local/app", Err("http.paths")),
            ("test.local.", Err("last dot")),
            ("tést.local", Err("xn--")),
            ("a_b.local", Err("labels")),
            ("-a.local", Err("labels")),
            ("a..local", Err("labels")),
        ] {
            match (parse(text), expected) {
                (Ok(host), Ok(expected)) => assert_eq!(host.to_string(), expected),
                (Err(help), Err(expected)) => {
                    assert!(help.contains(expected), "{text}: {help}");
                }
                (result, _) => panic!("{text}: {result:?}"),
            }
        }
    }
}
