//! A cluster's objects come to what the same objects come to in files.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steelyard_manifest::{
    ClusterEvent, ClusterObject, Key, RawObject, Role, Selection, Verb, Watched, codes, watched,
};
use steelyard_model::Diagnostic;

use super::*;

/// Kinds of which files may have some, and that no role reads of a cluster.
static IN_FILES: [Watched; 1] = [kind("Endpoints", "endpoints")];

const fn kind(kind: &'static str, plural: &'static str) -> Watched {
    Watched { kind, plural, ..watched_services() }
}

const fn watched_services() -> Watched {
    Watched {
        group: "",
        kind: "Service",
        version: "v1",
        plural: "services",
        namespaced: true,
        breadth: steelyard_manifest::Breadth::All,
        status: &[],
        keeps_managers: false,
    }
}

fn kinds() -> impl Iterator<Item = &'static Watched> {
    watched(Role::Everything).iter().chain(&IN_FILES)
}

/// What an API server has, by name: each object as JSON.
type Store = BTreeMap<Key, (&'static Watched, Value)>;

/// The objects of files as an API server would have them; of two of one name the first.
fn store(sources: &[Source], version: u64) -> Store {
    let mut store = Store::new();
    for source in sources {
        for object in load(source, &ReadLimits::default()).objects {
            let read = |kind: &&Watched| {
                *kind.kind == *object.reference.kind && kind.api_version() == object.api_version
            };
            let Some(kind) = kinds().find(read) else { continue };
            let mut value: Value = object.read_lenient().value.unwrap();
            value["metadata"]["uid"] = json!(object.reference.to_string());
            value["metadata"]["resourceVersion"] = json!(version.to_string());
            value["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
            store.entry(Key::of(&object)).or_insert((kind, value));
        }
    }
    store
}

fn object((kind, value): &(&'static Watched, Value)) -> ClusterEvent {
    let raw: RawObject = serde_json::from_value(value.clone()).unwrap();
    ClusterEvent::Written(Box::new(ClusterObject::new(raw, kind).unwrap()))
}

/// All there is, list by list.
fn lists(store: &Store) -> Vec<ClusterEvent> {
    let mut events: Vec<ClusterEvent> = store.values().map(object).collect();
    for kind in kinds() {
        let is_of = |key: &&Key| store[*key].0 == kind;
        let present = store.keys().filter(is_of).cloned().collect();
        events.push(ClusterEvent::Listed { watch: Selection::all(kind), present });
    }
    events
}

/// What differs, one event each.
fn events(before: &Store, now: &Store) -> Vec<ClusterEvent> {
    let gone = before.iter().filter(|(key, _)| !now.contains_key(*key));
    let mut events: Vec<ClusterEvent> = gone
        .map(|(key, _)| ClusterEvent::Gone {
            key: key.clone(),
            uid: key.reference.to_string().into(),
        })
        .collect();
    events.extend(now.values().map(object));
    events
}

fn pipeline() -> Pipeline {
    Pipeline::of_cluster(ResolveOptions::default(), kinds().map(Selection::all))
}

/// What was heard, taken in.
fn taken(pipeline: &mut Pipeline) -> World {
    pipeline.follow(&Sight::default(), Instant::now()).0
}

/// What is said, wherever that is written; what only files can have is not.
fn said(snapshot: &Snapshot) -> BTreeSet<(String, String, String, String)> {
    let of_files = [codes::DUPLICATE_OBJECT.as_str(), "kind-ignored"];
    let text = |it: &Diagnostic| {
        let object = it.object.as_ref().map_or(String::new(), ToString::to_string);
        (it.code.as_str().to_owned(), object, it.path.0.to_string(), it.message.clone())
    };
    let all = snapshot.diagnostics.iter();
    all.filter(|it| !of_files.contains(&it.code.as_str())).map(text).collect()
}

fn without_diagnostics(snapshot: &Snapshot) -> Snapshot {
    Snapshot { diagnostics: steelyard_model::Diagnostics::default(), ..snapshot.clone() }
}

#[test]
fn objects_of_a_cluster_come_to_what_files_come_to() {
    for seed in 1..=12 {
        let mut folder = Folder::new(seed, &FAULTS[..4]);
        let (mut of_files, mut of_cluster) = (Pipeline::default(), pipeline());
        let mut before = Store::new();
        for round in 0..25 {
            let mut sources = folder.sources();
            // A cluster has none of those.
            sources.retain(|source| !source.name.starts_with(DYNAMIC));
            let now = store(&sources, round);
            let heard = if round % 5 == 0 { lists(&now) } else { events(&before, &now) };
            of_cluster.hear(heard);
            let (files, cluster) = (of_files.update(&sources), taken(&mut of_cluster));
            assert_eq!(said(&cluster.snapshot), said(&files.snapshot), "{seed}, {round}");
            let (files, cluster) = (files.snapshot, cluster.snapshot);
            assert_eq!(
                without_diagnostics(&cluster),
                without_diagnostics(&files),
                "{seed}, {round}"
            );
            before = now;
            folder.edit();
        }
    }
}

/// A list of the same, versions that only count on, and a status that nobody reads.
#[test]
fn what_comes_again_wakes_nobody() {
    let folder = Folder::new(3, &[]);
    let mut pipeline = pipeline();
    pipeline.hear(lists(&store(&folder.sources(), 1)));
    let generation = taken(&mut pipeline).generation;
    let mut later = store(&folder.sources(), 2);
    for (_, value) in later.values_mut() {
        value["metadata"]["generation"] = json!(7);
        value["metadata"]["managedFields"] = json!([{"manager": "steelyard-controller"}]);
        value["status"]["conditions"] = json!([]);
        value["status"]["assignedIPv4"] = json!(3);
    }
    let of_interest = |kind: &Watched| kind.status.contains(&"conditions");
    later.retain(|_, (kind, _)| !of_interest(kind));
    pipeline.hear(later.values().map(object));
    assert!(!pipeline.has_news());
    pipeline.hear(lists(&store(&folder.sources(), 3)));
    assert!(!pipeline.has_news());
    assert_eq!(taken(&mut pipeline).generation, generation + 1, "it was asked all the same");
}

#[test]
fn nothing_is_complete_before_each_kind_was_listed() {
    let mut pipeline = pipeline();
    let mut left: Vec<Selection> = kinds().map(Selection::all).collect();
    while let Some(watch) = left.pop() {
        assert!(pipeline.awaited().contains(&watch));
        pipeline.hear([match left.len() % 2 {
            0 => ClusterEvent::Absent(watch),
            _ => ClusterEvent::Listed { watch, present: BTreeSet::new() },
        }]);
        assert_eq!(pipeline.awaited().is_empty(), left.is_empty());
    }
}

/// What is listed again stands until that is done, or comes to nothing.
#[test]
fn what_is_listed_again_stands_until_the_list_ends() {
    let mut pipeline = pipeline();
    let store = store(&Folder::new(1, &[]).sources(), 1);
    pipeline.hear(lists(&store));
    let before = taken(&mut pipeline).snapshot;
    let services = watched(Role::Everything).iter().find(|it| it.kind == "Service").unwrap();
    let watch = || Selection::all(services);
    let of_kind = store.iter().filter(|(_, it)| it.0.kind == "Service");
    let present: BTreeSet<Key> = of_kind.map(|(key, _)| key.clone()).collect();
    for (ends, stands) in [
        (ClusterEvent::Listed { watch: watch(), present }, true),
        (ClusterEvent::Refused { watch: watch(), verb: Verb::Watch }, true),
        (ClusterEvent::Absent(watch()), false),
        (ClusterEvent::Unwatched(watch()), false),
    ] {
        pipeline.hear([ClusterEvent::Anew(watch())]);
        assert!(pipeline.is_renewing() && pipeline.awaited().is_empty() && !pipeline.has_news());
        pipeline.hear([ends]);
        assert!(!pipeline.is_renewing());
        let now = without_diagnostics(&taken(&mut pipeline).snapshot);
        assert_eq!(now == without_diagnostics(&before), stands);
        pipeline.hear(lists(&store));
        taken(&mut pipeline);
    }
}

/// What may not be looked at stands, and it is said what is not allowed; until it is again.
#[test]
fn what_is_refused_stands() {
    let mut pipeline = pipeline();
    let sources = Folder::new(1, &[]).sources();
    let store = store(&sources, 1);
    pipeline.hear(lists(&store));
    let before = taken(&mut pipeline);
    let services = watched(Role::Everything).iter().find(|it| it.kind == "Service").unwrap();
    let (watch, verb) = (Selection::all(services), Verb::Watch);
    pipeline.hear([ClusterEvent::Refused { watch, verb }]);
    let refused = taken(&mut pipeline);
    assert_eq!(without_diagnostics(&refused.snapshot), without_diagnostics(&before.snapshot));
    let all = refused.snapshot.diagnostics.iter();
    let found: Vec<_> = all.filter(|it| it.code == codes::ACCESS_REFUSED).collect();
    assert!(matches!(&found[..], [one] if one.message.contains("watch services")), "{found:?}");
    pipeline.hear(lists(&store));
    assert_eq!(taken(&mut pipeline).snapshot, before.snapshot);
}

/// A Secret is asked for by whoever refers to it, also before it is there, and no longer.
#[test]
fn secrets_are_wanted_as_far_as_they_are_referred_to() {
    let text = |secret: &str| {
        let text = format!(
            "{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: r}}, spec: \
             {{tls: [{{hosts: [a.b], secretName: {secret}}}], rules: [{{host: a.b, http: {{paths: \
             [{{path: /, pathType: Prefix, backend: {{service: {{name: one, port: {{number: \
             80}}}}}}}}]}}}}]}}}}\n---\n{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, \
             type: kubernetes.io/tls, data: {{tls.crt: '', tls.key: ''}}}}"
        );
        [Source::new("a", text.into_bytes())]
    };
    let mut pipeline = pipeline();
    let wanted = |pipeline: &mut Pipeline| {
        let needed = taken(pipeline).needed;
        needed.iter().map(|it| it.id.to_string()).collect::<Vec<_>>()
    };
    let (first, second) = (store(&text("s"), 1), store(&text("t"), 2));
    pipeline.hear(lists(&first));
    assert_eq!(wanted(&mut pipeline), ["default/s"]);
    pipeline.hear(events(&first, &second));
    assert_eq!(wanted(&mut pipeline), ["default/t"]);
    pipeline.hear(events(&second, &Store::new()));
    assert_eq!(wanted(&mut pipeline), [""; 0]);

    let default_certificate = Some(NamespacedName::new("a", "for-all"));
    let options = ResolveOptions { default_certificate, ..ResolveOptions::default() };
    let mut pipeline = Pipeline::of_cluster(options, kinds().map(Selection::all));
    pipeline.hear(lists(&first));
    assert_eq!(wanted(&mut pipeline), ["a/for-all", "default/s"]);
}

/// Of an object that was made anew, what is heard late of the former one says nothing.
#[test]
fn another_object_of_the_name_stays() {
    let mut pipeline = pipeline();
    let sources =
        [Source::new("a", &b"{apiVersion: v1, kind: Namespace, metadata: {name: a}}"[..])];
    let mut store = store(&sources, 1);
    pipeline.hear(lists(&store));
    let key = store.keys().next().unwrap().clone();
    store.get_mut(&key).unwrap().1["metadata"]["uid"] = json!("another");
    pipeline.hear(lists(&store));
    let uid = key.reference.to_string().into();
    pipeline.hear([ClusterEvent::Gone { key: key.clone(), uid }]);
    assert!(taken(&mut pipeline).has_kind("Namespace"));
    pipeline.hear([ClusterEvent::Gone { key, uid: "another".into() }]);
    assert!(!taken(&mut pipeline).has_kind("Namespace"));
}
