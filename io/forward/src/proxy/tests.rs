//! The in-process forwarder on loopback sockets.

use std::collections::BTreeSet;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::meter::{FAILURES, FlowFailure};
use steelyard_forwarding::{Amount, Traffic};

const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const TCP: VipPort = VipPort { address: VIP, protocol: Protocol::Tcp, port: 80 };
const UDP: VipPort = VipPort { address: VIP, protocol: Protocol::Udp, port: 53 };

/// Echoes what it gets, after its name; at the end of input says `!`.
async fn echo(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                write.write_all(name.as_bytes()).await.unwrap();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.write_all(b"!").await;
            });
        }
    });
    address
}

async fn echo_udp(name: &'static str) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 100];
        while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
            socket.send_to(name.as_bytes(), from).await.unwrap();
        }
    });
    address
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn first_byte(at: SocketAddr) -> io::Result<u8> {
    let mut stream = TcpStream::connect(at).await?;
    stream.read_u8().await
}

#[tokio::test]
async fn connections_take_turns_and_pass_over_the_dead() {
    let mut proxies = Proxies::default();
    let endpoints = [echo("a").await, nobody().await, echo("b").await];
    let at = proxies.carry(TCP, At::Loopback, &endpoints).unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..6 {
        seen.insert(first_byte(at).await.unwrap());
    }
    assert_eq!(seen, BTreeSet::from([b'a', b'b']));
    assert_eq!(proxies.carry(TCP, At::Loopback, &endpoints[1..2]).unwrap(), at);
    let refused = first_byte(at).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionReset, "{refused}");
}

#[tokio::test]
async fn halves_close_one_by_one_and_nothing_is_lost() {
    let mut proxies = Proxies::default();
    let at = proxies.carry(TCP, At::Loopback, &[echo("a").await]).unwrap();
    let stream = TcpStream::connect(at).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let copy = sent.clone();
    tokio::spawn(async move {
        write.write_all(&copy).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut got = Vec::new();
    read.read_to_end(&mut got).await.unwrap();
    assert_eq!(got.len(), sent.len() + 2);
    assert!(got[1..=sent.len()] == sent && got.ends_with(b"!"), "the end came after our own");
}

#[tokio::test]
async fn a_reset_is_passed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut proxies = Proxies::default();
    let endpoint = listener.local_addr().unwrap();
    let at = proxies.carry(TCP, At::Loopback, &[endpoint]).unwrap();
    let mut client = TcpStream::connect(at).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    server.set_zero_linger().unwrap();
    drop(server);
    let error = client.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_closed_port_keeps_its_connections() {
    let mut proxies = Proxies::default();
    // Of no other test, which might take what this one gives up.
    let own = VipPort { port: 4321, ..TCP };
    let at = proxies.carry(own, At::Loopback, &[echo("a").await]).unwrap();
    let mut stream = TcpStream::connect(at).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'a');
    proxies.retain(|_| false);
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    let refused = TcpStream::connect(at).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_udp_client_stays_until_its_endpoint_is_gone() {
    let mut proxies = Proxies::default();
    let endpoints = [echo_udp("a").await, echo_udp("b").await];
    let at = proxies.carry(UDP, At::Loopback, &endpoints).unwrap();
    let ask = async |socket: &UdpSocket| {
        let mut answer = [0];
        socket.send(b"?").await.unwrap();
        socket.recv(&mut answer).await.unwrap();
        answer[0]
    };
    let mut clients = Vec::new();
    for _ in 0..2 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(at).await.unwrap();
        clients.push(socket);
    }
    for _ in 0..3 {
        assert_eq!((ask(&clients[0]).await, ask(&clients[1]).await), (b'a', b'b'));
    }
    proxies.carry(UDP, At::Loopback, &endpoints[1..]).unwrap();
    assert_eq!((ask(&clients[0]).await, ask(&clients[1]).await), (b'b', b'b'));
}

#[tokio::test]
async fn two_services_with_one_port_get_two() {
    let mut proxies = Proxies::default();
    let endpoint = [echo("a").await];
    let other = VipPort { address: Ipv4Addr::new(192, 0, 2, 2).into(), ..TCP };
    let six = VipPort { address: Ipv6Addr::LOCALHOST.into(), ..TCP };
    let ports: BTreeSet<SocketAddr> =
        [TCP, other, six].map(|key| proxies.carry(key, At::Loopback, &endpoint).unwrap()).into();
    assert_eq!(ports.len(), 3);
    for at in ports {
        assert!(at.ip().is_loopback());
        assert_eq!(first_byte(at).await.unwrap(), b'a');
    }
}

/// A forwarder with this many places of each kind, where silence may last this long.
fn proxies(places: usize, open: Duration, half_closed: Duration) -> Proxies {
    let mut proxies = Proxies::new(
        (Places::new(places), Places::new(places)),
        Meter::default(),
        Default::default(),
    );
    proxies.places.limits = Limits { open, half_closed, answered: open, unanswered: half_closed };
    proxies
}

const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn who_is_silent_for_too_long_is_reset() {
    let endpoint = [echo("a").await];
    for (open, half_closed, closes) in [(SHORT, LONG, false), (LONG, SHORT, true)] {
        let mut proxies = proxies(9, open, half_closed);
        let at = proxies.carry(TCP, At::Loopback, &[silent().await]).unwrap();
        let mut stream = TcpStream::connect(at).await.unwrap();
        if closes {
            stream.shutdown().await.unwrap();
        }
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "half closed: {closes}");
    }
    // Who says something is not silent.
    let mut proxies = proxies(9, Duration::from_millis(500), LONG);
    let at = proxies.carry(TCP, At::Loopback, &endpoint).unwrap();
    let mut stream = TcpStream::connect(at).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'a');
    for _ in 0..20 {
        tokio::time::sleep(SHORT).await;
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
    }
}

