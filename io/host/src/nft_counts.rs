//! Reads what the elements of named nftables sets counted, over netlink: one dump for each set,
//! however many elements it has, and no program is started.
//!
//! For sets of `address . inet_proto . inet_service` whose elements have a `counter`. It changes
//! nothing. What the kernel sends is read with bounds checks; what cannot be read is passed over.
//! Message layout: linux/netfilter/nf_tables.h; numbers in it are big-endian.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::netlink::{self, Netlink, Request, attributes};
use crate::nft_set::{self, SUBSYSTEM, TableFamily};

/// A way to the kernel's packet filter, in the namespace of the thread that opens it.
#[derive(Debug)]
pub struct ElementCounts {
    netlink: Netlink,
}

/// What an element has counted since it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedElement {
    /// Address and port of its key.
    pub at: SocketAddr,
    /// IP protocol number of its key.
    pub protocol: u8,
    /// Packets that it was found for.
    pub packets: u64,
    /// Their bytes, from the IP header on.
    pub bytes: u64,
}

const GET_ELEMENTS: u16 = (SUBSYSTEM << 8) | 13;
const FAMILY_HEADER: usize = 4;
const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_EXPRESSION: u16 = 7;
const VALUE: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const COUNTER_BYTES: u16 = 1;
const COUNTER_PACKETS: u16 = 2;
/// Parts of a key are padded to this.
const WORD: usize = 4;

impl ElementCounts {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        Ok(Self { netlink: Netlink::open(libc::NETLINK_NETFILTER)? })
    }

    /// Shows each element of a set. One that changes meanwhile may be shown twice, or not at all.
    /// Blocks, for about a microsecond an element; wants CAP_NET_ADMIN. An error of kind
    /// `NotFound` where there is no such set.
    pub fn each(
        &mut self,
        family: TableFamily,
        (table, set): (&str, &str),
        mut show: impl FnMut(CountedElement),
    ) -> io::Result<()> {
        let request = Request::new(GET_ELEMENTS, netlink::DUMP, &[family.number(), 0, 0, 0])
            .attribute(LIST_TABLE, &nft_set::text(table))
            .attribute(LIST_SET, &nft_set::text(set));
        self.netlink.ask(request, |_, body| {
            let parts = attributes(body.get(FAMILY_HEADER..).unwrap_or_default());
            let lists = parts.filter(|part| part.kind == LIST_ELEMENTS);
            for list in lists {
                attributes(list.value).filter_map(|it| element(it.value)).for_each(&mut show);
            }
        })
    }
}

fn element(bytes: &[u8]) -> Option<CountedElement> {
    let (mut key, mut counts) = (None, None);
    for part in attributes(bytes) {
        match part.kind {
            ELEMENT_KEY => key = find(part.value, VALUE).and_then(parse_key),
            ELEMENT_EXPRESSION => counts = counter(part.value),
            _ => {}
        }
    }
    let ((at, protocol), (packets, bytes)) = (key?, counts?);
    Some(CountedElement { at, protocol, packets, bytes })
}

/// Address, protocol and port, each padded to whole words.
fn parse_key(bytes: &[u8]) -> Option<(SocketAddr, u8)> {
    let (address, rest) = bytes.split_at_checked(bytes.len().checked_sub(2 * WORD)?)?;
    let (protocol, port) = rest.split_at(WORD);
    let address: IpAddr = netlink::address(address)?;
    let port = u16::from_be_bytes(*port.first_chunk()?);
    Some((SocketAddr::new(address, port), *protocol.first()?))
}

/// Packets and bytes.
fn counter(bytes: &[u8]) -> Option<(u64, u64)> {
    find(bytes, EXPRESSION_NAME).filter(|name| name.starts_with(b"counter\0"))?;
    let data = find(bytes, EXPRESSION_DATA)?;
    let number = |kind| find(data, kind)?.first_chunk().map(|eight| u64::from_be_bytes(*eight));
    Some((number(COUNTER_PACKETS)?, number(COUNTER_BYTES)?))
}

fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|part| part.kind == kind).map(|part| part.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::{self, Namespace};

    const TABLE: &str = "table inet t {
  set four { type ipv4_addr . inet_proto . inet_service; counter; }
  set six { type ipv6_addr . inet_proto . inet_service; counter; }
  chain out {
    type filter hook output priority 0;
    ip daddr . meta l4proto . th dport @four
    ip6 daddr . meta l4proto . th dport @six
  }
}
";

    #[test]
    fn packets_and_bytes_are_read_of_many_elements() {
        if let Some(why) = netns::unavailable() {
            return eprintln!("skipped: {why}");
        }
        let namespace = Namespace::create("host-counts").unwrap();
        let many: Vec<String> =
            (0..5_000).map(|n| format!("10.1.{}.{} . tcp . 80", n / 250, n % 250)).collect();
        let elements = format!(
            "add element inet t four {{ {}, 127.0.0.1 . udp . 53 }}\n\
             add element inet t six {{ ::1 . udp . 53 }}\n",
            many.join(", ")
        );
        let file = std::env::temp_dir().join(format!("host-counts-{}", std::process::id()));
        std::fs::write(&file, TABLE.to_owned() + &elements).unwrap();
        let made = namespace.output("nft", &["-f", file.to_str().unwrap()]).unwrap();
        let _ = std::fs::remove_file(&file);
        assert!(made.status.success(), "{made:?}");
        namespace
            .run(|| {
                let mut counts = ElementCounts::open().unwrap();
                for (set, to) in [("four", "127.0.0.1:53"), ("six", "[::1]:53")] {
                    let to: SocketAddr = to.parse().unwrap();
                    let any = SocketAddr::new(to.ip(), 0);
                    let socket = std::net::UdpSocket::bind(any).unwrap();
                    for payload in [&b"four"[..], b"eleven here"] {
                        socket.send_to(payload, to).unwrap();
                    }
                    let mut all = Vec::new();
                    counts.each(TableFamily::Inet, ("t", set), |it| all.push(it)).unwrap();
                    assert_eq!(all.len(), if set == "four" { 5_001 } else { 1 });
                    let counted: Vec<_> = all.iter().filter(|it| it.packets > 0).collect();
                    let headers = if to.is_ipv4() { 20 + 8 } else { 40 + 8 };
                    let bytes = 2 * headers + 15;
                    let want = CountedElement { at: to, protocol: 17, packets: 2, bytes };
                    assert_eq!(counted, [&want]);
                }
                let missing = counts.each(TableFamily::Inet, ("t", "five"), |_| ());
                assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
            })
            .unwrap();
    }

    #[test]
    fn cut_or_scrambled_bytes_never_panic() {
        let nested = |kind: u16, value: &[u8]| {
            Request::new(0, 0, &[]).attribute(nft_set::NESTED | kind, value).into_payload()
        };
        let plain =
            |kind: u16, value: &[u8]| Request::new(0, 0, &[]).attribute(kind, value).into_payload();
        let key = plain(VALUE, &[10, 0, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0]);
        let numbers = [plain(1, &7_u64.to_be_bytes()), plain(2, &3_u64.to_be_bytes())].concat();
        let expression = [plain(EXPRESSION_NAME, b"counter\0"), nested(EXPRESSION_DATA, &numbers)];
        let whole =
            [nested(ELEMENT_KEY, &key), nested(ELEMENT_EXPRESSION, &expression.concat())].concat();
        let at = "10.0.0.1:80".parse().unwrap();
        let want = CountedElement { at, protocol: 6, packets: 3, bytes: 7 };
        assert_eq!(element(&whole), Some(want));
        for end in 0..whole.len() {
            let _ = element(&whole[..end]);
            let mut scrambled = whole.clone();
            scrambled[end] ^= 0xff;
            let _ = element(&scrambled);
        }
    }
}
