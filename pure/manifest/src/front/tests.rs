//! Edits in place, and the long way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use steelyard_model::Diagnostic;

use super::{Awaited, Front, Teller};
use crate::codes::FILE_NEVER_READ;
use crate::dynamic::DynamicPlaces;
use crate::key::Key;
use crate::object::Object;
use crate::sight::{Blindness, Extent, Sight, Unseen};
use crate::source::{Source, SourceText};
use crate::written::{Extract, Written};

struct Plain(Written);

impl Extract for Plain {
    type How = ();

    fn of(object: &Object, (): &()) -> Self {
        Self(Written::of(object))
    }

    fn written(&self) -> &Written {
        &self.0
    }

    fn moved(&self, _: &Written) -> Option<Self> {
        None
    }
}

/// A front, and all that it said.
#[derive(Default)]
struct Heard {
    front: Front<Plain>,
    objects: BTreeMap<Key, Arc<Plain>>,
    told: BTreeMap<Teller, Vec<Diagnostic>>,
    /// How often it took the short way.
    in_place: usize,
}

/// A place that is never seen: then all files are asked.
const DARK: &str = "elsewhere";

impl Heard {
    fn follow(&mut self, sight: &Sight, now: Instant) -> Awaited {
        let is_in_place = self.front.edit_in_place(sight).map(|edit| self.front.take(&edit));
        self.in_place += usize::from(is_in_place.is_some());
        let (changes, awaited) = match is_in_place {
            Some(changes) => (changes, Awaited::default()),
            None => self.front.follow(sight, now),
        };
        for (key, object) in changes.objects {
            match object {
                Some(object) => drop(self.objects.insert(key, object)),
                None => drop(self.objects.remove(&key)),
            }
        }
        self.told.extend(changes.told);
        self.told.remove(&Teller::File(DARK.into()));
        self.told.retain(|_, said| !said.is_empty());
        awaited
    }

    fn places(&self) -> Vec<(&Key, String)> {
        let place = |(key, object): (_, &Arc<Plain>)| (key, object.0.location().to_string());
        self.objects.iter().map(place).collect()
    }
}

fn object(name: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n")
}

/// What may be in a file.
fn text() -> impl Strategy<Value = String> {
    let name = prop_oneof!["[ab]", "[a-f]"];
    let objects = vec(name, 0..3).prop_map(|names| names.iter().map(|it| object(it)).collect());
    let cut = |(text, at): (String, usize)| text[..at.min(text.len())].to_owned();
    prop_oneof![
        6 => objects.clone(),
        1 => (objects.clone(), 0..150_usize).prop_map(cut),
        1 => objects.prop_map(|text: String| text + "---\na: [\n"),
        1 => Just("resources: [a.yaml]\npatches: [{path: b.yaml}]\n".to_owned()),
    ]
}

#[allow(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
fn start() -> Instant {
    Instant::now()
}

const NAMES: [&str; 4] = ["conf/a.yaml", "conf/b.yaml", "conf/kustomization.yaml", "conf/z.yaml"];

proptest! {
    #[test]
    fn an_edit_in_place_comes_to_what_the_long_way_comes_to(
        first in vec(text(), NAMES.len()),
        edits in vec((0..NAMES.len(), text(), 0..3_u64), 1..20),
    ) {
        let sources = NAMES.iter().zip(&first).map(|(name, text)| Source::new(*name, text.as_bytes()));
        let mut sight = Sight::complete(sources.collect());
        let (mut short, mut long) = (Heard::default(), Heard::default());
        let mut now = start();
        for (place, text, seconds) in edits {
            let (name, extent) = (DARK.into(), Extent::Below);
            let unseen = vec![Unseen { name, extent, why: Blindness::Vanished }];
            let dark = Sight { unseen, ..sight.clone() };
            prop_assert_eq!(short.follow(&sight, now), long.follow(&dark, now));
            prop_assert_eq!(short.places(), long.places());
            prop_assert_eq!(&short.told, &long.told);
            now += Duration::from_secs(seconds);
            Arc::make_mut(&mut sight.sources)[place] = Source::new(NAMES[place], text.as_bytes());
        }
        prop_assert_eq!(long.in_place, 0);
    }
}

/// Otherwise the property says nothing.
#[test]
fn an_edit_of_text_alone_is_one_in_place() {
    let file = |name, text: &str| Source::new(name, text.as_bytes());
    let mut heard = Heard::default();
    let mut sight = Sight::complete(vec![file("a.yaml", &object("a")), file("b.yaml", "")]);
    for (text, in_place) in [("a", 0), ("ab", 1), ("abc", 2), ("ac", 2)] {
        let objects: String = text.split("").filter(|it| !it.is_empty()).map(object).collect();
        Arc::make_mut(&mut sight.sources)[0] = file("a.yaml", &objects);
        heard.follow(&sight, start());
        assert_eq!(heard.in_place, in_place, "{text}");
    }
}

