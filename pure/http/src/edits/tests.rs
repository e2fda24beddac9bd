use proptest::prelude::*;

use super::*;

struct Sent(Vec<(&'static str, &'static [u8])>);

impl Head for Sent {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        self.0.iter().for_each(|(name, value)| see(name, value));
    }
}

impl RequestView for Sent {
    fn method(&self) -> &str {
        "GET"
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn authority(&self) -> &str {
        "a.b"
    }

    fn path(&self) -> &str {
        "/x"
    }

    fn query(&self) -> Option<&str> {
        Some("q")
    }
}

impl ResponseView for Sent {
    fn status(&self) -> u16 {
        204
    }
}

fn sent() -> Sent {
    Sent(vec![("Accept", b"*/*"), ("X-A", b"1"), ("x-a", b"2"), ("X-B", b"3")])
}

fn lines(head: &impl Head) -> Vec<String> {
    let mut lines = Vec::new();
    head.each(&mut |name, value| lines.push(format!("{name}={}", String::from_utf8_lossy(value))));
    lines
}

#[test]
fn what_is_read_is_the_head_as_it_will_be() {
    let head = sent();
    let mut edits = RequestEdits::new(&head);
    assert!(edits.is_empty());
    assert_eq!(edits.first("x-a"), Some(&b"1"[..]));
    edits.lines().add("X-A", b"4").unwrap();
    assert_eq!(lines(&edits), ["Accept=*/*", "X-A=1", "x-a=2", "X-B=3", "X-A=4"]);
    edits.lines().set("x-A", b"5").unwrap();
    assert_eq!(lines(&edits), ["Accept=*/*", "X-B=3", "x-A=5"]);
    assert_eq!(edits.first("X-A"), Some(&b"5"[..]));
    edits.lines().remove("x-b").unwrap();
    assert_eq!(edits.first("X-B"), None);
    assert_eq!(lines(&edits), ["Accept=*/*", "x-A=5"]);
    assert!(!edits.is_empty());
}

/// Of a request: what endpoints may take for a line that somebody has set goes with it. Clients
/// read names as they are.
#[test]
fn a_line_that_is_set_is_heard_alone() {
    let all: [(&str, &[u8]); 5] =
        [("X_User", b"1"), ("x.user", b"2"), ("X-User", b"3"), ("XUser", b"4"), ("X-Users", b"5")];
    let head = Sent(all.to_vec());
    let mut edits = RequestEdits::new(&head);
    edits.lines().set("X-User", b"ann").unwrap();
    assert_eq!(lines(&edits), ["XUser=4", "X-Users=5", "X-User=ann"]);
    assert_eq!((edits.first("x_user"), edits.first("X-User")), (None, Some(&b"ann"[..])));
    // Two that are both asked for are both said.
    edits.lines().set("x_user", b"bob").unwrap();
    assert_eq!(lines(&edits), ["XUser=4", "X-Users=5", "X-User=ann", "x_user=bob"]);
    let mut edits = RequestEdits::new(&head);
    edits.lines().remove("x_user").unwrap();
    assert_eq!(lines(&edits), ["XUser=4", "X-Users=5"]);
    let mut edits = ResponseEdits::new(&head);
    edits.lines().set("X-User", b"ann").unwrap();
    assert_eq!(lines(&edits), ["X_User=1", "x.user=2", "XUser=4", "X-Users=5", "X-User=ann"]);
}

#[test]
fn the_request_line_is_edited_too() {
    let head = sent();
    let mut edits = RequestEdits::new(&head);
    let line = |edits: &RequestEdits<'_>| {
        let query = edits.query().map(|it| format!("?{it}")).unwrap_or_default();
        let (method, authority) = (edits.method(), edits.authority());
        format!("{method} {}://{authority}{}{query}", edits.scheme().as_str(), edits.path())
    };
    assert_eq!(line(&edits), "GET https://a.b/x?q");
    edits.set_method("PUT").unwrap();
    edits.set_authority("c:8").unwrap();
    edits.set_path("/y").unwrap();
    assert_eq!(line(&edits), "PUT https://c:8/y?q");
    edits.set_query(Some("")).unwrap();
    assert_eq!(line(&edits), "PUT https://c:8/y?");
    edits.set_query(None).unwrap();
    assert_eq!(line(&edits), "PUT https://c:8/y");
    let changes = edits.into_changes();
    assert_eq!(changes.path.as_deref(), Some("/y"));
    assert_eq!(changes.query, Some(None));
}

