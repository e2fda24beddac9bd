//! Pings: how large, in how many pieces, how often.

use super::*;
use crate::wire::Fragment;

#[test]
fn pings_are_answered_only_so_often() {
    let mut config = Config::new(US);
    config.echo_rate = 5;
    let mut it = announced_with(config);
    let ping = ping4(US, CLIENT4, VIP4, b"");
    let answered = (0..100).filter(|_| !say(&mut it, &ping).is_empty()).count();
    assert_eq!(answered, 5);
}

#[test]
fn without_echo_pings_are_left_alone() {
    let mut config = Config::new(US);
    config.echo = false;
    let mut it = announced_with(config);
    assert!(say(&mut it, &ping4(US, CLIENT4, VIP4, b"")).is_empty());
    assert!(say(&mut it, &ping6(CLIENT6, VIP6)).is_empty());
}

/// A ping of the client in pieces of `size` bytes of payload.
fn in_pieces(six: bool, identification: u32, message: &[u8], size: usize) -> Vec<Vec<u8>> {
    let count = message.len().div_ceil(size);
    let frame = |(turn, bytes): (usize, &[u8])| {
        let offset = u16::try_from(turn * size).unwrap();
        let piece = Fragment { identification, offset, more: turn + 1 < count, bytes };
        let body = if six {
            FrameBody::Piece6 { source: CLIENT6, destination: VIP6, piece }
        } else {
            FrameBody::Piece4 { source: CLIENT4, destination: VIP4, piece }
        };
        EtherFrame { source: CLIENT, destination: US, body }.emit()
    };
    message.chunks(size).enumerate().map(frame).collect()
}

fn message(six: bool, payload: &[u8], direction: EchoKind) -> Vec<u8> {
    let echo = Echo { direction, identifier: 7, sequence: 9, payload };
    let mut message = Vec::new();
    if six {
        echo.emit_v6(CLIENT6, VIP6, &mut message);
    } else {
        echo.emit_v4(&mut message);
    }
    message
}

#[test]
fn every_size_up_to_the_mtu_is_answered() {
    let mut config = Config::new(US);
    config.echo_bytes = 1500;
    let mut it = announced_with(config);
    for (size, want) in [(0, 1), (1471, 1), (1472, 1), (1473, 0)] {
        assert_eq!(say(&mut it, &ping4(US, CLIENT4, VIP4, &vec![1; size])).len(), want, "{size}");
    }
}

#[test]
fn a_ping_in_pieces_is_answered_in_such_pieces() {
    let payload: Vec<u8> = (0..4000_u32).map(|n| n.to_le_bytes()[0]).collect();
    for (six, size, mtu) in
        [(false, 1480, 1500), (true, 1448, 1500), (false, 1480, 9000), (true, 1448, 1280)]
    {
        let mut config = Config::new(US);
        config.echo_bytes = mtu;
        let mut it = announced_with(config);
        let question = message(six, &payload, EchoKind::Request);
        let mut frames = in_pieces(six, 0x1234, &question, size);
        let last = frames.remove(0);
        assert!(frames.iter().all(|frame| say(&mut it, frame).is_empty()), "not whole yet");
        it.handle(later(), Input::Frame(&last));
        let mut answer = Vec::new();
        for output in drain(&mut it, later()) {
            let Output::Transmit(bytes) = output else { panic!("{output:?}") };
            assert!(bytes.len() - 14 <= mtu.min(1500), "{} bytes, {mtu}", bytes.len());
            let (FrameBody::Piece4 { piece, .. } | FrameBody::Piece6 { piece, .. }) =
                EtherFrame::parse(&bytes).unwrap().body
            else {
                panic!("no piece")
            };
            assert_eq!(piece.identification, 0x1234);
            assert_eq!(usize::from(piece.offset), answer.len());
            answer.extend(piece.bytes);
            assert_eq!(piece.more, answer.len() < question.len());
        }
        let read = match six {
            true => Echo::parse_checked_v6(VIP6, CLIENT6, &answer),
            false => Echo::parse_v4(&answer),
        };
        let read = read.unwrap();
        assert_eq!((read.direction, read.payload), (EchoKind::Reply, &*payload));
        let counted = it.take_counters();
        assert_eq!(counted.values().map(|it| it.echoes).sum::<u64>(), 1);
    }
}

#[test]
fn pieces_of_what_is_no_ping_for_a_vip_are_not_kept_and_not_answered() {
    let mut it = announced();
    let reply = message(false, &[0; 3000], EchoKind::Reply);
    let answers: usize =
        in_pieces(false, 1, &reply, 1480).iter().map(|frame| say(&mut it, frame).len()).sum();
    assert_eq!(answers, 0, "an answer is not answered");
    // Nor is one whose pieces come too often.
    let mut config = Config::new(US);
    config.echo_rate = 5;
    let mut it = announced_with(config);
    let request = message(false, &[0; 30_000], EchoKind::Request);
    let answers: usize =
        in_pieces(false, 1, &request, 1480).iter().map(|frame| say(&mut it, frame).len()).sum();
    assert_eq!(answers, 0);
}
