//! API servers that answer slowly, with "not now", half a list, or garbage: what is known stands,
//! nothing is taken for complete that is not, and when all is well again only what differs is
//! heard.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fake;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use steelyard_kube::{Connection, Feed, Patience, RivalsUnknown, Standing, Trouble, list, rivals};
use steelyard_manifest::{
    ClusterEvent, ClusterFront, Extract, Object, Role, Selection, Verb, Written, watched,
};

use self::fake::{Fake, Fault};

/// Whoever listens to a fake.
struct Ear {
    feed: Feed,
    front: ClusterFront<Seen>,
    objects: BTreeMap<String, Value>,
    changes: usize,
    refused: Vec<Verb>,
    absent: usize,
    /// How often it was told that all is listed anew.
    anew: usize,
    _folder: Folder,
}

struct Seen {
    written: Written,
    value: Value,
}

/// Goes with all that is in it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Extract for Seen {
    type How = ();

    fn of(object: &Object, (): &()) -> Self {
        let value = object.read_lenient().value.unwrap();
        Self { written: Written::of(object), value }
    }

    fn written(&self) -> &Written {
        &self.written
    }

    fn moved(&self, written: &Written) -> Option<Self> {
        Some(Self { written: written.clone(), value: self.value.clone() })
    }
}

fn services() -> Selection {
    Selection::all(watched(Role::Gateway).iter().find(|it| it.kind == "Service").unwrap())
}

fn patience() -> Patience {
    let short = Duration::from_millis(150);
    Patience {
        beginning: short,
        listing: short,
        silence: Duration::from_secs(60),
        doubt: short,
        first_doubt: short,
        round: Duration::from_millis(20),
        first: Duration::from_millis(2),
        longest: Duration::from_millis(20),
        answered: Duration::from_millis(20),
        ..Patience::default()
    }
}

fn service(name: &str) -> Value {
    json!({"kind": "Service", "apiVersion": "v1", "metadata": {
        "name": name, "namespace": "default", "uid": format!("uid-{name}")}})
}

fn labelled(name: &str, label: &str) -> Value {
    let mut object = service(name);
    object["metadata"]["labels"] = json!({"app": label});
    object
}

