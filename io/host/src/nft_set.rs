//! Replaces what is in named nftables sets and maps, over netlink: far faster than starting `nft`,
//! for what must be in force before the next packet.
//!
//! It makes no tables, sets or rules: the text of those is [`nft`](crate::nft)'s, and small tables
//! are made by another module of this crate. One batch is one transaction: all of it takes force at
//! once, or nothing does. Message layout: linux/netfilter/nf_tables.h; numbers in it are
//! big-endian.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use steelyard_model::Family;

use crate::netlink::{Netlink, Request};

/// A way to the kernel's packet filter, in the namespace of the thread that opens it.
#[derive(Debug)]
pub struct Sets {
    netlink: Netlink,
}

/// What one set or map is to hold from now on, and nothing else.
#[derive(Clone, Debug)]
pub struct Filling<'a> {
    /// Of the table.
    pub family: TableFamily,
    /// The table's name.
    pub table: &'a str,
    /// The set's name.
    pub set: &'a str,
    /// Its elements; those with a time end by themselves after it.
    pub elements: Vec<(IpAddr, Value, Option<Duration>)>,
}

/// What becomes of some addresses in one set; others stay as they are.
#[derive(Clone, Debug)]
pub struct SetChange<'a> {
    /// Of the table.
    pub family: TableFamily,
    /// The table's name.
    pub table: &'a str,
    /// The set's name.
    pub set: &'a str,
    /// The addresses, and for how long they are in it; none takes them out.
    pub elements: Vec<(IpAddr, Option<Stay>)>,
}

/// How long an address is in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Until it is taken out.
    Open,
    /// Until then, unless it is taken out before.
    For(Duration),
}

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFamily {
    /// IPv4 and IPv6: `inet`.
    Inet,
    /// IPv4: `ip`.
    Ip,
    /// IPv6: `ip6`.
    Ip6,
}

/// What an address is mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: the set is no map.
    None,
    /// An address.
    Address(IpAddr),
    /// An interface, by number.
    Link(u32),
}

pub(crate) const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_ELEMENTS: u16 = (SUBSYSTEM << 8) | 12;
const DELETE_ELEMENTS: u16 = (SUBSYSTEM << 8) | 14;
pub(crate) const NESTED: u16 = 0x8000;
const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_VALUE: u16 = 2;
const ELEMENT_TIMEOUT: u16 = 4;
const VALUE: u16 = 1;
/// Elements of one message: their list is an attribute, which holds less than 64 KiB.
const AT_ONCE: usize = 500;
/// Bytes of the largest batch: a batch is one datagram.
const BATCH: i32 = 4 * 1024 * 1024;

impl Sets {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        let netlink = Netlink::open(libc::NETLINK_NETFILTER)?;
        netlink.send_at_once(BATCH);
        Ok(Self { netlink })
    }

    /// The netlink port that its changes come from; none before the first.
    pub fn port(&self) -> Option<u32> {
        self.netlink.port()
    }

    /// Makes each set hold what is said. Blocks, for a fraction of a millisecond; wants
    /// CAP_NET_ADMIN.
    pub fn fill(&mut self, fillings: &[Filling<'_>]) -> io::Result<()> {
        self.send(fillings.iter().flat_map(Filling::requests).collect())
    }

    /// Changes what is in sets. Blocks, for a fraction of a millisecond.
    pub fn change(&mut self, changes: &[SetChange<'_>]) -> io::Result<()> {
        let mut batch = Vec::new();
        for change in changes {
            for elements in change.elements.chunks(AT_ONCE) {
                batch.extend(change.requests(elements));
            }
        }
        self.send(batch)
    }

    /// Sends these as one transaction.
    pub(crate) fn send(&mut self, requests: Vec<Request>) -> io::Result<()> {
        if requests.is_empty() {
            return Ok(());
        }
        let mut batch = vec![edge(BATCH_BEGIN)];
        batch.extend(requests);
        self.netlink.change_all(batch, edge(BATCH_END))
    }
}

impl Filling<'_> {
    pub(crate) fn requests(&self) -> Vec<Request> {
        // Without elements it means all of them.
        let mut requests = vec![self.request(DELETE_ELEMENTS, 0)];
        for elements in self.elements.chunks(AT_ONCE) {
            let list: Vec<u8> = elements.iter().flat_map(element).collect();
            let request = self.request(NEW_ELEMENTS, crate::netlink::CREATE);
            requests.push(request.attribute(NESTED | LIST_ELEMENTS, &list));
        }
        requests
    }

    fn request(&self, kind: u16, flags: u16) -> Request {
        request(kind, flags, self.family, self.table, self.set)
    }
}

