//! First messages that a standard says how to answer, as fuzzers of handshakes send them: what is
//! answered at once, in clear.

use std::io::{Read, Write};

use super::{PATIENCE, Scene};

/// What a server may say first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// ServerHello of this version.
    Hello(u16),
    /// HelloRetryRequest (RFC 8446 §4.1.4).
    Retry,
    /// An alert that ends it (RFC 8446 §6).
    Alert(u8),
    /// The end.
    End,
    /// What is no TLS.
    Other,
}

/// What is said otherwise than the standards have it, and why that does no harm.
const DIFFERENT: &[(&str, Says, &str)] = &[
    ("no key_share", HANDSHAKE_FAILURE, "rustls ends it by another name"),
    ("no supported_groups", HANDSHAKE_FAILURE, "rustls ends it by another name"),
    ("no signature_algorithms", HANDSHAKE_FAILURE, "rustls ends it by another name"),
    ("no common signature", Says::Hello(0x0304), "the alert follows, encrypted"),
    (
        "a fall-back",
        Says::Hello(0x0303),
        "the random says so (RFC 8446 §4.1.3), which clients read",
    ),
    ("a renegotiation from nothing", Says::Hello(0x0303), "nobody renegotiates"),
    ("a record that is too long", DECODE_ERROR, "it is ended by another name"),
    ("an empty record first", DECODE_ERROR, "it is ended by another name"),
    ("ChangeCipherSpec first", Says::Other, "what is no handshake is a request, and is told so"),
    ("an alert first", Says::Other, "the same"),
    ("data first", Says::Other, "the same"),
    ("a heartbeat first", Says::Other, "the same"),
];

/// Alerts by their numbers.
const UNEXPECTED_MESSAGE: Says = Says::Alert(10);
const RECORD_OVERFLOW: Says = Says::Alert(22);
const HANDSHAKE_FAILURE: Says = Says::Alert(40);
const ILLEGAL_PARAMETER: Says = Says::Alert(47);
const DECODE_ERROR: Says = Says::Alert(50);
const PROTOCOL_VERSION: Says = Says::Alert(70);
const INAPPROPRIATE_FALLBACK: Says = Says::Alert(86);
const MISSING_EXTENSION: Says = Says::Alert(109);
const NO_APPLICATION_PROTOCOL: Says = Says::Alert(120);

/// Types of extensions.
const SERVER_NAME: u16 = 0;
const STATUS_REQUEST: u16 = 5;
const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURES: u16 = 13;
const ALPN: u16 = 16;
const MASTER_SECRET: u16 = 23;
const PRE_SHARED_KEY: u16 = 41;
const VERSIONS: u16 = 43;
const PSK_MODES: u16 = 45;
const KEY_SHARE: u16 = 51;
const RENEGOTIATION: u16 = 0xff01;

/// A ClientHello, field by field (RFC 8446 §4.1.2).
#[derive(Clone)]
struct Hello {
    version: u16,
    session: Vec<u8>,
    suites: Vec<u8>,
    compressions: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
    behind: Vec<u8>,
}

