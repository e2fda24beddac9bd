use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const A: Mac = Mac([2, 0, 0, 0, 0, 0xa]);
const B: Mac = Mac([2, 0, 0, 0, 0, 0xb]);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Frames as Linux writes them, byte for byte, and what they are.
fn known() -> Vec<(&'static str, Vec<u8>, EtherFrame<'static>)> {
    let v4 = |last| Ipv4Addr::new(10, 1, 1, last);
    let v6 = |last| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last);
    vec![
        (
            "an ARP request",
            hex("ffffffffffff 02000000000a 0806 0001 0800 06 04 0001
                 02000000000a 0a010105 000000000000 0a010164"),
            EtherFrame {
                source: A,
                destination: Mac::BROADCAST,
                body: FrameBody::Arp(Arp {
                    operation: Operation::Request,
                    sender_mac: A,
                    sender_ip: v4(5),
                    target_mac: Mac::ZERO,
                    target_ip: v4(100),
                    mark: None,
                }),
            },
        ),
        (
            "a neighbor solicitation",
            hex("3333ff000100 02000000000a 86dd 60000000 0020 3a ff
                 fd000000000000000000000000000005 ff0200000000000000000001ff000100
                 87 00 7b8e 00000000 fd000000000000000000000000000100 01 01 02000000000a"),
            EtherFrame {
                source: A,
                destination: Mac([0x33, 0x33, 0xff, 0, 1, 0]),
                body: FrameBody::Neighbor {
                    source: v6(5),
                    destination: solicited_node(v6(0x100)),
                    message: NeighborMessage::Solicitation(Solicitation {
                        target: v6(0x100),
                        source_link: Some(A),
                    }),
                },
            },
        ),
        (
            "an echo request",
            hex("02000000000b 02000000000a 0800 45000020 0000 4000 40 01 2473
                 0a010105 0a010164 08 00 2104 1234 0001 61626364"),
            EtherFrame {
                source: A,
                destination: B,
                body: FrameBody::Echo4 {
                    source: v4(5),
                    destination: v4(100),
                    echo: Echo {
                        direction: EchoKind::Request,
                        identifier: 0x1234,
                        sequence: 1,
                        payload: b"abcd",
                    },
                },
            },
        ),
    ]
}

#[test]
fn known_frames_read_and_write_alike() {
    for (title, bytes, frame) in known() {
        assert_eq!(EtherFrame::parse(&bytes), Ok(frame), "{title}");
        assert_eq!(frame.emit(), bytes, "{title}");
        let padded = [bytes.as_slice(), &[0; 20]].concat();
        assert_eq!(EtherFrame::parse(&padded), Ok(frame), "{title}, padded");
    }
}

#[test]
fn any_prefix_of_a_frame_is_truncated() {
    for (title, bytes, _) in known() {
        for length in 0..bytes.len() {
            let result = EtherFrame::parse(&bytes[..length]);
            assert_eq!(result, Err(Malformed::Truncated), "{title}, {length} bytes");
        }
    }
}

/// One field of a known frame is changed; what becomes of it.
#[test]
fn changed_fields_are_told_apart() {
    #[rustfmt::skip]
    let table: &[(usize, usize, &[u8], Malformed)] = &[
        (0, 12, &[0x88, 0xcc], Malformed::Foreign),    // another EtherType
        (0, 14, &[0, 6], Malformed::Field),            // hardware type
        (0, 18, &[8], Malformed::Field),               // address length
        (0, 20, &[0, 3], Malformed::Foreign),          // RARP
        (0, 22, &[0xff], Malformed::Address),          // sent by a group
        (0, 6, &[3], Malformed::Address),              // the same in the Ethernet header
        (1, 14, &[0x40], Malformed::Field),            // IP version
        (1, 20, &[6], Malformed::Foreign),             // TCP
        (1, 20, &[0], Malformed::Foreign),             // an extension header
        (1, 21, &[254], Malformed::HopLimit),          // came over a router
        (1, 56, &[0x7b, 0x8f], Malformed::Checksum),
        (2, 14, &[0x44], Malformed::Field),            // header shorter than a header
        (2, 14, &[0x65], Malformed::Field),            // version
        (2, 22, &[63], Malformed::Checksum),           // hop count without its checksum
        (2, 36, &[0x21, 0x05], Malformed::Checksum),
    ];
    let frames = known();
    for (index, at, bytes, expected) in table {
        let mut frame = frames[*index].1.clone();
        frame[*at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(EtherFrame::parse(&frame), Err(*expected), "{} at {at}", frames[*index].0);
    }
}

/// Headers with right checksums and wrong content.
#[test]
fn pieces_are_told_and_codes_refused() {
    let fragment = |flags: [u8; 2]| {
        let mut bytes = known()[2].1.clone();
        bytes[20..22].copy_from_slice(&flags);
        bytes[24..26].fill(0);
        let sum = checksum::internet(&[&bytes[14..34]]);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    assert!(EtherFrame::parse(&fragment([0x40, 0])).is_ok());
    assert!(EtherFrame::parse(&fragment([0, 0])).is_ok());
    let refused = Err(Malformed::Fragment);
    assert_eq!(EtherFrame::parse(&fragment([0x20, 0])), refused, "twelve bytes, and more follow");
    assert_eq!(EtherFrame::parse(&fragment([0x1f, 0xff])), Err(Malformed::Fragment), "too long");
    let bytes = fragment([0, 9]);
    let Ok(EtherFrame { body: FrameBody::Piece4 { piece, .. }, .. }) = EtherFrame::parse(&bytes)
    else {
        panic!("a later one");
    };
    assert_eq!((piece.offset, piece.more, piece.bytes.len()), (72, false, 12));

    let mut coded = known()[2].1.clone();
    coded[35] = 1;
    coded[36..38].fill(0);
    let sum = checksum::internet(&[&coded[34..]]);
    coded[36..38].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(EtherFrame::parse(&coded), Err(Malformed::Field));
}

/// A neighbor message with these options, checksum right.
fn neighbor_frame(kind: u8, flags: u8, from: Ipv6Addr, to: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    let target = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);
    let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    message.extend(target.octets());
    message.extend(options);
    let sum = checksum::icmpv6(from, to, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut bytes = [Mac::of_group(to).0, A.0].concat();
    bytes.extend([0x86, 0xdd]);
    ip::Ipv6 { source: from, destination: to, next_header: 58, hop_limit: 255, payload: &message }
        .emit(&mut bytes);
    bytes
}

#[test]
fn neighbor_messages_are_checked_as_rfc_4861_says() {
    let host = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 5);
    let none = Ipv6Addr::UNSPECIFIED;
    let target = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x100);
    let group = solicited_node(target);
    let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let link = [1, 1, 2, 0, 0, 0, 0, 0xa];
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    #[rustfmt::skip]
    let table: &[(&str, Vec<u8>, Option<Malformed>)] = &[
        ("multicast", neighbor_frame(135, 0, host, group, &link), None),
        ("unicast", neighbor_frame(135, 0, host, target, &link), None),
        ("unicast without option", neighbor_frame(135, 0, host, target, &[]), None),
        ("duplicate address detection", neighbor_frame(135, 0, none, group, &[]), None),
        ("the same with a nonce", neighbor_frame(135, 0, none, group, &nonce), None),
        ("unknown option first", neighbor_frame(135, 0, host, group, &[nonce, link].concat()), None),
        ("no address, unicast", neighbor_frame(135, 0, none, target, &[]), Some(Malformed::Address)),
        ("no address, option", neighbor_frame(135, 0, none, group, &link), Some(Malformed::Address)),
        ("another group", neighbor_frame(135, 0, host, all, &link), Some(Malformed::Address)),
        ("from a group", neighbor_frame(135, 0, group, group, &link), Some(Malformed::Address)),
        ("option of no length", neighbor_frame(135, 0, host, group, &[1, 0, 0, 0, 0, 0, 0, 0]), Some(Malformed::Options)),
        ("option too long", neighbor_frame(135, 0, host, group, &[1, 2, 0, 0, 0, 0, 0, 0]), Some(Malformed::Options)),
        ("half an option", neighbor_frame(135, 0, host, group, &[1]), Some(Malformed::Options)),
        ("address of a group", neighbor_frame(135, 0, host, group, &[1, 1, 1, 0, 0, 0, 0, 0]), Some(Malformed::Options)),
        ("advertised to all", neighbor_frame(136, 0x20, host, all, &link), None),
        ("answer to all", neighbor_frame(136, 0x60, host, all, &link), Some(Malformed::Field)),
        ("answer to one", neighbor_frame(136, 0x60, host, host, &link), None),
        ("router advertisement", neighbor_frame(134, 0, host, all, &link), Some(Malformed::Foreign)),
    ];
    for (title, bytes, expected) in table {
        assert_eq!(EtherFrame::parse(bytes).err(), *expected, "{title}");
    }
}

#[test]
fn groups_are_mapped_as_the_rfcs_say() {
    let group = solicited_node("4037::01:800:200e:8c6c".parse().unwrap());
    assert_eq!(group, "ff02::1:ff0e:8c6c".parse::<Ipv6Addr>().unwrap(), "RFC 4291 §2.7.1");
    assert_eq!(Mac::of_group(group).to_string(), "33:33:ff:0e:8c:6c");
}

prop_compose! {
    fn station()(bytes: [u8; 6]) -> Mac {
        let mut bytes = bytes;
        bytes[0] = bytes[0] & 0xfc | 2;
        Mac(bytes)
    }
}

fn v6_unicast() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(|mut bytes| {
        bytes[0] = 0xfd;
        Ipv6Addr::from(bytes)
    })
}

fn arp() -> impl Strategy<Value = FrameBody<'static>> {
    let addresses = (any::<[u8; 4]>(), any::<[u8; 6]>(), any::<[u8; 4]>());
    (any::<bool>(), station(), addresses, mark()).prop_map(
        |(ask, sender_mac, (sender_ip, target_mac, target_ip), mark)| {
            FrameBody::Arp(Arp {
                operation: if ask { Operation::Request } else { Operation::Reply },
                sender_mac,
                sender_ip: sender_ip.into(),
                target_mac: Mac(target_mac),
                target_ip: target_ip.into(),
                mark,
            })
        },
    )
}

