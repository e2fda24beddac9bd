//! Conditions of rules, and whether a packet meets them.

use std::net::IpAddr;

use ipnet::IpNet;
use steelyard_model::{Family, Protocol};

use crate::packet::Leg;
use crate::words::Word;
use crate::words::number;

/// What is known of the packet where a rule sees it.
#[derive(Clone, Debug)]
pub(crate) struct Traits<'a> {
    pub(crate) leg: Leg,
    pub(crate) family: Family,
    pub(crate) protocol: Protocol,
    /// The end that is not the client's, as it is written on the packet here: where a request goes,
    /// and where an answer comes from.
    pub(crate) ours: (IpAddr, u16),
    /// Before it was translated.
    pub(crate) vip: (IpAddr, u16),
    pub(crate) iif: Option<&'a str>,
    pub(crate) oif: Option<&'a str>,
    pub(crate) is_tracked: bool,
    pub(crate) is_translated: bool,
    pub(crate) mark: u32,
    /// The mark of its connection.
    pub(crate) connection_mark: u32,
    /// Our end is an address of this host.
    pub(crate) is_local: bool,
}

/// Whether a condition is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fits {
    Yes,
    No,
    /// We do not understand it.
    Unknown,
    /// For some clients, or sometimes.
    Some,
}

/// What a condition is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Source,
    SourceType,
    SourcePort,
    /// Anything else that depends on the client or the moment.
    Client,
    Destination,
    DestinationType,
    OriginalDestination,
    OriginalPort,
    Protocol,
    Port,
    Family,
    In,
    Out,
    State,
    Status,
    Direction,
    Mark,
    ConnectionMark,
    PacketType,
    /// What a packet of TCP or UDP does not have.
    Foreign,
    /// The way back to the client, as reverse path filters ask for it.
    WayBack,
    Obscure,
    Together(Vec<Self>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Test { key: Key, mask: Option<u32>, is_not: bool, values: Values },
    Flags { mask: u8, value: u8, is_not: bool },
    Client,
    Obscure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    Listed(Vec<String>),
    /// The elements of a set, which are not read.
    Named,
}

const FLAGS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Extensions of iptables that are about who the client is, or how often it comes.
const ABOUT_CLIENTS: [&str; 15] = [
    "connlimit",
    "recent",
    "hashlimit",
    "limit",
    "statistic",
    "time",
    "owner",
    "string",
    "mac",
    "geoip",
    "quota",
    "length",
    "ttl",
    "hl",
    "comment",
];

impl Condition {
    /// A match of iptables that has no words in nft.
    pub(crate) fn xt(name: &str) -> Self {
        if ABOUT_CLIENTS.contains(&name) { Self::Client } else { Self::Obscure }
    }

    /// `& (fin | syn) == syn`, `syn / fin,syn,rst,ack`, `!= syn / fin,syn`, `! fin,syn`
    pub(crate) fn flags(words: &[String]) -> Self {
        let bits = |words: &[String]| {
            let named =
                |text: &str| FLAGS.iter().position(|it| *it == text.trim_matches(['(', ')']));
            words.iter().filter_map(|word| named(word)).fold(0, |sum, at| sum | (1_u8 << at))
        };
        let at = |wanted: &[&str]| words.iter().position(|word| wanted.contains(&&**word));
        let is_not = at(&["!=", "!"]).is_some();
        if let (Some(and), Some(operator)) = (at(&["&"]), at(&["==", "!="])) {
            let (mask, value) = (bits(&words[and..operator]), bits(&words[operator..]));
            return Self::Flags { mask, value, is_not };
        }
        if let Some(slash) = at(&["/"]) {
            let (value, mask) = (bits(&words[..slash]), bits(&words[slash..]));
            return Self::Flags { mask, value, is_not };
        }
        let any = bits(words);
        match any & SYN {
            _ if words.iter().any(|word| word.contains('|')) => Self::Obscure,
            // Any of them is set, or none.
            0 => Self::Flags { mask: any, value: 0, is_not: !is_not },
            _ => Self::Flags { mask: SYN, value: SYN, is_not },
        }
    }

    /// `> 1023`
    pub(crate) fn order(key: Key, operator: &str, values: &Values) -> Self {
        let Values::Listed(all) = values else { return Self::Obscure };
        let Some(Ok(bound)) = all.first().map(|it| it.parse::<u16>()) else { return Self::Client };
        let range = match operator {
            "<" => format!("0-{}", bound.saturating_sub(1)),
            "<=" => format!("0-{bound}"),
            ">" => format!("{}-65535", bound.saturating_add(1)),
            _ => format!("{bound}-65535"),
        };
        Self::Test { key, mask: None, is_not: false, values: Values::Listed(vec![range]) }
    }