fn short(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

fn long(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

fn numbers(all: &[u16]) -> Vec<u8> {
    all.iter().flat_map(|it| it.to_be_bytes()).collect()
}

fn share(group: u16, key: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes()[..], &long(key)].concat()
}

/// Any 32 bytes are a key of X25519 (RFC 7748 §5), but for a few.
const X25519: [u8; 32] = [9; 32];

impl Hello {
    /// Of TLS 1.2.
    fn old() -> Self {
        Self {
            version: 0x0303,
            session: vec![7; 32],
            suites: numbers(&[0xc02b, 0xc02c, 0xcca9]),
            compressions: vec![0],
            extensions: vec![
                (SERVER_NAME, long(&[&[0][..], &long(b"a.test")].concat())),
                (MASTER_SECRET, Vec::new()),
                (GROUPS, long(&numbers(&[0x1d, 0x17, 0x18]))),
                (SIGNATURES, long(&numbers(&[0x0403, 0x0804]))),
                (ALPN, long(&short(b"http/1.1"))),
            ],
            behind: Vec::new(),
        }
    }

    /// Of TLS 1.3, which knows 1.2 as well.
    fn new() -> Self {
        let mut hello = Self::old();
        hello.suites = numbers(&[0x1301, 0x1302, 0x1303, 0xc02b]);
        hello
            .with(VERSIONS, short(&numbers(&[0x0304, 0x0303])))
            .with(PSK_MODES, short(&[1]))
            .with(KEY_SHARE, long(&share(0x1d, &X25519)))
    }

    /// With this in the place of what it has, or behind all.
    fn with(mut self, kind: u16, content: Vec<u8>) -> Self {
        match self.extensions.iter_mut().find(|it| it.0 == kind) {
            Some(known) => known.1 = content,
            None => self.extensions.push((kind, content)),
        }
        self
    }

    fn without(mut self, kind: u16) -> Self {
        self.extensions.retain(|it| it.0 != kind);
        self
    }

    fn suites(self, suites: Vec<u8>) -> Self {
        Self { suites, ..self }
    }

    fn message(&self) -> Vec<u8> {
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, content)| [&kind.to_be_bytes()[..], &long(content)].concat())
            .collect();
        let body = [
            &self.version.to_be_bytes()[..],
            &[3; 32],
            &short(&self.session),
            &long(&self.suites),
            &short(&self.compressions),
            &long(&extensions),
            &self.behind,
        ]
        .concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1], &length[1..], &body].concat()
    }

    fn record(&self) -> Vec<u8> {
        record(22, 0x0301, &self.message())
    }
}

fn record(kind: u8, version: u16, content: &[u8]) -> Vec<u8> {
    [&[kind][..], &version.to_be_bytes(), &long(content)].concat()
}

/// What is said first to who says this.
fn asked(scene: &Scene, bytes: &[u8]) -> Says {
    let mut stream = scene.connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is refused early may not take all of it.
    let _ = stream.write_all(bytes);
    let mut head = [0; 5];
    if stream.read_exact(&mut head).is_err() {
        return Says::End;
    }
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    if !matches!(head[0], 21 | 22) || stream.read_exact(&mut content).is_err() {
        return Says::Other;
    }
    match head[0] {
        21 => Says::Alert(content[1]),
        _ if content[6..10] == [0xcf, 0x21, 0xad, 0x74] => Says::Retry,
        _ if has_version(&content) => Says::Hello(0x0304),
        _ => Says::Hello(u16::from_be_bytes([content[4], content[5]])),
    }
}

/// Whether a ServerHello says its version in an extension.
fn has_version(message: &[u8]) -> bool {
    message.windows(6).any(|it| it == [0, 43, 0, 2, 3, 4])
}