fn mark() -> impl Strategy<Value = Option<Mark>> {
    let some = any::<[u8; MARK]>().prop_filter("padding", |bytes| *bytes != [0; MARK]);
    proptest::option::of(some.prop_map(Mark))
}

fn neighbor() -> impl Strategy<Value = FrameBody<'static>> {
    let option = proptest::option::of(station());
    (v6_unicast(), v6_unicast(), any::<[bool; 4]>(), option, mark()).prop_map(
        |(source, target, [ask, router, solicited, replace], link, mark)| {
            let message = if ask {
                NeighborMessage::Solicitation(Solicitation { target, source_link: link })
            } else {
                let target_link = link;
                NeighborMessage::Advertisement(Advertisement {
                    target,
                    router,
                    solicited,
                    replace,
                    target_link,
                    mark,
                })
            };
            let destination = if ask { solicited_node(target) } else { source };
            FrameBody::Neighbor { source, destination, message }
        },
    )
}

/// Any frame of ours. Payloads are leaked: the values must outlive the strategy.
pub(crate) fn frame() -> impl Strategy<Value = EtherFrame<'static>> {
    let payload = proptest::collection::vec(any::<u8>(), 0..200)
        .prop_map(|bytes| -> &'static [u8] { bytes.leak() });
    let piece = (any::<bool>(), any::<u32>(), 1..8000_u16, payload.clone()).prop_map(
        |(v6, number, turn, bytes)| {
            let (more, eights) = (number & 1 == 0, bytes.len() / 8 * 8);
            let bytes = if more && eights > 0 { &bytes[..eights] } else { b"12345678" };
            let piece = |identification| Fragment { identification, offset: turn * 8, more, bytes };
            let v4 = |last| Ipv4Addr::new(10, 1, 1, last);
            let [source, destination] = [v4(1), v4(2)].map(|it| it.to_ipv6_mapped());
            if v6 {
                FrameBody::Piece6 { source, destination, piece: piece(number) }
            } else {
                let piece = piece(number & 0xffff);
                FrameBody::Piece4 { source: v4(1), destination: v4(2), piece }
            }
        },
    );
    let echo = (any::<bool>(), any::<[u8; 4]>(), any::<[u16; 2]>(), payload).prop_map(
        |(v6, ends, [identifier, sequence], payload)| {
            let direction = if sequence & 1 == 0 { EchoKind::Request } else { EchoKind::Reply };
            let echo = Echo { direction, identifier, sequence, payload };
            let v4 = |last| Ipv4Addr::new(10, 1, 1, last);
            if v6 {
                let [source, destination] =
                    [v4(ends[0]), v4(ends[1])].map(|it| it.to_ipv6_mapped());
                FrameBody::Echo6 { source, destination, echo }
            } else {
                FrameBody::Echo4 { source: v4(ends[0]), destination: v4(ends[1]), echo }
            }
        },
    );
    (station(), any::<[u8; 6]>(), prop_oneof![arp(), neighbor(), echo, piece]).prop_map(
        |(source, destination, body)| EtherFrame { source, destination: Mac(destination), body },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back(frame in frame()) {
        let bytes = frame.emit();
        prop_assert_eq!(EtherFrame::parse(&bytes), Ok(frame));
    }

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = EtherFrame::parse(&bytes);
    }

    /// A damaged frame may still read, as long as it reads as something that writes back.
    #[test]
    fn damage_never_panics(frame in frame(), at: usize, value: u8, cut: usize) {
        let mut bytes = frame.emit();
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut % bytes.len() / 4);
        if let Ok(read) = EtherFrame::parse(&bytes) {
            let again = read.emit();
            prop_assert_eq!(EtherFrame::parse(&again), Ok(read));
        }
    }

    #[test]
    fn one_flipped_bit_of_ip_is_noticed(frame in frame(), bit: usize) {
        let mut bytes = frame.emit();
        if matches!(frame.body, FrameBody::Echo4 { .. }) {
            // All of IPv4 and ICMP is under a checksum.
            let bit = 14 * 8 + bit % ((bytes.len() - 14) * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(EtherFrame::parse(&bytes).is_err());
        }
    }
}
