//! Ranges of addresses that have a name, so that nobody has to copy them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Where Cloudflare's proxies connect from (<https://www.cloudflare.com/ips/>; unchanged since
/// 2021).
const CLOUDFLARE: [&str; 22] = [
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];

/// The name of Cloudflare's ranges.
pub const NAMED: &str = "cloudflare";

/// The ranges that `text` means: an address, a range, or a name.
pub fn ranges(text: &str) -> Option<Vec<IpNet>> {
    if text.eq_ignore_ascii_case(NAMED) {
        return Some(CLOUDFLARE.iter().map(|it| it.parse().expect("a range")).collect());
    }
    range(text).map(|range| vec![range])
}

/// The range that `text` means, which may be an address. One of IPv4 that is written in IPv6
/// (`::ffff:10.0.0.0/104`) is one of IPv4, as with Go: clients are never known by such addresses.
pub fn range(text: &str) -> Option<IpNet> {
    let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    let mapped = match net {
        IpNet::V6(net) => net.addr().to_ipv4_mapped().zip(net.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let net = match mapped {
        Some((address, length)) => IpNet::new(address.into(), length).ok()?,
        None => net,
    };
    Some(net.trunc())
}

/// The ranges of a list with commas.
///
/// # Errors
/// The first part that means none.
pub fn listed(text: &str) -> Result<Vec<IpNet>, &str> {
    let each = text.split(',').map(str::trim).map(|part| ranges(part).ok_or(part));
    Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ranges_are_called() {
        for (text, count) in [
            ("Cloudflare", 22),
            ("10.0.0.0/8", 1),
            ("10.0.0.1", 1),
            ("fd00::1", 1),
            ("akamai", 0),
            ("10.0.0.0/40", 0),
            ("", 0),
        ] {
            assert_eq!(ranges(text).map_or(0, |it| it.len()), count, "{text}");
        }
        for (text, meant) in [
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:a01:203", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/128", "10.1.2.3/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
            ("fd00::1/8", "fd00::/8"),
        ] {
            assert_eq!(range(text).map(|it| it.to_string()).as_deref(), Some(meant), "{text}");
        }
        assert_eq!(listed("10.0.0.1, cloudflare").map(|it| it.len()), Ok(23));
        assert_eq!(listed("10.0.0.1,,x"), Err(""));
        let all = ranges(NAMED).expect("it is known");
        assert!(all.iter().all(|range| range.addr() == range.network()), "no bits beyond");
        let is_in = |text: &str| {
            let address: IpAddr = text.parse().expect("an address");
            all.iter().any(|range| range.contains(&address))
        };
        assert!(is_in("172.71.10.1") && is_in("2606:4700::1") && !is_in("172.32.0.1"));
    }
}