impl SetChange<'_> {
    /// Whether an element is there is not known, and to delete none is an error, as it is to add
    /// one with another time: so each is added, deleted, and added as it is to be.
    fn requests(&self, elements: &[(IpAddr, Option<Stay>)]) -> Vec<Request> {
        let time = |stay: Stay| match stay {
            Stay::Open => None,
            Stay::For(time) => Some(time),
        };
        let all = elements.iter().map(|(key, _)| (*key, Value::None, None));
        let kept =
            elements.iter().filter_map(|(key, stay)| Some((*key, Value::None, time((*stay)?))));
        let (all, kept): (Vec<_>, Vec<_>) = (all.collect(), kept.collect());
        let mut requests = Vec::new();
        for (kind, flags, elements) in [
            (NEW_ELEMENTS, crate::netlink::CREATE, &all),
            (DELETE_ELEMENTS, 0, &all),
            (NEW_ELEMENTS, crate::netlink::CREATE, &kept),
        ] {
            // A deletion without elements would mean all of them.
            if !elements.is_empty() {
                let list: Vec<u8> = elements.iter().flat_map(element).collect();
                let request = request(kind, flags, self.family, self.table, self.set);
                requests.push(request.attribute(NESTED | LIST_ELEMENTS, &list));
            }
        }
        requests
    }
}

impl TableFamily {
    /// As the kernel numbers it.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Ip => 2,
            Self::Ip6 => 10,
        }
    }

    /// How `nft` numbers the type of its addresses, and their bytes.
    pub(crate) fn address(self) -> (u32, u32) {
        match self {
            Self::Ip => (7, 4),
            Self::Inet | Self::Ip6 => (8, 16),
        }
    }
}

impl From<Family> for TableFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::V4 => Self::Ip,
            Family::V6 => Self::Ip6,
        }
    }
}

fn request(kind: u16, flags: u16, family: TableFamily, table: &str, set: &str) -> Request {
    Request::new(kind, flags, &header(family.number(), 0))
        .attribute(LIST_TABLE, &text(table))
        .attribute(LIST_SET, &text(set))
}

fn edge(kind: u16) -> Request {
    Request::new(kind, 0, &header(0, SUBSYSTEM))
}

/// `nfgenmsg`
pub(crate) fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

