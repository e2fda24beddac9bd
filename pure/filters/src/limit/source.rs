//! Whom a request is counted for.

use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;

use steelyard_http::RequestView;
use steelyard_model::routing::filter::limit::Counted;

use crate::client;

/// A number for whom a request is counted for; all whose address is not known are one. Who does
/// not know the seed cannot make two that are alike.
pub(crate) fn number(of: &Counted, peer: IpAddr, head: &dyn RequestView, seed: u64) -> u64 {
    match of {
        Counted::Client(source) => hashed(client::address(source, peer, head), seed),
        Counted::Header(name) => hashed(head.first(name).unwrap_or_default(), seed),
        Counted::Host => {
            let host = host(head.authority());
            // Most are spelled so already.
            match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
                true => hashed(&*host.to_ascii_lowercase(), seed),
                false => hashed(host, seed),
            }
        }
    }
}

/// For whom a request is counted, as others write it.
pub(crate) fn text(of: &Counted, peer: IpAddr, head: &dyn RequestView) -> Vec<u8> {
    match of {
        Counted::Client(source) => {
            let address = client::address(source, peer, head);
            address.map(|it| it.to_string()).unwrap_or_default().into_bytes()
        }
        Counted::Header(name) => head.first(name).unwrap_or_default().to_vec(),
        Counted::Host => host(head.authority()).to_ascii_lowercase().into_bytes(),
    }
}

/// The same for who is connected.
pub(crate) fn number_of_address(address: IpAddr, seed: u64) -> u64 {
    hashed(Some(address), seed)
}

fn hashed(value: impl Hash, seed: u64) -> u64 {
    foldhash::quality::FixedState::with_seed(seed).hash_one(value)
}

/// Without its port.
fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Asked;

    #[test]
    fn what_is_alike_is_counted_together_and_nothing_else() {
        let by_key = Counted::Header("x-key".into());
        let of =
            |of: &Counted, authority: &'static str, lines: &'static [(&str, &str)], seed: u64| {
                let asked = Asked::get(authority, "/").with_all(lines);
                number(of, "10.0.0.1".parse().unwrap(), &asked, seed)
            };
        let a = of(&by_key, "x", &[("X-Key", "a")], 7);
        assert_eq!(a, of(&by_key, "y", &[("x-key", "a")], 7));
        assert_ne!(a, of(&by_key, "x", &[("X-Key", "b")], 7));
        assert_ne!(a, of(&by_key, "x", &[("X-Key", "a")], 8));
        let x = of(&Counted::Host, "X.y:80", &[], 7);
        assert_eq!(x, of(&Counted::Host, "x.Y", &[("X-Key", "a")], 7));
        assert_ne!(x, of(&Counted::Host, "z", &[], 7));
        assert_eq!((host("[::1]:80"), host("[::1]"), host("a")), ("[::1]", "[::1]", "a"));
    }
}
