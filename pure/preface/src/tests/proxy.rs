use std::net::SocketAddr;

use proptest::prelude::*;

use crate::crc32c::checksum;
use steelyard_model::routing::transport::ProxyVersion;

use crate::proxy::{ProxyFault, ProxyHeader};

type Addresses = Option<(&'static str, &'static str)>;

const V4: Addresses = Some(("192.0.2.7:56324", "198.51.100.1:443"));
const V6: Addresses = Some(("[2001:db8::7]:56324", "[2001:db8::1]:443"));

fn header(addresses: Addresses) -> ProxyHeader {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    ProxyHeader { addresses: addresses.map(|(from, to)| (address(from), address(to))) }
}

/// Version 2 with this command and family, and `rest` behind its length.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length, rest].concat()
}

/// The addresses of `V4`.
const V4_BYTES: &[u8] = b"\xc0\0\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb";

fn v4_with(tlvs: &[u8]) -> Vec<u8> {
    v2(0x21, 0x11, &[V4_BYTES, tlvs].concat())
}

/// With a checksum, and something else before and after it.
fn summed() -> Vec<u8> {
    let tlvs = b"\x01\0\x02h2\x03\0\x04\0\0\0\0\x04\0\x01x";
    let mut header = v4_with(tlvs);
    let sum = checksum(header.iter().copied()).to_be_bytes();
    let at = header.len() - tlvs.len() + 8;
    header[at..at + 4].copy_from_slice(&sum);
    header
}