fn new_hellos() -> Vec<(&'static str, Hello, Says)> {
    let new = Hello::new;
    let shares = |all: &[Vec<u8>]| long(&all.concat());
    let grease = numbers(&[0x3a3a, 0x0304]);
    let psk = [long(&[&long(&[1])[..], &[0; 4]].concat()), long(&short(&[0; 32]))].concat();
    vec![
        ("as it should be", new(), Says::Hello(0x0304)),
        ("GREASE among versions", new().with(VERSIONS, short(&grease)), Says::Hello(0x0304)),
        ("versions to come", new().with(VERSIONS, short(&numbers(&[0x0305]))), PROTOCOL_VERSION),
        ("no versions", new().with(VERSIONS, short(&[])), DECODE_ERROR),
        ("half a version", new().with(VERSIONS, short(&[3, 4, 3])), DECODE_ERROR),
        (
            "1.2 before 1.3",
            new().with(VERSIONS, short(&numbers(&[0x0303, 0x0304]))),
            Says::Hello(0x0304),
        ),
        ("no shares", new().with(KEY_SHARE, shares(&[])), Says::Retry),
        (
            "a share of a group nobody has",
            new().with(KEY_SHARE, shares(&[share(0x0a0a, &[0])])),
            Says::Retry,
        ),
        (
            "no common group",
            new()
                .with(GROUPS, long(&numbers(&[0x19])))
                .with(KEY_SHARE, shares(&[share(0x19, &[4; 133])])),
            HANDSHAKE_FAILURE,
        ),
        (
            "one group twice",
            new().with(KEY_SHARE, shares(&[share(0x1d, &X25519), share(0x1d, &X25519)])),
            ILLEGAL_PARAMETER,
        ),
        (
            "a share of zeros",
            new().with(KEY_SHARE, shares(&[share(0x1d, &[0; 32])])),
            ILLEGAL_PARAMETER,
        ),
        (
            "a share too short",
            new().with(KEY_SHARE, shares(&[share(0x1d, &[9; 31])])),
            ILLEGAL_PARAMETER,
        ),
        (
            "a point on no curve",
            new()
                .with(GROUPS, long(&numbers(&[0x17])))
                .with(KEY_SHARE, shares(&[share(0x17, &[4; 65])])),
            ILLEGAL_PARAMETER,
        ),
        ("an empty share", new().with(KEY_SHARE, shares(&[share(0x1d, &[])])), DECODE_ERROR),
        (
            "a post-quantum share cut off",
            new()
                .with(GROUPS, long(&numbers(&[0x11ec])))
                .with(KEY_SHARE, shares(&[share(0x11ec, &[9; 1_000])])),
            ILLEGAL_PARAMETER,
        ),
        ("no key_share", new().without(KEY_SHARE), MISSING_EXTENSION),
        ("no supported_groups", new().without(GROUPS), MISSING_EXTENSION),
        ("no signature_algorithms", new().without(SIGNATURES), MISSING_EXTENSION),
        (
            "no common signature",
            new().with(SIGNATURES, long(&numbers(&[0x0807]))),
            HANDSHAKE_FAILURE,
        ),
        ("no signatures", new().with(SIGNATURES, long(&[])), DECODE_ERROR),
        ("compression", Hello { compressions: vec![1], ..new() }, ILLEGAL_PARAMETER),
        ("compression beside none", Hello { compressions: vec![0, 1], ..new() }, ILLEGAL_PARAMETER),
        (
            "a PSK that is not last",
            new().with(PRE_SHARED_KEY, psk.clone()).with(21, vec![0]),
            ILLEGAL_PARAMETER,
        ),
        ("unknown suites alone", new().suites(numbers(&[0x5a5a, 0x1399])), HANDSHAKE_FAILURE),
    ]
}

