//! Objects as types.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::loaded;
use crate::kinds::file::FileRouter;
use crate::tree::Plain;
use crate::{Read, ReadLimits, Source, load_dynamic, render};

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
struct Thing {
    metadata: Meta,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Meta {
    name: String,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    auto_assign: Option<bool>,
    addresses: Vec<String>,
    port: u16,
    weight: i64,
    share: f64,
    mode: Option<Mode>,
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Mode {
    Local,
    Cluster,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Part {
    name: String,
    #[serde(default)]
    size: u8,
}

const HEAD: &str = "apiVersion: a/v1\nkind: Thing\nmetadata: {name: a}\nspec:\n";

fn read(spec: &str) -> Read<Thing> {
    loaded(format!("{HEAD}{spec}").as_bytes()).objects[0].read()
}

/// Findings as `line:column path: message (help)`.
fn findings(spec: &str) -> Vec<String> {
    let found = read(spec).diagnostics.into_iter().map(|found| {
        let at = found.location.unwrap();
        let (path, message, help) = (found.path, found.message, found.help);
        format!("{}:{} {path}: {message} ({help})", at.line, at.column)
    });
    found.collect()
}

#[test]
fn values_are_read_as_the_api_server_reads_them() {
    let spec = "  autoAssign: no\n  addresses:\n  - 10.0.0.1\n  - '8080'\n  - 2001-01-01\n  port: 0x50\n  \
                weight: -1_000\n  share: 1\n  mode: Local\n  parts: [{name: a, size: 3.0}]\n";
    let Read { value, diagnostics, .. } = read(spec);
    assert_eq!(diagnostics, []);
    let spec = value.unwrap().spec;
    assert_eq!(spec.auto_assign, Some(false));
    assert_eq!(spec.addresses, ["10.0.0.1", "8080", "2001-01-01"]);
    assert_eq!((spec.port, spec.weight, spec.mode), (80, -1000, Some(Mode::Local)));
    assert_eq!(spec.parts, [Part { name: "a".to_owned(), size: 3 }]);
}

#[test]
fn null_is_absence() {
    let Read { value, diagnostics, .. } = read("  autoAssign: ~\n  addresses:\n  port: null\n");
    assert_eq!((value.unwrap().spec, diagnostics), (Spec::default(), vec![]));
    let text = HEAD.replace("{name: a}", "{name: a, labels: {b: , c: d}}");
    let thing: Thing = loaded(text.as_bytes()).objects[0].read().value.unwrap();
    assert_eq!(thing.metadata.labels["b"], "");
}

#[test]
fn merged_and_aliased_values_are_read() {
    let spec = "  parts:\n  - &a {name: one, size: 1}\n  - <<: *a\n    name: two\n  - *a\n";
    let parts = read(spec).value.unwrap().spec.parts;
    let names: Vec<(&str, u8)> = parts.iter().map(|part| (&*part.name, part.size)).collect();
    assert_eq!(names, [("one", 1), ("two", 1), ("one", 1)]);
}

/// `spec`, and what is said about it.
const WRONG: &[(&str, &str)] = &[
    (
        "  autoAssign: \"yes\"\n",
        "5:15 spec.autoAssign: `spec.autoAssign` wants a boolean, but this is the string \"yes\" \
         (remove the quotes: `yes`)",
    ),
    (
        "  autoAssign: maybe\n",
        "5:15 spec.autoAssign: `spec.autoAssign` wants a boolean, but this is the string \"maybe\" \
         (write `true` or `false`)",
    ),
    (
        "  addresses: [8080]\n",
        "5:15 spec.addresses[0]: `spec.addresses[0]` wants a string, but this is the number 8080 \
         (put it in quotes: \"8080\")",
    ),
    (
        "  addresses: [on]\n",
        "5:15 spec.addresses[0]: `spec.addresses[0]` wants a string, but this is `on` without \
         quotes, which YAML reads as the boolean true (put it in quotes: \"on\")",
    ),
    (
        "  addresses: 10.0.0.1\n",
        "5:14 spec.addresses: `spec.addresses` wants a list, but this is the string \"10.0.0.1\" \
         (write it as a list: `[10.0.0.1]`)",
    ),
    (
        "  addresses:\n    a: b\n",
        "5:3 spec.addresses: `spec.addresses` wants a list, but this is a mapping \
         (write it as a list, with `- ` before each item)",
    ),
    (
        "  port: 70000\n",
        "5:9 spec.port: `spec.port` wants a whole number from 0 to 65535, but this is the number \
         70000 (write a whole number from 0 to 65535)",
    ),
    (
        "  port: '80'\n",
        "5:9 spec.port: `spec.port` wants a whole number from 0 to 65535, but this is the string \
         \"80\" (remove the quotes: `80`)",
    ),
    (
        "  weight: 1.5\n",
        "5:11 spec.weight: `spec.weight` wants a whole number, but this is the number 1.5 \
         (write a whole number)",
    ),
    (
        "  share: half\n",
        "5:10 spec.share: `spec.share` wants a number, but this is the string \"half\" \
         (write a number)",
    ),
    ("  mode: Locale\n", "5:9 spec.mode: `spec.mode` cannot be \"Locale\" (did you mean `Local`?)"),
    (
        "  mode: Other\n",
        "5:9 spec.mode: `spec.mode` cannot be \"Other\" (write one of `Local`, `Cluster`)",
    ),
    (
        "  parts: [{size: 1}]\n",
        "5:11 spec.parts[0]: `spec.parts[0]` lacks the field `name` (add `name:`)",
    ),
    (
        "  parts: [~]\n",
        "5:11 spec.parts[0]: `spec.parts[0]` wants a mapping, but this is empty (null) \
         (write its fields below it, indented, as `key: value`)",
    ),
    (
        "  adresses: [a]\n",
        "5:3 spec.adresses: `spec` has no field `adresses`; it is ignored \
         (did you mean `addresses`?)",
    ),
    (
        "  AUTOASSIGN: true\n",
        "5:3 spec.AUTOASSIGN: `spec` has no field `AUTOASSIGN`; it is ignored \
         (did you mean `autoAssign`?)",
    ),
    (
        "  parts: [{name: a, colour: b}]\n",
        "5:21 spec.parts[0].colour: `spec.parts[0]` has no field `colour`; it is ignored \
         (remove it; the fields here are `name`, `size`)",
    ),
    ("sepc: {}\n", "5:1 sepc: Thing has no field `sepc`; it is ignored (did you mean `spec`?)"),
];

#[test]
fn wrong_values_are_explained() {
    for (spec, expected) in WRONG {
        assert_eq!(findings(spec), [*expected], "{spec}");
    }
}

#[test]
fn every_wrong_value_and_unknown_field_is_found_at_once() {
    let spec = "  autoAssign: 5\n  extra: 1\n  addresses: [1, a, 2]\n  port: x\n  parts:\n  \
                - {name: 1, sise: 4}\n  - {name: b, size: 999}\n  - {}\nmore: 1\n";
    let Read { value, diagnostics, .. } = read(spec);
    assert_eq!(value, None);
    let paths: Vec<&str> = diagnostics.iter().map(|found| &*found.path.0).collect();
    let expected = [
        "spec.autoAssign",
        "spec.addresses[0]",
        "spec.addresses[2]",
        "spec.port",
        "spec.parts[0].name",
        "spec.parts[1].size",
        "spec.parts[2]",
        "spec.extra",
        "spec.parts[0].sise",
        "more",
    ];
    assert_eq!(paths, expected, "{}", render::text(&diagnostics, &[], false));
}

#[test]
fn lenient_reading_says_nothing_of_unknown_fields() {
    let text = format!("{HEAD}  extra: 1\n  port: 1\nmore: 2\n");
    let read = loaded(text.as_bytes()).objects[0].read_lenient::<Thing>();
    assert_eq!((read.value.unwrap().spec.port, read.diagnostics), (1, vec![]));
}

#[test]
fn what_servers_add_is_not_unknown() {
    let text = "apiVersion: a/v1\nkind: Thing\nmetadata: {name: a, uid: b, managedFields: [{}]}\n\
                status: {a: b}\n";
    assert_eq!(loaded(text.as_bytes()).objects[0].read::<Thing>().diagnostics, []);
}

#[test]
fn a_broken_root_field_is_one_finding() {
    let object =
        &loaded(b"apiVersion: a/v1\nkind: Thing\nmetadata: {name: a}\nspec: 5\n").objects[0];
    let found = object.read::<Thing>().diagnostics;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].location.as_ref().unwrap().to_string(), "a.yaml:4:7");
}

#[test]
fn findings_about_one_object_are_bounded() {
    let unknown: String = (0..1000).map(|key| format!("  k{key}: 1\n")).collect();
    let wrong = "  - port\n".repeat(1000);
    let found = read(&format!("{unknown}  parts:\n{wrong}")).diagnostics;
    assert!((50..=100).contains(&found.len()), "{}", found.len());
}

#[test]
fn plain_scalars() {
    use Plain::{Bool, Float, Int, Null, Text};
    let cases: &[(&str, Plain<'_>)] = &[
        ("", Null),
        ("~", Null),
        ("null", Null),
        ("nUll", Text("nUll")),
        ("yes", Bool(true)),
        ("Off", Bool(false)),
        ("y", Bool(true)),
        ("tRue", Text("tRue")),
        ("0", Int(0)),
        ("-7", Int(-7)),
        ("+7", Int(7)),
        ("010", Int(8)),
        ("0o10", Int(8)),
        ("0x1F", Int(31)),
        ("0b11", Int(3)),
        ("1_000", Int(1000)),
        ("09", Float(9.0)),
        ("1.5", Float(1.5)),
        (".5", Float(0.5)),
        ("1e3", Float(1000.0)),
        ("-.inf", Float(f64::NEG_INFINITY)),
        ("18446744073709551615", Int(18_446_744_073_709_551_615)),
        ("1:20", Text("1:20")),
        ("10.0.0.1", Text("10.0.0.1")),
        ("10.0.0.0/24", Text("10.0.0.0/24")),
        ("::1", Text("::1")),
        ("2001:db8::1", Text("2001:db8::1")),
        ("2024-01-01T00:00:00Z", Text("2024-01-01T00:00:00Z")),
        ("-", Text("-")),
        ("--1", Text("--1")),
        ("+-1", Text("+-1")),
        (".", Text(".")),
        ("0x", Text("0x")),
        ("1e", Text("1e")),
        ("inf", Text("inf")),
        ("-inf", Text("-inf")),
        ("é", Text("é")),
    ];
    for (text, expected) in cases {
        assert_eq!(Plain::of(text), *expected, "{text}");
    }
}

#[test]
fn a_peer_in_the_other_version() {
    use crate::kinds::metallb::{BgpPeer, BgpPeerSpec, BgpPeerSpecV1Beta1, BgpPeerV1Beta1};
    let shared = "myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, sourceAddress: 10.0.0.2, \
                  holdTime: 90s, keepaliveTime: 30s, routerID: 10.0.0.2, password: secret, \
                  bfdProfile: fast, ebgpMultiHop: true, nodeSelectors: [{matchLabels: {a: b}}]";
    let spec = |more: &str| format!("spec: {{{shared}{more}}}");
    let object = |more: &str| {
        let text =
            format!("apiVersion: a/v1\nkind: BGPPeer\nmetadata: {{name: p}}\n{}", spec(more));
        loaded(text.as_bytes()).objects.remove(0)
    };
    let new =
        |more: &str| object(more).read::<BgpPeer>().value.and_then(|it| it.spec).expect("a peer");
    let old = object(", peerPort: 0").read::<BgpPeerV1Beta1>();
    let old = old.value.and_then(|it| it.spec).expect("a peer");
    assert_eq!(BgpPeerSpec::from(old), new(""), "port 0 is the usual one");
    let lost = ", vrf: red, localASN: 3, connectTime: 10s, passwordSecret: {name: a}";
    let down = BgpPeerSpecV1Beta1::from(new(lost));
    assert_eq!(BgpPeerSpec::from(down), new(""), "v1beta1 cannot say the rest");
}

/// A tag that is nobody's says nothing of a value: `no` is the text that it is without.
#[test]
fn tags_of_ones_own() {
    let text = "http: {routers: {r: {middlewares: [no, !foo no, !!str no], service: !foo on}}}\n";
    let source = Source::new("a.yml", text.as_bytes());
    let object = load_dynamic(&source, &ReadLimits::default()).objects.remove(0);
    let router: FileRouter = object.read().value.expect("it is read");
    assert_eq!(router.middlewares.as_deref(), Some(&["no", "no", "no"].map(String::from)[..]));
    assert_eq!(router.service.as_deref(), Some("on"));
}