/// What a file had before it broke stands in its last good version: who empties the file to write
/// it anew, or has written a part of it, takes nothing of that away at once.
#[test]
fn what_a_broken_file_had_is_lost_after_a_moment() {
    let file = |text: &str| Sight::complete(vec![Source::new("a.yaml", text.as_bytes())]);
    let good = object("a") + &object("b");
    for broken in ["apiVersion: v1\n\tkind: Service\n".to_owned(), object("a") + "---\na: [\n"] {
        for (text, seconds) in [
            (String::new(), Some(5)),
            ("# a comment\n".to_owned(), Some(5)),
            (object("a"), Some(2)),
            (object("b"), Some(2)),
            (good.clone(), None),
            (broken.clone() + "---\nb: [\n", None),
        ] {
            let (mut heard, now) = (Heard::default(), start());
            for before in [&good, &broken] {
                assert_eq!(heard.follow(&file(before), now).due, None, "{before:?}");
            }
            let awaited = heard.follow(&file(&text), now);
            let expected = seconds.map(|it| now + Duration::from_secs(it));
            assert_eq!(awaited.due, expected, "{broken:?} {text:?}");
            let over = now + Duration::from_secs(5);
            assert_eq!(heard.follow(&file(&text), over).due, None);
        }
    }
}

/// What others name is an object whatever is in it: it has nothing left where its text has not.
#[test]
fn a_named_file_that_is_emptied_has_nothing_left() {
    let file = |text: &[u8]| {
        let text = SourceText::Bytes(text.into());
        Sight::complete(vec![Source::named("/keys/a.pem", text)])
    };
    for (text, seconds) in [(&b""[..], 5), (b" ", 5), (b"P", 2)] {
        let (mut heard, now) = (Heard::default(), start());
        heard.follow(&file(b"PEM\n"), now);
        let due = heard.follow(&file(text), now).due;
        assert_eq!(due, Some(now + Duration::from_secs(seconds)), "{text:?}");
    }
}

/// What leads to a certificate is nothing without it: it stands as long as what names it does.
#[test]
fn what_a_file_names_stands_as_long_as_that_file() {
    const NAMING: &str = "dyn/a.yml";
    let names = "tls: {certificates: [{certFile: /keys/a.pem, keyFile: /keys/a.key}]}\n";
    let key = |name: &str| Source::named(name, SourceText::Bytes(b"PEM".as_slice().into()));
    let all = [Source::new(NAMING, names.as_bytes()), key("/keys/a.key"), key("/keys/a.pem")];
    let look = |sources: Vec<Source>, hidden: &[&str]| {
        let unseen = hidden.iter().map(|name| Unseen {
            name: (*name).into(),
            extent: Extent::Below,
            why: Blindness::Vanished,
        });
        let (unseen, folders) = (unseen.collect(), vec!["dyn".into()]);
        Sight { sources: sources.into(), unseen, folders }
    };
    let other = Source::new(NAMING, b"tls: {options: {default: {}}}\n".as_slice());
    for (what, sight, until) in [
        ("an empty folder", look(Vec::new(), &[]), 5),
        ("a folder that is gone", look(Vec::new(), &["dyn"]), u64::MAX),
        ("a link to nowhere", look(Vec::new(), &[NAMING]), u64::MAX),
        ("a pipe", look(vec![Source::failed(NAMING, "it is a pipe")], &[]), u64::MAX),
        ("a file that names none", look(vec![other], &[]), 2),
    ] {
        let front = Front::default().with_dynamic(DynamicPlaces(vec!["dyn".into()]));
        let mut heard = Heard { front, ..Heard::default() };
        heard.follow(&look(all.to_vec(), &[]), start());
        let begin = start();
        let holds = |heard: &Heard| {
            let names = heard.objects.keys().map(|key| key.reference.to_string());
            let named = names.filter(|it| it.starts_with("file/files/")).count();
            (named, heard.objects.len())
        };
        assert_eq!(holds(&heard), (2, 3), "{what}");
        for second in [0, 1, 2, 3, 4, 5, 6, 100, 102, 104] {
            heard.follow(&sight, begin + Duration::from_secs(second));
            let (named, objects) = holds(&heard);
            if second < until {
                assert_eq!((named, objects), (2, 3), "{what} after {second} s");
            }
            if second > 100 && until != u64::MAX {
                assert_eq!(named, 0, "{what}: it goes with what names it");
            }
        }
    }
}