fn old_hellos() -> Vec<(&'static str, Hello, Says)> {
    let old = Hello::old;
    let fallback = |suites: &[u16]| old().suites(numbers(&[suites, &[0x5600]].concat()));
    vec![
        ("as it should be, 1.2", old(), Says::Hello(0x0303)),
        ("TLS 1.1", Hello { version: 0x0302, ..old() }, PROTOCOL_VERSION),
        ("SSL 3.0", Hello { version: 0x0300, ..old() }, PROTOCOL_VERSION),
        ("a fall-back", fallback(&[0xc02b]), INAPPROPRIATE_FALLBACK),
        ("a version that is to come", Hello { version: 0x0305, ..old() }, Says::Hello(0x0303)),
        ("RSA key exchange and CBC", old().suites(numbers(&[0x002f, 0xc009])), HANDSHAKE_FAILURE),
        ("no suites", old().suites(Vec::new()), DECODE_ERROR),
        ("half a suite", old().suites(vec![0xc0, 0x2b, 0xc0]), DECODE_ERROR),
        ("no compression at all", Hello { compressions: Vec::new(), ..old() }, DECODE_ERROR),
        ("compression alone", Hello { compressions: vec![1], ..old() }, ILLEGAL_PARAMETER),
        ("a session of 33 bytes", Hello { session: vec![7; 33], ..old() }, DECODE_ERROR),
        ("something behind it", Hello { behind: vec![0], ..old() }, DECODE_ERROR),
        ("no extended master secret", old().without(MASTER_SECRET), Says::Hello(0x0303)),
        (
            "one extension twice",
            Hello {
                extensions: [old().extensions, vec![(MASTER_SECRET, vec![])]].concat(),
                ..old()
            },
            ILLEGAL_PARAMETER,
        ),
        ("compressed points alone", old().with(POINT_FORMATS, short(&[1])), ILLEGAL_PARAMETER),
        (
            "a renegotiation from nothing",
            old().with(RENEGOTIATION, short(&[1; 12])),
            HANDSHAKE_FAILURE,
        ),
        ("an empty name", old().with(SERVER_NAME, long(&[0, 0, 0])), DECODE_ERROR),
        ("no name in it", old().with(SERVER_NAME, long(&[])), DECODE_ERROR),
        ("no protocols", old().with(ALPN, long(&[])), DECODE_ERROR),
        ("an empty protocol", old().with(ALPN, long(&[0])), DECODE_ERROR),
        ("another protocol", old().with(ALPN, long(&short(b"smtp"))), NO_APPLICATION_PROTOCOL),
        ("half a status request", old().with(STATUS_REQUEST, vec![1, 0]), DECODE_ERROR),
        (
            "no common signature, 1.2",
            old().with(SIGNATURES, long(&numbers(&[0x0201]))),
            HANDSHAKE_FAILURE,
        ),
    ]
}

/// The same as records, and what else may come first.
fn records() -> Vec<(&'static str, Vec<u8>, Says)> {
    let message = Hello::new().message();
    let first = |record: Vec<u8>| [record, Hello::new().record()].concat();
    let too_long = [&message[..], &vec![0; 0x4900]].concat();
    let hellos = new_hellos().into_iter().chain(old_hellos());
    let mut all = Vec::from_iter(hellos.map(|(what, hello, says)| (what, hello.record(), says)));
    all.extend([
        ("a record of SSL 3.0", record(22, 0x0300, &message), Says::Hello(0x0304)),
        ("a record of 1.3's number", record(22, 0x0304, &message), Says::Hello(0x0304)),
        ("a record that is too long", record(22, 0x0301, &too_long), RECORD_OVERFLOW),
        ("an empty record first", first(record(22, 0x0301, &[])), UNEXPECTED_MESSAGE),
        ("ChangeCipherSpec first", first(record(20, 0x0303, &[1])), UNEXPECTED_MESSAGE),
        ("an alert first", first(record(21, 0x0303, &[1, 0])), UNEXPECTED_MESSAGE),
        ("data first", first(record(23, 0x0303, b"GET")), UNEXPECTED_MESSAGE),
        ("a heartbeat first", first(record(24, 0x0303, &[1, 0x40, 0])), UNEXPECTED_MESSAGE),
        ("another message first", record(22, 0x0303, &[2, 0, 0, 0]), UNEXPECTED_MESSAGE),
    ]);
    all
}

#[test]
fn first_messages_are_answered_as_the_standards_have_it() {
    let scene = Scene::one();
    let mut wrong = Vec::new();
    for (what, bytes, standard) in records() {
        let different = DIFFERENT.iter().find(|it| it.0 == what);
        let expected = different.map_or(standard, |it| it.1);
        let says = asked(&scene, &bytes);
        if says != expected || different.is_some_and(|it| it.1 == standard) {
            wrong.push(format!("{what}: {says:?}, not {expected:?}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
    scene.serves();
}

/// Whoever could speak TLS 1.3 and is led to an older version sees it (RFC 8446 §4.1.3).
#[test]
fn a_random_tells_of_a_fall_back() {
    let scene = Scene::one();
    let mut stream = scene.connect();
    stream.write_all(&Hello::old().record()).unwrap();
    let mut came = [0; 43];
    stream.read_exact(&mut came).unwrap();
    assert_eq!(&came[35..], b"DOWNGRD\x01");
}
