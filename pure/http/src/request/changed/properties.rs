//! What goes on with changes is what goes on without them, edited line by line.

use std::sync::Arc;

use proptest::prelude::*;
use steelyard_model::routing::route::Manner;
use steelyard_model::routing::trust::Trust;

use super::*;
use crate::body::Framing;
use crate::edits::RequestEdits;
use crate::forwarded::{ForwardedPolicy, Vouching};
use crate::head::{Slots, push_framing};
use crate::path::Spelling;
use crate::query::Semicolons;
use crate::request::{Hop, USUAL_LIST, client_lines};

/// Names that clients and filters say, among them all that the gateway says itself.
const NAMES: [&str; 22] = [
    "X-A",
    "x-a",
    "X_A",
    "Cookie",
    "Content-Type",
    "X-Forwarded-For",
    "X-Forwarded-Server",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Prefix",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-Forwarded-Scheme",
    "X-Real-Ip",
    "X-Scheme",
    "X-Original-Forwarded-For",
    "X-Original-Forwarded-Host",
    "Forwarded",
    "x-FORWARDED-host",
];

#[derive(Clone, Debug)]
enum Change {
    Add(usize),
    Set(usize),
    Remove(usize),
    Method,
    Authority,
    Path,
    Query(bool),
    Framing(Framing),
}

fn change() -> impl Strategy<Value = Change> {
    let name = 0..NAMES.len();
    prop_oneof![
        3 => name.clone().prop_map(Change::Add),
        3 => name.clone().prop_map(Change::Set),
        3 => name.prop_map(Change::Remove),
        1 => Just(Change::Method),
        1 => Just(Change::Authority),
        1 => Just(Change::Path),
        1 => any::<bool>().prop_map(Change::Query),
        1 => prop_oneof![Just(Framing::Chunked), Just(Framing::Length(7)), Just(Framing::None)]
            .prop_map(Change::Framing),
    ]
}

/// The first line, and the others in some order.
fn lines(head: &[u8]) -> (String, Vec<String>) {
    let text = String::from_utf8(head.to_vec()).expect("text");
    let mut lines = text.strip_suffix("\r\n\r\n").expect("an end").split("\r\n").map(str::to_owned);
    let first = lines.next().expect("a line");
    (first, lines.collect())
}

fn is_called(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(it, _)| it.eq_ignore_ascii_case(name))
}

/// Whether some server might take a line for one of this name.
fn is_taken_for(line: &str, name: &str) -> bool {
    let plain = |it: &str| it.to_ascii_lowercase().replace('_', "-");
    line.split_once(':').is_some_and(|(it, _)| plain(it) == plain(name))
}

/// The same by what each change means.
fn edited((first, mut lines): (String, Vec<String>), changes: &[Change]) -> (String, Vec<String>) {
    let mut words: Vec<String> = first.split(' ').map(str::to_owned).collect();
    let (mut added, mut framing) = (Vec::new(), None);
    for change in changes {
        let target = words[1].clone();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query)),
            None => (target.clone(), None),
        };
        match change {
            Change::Add(at) => added.push(format!("{}: f", NAMES[*at])),
            Change::Set(at) | Change::Remove(at) => {
                lines.retain(|line| !is_taken_for(line, NAMES[*at]));
                added.retain(|line: &String| !is_called(line, NAMES[*at]));
                if let Change::Set(_) = change {
                    added.push(format!("{}: f", NAMES[*at]));
                }
            }
            Change::Method => "PUT".clone_into(&mut words[0]),
            Change::Authority => {
                lines.retain(|line| !is_called(line, "host"));
                lines.push("Host: c:8".to_owned());
            }
            Change::Path => {
                words[1] = query.map_or_else(|| "/p".to_owned(), |it| format!("/p?{it}"));
            }
            Change::Query(is_some) => {
                words[1] = if *is_some { format!("{path}?r=2") } else { path };
            }
            Change::Framing(it) => framing = Some(*it),
        }
    }
    if let Some(framing) = framing {
        let frames =
            |line: &str| is_called(line, "content-length") || is_called(line, "transfer-encoding");
        lines.retain(|line| !frames(line));
        let mut line = Vec::new();
        push_framing(Some(framing), &mut line);
        let line = String::from_utf8(line).expect("text");
        lines.extend(line.strip_suffix("\r\n").map(str::to_owned));
    }
    (words.join(" "), lines.into_iter().chain(added).collect())
}

fn apply(edits: &mut RequestEdits<'_>, changes: &[Change]) -> Option<Framing> {
    let mut framing = None;
    for change in changes {
        match change {
            Change::Add(at) => edits.lines().add(NAMES[*at], b"f"),
            Change::Set(at) => edits.lines().set(NAMES[*at], b"f"),
            Change::Remove(at) => edits.lines().remove(NAMES[*at]),
            Change::Method => edits.set_method("PUT"),
            Change::Authority => edits.set_authority("c:8"),
            Change::Path => edits.set_path("/p"),
            Change::Query(is_some) => edits.set_query(is_some.then_some("r=2")),
            Change::Framing(it) => {
                framing = Some(*it);
                Ok(())
            }
        }
        .expect("it may be written");
    }
    framing
}

proptest! {
    #[test]
    fn changes_are_edits_of_what_goes_on(
        said in prop::collection::vec(0..NAMES.len(), 0..8),
        target in prop::sample::select(vec!["/a", "/a%2Fb//c?q=1;2", "http://d.e/x", "/?"]),
        version in 0..2_usize,
        body in prop::sample::select(vec!["", "Content-Length: 5\r\n", "CONTENT-LENGTH:  05\r\n"]),
        is_named: bool,
        is_believed: bool,
        standard: bool,
        is_nginx: bool,
        changes in prop::collection::vec(change(), 0..6),
    ) {
        let mut sent = format!("POST {target} HTTP/1.{version}\r\n");
        sent += if is_named || version == 1 { "host: a.b:81\r\n" } else { "" };
        for (number, at) in said.iter().enumerate() {
            sent += &format!("{}: {number}\r\n", NAMES[*at]);
        }
        sent = sent + body + "TE: trailers\r\n\r\n";
        let mut slots = Slots::default();
        let mut head = RequestHead::parse(sent.as_bytes(), &mut slots).unwrap().unwrap();
        let trust = if is_believed { Trust::Everybody } else { Trust::default() };
        let policy = ForwardedPolicy { trust, standard, ..ForwardedPolicy::default() };
        head.settle(&Vouching::new(Arc::new(policy), [10, 0, 0, 1].into()));
        let own = client_lines([192, 0, 2, 1].into(), "node-1", "gw-1");
        let manner = if is_nginx { Manner::Nginx } else { Manner::Traefik };
        let hop = Hop {
            client_lines: &own,
            list: USUAL_LIST,
            keeps_underscores: false,
            fallback_host: "10.0.0.9:80",
            path: Spelling::Normal,
            manner,
            semicolons: Semicolons::Kept,
            port: 80,
        };
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        head.forward(&hop, None, &mut plain);
        let mut edits = RequestEdits::new(&head);
        let framing = apply(&mut edits, &changes);
        let changes_made = RequestChanges { framing, ..edits.into_changes() };
        head.forward(&hop, Some(&changes_made), &mut out);
        let (first, mut expected) = edited(lines(&plain), &changes);
        let (found, mut others) = lines(&out);
        if changes.is_empty() {
            prop_assert_eq!(&plain, &out);
        }
        prop_assert_eq!(found, first);
        expected.sort();
        others.sort();
        prop_assert_eq!(others, expected, "{}", sent);
    }
}
