use serde_json::json;

use super::*;

fn peer(version: &str, spec: Value) -> Value {
    let metadata = json!({ "name": "router", "namespace": "steelyard-system" });
    json!({ "apiVersion": version, "kind": "BGPPeer", "metadata": metadata, "spec": spec })
}

fn converted(object: &Value, version: &str) -> Value {
    to_version(object.clone(), &json!(version)).expect("a peer")
}

#[test]
fn what_both_have_stays_as_it_is() {
    let fields = SHARED.iter().map(|name| ((*name).to_owned(), json!([*name])));
    let spec = Value::Object(fields.collect());
    for (from, to) in [(OLD, NEW), (NEW, OLD), (OLD, OLD), (NEW, NEW)] {
        assert_eq!(converted(&peer(from, spec.clone()), to), peer(to, spec.clone()));
    }
}

/// A client of the old version reads and writes a peer that uses the new one.
#[test]
fn nothing_is_lost_there_and_back() {
    let spec = json!({ "myASN": 64512, "vrf": "red", "passwordSecret": { "name": "s" } });
    let new = peer(NEW, spec);
    let mut old = converted(&new, OLD);
    assert_eq!(old["spec"], json!({ "myASN": 64512 }));
    assert!(old["metadata"]["annotations"][KEPT].is_string());
    assert_eq!(converted(&old, NEW), new);
    old["spec"]["myASN"] = json!(64513);
    let edited = converted(&old, NEW);
    assert_eq!(edited["spec"]["myASN"], 64513);
    assert_eq!(edited["spec"]["vrf"], "red");
}

#[test]
fn other_annotations_stay() {
    let mut new = peer(NEW, json!({ "vrf": "red" }));
    new["metadata"]["annotations"] = json!({ "a": "b" });
    assert_eq!(converted(&converted(&new, OLD), NEW), new);
}

/// What somebody else wrote into the annotation does no harm.
#[test]
fn an_annotation_is_not_believed() {
    for (text, vrf) in
        [(r#"{"myASN": 1, "vrf": "red"}"#, json!("red")), ("{", Value::Null), ("[]", Value::Null)]
    {
        let mut old = peer(OLD, json!({ "myASN": 64512 }));
        old["metadata"]["annotations"] = json!({ KEPT: text });
        let new = converted(&old, NEW);
        assert_eq!((&new["spec"]["myASN"], &new["spec"]["vrf"]), (&json!(64512), &vrf), "{text}");
        assert_eq!(new["metadata"]["annotations"], Value::Null);
    }
    let mut old = peer(OLD, Value::Null);
    old["metadata"]["annotations"] = json!({ KEPT: r#"{"vrf": "red"}"# });
    assert_eq!(converted(&old, NEW)["spec"], Value::Null);
}

#[test]
fn what_is_no_peer_is_refused() {
    for (version, kind, metadata, wanted) in [
        ("metallb.io/v1alpha1", "BGPPeer", json!({}), NEW),
        (OLD, "BFDProfile", json!({}), NEW),
        (OLD, "BGPPeer", json!(1), NEW),
        (OLD, "BGPPeer", json!({}), "metallb.io/v1"),
    ] {
        let object = json!({ "apiVersion": version, "kind": kind, "metadata": metadata });
        assert!(to_version(object, &json!(wanted)).is_err(), "{version} {kind} {wanted}");
    }
}