    pub(crate) fn fits(&self, packet: &Traits<'_>) -> Fits {
        match self {
            Self::Client => Fits::Some,
            Self::Obscure => Fits::Unknown,
            Self::Flags { mask, value, is_not } => match packet.protocol {
                Protocol::Tcp => Fits::of((packet.flags() & mask == *value) != *is_not),
                _ => Fits::No,
            },
            Self::Test { values: Values::Named, key, .. } => match key {
                Key::Source if packet.leg == Leg::There => Fits::Some,
                Key::Destination if packet.leg == Leg::Back => Fits::Some,
                Key::Client => Fits::Some,
                Key::Foreign => Fits::No,
                _ => Fits::Unknown,
            },
            Self::Test { key, mask, is_not, values: Values::Listed(values) } => {
                let each = values.iter().map(|value| key.fits(*mask, value, packet));
                let any = each.min_by_key(|fits| match fits {
                    Fits::Yes => 0,
                    Fits::Unknown => 1,
                    Fits::Some => 2,
                    Fits::No => 3,
                });
                let any = any.unwrap_or(Fits::No);
                if *is_not { any.not() } else { any }
            }
        }
    }
}

impl Fits {
    fn of(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            other => other,
        }
    }
}

impl Key {
    /// The key that `words` begin with, what it says besides, and how many words it takes.
    pub(crate) fn read(words: &[Word]) -> Option<(Self, Vec<Condition>, usize)> {
        let (mut keys, mut implied, mut used) = (Vec::new(), Vec::new(), 0);
        loop {
            let plain = |at: usize| words.get(used + at).and_then(Word::plain).unwrap_or_default();
            let (key, says, count) = one([plain(0), plain(1), plain(2)], &words[used..])?;
            keys.push(key);
            implied.extend(says);
            used += count;
            if words.get(used).and_then(Word::plain) != Some(".") {
                break;
            }
            used += 1;
        }
        let key = if keys.len() == 1 { keys.swap_remove(0) } else { Self::Together(keys) };
        Some((key, implied, used))
    }

    /// Whether the packet has this value there.
    pub(crate) fn fits(&self, mask: Option<u32>, value: &str, packet: &Traits<'_>) -> Fits {
        match self {
            Self::Source => end(value, packet, Leg::Back),
            Self::Destination => end(value, packet, Leg::There),
            Self::SourcePort => end_port(value, packet, Leg::Back),
            Self::Port => end_port(value, packet, Leg::There),
            Self::SourceType => end_type(value, packet, Leg::Back),
            Self::DestinationType => end_type(value, packet, Leg::There),
            Self::Client => Fits::Some,
            Self::OriginalDestination => address(value, packet.vip.0),
            Self::OriginalPort => port(value, packet.vip.1),
            Self::Protocol => protocol(value, packet.protocol),
            Self::Family => Fits::of(match packet.family {
                Family::V4 => matches!(value, "ipv4" | "ip" | "2"),
                Family::V6 => matches!(value, "ipv6" | "ip6" | "10"),
            }),
            Self::In => interface(value, packet.iif),
            Self::Out => interface(value, packet.oif),
            Self::State => Fits::of(value == packet.state()),
            Self::Status => packet.has_status(value),
            Self::Direction => Fits::of(matches!(
                (value, packet.leg),
                ("original" | "0", Leg::There) | ("reply" | "1", Leg::Back)
            )),
            Self::Mark => marked(value, packet.mark, mask),
            Self::ConnectionMark => marked(value, packet.connection_mark, mask),
            Self::PacketType => Fits::of(matches!(value, "host" | "unicast")),
            Self::Foreign => Fits::No,
            Self::WayBack => match value {
                "missing" | "0" => Fits::No,
                "exists" => Fits::Yes,
                _ => Fits::Some,
            },
            Self::Obscure => Fits::Unknown,
            Self::Together(keys) => together(keys, value, packet),
        }
    }
}