pub(crate) fn text(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn element((key, value, time): &(IpAddr, Value, Option<Duration>)) -> Vec<u8> {
    let nested = |kind: u16, bytes: &[u8]| {
        Request::new(0, 0, &[]).attribute(NESTED | kind, &attribute(VALUE, bytes)).into_payload()
    };
    let mut parts = nested(ELEMENT_KEY, &octets(*key));
    match value {
        Value::None => {}
        Value::Address(address) => parts.extend(nested(ELEMENT_VALUE, &octets(*address))),
        Value::Link(number) => parts.extend(nested(ELEMENT_VALUE, &number.to_ne_bytes())),
    }
    if let Some(time) = time {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        parts.extend(attribute(ELEMENT_TIMEOUT, &millis.to_be_bytes()));
    }
    attribute(NESTED | ELEMENT, &parts)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    Request::new(0, 0, &[]).attribute(kind, value).into_payload()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::{self, Namespace};

    const TABLE: &str = "table ip t {
  set one { type ipv4_addr; flags timeout; }
  map two { type ipv4_addr : ipv4_addr; flags timeout; }
  map three { type ipv4_addr : iface_index; flags timeout; }
}
table inet t {
  set four { type ipv4_addr; flags timeout; }
}
";

    fn filling<'a>(set: &'a str, elements: &[(IpAddr, Value)]) -> Filling<'a> {
        let hour = Some(Duration::from_secs(3600));
        let elements = elements.iter().map(|(key, value)| (*key, *value, hour)).collect();
        Filling { family: TableFamily::Ip, table: "t", set, elements }
    }

    #[test]
    fn an_address_comes_stays_and_goes_whatever_was_before() {
        if let Some(why) = netns::unavailable() {
            return eprintln!("skipped: {why}");
        }
        let namespace = Namespace::create("host-change").unwrap();
        let make = namespace.output("nft", &[TABLE]).unwrap();
        assert!(make.status.success(), "{make:?}");
        let change = |elements: &[(&str, Option<Stay>)]| {
            let elements = elements.iter().map(|(key, stay)| (key.parse().unwrap(), *stay));
            let elements = elements.collect();
            let change = SetChange { family: TableFamily::Inet, table: "t", set: "four", elements };
            let changed = namespace.run(|| Sets::open().unwrap().change(&[change])).unwrap();
            changed.unwrap();
            let list = namespace.output("nft", &["list", "set", "inet", "t", "four"]).unwrap();
            String::from_utf8(list.stdout).unwrap()
        };
        let minute = Stay::For(Duration::from_secs(60));
        for _ in 0..2 {
            let shown = change(&[("10.0.0.1", Some(Stay::Open)), ("10.0.0.2", Some(minute))]);
            assert!(shown.contains("10.0.0.1,"), "{shown}");
            assert!(shown.contains("10.0.0.2 timeout 1m"), "{shown}");
        }
        let shown = change(&[("10.0.0.1", Some(minute)), ("10.0.0.2", Some(Stay::Open))]);
        assert!(shown.contains("10.0.0.1 timeout 1m"), "{shown}");
        for _ in 0..2 {
            let shown = change(&[("10.0.0.1", None), ("10.0.0.3", None)]);
            assert!(shown.contains("{ 10.0.0.2 }"), "{shown}");
        }
        let shown = change(&[]);
        assert!(shown.contains("{ 10.0.0.2 }"), "{shown}");
    }

    #[test]
    fn sets_hold_what_was_said_last() {
        if let Some(why) = netns::unavailable() {
            return eprintln!("skipped: {why}");
        }
        let namespace = Namespace::create("host-sets").unwrap();
        let make = namespace.output("nft", &[TABLE]).unwrap();
        assert!(make.status.success(), "{make:?}");
        let (key, to) = ("10.0.0.100".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let many: Vec<_> = (0..1200_u32)
            .map(|n| (IpAddr::from((0x0a00_0000 + n).to_be_bytes()), Value::None))
            .collect();
        namespace
            .run(|| {
                let mut sets = Sets::open().unwrap();
                sets.fill(&[filling("one", &many)]).unwrap();
                sets.fill(&[
                    filling("one", &[(key, Value::None)]),
                    filling("two", &[(key, Value::Address(to))]),
                    filling("three", &[(key, Value::Link(1))]),
                ])
                .unwrap();
                // All of it or nothing.
                let refused = sets.fill(&[filling("one", &[]), filling("missing", &[])]);
                assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::NotFound);
            })
            .unwrap();
        let listed = namespace.output("nft", &["list", "table", "ip", "t"]).unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        for (times, part) in
            [(3, "10.0.0.100 timeout 1h"), (1, " : 10.0.0.2"), (1, ": \"lo\""), (0, "10.0.4.")]
        {
            assert_eq!(listed.matches(part).count(), times, "{part}: {listed}");
        }
    }
}
