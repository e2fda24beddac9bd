//! What clients of HTTP/2 do to a connection rather than with it, frame by frame. Each is ended by
//! its name, and another client is served meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use h2::Reason;
use steelyard_gateway::{Gateway, GatewayOptions, Timeouts};
use steelyard_host::places::Places;
use steelyard_testbed::chance::Chance;
use support::h2::{Raw, ask, connect, frame, get, request, run};
use support::held::HeldServer;
use support::{Client, Server, eventually, gateway, gateway_with, ok, route, scrape};

const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

fn floods(gateway: &Gateway, kind: &str) -> bool {
    let line =
        format!("steelyard_connections_flooded_total{{entrypoint=\"web\",kind=\"{kind}\"}} 1\n");
    scrape(gateway).contains(&line)
}

/// Sends rounds of frames until nobody takes them any more, then hears why.
fn flood(
    gateway: &Gateway,
    address: SocketAddr,
    kind: &str,
    settings: &[(u16, u32)],
    mut round: impl FnMut(u32) -> Vec<u8>,
) {
    let mut other = Client::connect(address);
    let mut raw = Raw::connect(address, settings);
    // Whoever floods does not read; who did would be sent as much.
    let mut reading = Raw(raw.0.try_clone().unwrap());
    let heard = std::thread::spawn(move || reading.farewell());
    let taken = (0..40_000).take_while(|index| raw.send(round(*index))).count();
    assert_eq!(other.get("a", "/").status(), 200, "another client is served");
    eventually(&format!("{kind} is noticed after {taken} rounds"), || floods(gateway, kind));
    let farewell = heard.join().unwrap();
    assert!(matches!(farewell, Some(Reason::ENHANCE_YOUR_CALM) | None), "{kind}: {farewell:?}");
    assert_eq!(other.get("a", "/").status(), 200, "another client is served");
}

fn id(round: u32) -> u32 {
    round * 2 + 1
}

/// An endpoint that answers, and one that takes its time.
fn served() -> (Server, Gateway, SocketAddr) {
    let server = Server::echo("s");
    let (gateway, address) = gateway(&[route("r", "*", "/", &[server.address])]);
    (server, gateway, address)
}

#[test]
fn rapid_resets() {
    let (_server, gateway, address) = served();
    flood(&gateway, address, "rapid-reset", &[], |round| {
        let cancel = frame(RST_STREAM, 0, id(round), &8_u32.to_be_bytes());
        [get(id(round), true), cancel].concat()
    });
}

/// The client makes us reset its streams: by windows that are larger than any.
#[test]
fn made_resets() {
    let (_server, gateway, address) = served();
    flood(&gateway, address, "made-reset", &[], |round| {
        let widest = frame(WINDOW_UPDATE, 0, id(round), &0x7fff_ffff_u32.to_be_bytes());
        [get(id(round), false), widest].concat()
    });
}

#[test]
fn a_head_without_end() {
    let (_server, gateway, address) = served();
    flood(&gateway, address, "continuation", &[], |round| match round {
        0 => frame(1, 1, 1, &[0x82]),
        _ => frame(CONTINUATION, 0, 1, b""),
    });
}

#[test]
fn settings_and_pings_and_what_nobody_knows() {
    for (kind, frame) in [
        ("settings", frame(SETTINGS, 0, 0, b"")),
        ("ping", frame(PING, 0, 0, &[0; 8])),
        ("ping", frame(PING, 1, 0, &[0; 8])),
        ("priority", frame(0xfa, 0, 0, b"x")),
        ("priority", frame(2, 0, 1, &[0, 0, 0, 3, 7])),
    ] {
        let (_server, gateway, address) = served();
        flood(&gateway, address, kind, &[], |_| frame.repeat(10));
    }
}

#[test]
fn data_without_bytes() {
    let (_server, gateway, address) = served();
    flood(&gateway, address, "empty-data", &[], |round| match round {
        0 => get(1, false),
        _ => frame(0, 0, 1, b""),
    });
}

/// An answer in crumbs of a byte: each costs its own frame, here and there.
#[test]
fn windows_that_open_by_a_byte() {
    let (_server, gateway, address) = served();
    let byte = 1_u32.to_be_bytes();
    flood(&gateway, address, "window-update", &[(4, 0)], |round| match round {
        0 => get(1, true),
        _ => frame(WINDOW_UPDATE, 0, 0, &byte).repeat(8),
    });
}

