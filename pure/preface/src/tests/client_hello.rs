use proptest::prelude::*;

use crate::client_hello::{ClientHello, HelloFault, HelloReader, LONGEST};

/// What clients sent (`hellos/`): their first flight, recorded, and what it asks for.
const RECORDED: &[(&str, &str, Option<&str>, &[&str])] = &[
    ("openssl", include_str!("hellos/openssl.hex"), Some("grafana.homelab.local"), BOTH),
    ("TLS 1.2 without a name", include_str!("hellos/openssl-no-name.hex"), None, &[]),
    ("curl", include_str!("hellos/curl.hex"), Some("nas.homelab.local"), BOTH),
    ("chromium", include_str!("hellos/chromium.hex"), Some("photos.homelab.local"), BOTH),
    ("go", include_str!("hellos/go.hex"), Some("git.homelab.local"), BOTH),
];
const BOTH: &[&str] = &["h2", "http/1.1"];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn read(bytes: &[u8]) -> Result<Option<ClientHello>, HelloFault> {
    HelloReader::default().read(bytes)
}

/// The same message in records of `size` bytes.
fn in_records(flight: &[u8], size: usize) -> Vec<u8> {
    let record = |piece: &[u8]| {
        let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
        [&[22, 3, 1], &length[..], piece].concat()
    };
    flight[5..].chunks(size).flat_map(record).collect()
}

#[test]
fn recorded_hellos_are_read_in_any_pieces() {
    for (client, hex, name, protocols) in RECORDED {
        let flight = bytes(hex);
        let expected = ClientHello {
            server_name: name.map(Into::into),
            protocols: protocols.iter().map(|it| it.as_bytes().into()).collect(),
        };
        assert_eq!(read(&flight), Ok(Some(expected.clone())), "{client}");
        let mut reader = HelloReader::default();
        for end in 0..flight.len() {
            assert_eq!(reader.read(&flight[..end]), Ok(None), "{client}, {end} bytes");
        }
        assert_eq!(reader.read(&flight), Ok(Some(expected.clone())), "{client}, byte by byte");
        let mut records = in_records(&flight, 40);
        records.extend(b"what follows is not looked at");
        assert_eq!(read(&records), Ok(Some(expected)), "{client}, in small records");
    }
}

/// A ClientHello with these extensions in one record.
fn hello(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut all = Vec::new();
    for (kind, content) in extensions {
        all.extend(kind.to_be_bytes());
        all.extend(sized(content));
    }
    message(&sized(&all))
}

fn sized(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&length[..], content].concat()
}

fn message(extensions: &[u8]) -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 0x01], &[1, 0], extensions].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

fn names(list: &[(u8, &str)]) -> Vec<u8> {
    let name = |(kind, name): &(u8, &str)| [&[*kind][..], &sized(name.as_bytes())].concat();
    sized(&list.iter().flat_map(name).collect::<Vec<u8>>())
}

#[test]
fn a_server_name_is_lower_case_and_no_address() {
    let table = [
        ("Grafana.Homelab.LOCAL", Some("grafana.homelab.local")),
        ("nas.lan.", Some("nas.lan")),
        ("a_b-c.x", Some("a_b-c.x")),
        ("10.0.0.1", None),
    ];
    for (written, expected) in table {
        let hello = hello(&[(0x0a0a, b""), (0, &names(&[(0, written)]))]);
        let read = read(&hello).unwrap().unwrap();
        assert_eq!(read.server_name.as_deref(), expected, "{written}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    use HelloFault::{Malformed, NotClientHello, NotTls, TooLong};
    let name = names(&[(0, "a.lan")]);
    let protocols = sized(b"\x02h2");
    let mut long = hello(&[]);
    long[6] = 1;
    long[8] = 1;
    let mut other = hello(&[]);
    other[5] = 2;
    let table: &[(&str, &[u8], HelloFault)] = &[
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n", NotTls),
        ("another record after the first", &[&[22, 3, 1, 0, 1, 1], &b"\x15"[..]].concat(), NotTls),
        ("SSL 2", b"\x16\x02", NotTls),
        ("an empty record", b"\x16\x03\x01\x00\x00", Malformed),
        ("a record that is too long", b"\x16\x03\x01\x40\x01", Malformed),
        ("ServerHello", &other, NotClientHello),
        ("a message that is too long", &long, TooLong),
        ("extensions beyond the end", &message(&[0, 9, 0]), Malformed),
        ("bytes behind the extensions", &message(&[0, 0, 0]), Malformed),
        ("two names", &hello(&[(0, &names(&[(0, "a.lan"), (0, "b.lan")]))]), Malformed),
        ("the extension of names twice", &hello(&[(0, &name), (0, &name)]), Malformed),
        ("that of protocols twice", &hello(&[(16, &protocols), (16, &protocols)]), Malformed),
        ("no name in it", &hello(&[(0, &names(&[]))]), Malformed),
        ("an empty name", &hello(&[(0, &names(&[(0, "")]))]), Malformed),
        ("a dot alone", &hello(&[(0, &names(&[(0, ".")]))]), Malformed),
        ("a name of another type", &hello(&[(0, &names(&[(1, "a.lan")]))]), Malformed),
        ("NUL in the name", &hello(&[(0, &names(&[(0, "a.lan\0.b")]))]), Malformed),
        ("not ASCII", &hello(&[(0, &names(&[(0, "bücher.lan")]))]), Malformed),
        ("no protocol", &hello(&[(16, &sized(b""))]), Malformed),
        ("an empty protocol", &hello(&[(16, &sized(b"\x00\x02h2"))]), Malformed),
        ("bytes behind the name", &hello(&[(0, &[&name[..], b"x"].concat())]), Malformed),
        (
            "bytes behind the protocols",
            &hello(&[(16, &[&protocols[..], b"x"].concat())]),
            Malformed,
        ),
    ];
    for (what, bytes, expected) in table {
        assert_eq!(read(bytes), Err(*expected), "{what}");
    }
}

#[test]
fn a_hello_without_extensions_names_nothing() {
    assert_eq!(read(&message(&[])), Ok(Some(ClientHello::default())));
    assert_eq!(read(&hello(&[])), Ok(Some(ClientHello::default())));
}

#[test]
fn who_never_ends_is_refused() {
    let endless = |size: usize| {
        let head = [1, 0, 0xff, 0xff];
        let flight = [&[0; 5][..], &head, &[0; LONGEST]].concat();
        in_records(&flight[..LONGEST], size)
    };
    assert_eq!(read(&endless(1)), Err(HelloFault::TooLong));
    assert_eq!(read(&endless(1000)), Err(HelloFault::TooLong));
    assert_eq!(read(&endless(1 << 14)), Ok(None), "its end may still come");
}

proptest! {
    /// Whatever comes, pieces make no difference, and nothing panics.
    #[test]
    fn pieces_make_no_difference(
        recorded in 0..RECORDED.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        piece in 1..400_usize,
    ) {
        let mut flight = bytes(RECORDED[recorded].1);
        for (at, to) in changes {
            let at = at.index(flight.len());
            flight[at] = to;
        }
        let mut reader = HelloReader::default();
        let ends = (0..flight.len()).step_by(piece).chain([flight.len()]);
        let mut in_pieces = ends.map(|end| reader.read(&flight[..end]));
        let decided = in_pieces.find(|it| *it != Ok(None)).unwrap_or(Ok(None));
        prop_assert_eq!(decided, read(&flight));
    }

    #[test]
    fn any_bytes_end_in_a_value(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&[&[22, 3, 1][..], &bytes].concat());
    }
}