#[test]
fn each_part_alone_is_a_change() {
    let head = sent();
    let one = |change: &dyn Fn(&mut RequestEdits<'_>)| {
        let mut edits = RequestEdits::new(&head);
        change(&mut edits);
        assert!(!edits.is_empty());
    };
    one(&|it| it.set_method("PUT").unwrap());
    one(&|it| it.set_authority("c").unwrap());
    one(&|it| it.set_path("/y").unwrap());
    one(&|it| it.set_query(None).unwrap());
    one(&|it| it.lines().add("X", b"").unwrap());
    one(&|it| it.lines().remove("Accept").unwrap());
}

#[test]
fn a_response_has_its_status_and_lines() {
    let head = sent();
    let mut edits = ResponseEdits::new(&head);
    assert_eq!((edits.status(), edits.is_empty()), (204, true));
    edits.set_status(200).unwrap();
    assert_eq!((edits.status(), edits.is_empty()), (200, false));
    edits.lines().set("X-B", b"y").unwrap();
    assert_eq!(edits.first("x-b"), Some(&b"y"[..]));
    assert_eq!(lines(&edits).len(), 4);
    let changes = edits.into_changes();
    assert!(changes.lines.removes(b"X-B") && !changes.lines.removes(b"X-A"));
    assert_eq!(changes.status, Some(200));
    assert_eq!(ResponseEdits::resume(&head, changes).status(), 200);
    for status in [0, 100, 101, 199, 1000] {
        assert_eq!(ResponseEdits::new(&head).set_status(status), Err(BadLine::Value), "{status}");
    }
}

#[test]
fn nobody_frames_a_message_or_ends_a_line_by_an_edit() {
    for (name, value, why) in [
        ("", &b"x"[..], BadLine::Name),
        ("a b", b"x", BadLine::Name),
        ("a:", b"x", BadLine::Name),
        ("X", b"a\r\nB: c", BadLine::Value),
        ("X", b"a\nB: c", BadLine::Value),
        ("X", b"a\0", BadLine::Value),
        ("X", b"a\x7f", BadLine::Value),
        ("Content-Length", b"1", BadLine::Framing),
        ("transfer-encoding", b"chunked", BadLine::Framing),
        ("Connection", b"close", BadLine::Framing),
        ("Keep-Alive", b"x", BadLine::Framing),
        ("Upgrade", b"x", BadLine::Framing),
        ("Host", b"x", BadLine::Framing),
        ("CDN-Loop", b"x", BadLine::Framing),
    ] {
        let mut lines = LineEdits::default();
        assert_eq!(lines.add(name, value), Err(why), "{name}");
        assert_eq!(lines.set(name, value), Err(why), "{name}");
        assert!(lines.is_empty());
        if why != BadLine::Value {
            assert_eq!(lines.remove(name), Err(why), "{name}");
        }
    }
    let mut lines = LineEdits::default();
    lines.add("X-Tab", b"a\tb \xff").unwrap();
    let head = sent();
    let mut edits = RequestEdits::new(&head);
    assert_eq!(edits.set_method("G T"), Err(BadLine::Name));
    assert_eq!(edits.set_authority("a b"), Err(BadLine::Value));
    for path in ["x", "/a b", "/a\r", "/a?b", "/a#b", "/\u{e9}", ""] {
        assert_eq!(edits.set_path(path), Err(BadLine::Value), "{path}");
    }
    for query in ["a b", "a#b", "\n"] {
        assert_eq!(edits.set_query(Some(query)), Err(BadLine::Value), "{query}");
    }
    assert!(edits.is_empty());
}

