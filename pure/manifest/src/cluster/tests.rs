use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use steelyard_model::FieldPath;

use super::*;
use crate::watched::{Breadth, Role, watched};
use crate::written::Written;
use crate::{exercise_cluster, kinds};

fn kind(role: Role, name: &str) -> &'static Watched {
    watched(role).iter().find(|kind| kind.kind == name).unwrap()
}

fn sent(value: Value, kind: &'static Watched) -> Result<ClusterObject, NoObject> {
    ClusterObject::new(serde_json::from_value(value).unwrap(), kind)
}

fn service() -> Value {
    json!({"metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7",
                        "managedFields": [{"manager": "kubectl"}],
                        "annotations": {"a": "b", LAST_APPLIED: "{}"}},
           "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})
}

#[test]
fn an_object_of_a_list_is_of_the_kind_that_was_asked_for() {
    let object = sent(service(), kind(Role::Speaker, "Service")).unwrap();
    assert_eq!(object.object.reference.to_string(), "Service/shop/web");
    assert_eq!((&*object.object.api_version, object.object.group()), ("v1", ""));
    let origin = &object.origin;
    assert_eq!((&*origin.uid(), &*origin.resource_version()), ("u", "7"));
    assert_eq!(object.object.locate(&FieldPath::from("spec")).to_string(), "cluster");
    let read = object.object.read::<kinds::service::Service>();
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    assert_eq!(read.value.unwrap().spec.unwrap().ports.unwrap()[0].port, Some(80));
}

#[test]
fn what_is_no_object_of_the_kind_is_none() {
    let mut other = service();
    other["kind"] = json!("Pod");
    let mut newer = service();
    newer["apiVersion"] = json!("v2");
    let without = |key: &str| {
        let mut object = service();
        object["metadata"].as_object_mut().unwrap().remove(key);
        object
    };
    for value in [other, newer, without("name"), without("uid"), without("resourceVersion")] {
        let of = kind(Role::Speaker, "Service");
        assert_eq!(sent(value.clone(), of).err(), Some(NoObject), "{value}");
    }
    assert!(serde_json::from_str::<RawObject>("[]").is_err());
}

/// Nobody reads what kubectl applied; who wrote what is read by whoever writes.
#[test]
fn what_nobody_reads_is_dropped() {
    let left = |role| {
        let object = sent(service(), kind(role, "Service")).unwrap().object;
        let value: Value = object.read_lenient().value.unwrap();
        assert_eq!(value["metadata"]["annotations"], json!({"a": "b"}));
        value["metadata"]["managedFields"].is_array()
    };
    assert!(left(Role::Controller) && !left(Role::Speaker) && !left(Role::Gateway));
}

#[test]
fn what_counts_as_a_change_is_what_is_read() {
    let of = kind(Role::Controller, "Service");
    let written = |value: Value| Written::of(&sent(value, of).unwrap().object);
    let with = |pointer: &str, value: Value| {
        let mut object = service();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match object.pointer_mut(parent) {
            Some(parent) => parent[key] = value,
            None => object["status"] = json!({ key: value }),
        }
        written(object)
    };
    let plain = written(service());
    for (pointer, value) in [
        ("/metadata/resourceVersion", json!("8")),
        ("/metadata/generation", json!(2)),
        ("/metadata/uid", json!("v")),
        ("/metadata/managedFields", json!([])),
        ("/metadata/ownerReferences", json!([])),
        ("/status/conditions", json!([{"type": "Told", "status": "True"}])),
        ("/kind", json!("Service")),
        ("/apiVersion", json!("v1")),
    ] {
        assert!(with(pointer, value).is_like(&plain), "{pointer}");
    }
    for (pointer, value) in [
        ("/metadata/labels", json!({"a": "b"})),
        ("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z")),
        ("/status/loadBalancer", json!({"ingress": [{"ip": "192.0.2.1"}]})),
        ("/spec/type", json!("ClusterIP")),
        ("/spec/type", json!(1)),
    ] {
        assert!(!with(pointer, value).is_like(&plain), "{pointer}");
    }
}

