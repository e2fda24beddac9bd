use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::*;

fn socket(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
}

/// Datagrams, as they came, with the address that each was sent to.
fn received(inbox: &mut Inbox, from: &UdpSocket, count: usize) -> Vec<(Vec<u8>, Option<IpAddr>)> {
    let end = Instant::now() + Duration::from_secs(20);
    let mut all = Vec::new();
    while all.len() < count && Instant::now() < end {
        match inbox.receive(from) {
            Ok(_) => all.extend(inbox.trains().flat_map(|train| {
                assert_eq!(train.bytes.chunks(train.size.max(1)).count(), train.count());
                let datagrams = train.bytes.chunks(train.size).map(<[u8]>::to_vec);
                datagrams.map(|it| (it, train.to)).collect::<Vec<_>>()
            })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    all
}

/// Of each size, in both families; what lies behind one another comes apart as it was.
#[test]
fn trains_come_as_they_were_sent() {
    for (any, own) in [("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")] {
        let server = socket(any);
        prepare(&server, true).unwrap();
        let own: IpAddr = own.parse().unwrap();
        let to = SocketAddr::new(own, server.local_addr().unwrap().port());
        let client = socket(&SocketAddr::new(own, 0).to_string());
        let mut inbox = Inbox::default();
        let bytes: Vec<u8> = (0..9_000_u32).map(|it| it.to_le_bytes()[0]).collect();
        // The last one fits no way on earth in one piece, and is taken apart on its way.
        for (size, length) in [(1_200, 9_000), (1_000, 2_500), (100, 100), (1, 64), (1, 200)] {
            let train = Train { bytes: &bytes[..length], size, from: to, to: None };
            train.send(&client, Some(to), None).unwrap();
            let expected = train.bytes.chunks(size).map(|it| (it.to_vec(), Some(own)));
            let expected: Vec<_> = expected.collect();
            assert_eq!(received(&mut inbox, &server, expected.len()), expected, "{size}");
            assert_eq!(inbox.trains().next().map(|it| it.from), client.local_addr().ok());
            assert!(!inbox.was_full());
        }
    }
}

/// On a host with several addresses, by a socket that listens at all of them.
#[test]
fn answers_come_from_the_address_that_was_asked() {
    let server = socket("0.0.0.0:0");
    prepare(&server, true).unwrap();
    let port = server.local_addr().unwrap().port();
    let mut inbox = Inbox::default();
    for own in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
        let client = socket("127.0.0.1:0");
        // Who is connected hears nobody else.
        client.connect((own, port)).unwrap();
        client.send(b"who").unwrap();
        let (_, to) = received(&mut inbox, &server, 1).remove(0);
        assert_eq!(to, own.parse().ok());
        let train = Train { bytes: b"me", size: 2, from: client.local_addr().unwrap(), to };
        train.send(&server, Some(train.from), train.to).unwrap();
        let mut heard = [0; 10];
        assert_eq!(client.recv(&mut heard).unwrap(), 2);
    }
}

/// Whatever comes between them, in their order.
#[test]
fn what_one_sends_in_a_row_becomes_a_train() {
    let server = socket("127.0.0.1:0");
    let clients = [socket("127.0.0.1:0"), socket("127.0.0.1:0")];
    let of = |at: usize| clients[at].local_addr().unwrap();
    clients.iter().for_each(|it| it.connect(server.local_addr().unwrap()).unwrap());
    let lengths = [(0, 5), (0, 5), (0, 3), (0, 5), (1, 5), (1, 6), (1, 0), (0, 5)];
    for (number, (at, length)) in lengths.into_iter().enumerate() {
        clients[at].send(&vec![u8::try_from(number).unwrap(); length]).unwrap();
    }
    let mut inbox = Inbox::default();
    let end = Instant::now() + Duration::from_secs(20);
    while inbox.receive(&server).is_err() && Instant::now() < end {}
    let trains: Vec<_> = inbox.trains().map(|it| (it.from, it.size, it.bytes.to_vec())).collect();
    let expected = [
        (of(0), 5, [[0; 5], [1; 5]].concat().into_iter().chain([2; 3]).collect()),
        (of(0), 5, vec![3; 5]),
        (of(1), 5, vec![4; 5]),
        (of(1), 6, vec![5; 6]),
        (of(1), 0, vec![]),
        (of(0), 5, vec![7; 5]),
    ];
    assert_eq!(trains, expected);
}

#[test]
fn the_largest_and_the_smallest_datagram_come_through() {
    let (server, client) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    prepare(&server, false).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    let mut inbox = Inbox::default();
    for length in [65_507, 0, 1] {
        let bytes = vec![7; length];
        let from = client.local_addr().unwrap();
        Train { bytes: &bytes, size: length, from, to: None }.send(&client, None, None).unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while inbox.receive(&server).is_err() && Instant::now() < end {}
        let lengths: Vec<_> = inbox.trains().map(|it| (it.bytes.len(), it.count())).collect();
        assert_eq!(lengths, [(length, 1)]);
    }
}

#[test]
fn a_refusal_is_told() {
    let client = socket("127.0.0.1:0");
    let nobody = socket("127.0.0.1:0").local_addr().unwrap();
    client.connect(nobody).unwrap();
    let train = Train { bytes: b"x", size: 1, from: nobody, to: None };
    train.send(&client, None, None).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let mut inbox = Inbox::default();
    let told = loop {
        match inbox.receive(&client) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {}
            told => break told,
        }
    };
    assert_eq!(told.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}