/// Files as they are after so many seconds more.
type Step<'a> = (u64, &'a [(&'a str, &'a str)]);

/// Where each object is, which files stand, and of which it is said that they were never read.
fn after(steps: &[Step<'_>]) -> (String, String, String) {
    let (mut heard, mut now) = (Heard::default(), start());
    for (seconds, files) in steps {
        let sources = files.iter().map(|(name, text)| Source::new(*name, text.as_bytes()));
        now += Duration::from_secs(*seconds);
        heard.follow(&Sight::complete(sources.collect()), now);
    }
    let places = heard.places().into_iter().map(|(_, place)| place).collect::<Vec<_>>().join(" ");
    let files = heard.front.files.iter().map(|it| &*it.source().name).collect::<Vec<_>>().join(" ");
    let is_never = |said: &Diagnostic| said.code == FILE_NEVER_READ;
    let never = heard.told.values().flatten().filter(|said| is_never(said));
    let never = never.filter_map(|said| said.location.as_ref()).map(|it| it.file.to_string());
    (places, files, never.collect::<Vec<_>>().join(" "))
}

#[test]
fn what_may_be_in_a_broken_file_is_not_lost_elsewhere() {
    let (good, other) = (&*object("lb"), &*object("other"));
    let broken = &*format!("{good}\tx: [\n");
    let unrelated = &*format!("{other}\tx: [\n");
    for (case, steps, places, files) in [
        (
            "a copy beside it goes",
            &[
                (0, &[("x", good)][..]),
                (1, &[("x", broken)]),
                (1, &[("x", broken), ("y", good)]),
                (1, &[("x", broken)]),
                (9, &[("x", broken)]),
            ][..],
            "y:4:18",
            "x y",
        ),
        (
            "it is mended without it",
            &[
                (0, &[("x", good)]),
                (1, &[("x", broken)]),
                (1, &[("x", broken), ("y", good)]),
                (1, &[("x", broken)]),
                (9, &[("x", other)]),
                (3, &[("x", other)]),
            ],
            "x:4:18",
            "x",
        ),
        (
            "it gets another name",
            &[
                (0, &[("x", good)]),
                (1, &[("x", broken)]),
                (1, &[("y", broken)]),
                (9, &[("y", broken)]),
            ],
            "",
            "x y",
        ),
        (
            "it breaks as it gets another name",
            &[(0, &[("x", good)]), (1, &[("y", broken)]), (9, &[("y", broken)])],
            "x:4:18",
            "x y",
        ),
        (
            "another one is broken, which names something else",
            &[
                (0, &[("x", good), ("y", unrelated)]),
                (1, &[("y", unrelated)]),
                (3, &[("y", unrelated)]),
            ],
            "",
            "y",
        ),
        (
            "another one is broken, which was whole without it",
            &[
                (0, &[("x", good), ("y", other)]),
                (1, &[("x", good), ("y", broken)]),
                (1, &[("y", broken)]),
                (3, &[("y", broken)]),
            ],
            "",
            "y",
        ),
    ] {
        let (found, standing, _) = after(steps);
        assert_eq!((&*found, &*standing), (places, files), "{case}");
    }
}

#[test]
fn a_file_that_was_never_read_is_so_by_another_name_and_until_it_is_mended() {
    let good = &*object("lb");
    let broken = &*format!("{good}---\n\tx: [\n");
    let unread = &*format!("{good}\tx: [\n");
    for (case, steps, never) in [
        ("it stays", &[(0, &[("x", broken)][..]), (9, &[("x", broken)])][..], "x"),
        (
            "by another name",
            &[(0, &[("x", unread)]), (1, &[("y", unread)]), (9, &[("y", unread)])],
            "y",
        ),
        ("emptied", &[(0, &[("x", unread)]), (1, &[("x", "")]), (4, &[("x", "")])], "x"),
        ("and for long", &[(0, &[("x", unread)]), (1, &[("x", "")]), (6, &[("x", "")])], ""),
        ("mended", &[(0, &[("x", unread)]), (1, &[("x", good)])], ""),
        ("comes later", &[(0, &[("x", good)]), (1, &[("x", good), ("y", unread)])], ""),
    ] {
        assert_eq!(after(steps).2, never, "{case}");
    }
    // Of what was never read nothing is in force, so that nothing ends early.
    assert_eq!(after(&[(0, &[("x", unread)]), (1, &[("x", good)])]).0, "x:4:18");
}