#[test]
fn headers_say_where_a_connection_comes_from() {
    let v6 = ProxyHeader::write(
        ProxyVersion::V2,
        "[2001:db8::7]:56324".parse().unwrap(),
        "[2001:db8::1]:443".parse().unwrap(),
    );
    let table: Vec<(&str, Vec<u8>, Addresses)> = vec![
        ("TCP4", b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec(), V4),
        ("TCP6", b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n".to_vec(), V6),
        ("UNKNOWN", b"PROXY UNKNOWN\r\n".to_vec(), None),
        (
            "UNKNOWN, longest",
            {
                let f = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
                format!("PROXY UNKNOWN {f} {f} 65535 65535\r\n").into_bytes()
            },
            None,
        ),
        ("TCP over IPv4", v4_with(b""), V4),
        ("a datagram over IPv4", v2(0x21, 0x12, V4_BYTES), V4),
        ("TCP over IPv6", v6, V6),
        ("with TLVs", v4_with(b"\x02\0\x05a.lan\x20\0\0"), V4),
        ("with a checksum", summed(), V4),
        ("local", v2(0x20, 0x00, b""), None),
        ("local with addresses", v2(0x20, 0x11, V4_BYTES), None),
        ("local without those of its family", v2(0x20, 0x11, b""), None),
        ("local of no family", v2(0x20, 0x7f, b"anything"), None),
        ("nobody told", v2(0x21, 0x00, b"anything"), None),
        ("a Unix socket", v2(0x21, 0x31, &[b'/'; 216]), None),
    ];
    for (what, mut bytes, addresses) in table {
        for end in 0..bytes.len() {
            assert_eq!(ProxyHeader::read(&bytes[..end]), Ok(None), "{what}, {end} bytes");
        }
        let length = bytes.len();
        bytes.extend(b"GET / HTTP/1.1\r\n");
        assert_eq!(ProxyHeader::read(&bytes), Ok(Some((header(addresses), length))), "{what}");
    }
}

#[test]
fn what_is_no_header_is_refused() {
    use ProxyFault::{Checksum, Malformed, Missing, TooLong};
    let mut wrong_sum = summed();
    wrong_sum[16] ^= 1;
    let line = |text: &str| text.as_bytes().to_vec();
    let table: Vec<(&str, Vec<u8>, ProxyFault)> = vec![
        ("HTTP", line("GET / HTTP/1.1\r\n"), Missing),
        ("a handshake", b"\x16\x03\x01".to_vec(), Missing),
        ("almost", line("PROXYTCP4"), Missing),
        ("almost, version 2", b"\r\n\r\n\0\r\nQUIT\r".to_vec(), Missing),
        ("lower case", line("proxy tcp4 192.0.2.7 198.51.100.1 1 2\r\n"), Missing),
        ("a line without end", vec_of("PROXY UNKNOWN ", 107), TooLong),
        ("another family", line("PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n"), Malformed),
        ("no family", line("PROXY \r\n"), Malformed),
        ("IPv6 as TCP4", line("PROXY TCP4 ::1 ::1 1 2\r\n"), Malformed),
        ("IPv4 as TCP6", line("PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n"), Malformed),
        ("zeros in front", line("PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n"), Malformed),
        ("a name", line("PROXY TCP4 nas.lan 198.51.100.1 1 2\r\n"), Malformed),
        ("a port too high", line("PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n"), Malformed),
        ("a port with a sign", line("PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n"), Malformed),
        ("a port with zeros", line("PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n"), Malformed),
        ("a port missing", line("PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n"), Malformed),
        ("one word more", line("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n"), Malformed),
        ("two spaces", line("PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n"), Malformed),
        ("LF alone within", line("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n\r\n"), Malformed),
        ("another version", v2(0x31, 0x11, V4_BYTES), Malformed),
        ("another command", v2(0x22, 0x11, V4_BYTES), Malformed),
        ("another family of version 2", v2(0x21, 0x41, V4_BYTES), Malformed),
        ("another transport", v2(0x21, 0x13, V4_BYTES), Malformed),
        ("addresses cut off", v2(0x21, 0x11, &V4_BYTES[1..]), Malformed),
        ("a Unix socket cut off", v2(0x21, 0x31, &[0; 215]), Malformed),
        ("a TLV cut off", v4_with(b"\x02\0\x05a.la"), Malformed),
        ("a checksum of three bytes", v4_with(b"\x03\0\x03abc"), Malformed),
        ("a wrong checksum", wrong_sum, Checksum),
        ("too long", v2(0x21, 0x11, &[0; 4097]), TooLong),
    ];
    for (what, bytes, expected) in table {
        assert_eq!(ProxyHeader::read(&bytes), Err(expected), "{what}");
    }
}

fn vec_of(begin: &str, length: usize) -> Vec<u8> {
    let mut bytes = begin.as_bytes().to_vec();
    bytes.resize(length, b'x');
    bytes
}

#[test]
fn a_checksum_is_the_published_one() {
    // RFC 3720 appendix B.4, and the check value of the CRC catalogues.
    assert_eq!(checksum([0; 32].into_iter()), 0x8a91_36aa);
    assert_eq!(checksum(b"123456789".iter().copied()), 0xe306_9283);
}

#[test]
fn families_are_not_mixed() {
    let (four, six) = ("192.0.2.7:1".parse().unwrap(), "[2001:db8::1]:2".parse().unwrap());
    let mapped = "[::ffff:192.0.2.7]:1".parse().unwrap();
    let one = |from, to| String::from_utf8(ProxyHeader::write(ProxyVersion::V1, from, to)).unwrap();
    assert_eq!(one(four, six), "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2\r\n");
    assert_eq!(one(mapped, four), "PROXY TCP4 192.0.2.7 192.0.2.7 1 1\r\n");
}

proptest! {
    #[test]
    fn what_is_written_is_read(from: (bool, u128, u16), to: (bool, u128, u16), is_two: bool) {
        let address = |(is_four, ip, port): (bool, u128, u16)| {
            let six = std::net::Ipv6Addr::from(ip);
            let four = std::net::Ipv4Addr::from((ip >> 96) as u32);
            SocketAddr::new(if is_four { four.into() } else { six.into() }, port)
        };
        let version = if is_two { ProxyVersion::V2 } else { ProxyVersion::V1 };
        let (from, to) = (address(from), address(to));
        let written = ProxyHeader::write(version, from, to);
        let (read, length) = ProxyHeader::read(&written).unwrap().unwrap();
        prop_assert_eq!(length, written.len());
        let (source, destination) = read.addresses.unwrap();
        let is_same = |read: SocketAddr, meant: SocketAddr| {
            (read.ip().to_canonical(), read.port()) == (meant.ip().to_canonical(), meant.port())
        };
        prop_assert!(is_same(source, from) && is_same(destination, to), "{read:?}");
    }

    #[test]
    fn any_bytes_end_in_a_value(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = ProxyHeader::read(&bytes);
        let _ = ProxyHeader::read(&[&b"PROXY TCP4 "[..], &bytes].concat());
        let _ = ProxyHeader::read(&[&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x20"[..], &bytes].concat());
    }
}
