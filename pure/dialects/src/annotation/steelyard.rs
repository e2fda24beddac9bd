//! Our own, on Services.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::Host;

use super::row::{Annotation, State, rows};
use super::vocabulary::{Prefixes, Vocabulary};
use super::wishes::{Entry, Wishes};
use crate::findings::Findings;
use crate::{codes, host};

pub(crate) const STEELYARD: Vocabulary = Vocabulary {
    whose: "steelyard",
    prefixes: Prefixes::Fixed(&["steelyard.dev/"]),
    rows: &[&ON_SERVICE],
    is_closed: true,
    empty_is_absent: false,
};

const ON_SERVICE: [Annotation; 2] = rows! { Service:
    "gateway" State::Reads(gateway), [];
    "endpoints" State::Reads(endpoints), [];
};

/// Pins, or forbids, that the gateway serves a Service.
fn gateway(written: &Entry<'_>, wishes: &mut Wishes, findings: &mut Findings<'_>) {
    let known = [("true", true), ("false", false)];
    wishes.gateway = findings.choice(&written.path(), Some(written.value), &known);
}

/// Things outside Kubernetes: `10.0.0.5:8080,nas.lan:5000,[fd00::5]:80`.
fn endpoints(written: &Entry<'_>, wishes: &mut Wishes, findings: &mut Findings<'_>) {
    let path = written.path();
    for text in written.value.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        match endpoint(text) {
            Some(endpoint) => wishes.endpoints.push(endpoint),
            None => findings.invalid(
                codes::INVALID_VALUE,
                &path,
                format!("`{text}` is not an endpoint"),
                "write address:port or name:port, such as 10.0.0.5:8080, [fd00::5]:8080 or \
                 nas.lan:5000",
            ),
        }
    }
    if written.value.split(',').all(|text| text.trim().is_empty()) {
        let message = format!("annotation `{}` is empty", written.key);
        let help = "list endpoints such as 10.0.0.5:8080, or remove it";
        findings.invalid(codes::INVALID_VALUE, &path, message, help);
    }
}

fn endpoint(text: &str) -> Option<(Host, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
    if let Some(inner) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some((Host::Ip(IpAddr::V6(address).to_canonical()), port));
    }
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return Some((Host::Ip(address.into()), port));
    }
    let name = host.to_ascii_lowercase();
    host::is_name(&name).then(|| (Host::Name(Arc::from(name)), port))
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn endpoints() {
        for (text, expected) in [
            ("10.0.0.5:8080", Some("10.0.0.5 8080")),
            ("nas.lan:5000", Some("nas.lan 5000")),
            ("NAS:5000", Some("nas 5000")),
            ("[fd00::5]:80", Some("fd00::5 80")),
            ("fd00::5:80", None),
            ("10.0.0.5", None),
            ("10.0.0.5:0", None),
            ("10.0.0.5:70000", None),
            ("10.0.0.555:80", None),
            ("http://nas.lan:80", None),
            (":80", None),
        ] {
            let read = endpoint(text).map(|(host, port)| format!("{host} {port}"));
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