/// Takes connections and says nothing, ever.
async fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    address
}

#[tokio::test]
async fn the_longest_silent_makes_room() {
    let mut proxies = proxies(2, LONG, LONG);
    let at = proxies.carry(TCP, At::Loopback, &[echo("a").await]).unwrap();
    let mut streams = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(at).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'a');
        streams.push(stream);
    }
    for stream in &mut streams[..4] {
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    for stream in &mut streams[4..] {
        stream.write_all(b"x").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');
    }
    let at = proxies.carry(UDP, At::Loopback, &[echo_udp("a").await]).unwrap();
    let mut answer = [0];
    for _ in 0..6 {
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.connect(at).await.unwrap();
        // The first datagrams may find nobody silent yet.
        while {
            client.send(b"?").await.unwrap();
            tokio::time::timeout(SHORT, client.recv(&mut answer)).await.is_err()
        } {}
        assert_eq!(answer[0], b'a');
    }
}

/// What a port came to, once `is_so`.
async fn counted(meter: &Meter, key: VipPort, is_so: impl Fn(&FlowCounts) -> bool) {
    let counts = meter.counts(key);
    let wait = async {
        while !is_so(&counts) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), wait).await.is_ok(), "{counts:?}");
}

#[tokio::test]
async fn bytes_are_counted_as_they_go_on_and_flows_until_they_end() {
    let mut proxies = proxies(9, LONG, LONG);
    let meter = proxies.meter.clone();
    let at = proxies.carry(TCP, At::Loopback, &[echo("abc").await]).unwrap();
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(b"12345").await.unwrap();
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).await.unwrap();
    let bytes = |it: &FlowCounts| (it.traffic().came.bytes, it.traffic().went.bytes);
    counted(&meter, TCP, |it| (it.open(), bytes(it)) == (1, (5, 8))).await;
    // A port that is opened elsewhere goes on from its count.
    proxies.close(TCP);
    let at = proxies.carry(TCP, At::Loopback, &[echo("abc").await]).unwrap();
    let mut other = TcpStream::connect(at).await.unwrap();
    other.read_exact(&mut answer[..3]).await.unwrap();
    counted(&meter, TCP, |it| (it.open(), it.traffic().flows, bytes(it)) == (2, 2, (5, 11))).await;
    for stream in [&mut stream, &mut other] {
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'!');
    }
    let none = [0; FAILURES.len()];
    counted(&meter, TCP, |it| (it.open(), bytes(it), it.failed()) == (0, (5, 13), none)).await;

    let at = proxies.carry(UDP, At::Loopback, &[echo_udp("four").await]).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(at).await.unwrap();
    for _ in 0..3 {
        client.send(b"?").await.unwrap();
        client.recv(&mut answer).await.unwrap();
    }
    let amount = |packets, bytes| Amount { packets, bytes };
    let want = Traffic { flows: 1, came: amount(3, 3), went: amount(3, 12) };
    counted(&meter, UDP, |it| (it.open(), it.traffic()) == (1, want)).await;
}