/// One key: what it is, what it says besides, and how many words it takes.
fn one(words: [&str; 3], rest: &[Word]) -> Option<(Key, Vec<Condition>, usize)> {
    let is = |key: Key, value: &str| Condition::Test {
        key,
        mask: None,
        is_not: false,
        values: Values::Listed(vec![value.to_owned()]),
    };
    let two = |key: Key| Some((key, Vec::new(), 2));
    match words {
        [family @ ("ip" | "ip6"), field, _] => {
            let key = match field {
                "saddr" => Key::Source,
                "daddr" => Key::Destination,
                "protocol" | "nexthdr" => Key::Protocol,
                _ => Key::Client,
            };
            Some((key, vec![is(Key::Family, family)], 2))
        }
        ["th", "dport", _] => two(Key::Port),
        ["th", "sport", _] => two(Key::SourcePort),
        [protocol @ ("tcp" | "udp" | "sctp" | "dccp" | "udplite"), "dport", _] => {
            Some((Key::Port, vec![is(Key::Protocol, protocol)], 2))
        }
        [protocol @ ("tcp" | "udp" | "sctp" | "dccp" | "udplite"), "sport", _] => {
            Some((Key::SourcePort, vec![is(Key::Protocol, protocol)], 2))
        }
        ["tcp", "option", _] => Some((Key::Client, Vec::new(), 4)),
        [protocol @ ("tcp" | "udp" | "sctp" | "dccp" | "udplite"), ..] => {
            Some((Key::Client, vec![is(Key::Protocol, protocol)], 2))
        }
        ["th" | "numgen" | "jhash" | "symhash" | "osf" | "vlan", ..] => two(Key::Client),
        [
            "icmp" | "icmpv6" | "igmp" | "arp" | "esp" | "ah" | "comp" | "gre" | "rt" | "frag"
            | "hbh" | "dst" | "mh" | "srh" | "exthdr" | "ipsec",
            ..,
        ] => two(Key::Foreign),
        ["ether", "type", _] => two(Key::Family),
        ["ether", ..] => two(Key::Client),
        ["meta", field, _] => two(meta(field)),
        ["fib", ..] => fib(rest),
        ["ct", "original" | "reply", _] => original(words, rest),
        ["ct", field, _] => two(match field {
            "state" => Key::State,
            "status" => Key::Status,
            "direction" => Key::Direction,
            "mark" => Key::ConnectionMark,
            "l3proto" => Key::Family,
            "protocol" => Key::Protocol,
            "helper" => Key::Foreign,
            _ => Key::Client,
        }),
        ["socket", ..] => two(Key::Obscure),
        [
            field @ ("iif" | "iifname" | "oif" | "oifname" | "mark" | "pkttype" | "l4proto"
            | "nfproto" | "iifgroup" | "oifgroup" | "iiftype" | "oiftype" | "skuid"
            | "skgid" | "cpu" | "rtclassid" | "cgroup"),
            ..,
        ] => Some((meta(field), Vec::new(), 1)),
        _ => None,
    }
}

fn meta(field: &str) -> Key {
    match field {
        "iif" | "iifname" => Key::In,
        "oif" | "oifname" => Key::Out,
        "mark" => Key::Mark,
        "l4proto" => Key::Protocol,
        "nfproto" | "protocol" => Key::Family,
        "pkttype" => Key::PacketType,
        "ipsec" | "secpath" => Key::Foreign,
        _ => Key::Client,
    }
}

/// `fib daddr . iif type`, `fib saddr . mark . iif oif`
fn fib(words: &[Word]) -> Option<(Key, Vec<Condition>, usize)> {
    let plain = |at: usize| words.get(at).and_then(Word::plain);
    let end = (1..words.len()).find(|at| {
        matches!(plain(*at), Some("type" | "oif" | "oifname")) && plain(at - 1) != Some(".")
    })?;
    let key = match (plain(1)?, plain(end)?) {
        ("daddr", "type") => Key::DestinationType,
        ("saddr", "type") => Key::SourceType,
        ("saddr", _) => Key::WayBack,
        _ => Key::Obscure,
    };
    Some((key, Vec::new(), end + 1))
}

/// `ct original ip daddr`, `ct original proto-dst`
fn original(words: [&str; 3], rest: &[Word]) -> Option<(Key, Vec<Condition>, usize)> {
    let field = match words[2] {
        "ip" | "ip6" => rest.get(3).and_then(Word::plain)?,
        field => field,
    };
    let key = match (words[1], field) {
        ("original", "daddr") => Key::OriginalDestination,
        ("original", "proto-dst") => Key::OriginalPort,
        _ => Key::Client,
    };
    Some((key, Vec::new(), if field == words[2] { 3 } else { 4 }))
}