/// A kubelet says each few minutes that a node is well.
#[test]
fn of_conditions_it_counts_what_they_are() {
    let node = |status: &str, heard: &str| {
        let object = json!({"metadata": {"name": "n", "uid": "u", "resourceVersion": "1"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                       "images": [{"names": [heard]}],
                       "conditions": [{"type": "Ready", "status": status,
                                       "lastHeartbeatTime": heard}]}});
        Written::of(&sent(object, kind(Role::Speaker, "Node")).unwrap().object)
    };
    assert!(node("True", "1").is_like(&node("True", "2")));
    assert!(!node("True", "1").is_like(&node("False", "1")));
}

#[test]
fn whoever_reads_all_reads_what_each_role_reads() {
    let names =
        |role| watched(role).iter().map(|kind| (kind.group, kind.kind, kind.version)).collect();
    let all: BTreeSet<_> = names(Role::Everything);
    for role in [Role::Controller, Role::Speaker, Role::Gateway] {
        let read: BTreeSet<_> = names(role);
        assert!(read.is_subset(&all), "{role:?}");
        assert_eq!(read.len(), watched(role).len(), "{role:?} reads a kind twice");
        let secrets = watched(role).iter().filter(|kind| kind.kind == "Secret");
        assert!(secrets.into_iter().all(|kind| kind.breadth == Breadth::Named), "{role:?}");
    }
}

#[test]
fn paths_are_those_of_the_api() {
    let pools = kind(Role::Everything, "IPAddressPool");
    let secrets = kind(Role::Everything, "Secret");
    let nodes = kind(Role::Everything, "Node");
    let paths: BTreeMap<&str, Selection> = [
        ("/apis/metallb.io/v1beta1/ipaddresspools?", Selection::all(pools)),
        ("/api/v1/nodes?", Selection::all(nodes)),
        (
            "/api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Dcert&",
            Selection::one(secrets, "shop", "cert"),
        ),
    ]
    .into();
    for (path, selection) in &paths {
        assert_eq!(selection.path(), *path);
    }
    assert_eq!(pools.to_string(), "ipaddresspools.metallb.io");
    let named = Selection::one(secrets, "shop", "cert").to_string();
    assert_eq!(named, "secrets `cert` in namespace shop");
}

#[test]
fn the_fuzz_corpus_of_clusters_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/cluster");
    let mut count = 0;
    for file in std::fs::read_dir(&folder).expect("the corpus folder is committed") {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        if let Ok(raw) = serde_json::from_slice(&bytes) {
            exercise_cluster(&raw);
        }
        count += 1;
    }
    assert!(count >= 10, "the corpus has only {count} files");
}

/// Anything, with keys that mean something at many places.
fn anything() -> impl Strategy<Value = Value> {
    const KEYS: [&str; 14] = [
        "annotations",
        "apiVersion",
        "conditions",
        "generation",
        "kind",
        "managedFields",
        "metadata",
        "name",
        "namespace",
        "ports",
        "resourceVersion",
        "spec",
        "status",
        "uid",
    ];
    const WORDS: [&str; 8] = ["", "a", "Service", "v1", "Node", "7", "{{ x }}", "true"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(&WORDS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key = proptest::sample::select(&KEYS[..]).prop_map(str::to_owned);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| Value::from(map.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_that_is_sent_does_harm(mut value in anything(), is_named: bool) {
        if is_named && let Some(object) = value.as_object_mut() {
            let named = json!({"name": "a", "uid": "u", "resourceVersion": "1"});
            let metadata = object.entry("metadata").or_insert_with(|| named.clone());
            if let (Some(metadata), Value::Object(named)) = (metadata.as_object_mut(), named) {
                metadata.extend(named);
            }
            object.remove("kind");
            object.remove("apiVersion");
        }
        if let Ok(raw) = serde_json::from_value(value) {
            exercise_cluster(&raw);
        }
    }
}