#[tokio::test]
async fn what_breaks_a_flow_is_counted_by_its_cause() {
    /// How the client goes on.
    enum Then {
        Waits,
        Resets,
    }
    let resetting = async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read_u8().await;
                stream.set_zero_linger().unwrap();
            }
        });
        address
    };
    for (endpoint, open, then, why) in [
        (nobody().await, LONG, Then::Waits, FlowFailure::Connect),
        (silent().await, SHORT, Then::Waits, FlowFailure::Silence),
        (silent().await, LONG, Then::Resets, FlowFailure::Client),
        (resetting().await, LONG, Then::Waits, FlowFailure::Endpoint),
    ] {
        let mut proxies = proxies(9, open, LONG);
        let at = proxies.carry(TCP, At::Loopback, &[endpoint]).unwrap();
        let mut stream = TcpStream::connect(at).await.unwrap();
        // The first of them is reset before, or after.
        let _ = stream.write_all(b"x").await;
        match then {
            Then::Waits => assert!(stream.read_u8().await.is_err(), "{why:?}"),
            Then::Resets => {
                let got_on = |it: &FlowCounts| it.traffic().came.bytes == 1;
                counted(&proxies.meter, TCP, got_on).await;
                stream.set_zero_linger().unwrap();
                drop(stream);
            }
        }
        let want = FAILURES.map(|(it, _)| u64::from(it == why));
        counted(&proxies.meter, TCP, |it| (it.open(), it.failed()) == (0, want)).await;
    }
    // Others who needed the place, and who got none.
    let mut proxies = proxies(1, LONG, LONG);
    let at = proxies.carry(TCP, At::Loopback, &[echo("a").await]).unwrap();
    let first = TcpStream::connect(at).await.unwrap();
    let second = first_byte(at).await;
    assert_eq!(second.unwrap(), b'a');
    let made_room = |it: &FlowCounts| it.failed()[5] == 1 && FAILURES[5].1 == "made-room";
    counted(&proxies.meter, TCP, made_room).await;
    drop(first);
    let at = proxies.carry(UDP, At::Loopback, &[nobody_udp().await]).unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(at).await.unwrap();
    client.send(b"?").await.unwrap();
    counted(&proxies.meter, UDP, |it| it.failed()[3] == 1 && it.open() == 0).await;
    // Who is refused goes to another.
    let endpoints = [nobody_udp().await, echo_udp("b").await];
    proxies.carry(UDP, At::Loopback, &endpoints).unwrap();
    let mut answer = [0];
    while {
        client.send(b"?").await.unwrap();
        tokio::time::timeout(SHORT, client.recv(&mut answer)).await.is_err()
    } {}
    assert_eq!(answer[0], b'b');
}

/// An address where nobody takes datagrams.
async fn nobody_udp() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Whoever may write a Service reaches nothing that trusts who is on this machine.
#[tokio::test]
async fn nobody_is_led_to_the_programs_own_sockets() {
    let own = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let beside = echo("beside").await;
    let mut proxies = proxies(8, LONG, SHORT);
    let address = own.local_addr().unwrap();
    proxies.places.own.tell([address]);
    let spelled = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
    for at in [address, spelled] {
        let at = proxies.carry(TCP, At::Loopback, &[at]).unwrap();
        first_byte(at).await.unwrap_err();
    }
    let at = proxies.carry(TCP, At::Loopback, &[address, beside]).unwrap();
    assert_eq!(first_byte(at).await.unwrap(), b'b', "the next one is asked");
    let own = own.into_std().unwrap();
    assert_eq!(own.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "nobody has connected");
}
