//! Makes small nftables tables over netlink: for who must not depend on the program `nft`, as in an
//! image that has nothing but this program.
//!
//! Rules are lists of [`Term`]s, of which there are as many as somebody uses; they are encoded as
//! `nft` itself does, so that `nft list` shows them in its own words. What is in their sets is
//! [`Sets::fill`]'s. Expressions and attributes: linux/netfilter/nf_tables.h.

use std::io;
use std::ops::RangeInclusive;

use crate::netlink::{CREATE, Request};
use crate::nft_set::{Filling, NESTED, SUBSYSTEM, Sets, TableFamily, header, text};

mod terms;

/// A table of the family `ip` or `ip6`.
#[derive(Clone, Debug)]
pub struct SmallTable<'a> {
    /// Whose packets it sees.
    pub family: TableFamily,
    /// Its name.
    pub name: &'a str,
    /// Its sets and maps, of addresses of its family, that end by themselves.
    pub sets: &'a [SetFrame],
    /// Its chains; what jumps to another comes after that.
    pub chains: &'a [RuleChain],
}

/// A set or a map, empty.
#[derive(Clone, Copy, Debug)]
pub struct SetFrame {
    /// Its name.
    pub name: &'static str,
    /// What its addresses are mapped to.
    pub maps: Maps,
}

/// What a map has for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maps {
    /// Nothing: it is a set.
    Nothing,
    /// An address of the same family.
    Address,
    /// An interface, by number.
    Link,
}

/// Rules, one after the other.
#[derive(Clone, Debug)]
pub struct RuleChain {
    /// Its name.
    pub name: &'static str,
    /// At which priority packets that come in pass it, before they are routed; none where others
    /// jump there.
    pub prerouting: Option<i32>,
    /// The rules.
    pub rules: Vec<Vec<Term>>,
}