/// Who never opens a window holds what it asked for no longer than who never reads.
#[test]
fn windows_that_never_open() {
    let large = "x".repeat(100_000);
    let server = Server::answering(move |_| ok(&large));
    let timeouts = Timeouts { write: Duration::from_millis(300), ..Timeouts::default() };
    let options = GatewayOptions { workers: 1, timeouts, ..GatewayOptions::default() };
    let (gateway, address) = gateway_with(&[route("r", "*", "/", &[server.address])], options);
    let mut raw = Raw::connect(address, &[(4, 0)]);
    for stream in 0..20 {
        raw.send(get(id(stream), true));
    }
    let mut resets = 0;
    while resets < 20 {
        let (kind, _, _, payload) = raw.next().expect("streams are reset");
        assert!(kind != 0 || payload.is_empty(), "no window is open");
        resets += usize::from(kind == RST_STREAM);
    }
    assert_eq!(Client::connect(address).get("a", "/").body.len(), 100_000);
    drop(gateway);
}

/// More requests at a time than there may be are refused, and those that are here answered.
#[test]
fn no_more_streams_than_there_may_be() {
    let held = HeldServer::start("x");
    let (_gateway, address) = gateway(&[route("r", "*", "/", &[held.server.address])]);
    let mut raw = Raw::connect(address, &[]);
    for stream in 0..140 {
        raw.send(get(id(stream), true));
    }
    let mut refused = 0;
    while refused < 12 {
        let (kind, _, stream, payload) = raw.next().expect("streams are refused");
        if kind == RST_STREAM {
            assert_eq!((payload, stream > id(127)), (7_u32.to_be_bytes().to_vec(), true));
            refused += 1;
        }
    }
    held.release();
    let mut answered = 0;
    while answered < 128 {
        let (kind, flags, ..) = raw.next().expect("requests are answered");
        answered += usize::from(kind <= 1 && flags & 1 != 0);
    }
}

/// What has no place here is no flood of the client's, who is answered what it is; but there is an
/// end to it.
#[test]
fn who_finds_no_place_is_no_flood_for_long() {
    let held = HeldServer::start("x");
    let options =
        GatewayOptions { workers: 1, places: Places::new(1), ..GatewayOptions::default() };
    let routes = [route("r", "*", "/", &[held.server.address])];
    let (gateway, address) = gateway_with(&routes, options);
    let mut raw = Raw::connect(address, &[]);
    raw.send(get(id(0), true));
    let mut next = 1;
    // As many as there may be at a time, until all of them are refused. Whether that was said.
    let mut refused = |raw: &mut Raw| {
        let mut left = 100;
        raw.send((0..left).flat_map(|at| get(id(next + at), true)).collect::<Vec<u8>>());
        next += left;
        while left > 0 {
            let Some((kind, _, stream, payload)) = raw.next().filter(|it| it.0 != GOAWAY) else {
                return false;
            };
            if kind == RST_STREAM {
                assert_eq!((payload, stream > id(0)), (7_u32.to_be_bytes().to_vec(), true));
                left -= 1;
            }
        }
        true
    };
    // Many times what would be a flood of streams that the client makes us reset.
    for _ in 0..10 {
        assert!(refused(&mut raw), "the connection goes on");
    }
    assert!(!scrape(&gateway).contains("steelyard_connections_flooded_total{"));
    let rounds = (0..1_000).take_while(|_| refused(&mut raw)).count();
    assert!(rounds < 1_000, "without end");
    eventually("it is noticed", || floods(&gateway, "declined"));
}

fn byte(chance: &mut Chance) -> u8 {
    u8::try_from(chance.below(256)).unwrap()
}

/// Frames of any kind in any order: nobody else notices, and nothing panics.
#[test]
fn frames_at_random() {
    let (_server, gateway, address) = served();
    for seed in 0..60 {
        let mut chance = Chance::new(seed);
        let mut raw = Raw::connect(address, &[]);
        for _ in 0..40 {
            let length = chance.below(24);
            let payload: Vec<u8> = (0..length).map(|_| byte(&mut chance)).collect();
            let kind = u8::try_from(chance.below(12)).unwrap();
            let stream = u32::try_from(chance.below(9)).unwrap();
            let sent = match chance.below(4) {
                0 => raw.send(get(stream, chance.below(2) == 0)),
                1 => raw.send(frame(kind, byte(&mut chance), stream, &payload)),
                2 => raw.send(frame(kind, byte(&mut chance) & 5, stream, &payload)),
                _ => raw.send(&payload),
            };
            if !sent {
                break;
            }
        }
        drop(raw);
        let text = run(async {
            let mut sender = connect(address).await;
            ask(&mut sender, request("GET", "/next"), b"").await.unwrap().text()
        });
        assert!(text.starts_with("s\nGET /next HTTP/1.1\r\n"), "seed {seed}: {text}");
    }
    assert!(scrape(&gateway).contains("traefik_open_connections"));
}