#[test]
fn any_line_is_a_change_of_lines() {
    assert!(LineEdits::default().is_empty());
    let mut adds = LineEdits::default();
    adds.add("x-a", b"1").unwrap();
    let mut removes = LineEdits::default();
    removes.remove("x-a").unwrap();
    let mut both = adds.clone();
    both.set("x-b", b"2").unwrap();
    for edits in [adds, removes, both] {
        assert!(!edits.is_empty(), "{edits:?}");
    }
}

#[test]
fn changes_are_taken_back_by_those_before() {
    let head = sent();
    let mut edits = RequestEdits::new(&head);
    edits.set_path("/before").unwrap();
    let before = edits.changes().clone();
    assert_eq!(before.path.as_deref(), Some("/before"));
    edits.set_path("/after").unwrap();
    edits.lines().add("x-c", b"1").unwrap();
    edits.reset(before.clone());
    assert_eq!(edits.path(), "/before");
    assert_eq!(edits.into_changes(), before);
}

/// By what each edit means: lines that came by what they are called, and lines that are added.
#[derive(Default)]
struct Plainly {
    removed: Vec<String>,
    added: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Debug)]
enum Edited {
    Add(&'static str, u8),
    Set(&'static str, u8),
    Remove(&'static str),
}

impl Plainly {
    fn make(&mut self, edit: &Edited) {
        if let Edited::Set(name, _) | Edited::Remove(name) = edit {
            let name = name.to_ascii_lowercase();
            self.added.retain(|(it, _)| it.to_ascii_lowercase() != name);
            if !self.removed.contains(&name) {
                self.removed.push(name);
            }
        }
        if let Edited::Add(name, value) | Edited::Set(name, value) = edit {
            self.added.push(((*name).to_owned(), vec![*value; 3]));
        }
    }
}

fn make(lines: &mut LineEdits, edit: &Edited) {
    match edit {
        Edited::Add(name, value) => lines.add(name, &[*value; 3]),
        Edited::Set(name, value) => lines.set(name, &[*value; 3]),
        Edited::Remove(name) => lines.remove(name),
    }
    .expect("it may be written");
}

fn edited() -> impl Strategy<Value = Vec<Edited>> {
    let name = || prop::sample::select(vec!["X-A", "x-a", "X-B", "x-c", "X-Long-Name"]);
    let edit = prop_oneof![
        (name(), b'a'..=b'z').prop_map(|(name, value)| Edited::Add(name, value)),
        (name(), b'a'..=b'z').prop_map(|(name, value)| Edited::Set(name, value)),
        name().prop_map(Edited::Remove),
    ];
    prop::collection::vec(edit, 0..8)
}

proptest! {
    #[test]
    fn edits_are_what_they_mean_one_by_one_or_together(first in edited(), then in edited()) {
        let mut plainly = Plainly::default();
        first.iter().chain(&then).for_each(|edit| plainly.make(edit));
        let (mut one_by_one, mut before, mut others) = <[LineEdits; 3]>::default().into();
        first.iter().chain(&then).for_each(|edit| make(&mut one_by_one, edit));
        first.iter().for_each(|edit| make(&mut before, edit));
        then.iter().for_each(|edit| make(&mut others, edit));
        before.apply(&others);
        for edits in [&one_by_one, &before] {
            let added: Vec<_> =
                edits.added().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
            prop_assert_eq!(&added, &plainly.added);
            let removed: Vec<_> = edits
                .removed()
                .map(|name| String::from_utf8_lossy(name).to_ascii_lowercase())
                .collect();
            prop_assert_eq!(&removed, &plainly.removed);
            let mut text = Vec::new();
            edits.push_added(&mut text);
            let written: Vec<u8> = added
                .iter()
                .flat_map(|(name, value)| [name.as_bytes(), b": ", value, b"\r\n"].concat())
                .collect();
            prop_assert_eq!(text, written);
            prop_assert_eq!(edits.is_empty(), plainly.removed.is_empty() && added.is_empty());
        }
        prop_assert_eq!(one_by_one, before);
    }
}