/// A part of a rule: what has to be so of the packet for the next to count, or what is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// Its destination is in this set.
    To(&'static str),
    /// Its TTL, or hop limit, is among these.
    Ttl(RangeInclusive<u8>),
    /// It is not.
    TtlNot(RangeInclusive<u8>),
    /// Connection tracking has it for one of these.
    Tracked(u32),
    /// It is of this protocol.
    Protocol(u8),
    /// None of these flags of TCP is set.
    TcpWithout(u8),
    /// It is of this type of ICMP.
    IcmpType(u8),
    /// Gives it this TTL.
    SetTtl(u8),
    /// Sends a copy to the host that one map has for its destination, by the interface that the
    /// other has.
    Copy {
        /// To whom.
        to: &'static str,
        /// By which interface.
        link: &'static str,
    },
    /// Goes on in another chain, and with the next rule after it.
    Jump(&'static str),
    /// Goes on in another chain.
    Goto(&'static str),
    /// That is the end of it.
    Drop,
}

impl Term {
    /// Fits to no flow.
    pub const INVALID: u32 = 1;
    /// Would begin one.
    pub const NEW: u32 = 8;
}

const NEW_TABLE: u16 = SUBSYSTEM << 8;
const DELETE_TABLE: u16 = (SUBSYSTEM << 8) | 2;
const NEW_CHAIN: u16 = (SUBSYSTEM << 8) | 3;
const NEW_RULE: u16 = (SUBSYSTEM << 8) | 6;
const NEW_SET: u16 = (SUBSYSTEM << 8) | 9;
/// Behind what is there.
const APPEND: u16 = 0x800;
const NAME: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const PREROUTING: u32 = 0;
const ACCEPT: u32 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_TERMS: u16 = 4;
const SET_NAME: u16 = 2;
const SET_FLAGS: u16 = 3;
const SET_KEY_TYPE: u16 = 4;
const SET_KEY_LENGTH: u16 = 5;
const SET_VALUE_TYPE: u16 = 6;
const SET_VALUE_LENGTH: u16 = 7;
const SET_NUMBER: u16 = 10;
const IS_MAP: u32 = 8;
const HAS_TIMEOUTS: u32 = 0x10;
/// As `nft` numbers types, to show them.
const TYPE_LINK: u32 = 20;

impl Sets {
    /// Makes these tables, whatever was there under their names, and fills their sets: all at once,
    /// or nothing of it. Blocks, for a few milliseconds; wants CAP_NET_ADMIN.
    pub fn make(&mut self, tables: &[SmallTable<'_>], fillings: &[Filling<'_>]) -> io::Result<()> {
        let tables = tables.iter().flat_map(SmallTable::requests);
        self.send(tables.chain(fillings.iter().flat_map(Filling::requests)).collect())
    }

    /// Removes the tables of these families that have this name, if they are there.
    pub fn remove(&mut self, name: &str, families: &[TableFamily]) -> io::Result<()> {
        self.send(families.iter().flat_map(|it| removal(*it, name)).collect())
    }
}

/// Adding first makes deleting what is not there no error.
fn removal(family: TableFamily, name: &str) -> [Request; 2] {
    let request = |kind, flags| {
        Request::new(kind, flags, &header(family.number(), 0)).attribute(NAME, &text(name))
    };
    [request(NEW_TABLE, CREATE), request(DELETE_TABLE, 0)]
}

impl SmallTable<'_> {
    fn requests(&self) -> Vec<Request> {
        let mut all = Vec::from(removal(self.family, self.name));
        all.push(self.request(NEW_TABLE, CREATE));
        let sets = self.sets.iter().zip(1_u32..);
        all.extend(sets.map(|(set, number)| self.set(set, number)));
        for chain in self.chains {
            all.push(self.chain(chain));
            all.extend(chain.rules.iter().map(|terms| self.rule(chain.name, terms)));
        }
        all
    }

    fn request(&self, kind: u16, flags: u16) -> Request {
        Request::new(kind, flags, &header(self.family.number(), 0))
            .attribute(NAME, &text(self.name))
    }

    fn set(&self, set: &SetFrame, number: u32) -> Request {
        let (kind, length) = self.family.address();
        let value = match set.maps {
            Maps::Nothing => None,
            Maps::Address => Some((kind, length)),
            Maps::Link => Some((TYPE_LINK, 4)),
        };
        let flags = HAS_TIMEOUTS | if value.is_some() { IS_MAP } else { 0 };
        let request = self
            .request(NEW_SET, CREATE)
            .attribute(SET_NAME, &text(set.name))
            .attribute(SET_FLAGS, &flags.to_be_bytes())
            .attribute(SET_KEY_TYPE, &kind.to_be_bytes())
            .attribute(SET_KEY_LENGTH, &length.to_be_bytes())
            .attribute(SET_NUMBER, &number.to_be_bytes());
        let Some((kind, length)) = value else { return request };
        request
            .attribute(SET_VALUE_TYPE, &kind.to_be_bytes())
            .attribute(SET_VALUE_LENGTH, &length.to_be_bytes())
    }

    fn chain(&self, chain: &RuleChain) -> Request {
        let request = self.request(NEW_CHAIN, CREATE).attribute(CHAIN_NAME, &text(chain.name));
        let Some(priority) = chain.prerouting else { return request };
        let hook = Request::new(0, 0, &[])
            .attribute(HOOK_NUMBER, &PREROUTING.to_be_bytes())
            .attribute(HOOK_PRIORITY, &priority.to_be_bytes());
        request
            .attribute(NESTED | CHAIN_HOOK, &hook.into_payload())
            .attribute(CHAIN_POLICY, &ACCEPT.to_be_bytes())
            .attribute(CHAIN_TYPE, &text("filter"))
    }

    fn rule(&self, chain: &str, terms: &[Term]) -> Request {
        let terms: Vec<u8> = terms.iter().flat_map(|it| it.encode(self.family)).collect();
        self.request(NEW_RULE, CREATE | APPEND)
            .attribute(RULE_CHAIN, &text(chain))
            .attribute(NESTED | RULE_TERMS, &terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::{self, Namespace};
    use crate::nft_set::Value;

    const SETS: [SetFrame; 3] = [
        SetFrame { name: "one", maps: Maps::Nothing },
        SetFrame { name: "two", maps: Maps::Address },
        SetFrame { name: "three", maps: Maps::Link },
    ];
    const SHOWN: &str = "table ip t {
\tset one {
\t\ttype ipv4_addr
\t\tflags timeout
\t\telements = { 10.0.0.9 }
\t}

\tmap two {
\t\ttype ipv4_addr : ipv4_addr
\t\tflags timeout
\t}

\tmap three {
\t\ttype ipv4_addr : iface_index
\t\tflags timeout
\t}

\tchain last {
\t\tdup to ip daddr map @two device ip daddr map @three
\t\tdrop
\t}

\tchain first {
\t\ttype filter hook prerouting priority mangle - 5; policy accept;
\t\tip daddr @one ip ttl != 5-7 ip ttl 2-9 jump last
\t\tct state invalid,new tcp flags ! syn,rst ip ttl set 77
\t\tct state invalid icmp type time-exceeded goto last
\t}
}
";

    fn chains() -> [RuleChain; 2] {
        let unlike = vec![Term::Tracked(Term::INVALID | Term::NEW), Term::TcpWithout(6)];
        let copy = Term::Copy { to: "two", link: "three" };
        let last = vec![vec![copy], vec![Term::Drop]];
        let first = vec![
            vec![Term::To("one"), Term::TtlNot(5..=7), Term::Ttl(2..=9), Term::Jump("last")],
            [unlike, vec![Term::SetTtl(77)]].concat(),
            vec![Term::Tracked(Term::INVALID), Term::IcmpType(11), Term::Goto("last")],
        ];
        [
            RuleChain { name: "last", prerouting: None, rules: last },
            RuleChain { name: "first", prerouting: Some(-155), rules: first },
        ]
    }

    /// In the words of `nft`, which knows nothing of how it was made.
    #[test]
    fn a_table_is_what_was_meant_and_goes() {
        if let Some(why) = netns::unavailable() {
            return eprintln!("skipped: {why}");
        }
        let namespace = Namespace::create("host-table").unwrap();
        let chains = chains();
        let families = [TableFamily::Ip, TableFamily::Ip6];
        let table = |family| SmallTable { family, name: "t", sets: &SETS, chains: &chains };
        let nine = vec![([10, 0, 0, 9].into(), Value::None, None)];
        let family = TableFamily::Ip;
        let filling = Filling { family, table: "t", set: "one", elements: nine };
        namespace
            .run(|| {
                let mut sets = Sets::open().unwrap();
                sets.remove("t", &families).unwrap();
                for _ in 0..2 {
                    sets.make(&families.map(table), std::slice::from_ref(&filling)).unwrap();
                }
                // All of it or nothing.
                let missing = [RuleChain {
                    name: "only",
                    prerouting: None,
                    rules: vec![vec![Term::To("missing"), Term::Drop]],
                }];
                let broken = SmallTable { chains: &missing, ..table(TableFamily::Ip) };
                sets.make(&[broken], &[]).unwrap_err();
            })
            .unwrap();
        let list = |table: &[&str]| {
            let output = namespace.output("nft", &[&["list"], table].concat()).unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(list(&["table", "ip", "t"]), SHOWN);
        let six = list(&["table", "ip6", "t"]);
        for part in ["ip6 daddr @one ip6 hoplimit != 5-7", "ip6 hoplimit set 77", "ip6 daddr map"] {
            assert!(six.contains(part), "{part}: {six}");
        }
        namespace.run(|| Sets::open().unwrap().remove("t", &families).unwrap()).unwrap();
        assert_eq!(list(&["ruleset"]), "");
    }
}
