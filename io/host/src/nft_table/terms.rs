//! Terms of rules as the kernel's expressions.

use super::Term;
use crate::netlink::Request;
use crate::nft_set::{NESTED, TableFamily, text};

/// Registers of 16 bytes; the first of all takes verdicts.
const VERDICT: u32 = 0;
const FIRST: u32 = 1;
const SECOND: u32 = 2;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
const EQUAL: u32 = 0;
const DIFFERENT: u32 = 1;
const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;
/// Where TCP has its flags.
const FLAGS: u32 = 13;
/// Keys of `meta` and `ct`.
const PROTOCOL: u32 = 16;
const STATE: u32 = 0;
const JUMP: u32 = (-3_i32).cast_unsigned();
const GOTO: u32 = (-4_i32).cast_unsigned();
const DROP: u32 = 0;
/// Of IPv4: a checksum of the whole header, and where it is.
const CHECKSUM: [(u16, u32); 2] = [(6, 1), (7, 10)];

impl Term {
    /// Its expressions, as elements of a rule's list.
    pub(super) fn encode(&self, family: TableFamily) -> Vec<u8> {
        let is_four = family == TableFamily::Ip;
        let (address, (ttl, icmp)) =
            (destination(family), if is_four { (8, ICMP) } else { (7, ICMP6) });
        let ttl_is = |range: &std::ops::RangeInclusive<u8>, op| {
            [payload(FIRST, NETWORK, ttl, 1), range_of(op, *range.start(), *range.end())].concat()
        };
        match self {
            Self::To(set) => [payload(FIRST, NETWORK, address.0, address.1), within(set)].concat(),
            Self::Ttl(range) => ttl_is(range, EQUAL),
            Self::TtlNot(range) => ttl_is(range, DIFFERENT),
            Self::Tracked(states) => [
                expression("ct", &[(1, FIRST), (2, STATE)]),
                masked(&states.to_ne_bytes(), &[0; 4]),
                compared(DIFFERENT, &[0; 4]),
            ]
            .concat(),
            Self::Protocol(number) => protocol(*number),
            Self::TcpWithout(flags) => [
                protocol(TCP),
                payload(FIRST, TRANSPORT, FLAGS, 1),
                masked(&[*flags], &[0]),
                compared(EQUAL, &[0]),
            ]
            .concat(),
            Self::IcmpType(kind) => {
                [protocol(icmp), payload(FIRST, TRANSPORT, 0, 1), compared(EQUAL, &[*kind])]
                    .concat()
            }
            // Its checksum goes by words of two bytes.
            Self::SetTtl(value) if is_four => [
                payload(FIRST, NETWORK, ttl, 2),
                masked(&[0, 0xff], &[*value, 0]),
                written(ttl, 2, &CHECKSUM),
            ]
            .concat(),
            Self::SetTtl(value) => [constant(&[*value]), written(ttl, 1, &[])].concat(),
            Self::Copy { to, link } => [
                payload(FIRST, NETWORK, address.0, address.1),
                looked_up(to, FIRST),
                payload(SECOND, NETWORK, address.0, address.1),
                looked_up(link, SECOND),
                expression("dup", &[(1, FIRST), (2, SECOND)]),
            ]
            .concat(),
            Self::Jump(chain) => verdict(JUMP, Some(chain)),
            Self::Goto(chain) => verdict(GOTO, Some(chain)),
            Self::Drop => verdict(DROP, None),
        }
    }
}

/// Where a packet's destination is in its header, and how long that is.
fn destination(family: TableFamily) -> (u32, u32) {
    let (_, length) = family.address();
    (if family == TableFamily::Ip { 16 } else { 24 }, length)
}

fn expression(name: &str, numbers: &[(u16, u32)]) -> Vec<u8> {
    named(name, Request::new(0, 0, &[]), numbers)
}

fn named(name: &str, parts: Request, numbers: &[(u16, u32)]) -> Vec<u8> {
    let numbers = numbers.iter();
    let parts =
        numbers.fold(parts, |all, (kind, number)| all.attribute(*kind, &number.to_be_bytes()));
    let whole = Request::new(0, 0, &[])
        .attribute(1, &text(name))
        .attribute(NESTED | 2, &parts.into_payload());
    Request::new(0, 0, &[]).attribute(NESTED | 1, &whole.into_payload()).into_payload()
}

fn value(bytes: &[u8]) -> Vec<u8> {
    Request::new(0, 0, &[]).attribute(1, bytes).into_payload()
}

fn payload(register: u32, base: u32, offset: u32, length: u32) -> Vec<u8> {
    expression("payload", &[(1, register), (2, base), (3, offset), (4, length)])
}

fn written(offset: u32, length: u32, checksum: &[(u16, u32)]) -> Vec<u8> {
    let place = [(5, FIRST), (2, NETWORK), (3, offset), (4, length)];
    expression("payload", &[&place[..], checksum].concat())
}

fn within(set: &str) -> Vec<u8> {
    let parts = Request::new(0, 0, &[]).attribute(1, &text(set));
    named("lookup", parts, &[(2, FIRST)])
}

fn looked_up(map: &str, register: u32) -> Vec<u8> {
    let parts = Request::new(0, 0, &[]).attribute(1, &text(map));
    named("lookup", parts, &[(2, register), (3, register)])
}

fn protocol(number: u8) -> Vec<u8> {
    [expression("meta", &[(1, FIRST), (2, PROTOCOL)]), compared(EQUAL, &[number])].concat()
}

fn compared(how: u32, with: &[u8]) -> Vec<u8> {
    let parts = Request::new(0, 0, &[]).attribute(NESTED | 3, &value(with));
    named("cmp", parts, &[(1, FIRST), (2, how)])
}

fn range_of(how: u32, first: u8, last: u8) -> Vec<u8> {
    let parts = Request::new(0, 0, &[])
        .attribute(NESTED | 3, &value(&[first]))
        .attribute(NESTED | 4, &value(&[last]));
    named("range", parts, &[(1, FIRST), (2, how)])
}

/// What is under the mask stays; then `flipped`.
fn masked(mask: &[u8], flipped: &[u8]) -> Vec<u8> {
    let length = u32::try_from(mask.len()).expect("short");
    let parts = Request::new(0, 0, &[])
        .attribute(NESTED | 4, &value(mask))
        .attribute(NESTED | 5, &value(flipped));
    named("bitwise", parts, &[(1, FIRST), (2, FIRST), (3, length)])
}

fn constant(bytes: &[u8]) -> Vec<u8> {
    let parts = Request::new(0, 0, &[]).attribute(NESTED | 2, &value(bytes));
    named("immediate", parts, &[(1, FIRST)])
}

fn verdict(code: u32, chain: Option<&str>) -> Vec<u8> {
    let mut what = Request::new(0, 0, &[]).attribute(1, &code.to_be_bytes());
    if let Some(chain) = chain {
        what = what.attribute(2, &text(chain));
    }
    let what = Request::new(0, 0, &[]).attribute(NESTED | 2, &what.into_payload()).into_payload();
    let parts = Request::new(0, 0, &[]).attribute(NESTED | 2, &what);
    named("immediate", parts, &[(1, VERDICT)])
}