fn together(keys: &[Key], value: &str, packet: &Traits<'_>) -> Fits {
    let parts: Vec<&str> = value.split(" . ").collect();
    if parts.len() != keys.len() {
        return Fits::Unknown;
    }
    let fits = keys.iter().zip(parts).map(|(key, part)| key.fits(None, part, packet));
    let mut all = Fits::Yes;
    for fits in fits {
        match fits {
            Fits::No => return Fits::No,
            fits => all = all.max(fits),
        }
    }
    all
}

impl Traits<'_> {
    /// From now on this is written on the packet as our end.
    pub(crate) fn translate(&mut self, ours: (IpAddr, u16), is_local: bool) {
        (self.ours, self.is_local, self.is_translated) = (ours, is_local, true);
    }

    fn flags(&self) -> u8 {
        match self.leg {
            Leg::There => SYN,
            Leg::Back => SYN | ACK,
        }
    }

    fn state(&self) -> &'static str {
        match self.leg {
            _ if !self.is_tracked => "untracked",
            Leg::There => "new",
            Leg::Back => "established",
        }
    }

    fn has_status(&self, value: &str) -> Fits {
        match (value, self.leg) {
            ("dnat", _) => Fits::of(self.is_translated),
            ("seen-reply" | "confirmed", Leg::Back) => Fits::of(self.is_tracked),
            // It depends on the endpoint.
            ("snat", Leg::Back) if self.is_translated => Fits::Unknown,
            _ => Fits::No,
        }
    }
}

/// An address: of our end where the packet is on the leg `ours_on`, else of the client.
fn end(value: &str, packet: &Traits<'_>, ours_on: Leg) -> Fits {
    if packet.leg == ours_on { address(value, packet.ours.0) } else { client(value) }
}

fn end_port(value: &str, packet: &Traits<'_>, ours_on: Leg) -> Fits {
    if packet.leg == ours_on { port(value, packet.ours.1) } else { client_port(value) }
}

fn end_type(value: &str, packet: &Traits<'_>, ours_on: Leg) -> Fits {
    match packet.leg == ours_on {
        true => Fits::of(value == if packet.is_local { "local" } else { "unicast" }),
        // A client of another machine.
        false => Fits::of(value == "unicast"),
    }
}

fn client(value: &str) -> Fits {
    match value.parse::<IpNet>().or_else(|_| value.parse::<IpAddr>().map(IpNet::from)) {
        Ok(net) if net.prefix_len() == 0 => Fits::Yes,
        Ok(net) if net.addr().is_loopback() => Fits::No,
        _ => Fits::Some,
    }
}

fn address(value: &str, is: IpAddr) -> Fits {
    if let Some((first, last)) = value.split_once('-') {
        let ends = (first.parse::<IpAddr>(), last.parse::<IpAddr>());
        let (Ok(first), Ok(last)) = ends else { return Fits::Unknown };
        return Fits::of(first <= is && is <= last);
    }
    match value.parse::<IpNet>().or_else(|_| value.parse::<IpAddr>().map(IpNet::from)) {
        Ok(net) => Fits::of(net.contains(&is)),
        Err(_) => Fits::Unknown,
    }
}

fn port(value: &str, is: u16) -> Fits {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => Fits::of((first..=last).contains(&is)),
        _ => Fits::Unknown,
    }
}

/// Clients choose one that no server has.
fn client_port(value: &str) -> Fits {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(_), Ok(..1024)) => Fits::No,
        (Ok(..=1024), Ok(u16::MAX)) => Fits::Yes,
        (Ok(_), Ok(_)) => Fits::Some,
        _ => Fits::Unknown,
    }
}

fn protocol(value: &str, is: Protocol) -> Fits {
    Fits::of(match is {
        Protocol::Tcp => matches!(value, "tcp" | "6"),
        Protocol::Udp => matches!(value, "udp" | "17"),
        Protocol::Sctp => matches!(value, "sctp" | "132"),
    })
}

fn interface(value: &str, is: Option<&str>) -> Fits {
    let named = |name: &str| match value.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == value,
    };
    match is {
        // What comes from or goes to other machines.
        _ if value == "lo" => Fits::No,
        _ if value == "*" => Fits::Yes,
        Some(name) => Fits::of(named(name)),
        None => Fits::Some,
    }
}

fn marked(value: &str, is: u32, mask: Option<u32>) -> Fits {
    match number(value) {
        Some(value) => Fits::of(is & mask.unwrap_or(u32::MAX) == value),
        None => Fits::Unknown,
    }
}