/// To a fake, by the token in a folder.
async fn connection(fake: &Fake) -> (Connection, Folder) {
    let name = fake.address.rsplit(':').next().unwrap();
    let folder = std::env::temp_dir().join(format!("steelyard-kube-{name}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("token"), "one").unwrap();
    let file = folder.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: c, context: {{cluster: c, user: u, namespace: here}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{}'}}}}]\n\
         users: [{{name: u, user: {{tokenFile: token}}}}]\n",
        fake.address
    );
    std::fs::write(&file, text).unwrap();
    let connection = Connection::open(Some(&file), None).await.unwrap();
    (connection, Folder(folder))
}

impl Ear {
    async fn start(fake: &Fake) -> Self {
        Self::start_patiently(fake, patience()).await
    }

    async fn start_patiently(fake: &Fake, patience: Patience) -> Self {
        Self::start_with(fake, patience, [services()]).await
    }

    async fn start_with<const N: usize>(
        fake: &Fake,
        patience: Patience,
        watches: [Selection; N],
    ) -> Self {
        let (connection, folder) = connection(fake).await;
        assert_eq!(connection.namespace(), "here");
        let feed = Feed::start_patiently(&Arc::new(connection), watches.clone(), patience);
        Self {
            feed,
            front: ClusterFront::new(watches, ()),
            objects: BTreeMap::new(),
            changes: 0,
            refused: Vec::new(),
            absent: 0,
            anew: 0,
            _folder: folder,
        }
    }

    async fn hear(&mut self) {
        let events = self.feed.next().await;
        for event in &events {
            match event {
                ClusterEvent::Refused { verb, .. } => self.refused.push(*verb),
                ClusterEvent::Absent(_) => self.absent += 1,
                ClusterEvent::Anew(_) => self.anew += 1,
                _ => {}
            }
        }
        self.front.hear(events);
        for (key, seen) in self.front.changes().objects {
            self.changes += 1;
            match seen {
                Some(seen) => {
                    _ = self.objects.insert(key.reference.name.to_string(), seen.value.clone())
                }
                None => _ = self.objects.remove(&*key.reference.name),
            }
        }
    }

    async fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                let _ = tokio::time::timeout(Duration::from_millis(10), self.hear()).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        waited.unwrap_or_else(|_| {
            panic!("{what}: {:?}, {:?}", self.objects.keys(), self.feed.standing())
        });
    }

    fn names(&self) -> Vec<&str> {
        self.objects.keys().map(String::as_str).collect()
    }

    fn standing(&self) -> Standing {
        self.feed.standing().remove(&services()).unwrap_or(Standing::Awaited(None))
    }
}

/// Each is done with two questions in a row, before a list is had and while it is followed.
const FAULTS: [&[Fault]; 15] = [
    &[],
    &[Fault::Status(500, "x: y")],
    &[Fault::Status(503, "x: y"), Fault::Status(429, "retry-after: 0")],
    &[Fault::Text("")],
    &[Fault::Text("<html>Sign in</html>")],
    &[Fault::Text("[]\n")],
    &[Fault::Text("{\"type\": \"ADDED\", \"object\": {\"metadata\": {}}}\n")],
    &[Fault::Text(
        "{\"type\": \"ADDED\", \"object\": {\"kind\": \"Pod\", \"metadata\": {\"name\": \
                   \"a\", \"uid\": \"1\", \"resourceVersion\": \"1\"}}}\n",
    )],
    &[Fault::Text("{\"type\": \"BOOKMARK\", \"object\": {}}\n")],
    &[Fault::Half(0), Fault::Half(40), Fault::Half(100), Fault::Half(250)],
    &[Fault::Silence],
    &[Fault::Error(410)],
    &[Fault::Error(500), Fault::Error(429)],
    &[Fault::Status(401, "x: y")],
    // In the end it lists in pages.
    &[Fault::NotStreamed, Fault::Half(30), Fault::Text("{\"items\": []}"), Fault::Silence],
];

/// How the question begins that asks at which version things are.
const AT_WHICH_VERSION: &str = "limit=1";

#[tokio::test]
async fn nothing_is_believed_that_makes_no_sense() {
    for spared in [None, Some(AT_WHICH_VERSION)] {
        believes_nothing_that_makes_no_sense(spared).await;
    }
}

async fn believes_nothing_that_makes_no_sense(spared: Option<&'static str>) {
    for faults in FAULTS {
        let fake = Fake::start();
        fake.store().spared = spared;
        ["a", "b", "c"].iter().for_each(|name| fake.put(service(name)));
        fake.store().faults.extend(faults.iter().cloned());
        let mut ear = Ear::start(&fake).await;
        let mut was_incomplete_with = 0;
        ear.until(&format!("{faults:?}, first"), |ear| {
            if !ear.front.is_complete() {
                was_incomplete_with = ear.objects.len();
            }
            ear.front.is_complete()
        })
        .await;
        assert_eq!(ear.names(), ["a", "b", "c"], "{faults:?} {was_incomplete_with}");
        assert_eq!(ear.changes, 3, "{faults:?}");

        let asked = fake.store().asked.len();
        let faults = faults.iter().filter(|it| !matches!(it, Fault::NotStreamed));
        let faults: Vec<Fault> = faults.cloned().collect();
        fake.store().faults.extend(faults.iter().cloned());
        fake.end_watches();
        let settled = |_: &Ear| {
            let store = fake.store();
            store.faults.is_empty() && store.asked.len() > asked + faults.len()
        };
        ear.until(&format!("{faults:?}, later"), settled).await;
        ear.until("it to be followed", |ear| ear.standing() == Standing::Followed).await;
        assert_eq!((ear.names(), ear.changes), (vec!["a", "b", "c"], 3), "{faults:?}");
        fake.put(labelled("b", "new"));
        fake.delete("c");
        ear.until(&format!("{faults:?}, at last"), |ear| ear.names() == ["a", "b"]).await;
        assert_eq!(ear.changes, 5, "{faults:?}");
    }
}

/// Versions are forgotten while nobody listens: what differs is heard, and nothing else.
#[tokio::test]
async fn a_list_that_begins_anew_says_what_differs() {
    for streams in [true, false] {
        let fake = Fake::start();
        ["a", "b", "c", "d", "e"].iter().for_each(|name| fake.put(service(name)));
        fake.store().always = (!streams).then_some(Fault::NotStreamed);
        let mut ear = Ear::start(&fake).await;
        ear.until("a list", |ear| ear.front.is_complete()).await;
        assert_eq!(ear.changes, 5);
        fake.store().always = Some(Fault::Status(503, "x: y"));
        fake.end_watches();
        ear.until("a cut", |ear| matches!(ear.standing(), Standing::CutOff { .. })).await;
        fake.put(labelled("a", "new"));
        fake.delete("d");
        fake.put(service("f"));
        {
            let mut store = fake.store();
            store.oldest = store.version;
            store.always = (!streams).then_some(Fault::NotStreamed);
        }
        ear.until("what differs", |ear| ear.names() == ["a", "b", "c", "e", "f"]).await;
        assert_eq!(ear.objects["a"]["metadata"]["labels"]["app"], "new");
        assert_eq!(ear.changes, 8);
        let pages = fake.store().asked.iter().filter(|it| it.contains("continue=")).count();
        assert_eq!(pages > 0, !streams);
    }
}

/// The store was put back to what it was before, with its versions: what it has is what there is,
/// also where nothing of it comes as long as there is no version that is known.
#[tokio::test]
async fn a_store_that_was_put_back_is_believed() {
    for streams in [true, false] {
        let fake = Fake::start();
        fake.store().always = (!streams).then_some(Fault::NotStreamed);
        ["a", "b", "c"].iter().for_each(|name| fake.put(service(name)));
        let then = fake.backup();
        let mut ear = Ear::start(&fake).await;
        ear.until("a list", |ear| ear.front.is_complete()).await;
        fake.put(labelled("a", "new"));
        fake.delete("b");
        fake.put(service("d"));
        ear.until("what differs", |ear| ear.names() == ["a", "c", "d"]).await;
        assert_eq!((ear.changes, ear.anew), (6, 0));
        fake.restore(then);
        ear.until("what was before", |ear| ear.names() == ["a", "b", "c"]).await;
        assert!(ear.objects["a"]["metadata"]["labels"].is_null());
        ear.until("the end of the list", |ear| !ear.front.is_renewing()).await;
        assert_eq!((ear.changes, ear.anew), (9, 1));
        // Versions that were there before are of another history.
        fake.put(labelled("c", "newer"));
        let is_newer = |ear: &Ear| ear.objects["c"]["metadata"]["labels"]["app"] == "newer";
        ear.until("what comes then", is_newer).await;
        assert_eq!((ear.changes, ear.anew), (10, 1));
    }
}

/// Nobody sends what is older than what it has sent, unless its history is another one.
#[tokio::test]
async fn a_watch_that_goes_back_is_not_gone_on_with() {
    for (told, anew) in [("MODIFIED", 1), ("DELETED", 0)] {
        let fake = Fake::start();
        ["a", "b"].iter().for_each(|name| fake.put(service(name)));
        let mut ear = Ear::start(&fake).await;
        ear.until("a list", |ear| ear.front.is_complete()).await;
        fake.store().spared = Some(AT_WHICH_VERSION);
        let told = if told == "DELETED" { GOES_BACK_AT_THE_END } else { GOES_BACK };
        fake.store().faults.push_back(Fault::Text(told));
        fake.end_watches();
        ear.until("it to be asked", |_| fake.store().faults.is_empty()).await;
        fake.put(service("c"));
        ear.until("what comes then", |ear| ear.names() == ["a", "b", "c"]).await;
        ear.until("the end of the list", |ear| !ear.front.is_renewing()).await;
        assert_eq!(ear.anew, anew, "{told}");
    }
}

const GOES_BACK: &str = concat!(
    r#"{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "2"}}}"#,
    "\n",
    r#"{"type": "MODIFIED", "object": {"metadata": {"name": "a", "namespace": "default", "uid": "uid-a", "resourceVersion": "1"}}}"#,
    "\n",
);
const GOES_BACK_AT_THE_END: &str = concat!(
    r#"{"type": "DELETED", "object": {"metadata": {"name": "z", "namespace": "default", "uid": "uid-z", "resourceVersion": "1"}}}"#,
    "\n",
);

/// It is said what is not allowed; what is known stands, and is looked at again when that is.
#[tokio::test]
async fn what_is_refused_is_named_and_stands() {
    let fake = Fake::start();
    ["a", "b"].iter().for_each(|name| fake.put(service(name)));
    let mut ear = Ear::start(&fake).await;
    ear.until("a list", |ear| ear.front.is_complete()).await;
    fake.store().always = Some(Fault::Status(403, "x: y"));
    fake.end_watches();
    ear.until("the refusal", |ear| !ear.refused.is_empty()).await;
    assert_eq!(ear.refused[0], Verb::Watch);
    assert!(matches!(ear.standing(), Standing::Refused { verb: Verb::Watch, .. }));
    fake.delete("a");
    assert_eq!(ear.names(), ["a", "b"]);
    fake.store().always = None;
    ear.until("what differs", |ear| ear.names() == ["b"]).await;
    assert_eq!(ear.standing(), Standing::Followed);
}

/// There is no such kind yet; then there is; and one that was there is not gone at once.
#[tokio::test]
async fn kinds_come_and_go() {
    let fake = Fake::start();
    fake.store().always = Some(Fault::Status(404, "x: y"));
    let mut ear = Ear::start(&fake).await;
    ear.until("no kind", |ear| ear.absent > 0 && ear.front.is_complete()).await;
    assert_eq!(ear.standing(), Standing::Absent);
    ["a", "b"].iter().for_each(|name| fake.put(service(name)));
    fake.store().always = None;
    ear.until("the kind", |ear| ear.names() == ["a", "b"]).await;
    let absent = ear.absent;
    fake.store().faults.extend([Fault::Status(404, "x: y"), Fault::Status(404, "x: y")]);
    fake.end_watches();
    ear.until("another look", |_| fake.store().faults.is_empty()).await;
    ear.until("it to be followed", |ear| ear.standing() == Standing::Followed).await;
    assert_eq!((ear.names(), ear.absent, ear.changes), (vec!["a", "b"], absent, 2));
    fake.store().always = Some(Fault::Status(404, "x: y"));
    fake.end_watches();
    ear.until("the kind to be gone", |ear| ear.absent > absent).await;
    assert!(ear.names().is_empty());
}

/// A token that is not accepted any more is read again.
#[tokio::test]
async fn a_token_that_expires_is_read_again() {
    let fake = Fake::start();
    fake.put(service("a"));
    fake.store().token = Some("one");
    let mut ear = Ear::start(&fake).await;
    ear.until("a list", |ear| ear.front.is_complete()).await;
    fake.store().token = Some("two");
    fake.end_watches();
    ear.until("a cut", |ear| matches!(ear.standing(), Standing::CutOff { .. })).await;
    std::fs::write(ear._folder.0.join("token"), "two").unwrap();
    fake.put(service("b"));
    ear.until("what comes then", |ear| ear.names() == ["a", "b"]).await;
    assert_eq!(ear.changes, 2);
}

/// Who knows nothing of lists as streams sends what is there, and no end of it.
#[tokio::test]
async fn a_list_without_an_end_is_asked_for_in_pages() {
    let fake = Fake::start();
    ["a", "b", "c"].iter().for_each(|name| fake.put(service(name)));
    fake.store().faults.push_back(Fault::Endless);
    let mut ear = Ear::start(&fake).await;
    ear.until("a list", |ear| ear.front.is_complete()).await;
    assert_eq!((ear.names(), ear.changes), (vec!["a", "b", "c"], 3));
    assert!(fake.store().asked.iter().any(|it| it.contains("limit=")));
}

/// Objects of a megabyte each: fewer of them are asked for at once.
#[tokio::test]
async fn large_objects_come_in_smaller_pages() {
    let fake = Fake::start();
    for name in ["a", "b", "c"] {
        let mut object = service(name);
        object["metadata"]["annotations"] = json!({"long": "x".repeat(9 << 20)});
        fake.put(object);
    }
    fake.store().always = Some(Fault::NotStreamed);
    let mut ear = Ear::start_patiently(&fake, Patience::default()).await;
    ear.until("a list", |ear| ear.front.is_complete()).await;
    assert_eq!(ear.names(), ["a", "b", "c"]);
    assert!(fake.store().asked.iter().any(|it| it.contains("limit=1&") || it.ends_with("limit=1")));
}

/// More objects that are looked at by their name than there may be watches: what becomes of each is
/// heard all the same, and nobody asks for what is not needed any more.
#[tokio::test]
async fn many_named_ones_are_asked_for_in_turns() {
    let fake = Fake::start();
    let names: Vec<String> = (0..80).map(|number| format!("n{number:02}")).collect();
    names.iter().for_each(|name| fake.put(service(name)));
    let kind = services().kind;
    let named: BTreeSet<Selection> =
        names.iter().map(|name| Selection::one(kind, "default", name)).collect();
    let mut ear = Ear::start_with(&fake, patience(), []).await;
    ear.feed.need(&named);
    ear.until("each of them", |ear| ear.objects.len() == 80).await;
    // Where this machine is slow, a watch that does not begin in time is asked for once more.
    let watched = |it: &&String| it.contains("watch=1");
    let name = |it: &String| it.split("metadata.name%3D").nth(1).map(|it| it[..3].to_owned());
    let watches: BTreeSet<_> = fake.store().asked.iter().filter(watched).map(name).collect();
    assert_eq!(watches.len(), 64);
    fake.put(labelled("n79", "new"));
    let is_new = |ear: &Ear| ear.objects["n79"]["metadata"]["labels"]["app"] == "new";
    ear.until("the last one's change", is_new).await;
    fake.delete("n78");
    ear.until("the end of another", |ear| ear.objects.len() == 79).await;
    assert_eq!(ear.changes, 82);
    ear.feed.need(&BTreeSet::new());
    ear.until("all to be gone", |ear| ear.objects.is_empty()).await;
    assert!(ear.feed.standing().is_empty());
}

/// What an API server says is the version need not be one, nor even fit into a question.
#[tokio::test]
async fn a_version_that_is_none_is_not_gone_on_with() {
    let fake = Fake::start();
    fake.store().spared = Some(AT_WHICH_VERSION);
    fake.put(service("a"));
    let end = "{\"type\": \"BOOKMARK\", \"object\": {\"metadata\": {\"resourceVersion\": \
               \"1 0\\r\\nx: y\", \"annotations\": {\"k8s.io/initial-events-end\": \"true\"}}}}\n";
    fake.store().faults.extend([Fault::Text(end), Fault::Status(400, "x: y")]);
    let mut ear = Ear::start(&fake).await;
    ear.until("what there is", |ear| ear.names() == ["a"]).await;
    fake.put(service("b"));
    ear.until("what comes then", |ear| ear.names() == ["a", "b"]).await;
    let asked = fake.store().asked.clone();
    assert!(
        asked.iter().any(|it| it.ends_with("resourceVersion=1%200%0D%0Ax%3A%20y")),
        "{asked:?}"
    );
}

/// Whoever may make objects can make them so that a list of them has no end.
#[tokio::test]
async fn of_an_answer_without_an_end_no_more_than_a_page_is_held() {
    let fake = Fake::start();
    fake.store().always = Some(Fault::Flood);
    let (connection, _folder) = connection(&fake).await;
    let unknown = rivals(&connection).await;
    let too_large = |it: &Trouble| matches!(it, Trouble::TooLarge(_));
    assert!(matches!(&unknown, Err(RivalsUnknown::Unlisted(it)) if too_large(it)), "{unknown:?}");
    let (tell, _told) = tokio::sync::mpsc::channel(1);
    let unlisted = list(&connection, &services(), &tell).await;
    assert!(unlisted.as_ref().is_err_and(too_large), "{unlisted:?}");
    let unmade =
        steelyard_kube::NewSecret { namespace: "here", name: "key", labels: BTreeMap::new() };
    let unmade = unmade.make(&connection, || Ok::<_, ()>(BTreeMap::new())).await;
    assert!(unmade.is_err(), "{unmade:?}");
}

/// All there is, a page at a time: who does not take one is not sent the next.
#[tokio::test]
async fn a_list_is_told_page_by_page() {
    let fake = Fake::start();
    ["a", "b", "c", "d", "e", "f", "g"].iter().for_each(|name| fake.put(service(name)));
    let (connection, _folder) = connection(&fake).await;
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let task = tokio::spawn(async move { list(&connection, &services(), &tell).await });
    let mut pages = Vec::new();
    while let Some(page) = told.recv().await {
        pages.push(page.len());
        // One waits, and one is being made.
        assert!(fake.store().asked.len() <= pages.len() + 3);
    }
    assert_eq!(pages, [2, 2, 2, 1]);
    assert_eq!(task.await.unwrap(), Ok(true));
}
