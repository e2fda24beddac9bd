//! Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n`.

use std::net::{IpAddr, SocketAddr};

use super::{ProxyFault, ProxyHeader};

const NAME: &[u8] = b"PROXY ";
const END: &[u8] = b"\r\n";

/// The most bytes of a line, its end included (§2.1).
const LONGEST: usize = 107;

pub(super) fn read(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyFault> {
    let begins = bytes.starts_with(NAME);
    if !begins {
        return if NAME.starts_with(bytes) { Ok(None) } else { Err(ProxyFault::Missing) };
    }
    let seen = &bytes[..bytes.len().min(LONGEST)];
    let Some(end) = seen.windows(END.len()).position(|it| it == END) else {
        return if seen.len() < LONGEST { Ok(None) } else { Err(ProxyFault::TooLong) };
    };
    let line = str::from_utf8(&seen[NAME.len()..end]).map_err(|_| ProxyFault::Malformed)?;
    let addresses = addresses(line)?;
    Ok(Some((ProxyHeader { addresses }, end + END.len())))
}

pub(super) fn write(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let ips = (source.ip(), destination.ip());
    let ports = (source.port(), destination.port());
    format!("PROXY {family} {} {} {} {}\r\n", ips.0, ips.1, ports.0, ports.1).into_bytes()
}

fn addresses(line: &str) -> Result<Option<(SocketAddr, SocketAddr)>, ProxyFault> {
    let mut words = line.split(' ');
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        // What follows is to be ignored.
        return Ok(None);
    }
    let mut word = || words.next().ok_or(ProxyFault::Malformed);
    let (source, destination) = (ip(family, word()?)?, ip(family, word()?)?);
    let (from, to) = (port(word()?)?, port(word()?)?);
    let is_whole = words.next().is_none();
    let addresses = (SocketAddr::new(source, from), SocketAddr::new(destination, to));
    if is_whole { Ok(Some(addresses)) } else { Err(ProxyFault::Malformed) }
}

fn ip(family: &str, word: &str) -> Result<IpAddr, ProxyFault> {
    let ip = match family {
        "TCP4" => word.parse().ok().map(IpAddr::V4),
        "TCP6" => word.parse().ok().map(IpAddr::V6),
        _ => None,
    };
    ip.ok_or(ProxyFault::Malformed)
}

/// Digits alone, without a zero in front.
fn port(word: &str) -> Result<u16, ProxyFault> {
    let is_canonical =
        word.bytes().all(|it| it.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    let port = word.parse().ok().filter(|_| is_canonical);
    port.ok_or(ProxyFault::Malformed)
}
