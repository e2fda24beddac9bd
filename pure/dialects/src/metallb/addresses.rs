//! One entry of `spec.addresses`, read as MetalLB reads it: `10.0.0.0/24` (host bits are masked
//! off) or `10.0.0.1 - 10.0.0.9`, where blanks do not matter. A single address is written `/32`,
//! `/128` or `a-a`.
//!
//! IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is the IPv4 address it maps, as in Go.

use std::net::IpAddr;

use ipnet::IpNet;
use steelyard_model::{AddressRange, Code, Family};

use crate::codes;

/// Why an entry is none.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Reads one entry.
pub(crate) fn parse(text: &str) -> Result<AddressRange, Fault> {
    match text.split_once('-') {
        Some((start, end)) => range(text, start.trim(), end.trim()),
        None if text != text.trim() => {
            Err(invalid(format!("`{text}` has blanks around it"), format!("write {}", text.trim())))
        }
        None => cidr(text),
    }
}

/// Which entries are CIDRs of IPv4-mapped IPv6. All entries must be valid.
pub(crate) fn mapped(written: &[String]) -> Vec<usize> {
    let is_mapped = |text: &str| {
        let net = network(text);
        net.is_some_and(|net| net.addr().is_ipv6() && net.network().to_canonical().is_ipv4())
    };
    (0..written.len()).filter(|index| is_mapped(&written[*index])).collect()
}

fn range(text: &str, start: &str, end: &str) -> Result<AddressRange, Fault> {
    let address = |side: &str| {
        side.parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| {
            invalid(format!("`{side}` in `{text}` is not an IP address"), range_help(start, side))
        })
    };
    let (start, end) = (address(start)?, address(end)?);
    if Family::of(start) != Family::of(end) {
        return Err(invalid(
            format!("`{text}` starts as {} and ends as {}", Family::of(start), Family::of(end)),
            "give each family an entry of its own".to_owned(),
        ));
    }
    AddressRange::new(start, end).ok_or_else(|| Fault {
        code: codes::POOL_RANGE_REVERSED,
        message: format!("the range `{text}` ends before it starts"),
        help: format!("write {end}-{start}"),
    })
}

/// `192.168.1.240-250` is short for something MetalLB does not read; say the long form.
fn range_help(start: &str, side: &str) -> String {
    let full = start.rsplit_once('.').map(|(net, _)| format!("{net}.{side}"));
    match full.filter(|full| full.parse::<IpAddr>().is_ok()) {
        Some(full) => format!("write both addresses in full: {start}-{full}"),
        None => "write both addresses in full, such as 192.168.1.240-192.168.1.250".to_owned(),
    }
}

fn cidr(text: &str) -> Result<AddressRange, Fault> {
    if let Ok(address) = text.parse::<IpAddr>() {
        let full = if address.is_ipv4() { 32 } else { 128 };
        let message = format!("`{text}` is a single address, not a CIDR or a range");
        return Err(invalid(message, format!("write {text}/{full}")));
    }
    let net = network(text).ok_or_else(|| {
        invalid(format!("`{text}` is neither a CIDR nor a range of addresses"), cidr_help(text))
    })?;
    let (start, end) = (net.network().to_canonical(), net.broadcast().to_canonical());
    AddressRange::new(start, end).ok_or_else(|| {
        let message = format!("`{text}` is IPv4-mapped only in part");
        invalid(message, "write the IPv4 network, such as 10.0.0.0/24".to_owned())
    })
}

/// The address and the network of a CIDR that names a host: `192.168.1.240/24`.
pub(crate) fn host_bits(text: &str) -> Option<(IpAddr, IpNet)> {
    let net = network(text)?;
    (net.addr() != net.network()).then(|| (net.addr(), net.trunc()))
}

/// Ten addresses after `first`, for an example; before `end`, which is often for broadcasts.
pub(crate) fn some_after(first: IpAddr, end: IpAddr) -> IpAddr {
    match (first, end) {
        (IpAddr::V4(first), IpAddr::V4(end)) => {
            let last = u32::from(first).saturating_add(10).min(u32::from(end).saturating_sub(1));
            IpAddr::V4(last.max(u32::from(first)).into())
        }
        (IpAddr::V6(first), IpAddr::V6(end)) => {
            IpAddr::V6(u128::from(first).saturating_add(16).min(u128::from(end)).into())
        }
        _ => first,
    }
}

/// Stricter than `IpNet`'s own reading: octets with a leading zero are nobody's address.
fn network(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    IpNet::new(address.parse().ok()?, length.parse().ok().filter(|_| digits)?).ok()
}

fn cidr_help(text: &str) -> String {
    if text.contains(',') {
        return "write each on a line of its own, after `- `".to_owned();
    }
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => {
            format!("`{length}` is not a prefix length of IPv4: use a number from 0 to 32")
        }
        Ok(IpAddr::V6(_)) => {
            format!("`{length}` is not a prefix length of IPv6: use a number from 0 to 128")
        }
        Err(_) => "write 192.168.1.0/24 or 192.168.1.240-192.168.1.250".to_owned(),
    }
}

fn invalid(message: String, help: String) -> Fault {
    Fault { code: codes::POOL_ADDRESS_INVALID, message, help }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn valid_entries() {
        for (text, expected) in [
            ("192.168.1.240-192.168.1.250", "192.168.1.240-192.168.1.250"),
            (" 10.0.0.1 - 10.0.0.1 ", "10.0.0.1"),
            ("10.0.0.77/24", "10.0.0.0-10.0.0.255"),
            ("10.0.0.7/32", "10.0.0.7"),
            ("fd00::/126", "fd00::-fd00::3"),
            ("fd00::1-fd00::ff", "fd00::1-fd00::ff"),
            ("::ffff:10.0.0.1-10.0.0.2", "10.0.0.1-10.0.0.2"),
            ("::ffff:10.0.0.0/120", "10.0.0.0-10.0.0.255"),
            ("0.0.0.0/0", "0.0.0.0-255.255.255.255"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn invalid_entries() {
        for (text, code, help) in [
            ("10.0.0.9-10.0.0.1", "pool-range-reversed", "write 10.0.0.1-10.0.0.9"),
            ("10.0.0.1", "pool-address-invalid", "write 10.0.0.1/32"),
            ("fd00::1", "pool-address-invalid", "write fd00::1/128"),
            ("10.0.0.1-fd00::1", "pool-address-invalid", "an entry of its own"),
            ("10.0.0.1-50", "pool-address-invalid", "10.0.0.1-10.0.0.50"),
            ("10.0.0.0/33", "pool-address-invalid", "from 0 to 32"),
            ("fd00::/129", "pool-address-invalid", "from 0 to 128"),
            ("10.0.0.01/24", "pool-address-invalid", "write"),
            ("10.0.0.1-10.0.0.2-10.0.0.3", "pool-address-invalid", "in full"),
            ("::ffff:0:0/90", "pool-address-invalid", "IPv4 network"),
            (" 10.0.0.0/8", "pool-address-invalid", "write 10.0.0.0/8"),
            ("", "pool-address-invalid", "write"),
            ("pool", "pool-address-invalid", "write"),
            ("10.0.0.0/+24", "pool-address-invalid", "prefix length"),
            ("fe80::1%eth0/64", "pool-address-invalid", "write"),
        ] {
            let fault = parse(text).unwrap_err();
            assert_eq!(fault.code.as_str(), code, "{text}");
            assert!(fault.help.contains(help), "{text}: {}", fault.help);
            assert!(fault.message.contains(text), "{text}: {}", fault.message);
        }
    }
}
