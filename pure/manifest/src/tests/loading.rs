//! What becomes of files.

use super::{loaded, outcome};
use crate::{ReadLimits, Reread, Source, SourceText, Written, load, merge, place};
use steelyard_model::{Diagnostic, FieldPath, ObjectRef, Severity};

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n";

/// Text, and its [`outcome`].
const CASES: &[(&str, &str)] = &[
    // Objects, as people write them.
    ("", ""),
    ("# nothing but a comment\n", ""),
    ("---\n---\n...\n---\nnull\n", ""),
    ("apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n", "Service/default/web"),
    ("---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: a}\n", "Service/a/web"),
    (
        "\u{feff}apiVersion: v1\r\nkind: Service\r\nmetadata:\r\n  name: web\r\n",
        "Service/default/web",
    ),
    ("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n", "Namespace/a"),
    ("apiVersion: v1\nkind: Node\nmetadata: {name: \"1\"}\n", "Node/1"),
    (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'a:b'}\n",
        "ClusterRole/a:b",
    ),
    (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n  \
         metadata: {name: a}\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: b}\n",
        "Service/default/a; Pod/default/b",
    ),
    (
        "apiVersion: v1\nkind: ServiceList\nmetadata: {resourceVersion: ''}\nitems:\n\
         - metadata: {name: a}\n",
        "Service/default/a",
    ),
    ("apiVersion: v1\nkind: List\nitems: []\n", ""),
    ("apiVersion: v1\nkind: List\nitems:\n", ""),
    (
        "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Service\",\n\t\"metadata\": {\"name\": \"we\\u0062\"}\n}\n",
        "Service/default/web",
    ),
    (
        "x-names: &names {name: web}\napiVersion: v1\nkind: Service\nmetadata:\n  <<: *names\n  \
         namespace: a\n",
        "Service/a/web",
    ),
    (
        "apiVersion: v1\nkind: &k Service\nmetadata: &m\n  name: web\n  labels: {kind: *k}\n",
        "Service/default/web",
    ),
    (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, <<: [{name: b}, {namespace: c}]}\n",
        "Pod/c/a",
    ),
    // A mistake costs its document only.
    (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\na: [\n---\napiVersion: v1\nkind: \
         Pod\nmetadata: {name: b}\n",
        "Pod/default/a; Pod/default/b; 5:4 error yaml-syntax; broken",
    ),
    (
        "a: 1\na: 2\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
        "Pod/default/b; 2:1 error duplicate-key; broken",
    ),
    // Syntax.
    ("a:\n\tb: 1\n", "2:2 error yaml-syntax; broken"),
    ("a: \"b\n", "1:6 error yaml-syntax; broken"),
    ("a: b: c\n", "1:5 error yaml-syntax; broken"),
    ("a: *b\n", "1:4 error yaml-syntax; broken"),
    ("? [a, b]\n: c\n", "1:3 error yaml-syntax; broken"),
    ("{{ .Values.a }}: b\n", "1:1 error not-rendered; broken"),
    ("a: 1\n<<: 5\n", "2:5 error yaml-syntax; broken"),
    ("a: &a [*a]\n", "1:8 error yaml-too-complex; broken"),
    // What an object must say about itself.
    ("a: b\n", "1:1 info not-an-object"),
    ("spec: b\n", "1:1 warning not-an-object"),
    ("- a\n", "1:1 info not-an-object"),
    ("- hosts: all\n  tasks: []\n", "1:1 info not-an-object"),
    ("services: {web: {image: nginx}}\n", "1:1 info not-an-object"),
    ("apiVersion: v2\nname: web\nversion: 1.0.0\n", "1:1 warning build-needed"),
    ("- apiVersion: v1\n  kind: Pod\n", "1:1 error object-incomplete; broken"),
    ("apiVersion: helm.x/v2\nkind: Release\nmetadata: {name: a/b}\n", "3:18 info not-an-object"),
    // Several JSON values.
    (
        "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a}\\\"\"}}\n\
         {\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"b\"}}\n",
        "Pod/default/b; 1:58 error object-name; broken",
    ),
    (
        "{\"kind\": \"Pod\"}{\"kind\": 5}\n{\n\"kind\": 6}",
        "1:1 info not-an-object; 1:25 error wrong-type; 3:9 error wrong-type; broken",
    ),
    // What is not what it seems.
    (
        "apiVersion: v1\nkind: S\u{435}rvice\nmetadata: {name: a}\n",
        "2:8 error lookalike-character; broken",
    ),
    (
        "\u{200b}apiVersion: v1\nkind: Service\nmetadata: {name: a}\n",
        "1:1 error lookalike-character; broken",
    ),
    (
        "apiVersion: v1\nkind: Service\nmetadata:\n\u{a0} name: a\n",
        "4:1 error lookalike-character; broken",
    ),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: '${APP}'}\n", "3:18 error not-rendered; broken"),
    ("{% for x in y %}\nkind: Pod\n{% endfor %}\n", "1:1 error not-rendered; broken"),
    (
        "#@ load(\"@ytt:data\", \"data\")\nkind: Pod\nmetadata: {name: #@ data.values.name\n}\n",
        "1:1 error not-rendered; broken",
    ),
    ("hello\n", "1:1 error object-incomplete; broken"),
    ("kind: Service\nmetadata: {name: web}\n", "1:7 error object-incomplete; broken"),
    ("apiVersion: v1\nmetadata: {name: web}\n", "1:13 error object-incomplete; broken"),
    ("apiVersion: v1\nkind: Service\n", "2:7 error object-incomplete; broken"),
    ("apiVersion: v1\nkind: Pod\nmetadata:\n", "3:1 error object-incomplete; broken"),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: ''}\n", "3:11 error object-incomplete; broken"),
    (
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n",
        "3:11 error object-incomplete; broken",
    ),
    ("apiVersion: v1\nkind: Pod\nmetadata: web\n", "3:11 error wrong-type; broken"),
    ("apiVersion: 1\nkind: Pod\nmetadata: {name: a}\n", "1:13 error wrong-type; broken"),
    ("apiVersion: v1\nkind: [Pod]\nmetadata: {name: a}\n", "2:7 error wrong-type; broken"),
    ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: 8080\n", "4:9 error wrong-type; broken"),
    ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: yes\n", "4:9 error wrong-type; broken"),
    (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: My_Pod\n",
        "Pod/default/My_Pod; 4:9 warning object-name",
    ),
    (
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: a.b\n",
        "Service/default/a.b; 4:9 warning object-name",
    ),
    (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: A\n",
        "Pod/A/a; 5:14 warning object-name",
    ),
    ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a/b\n", "4:9 error object-name; broken"),
    ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: ..\n", "4:9 error object-name; broken"),
    (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: a b\n",
        "5:14 error object-name; broken",
    ),
    (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n",
        "2:7 info not-an-object",
    ),
    (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: web\n",
        "2:7 warning build-needed",
    ),
    ("apiVersion: v1\nkind: List\nitems:\n- 5\n", "4:3 error object-incomplete; broken"),
];

#[test]
fn texts_become_objects_or_findings() {
    let wrong: Vec<_> = CASES
        .iter()
        .map(|(text, expected)| (outcome(text.as_bytes()), expected, text))
        .filter(|(outcome, expected, _)| outcome != *expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Texts that are no YAML, and words of the help.
const HELPS: &[(&str, &str)] = &[
    ("a:\n\tb: 1\n", "indent with spaces"),
    ("a: \"b\nc: d\n", "closing quote"),
    ("a: [b\n", "closing `]`"),
    ("a: ]\n", "remove it"),
    ("a: @b\n", "in quotes"),
    ("a: *b*\n", "in quotes"),
    ("a: !b!c d\n", "in quotes"),
    ("a: \"b\" c\n", "in the quotes"),
    ("a: \"\\y\"\n", "write the backslash twice"),
    ("a: b: c\n", "contains `: `"),
    ("a:\n    b: c\n  d: e\n", "line it up"),
    ("a: b\nc\nd: e\n", "space after the colon"),
    ("a: {{ .b }}\n", "helm template"),
    ("a:\n{{- if b }}\n  c: d\n", "helm template"),
    ("<<<<<<< HEAD\na: b\n=======\na: c\n>>>>>>> x\n", "merge conflict"),
];

#[test]
fn help_fits_the_mistake() {
    for (text, words) in HELPS {
        let found = &loaded(text.as_bytes()).diagnostics[0];
        assert!(found.help.contains(words), "{text}{} ({})", found.message, found.help);
        let is_template = text.contains("{{");
        assert_eq!(found.code == crate::codes::NOT_RENDERED, is_template, "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let utf16: Vec<u8> = SERVICE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xff, 0xfe], &utf16[..]].concat();
    let unreadable = |place: &str| format!("{place} error file-unreadable; broken");
    assert_eq!(outcome(&utf16), unreadable("1:1"));
    assert_eq!(outcome(&marked), unreadable("1:1"));
    assert_eq!(outcome(b"a: b\nc: \xe9t\xe9\n"), unreadable("2:4"));
    assert_eq!(outcome(b"\x7fELF\x02\x01\x01\0\0\0"), unreadable("1:8"));
    assert_eq!(outcome("ä: \u{0}".as_bytes()), unreadable("1:4"));
}

#[test]
fn unreadable_and_large_files_are_named() {
    let failed = Source::failed("a.yaml", "permission denied");
    let message = &load(&failed, &ReadLimits::default()).diagnostics[0].message;
    assert_eq!(message, "a.yaml cannot be read: permission denied");
    let unread = Source::of("a.yaml", SourceText::TooLarge(100 << 20));
    let loaded = load(&unread, &ReadLimits::default());
    assert!(loaded.broken);
    let message = &loaded.diagnostics[0].message;
    assert!(message.starts_with("a.yaml has 100 MiB, more than the "), "{message}");
    let limits = ReadLimits { file_bytes: 10, ..ReadLimits::default() };
    let large = load(&Source::new("a.yaml", SERVICE.as_bytes()), &limits);
    assert_eq!(large.diagnostics[0].code, crate::codes::FILE_UNREADABLE);
}

#[test]
fn aliases_of_aliases_are_bounded() {
    let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (before, this) in ('a'..='y').zip('b'..='z') {
        let items = format!("*{before},").repeat(10);
        text.push_str(&format!("{this}: &{this} [{items}]\n"));
    }
    text.push_str("---\na: b\n");
    assert_eq!(outcome(text.as_bytes()), "7:11 error yaml-too-complex; broken");
}

#[test]
fn nesting_is_bounded_also_through_aliases() {
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert!(outcome(text.as_bytes()).contains("yaml-too-complex"), "{}", &text[..4]);
    }
    let mut text = "a0: &a0 x\n".to_owned();
    for level in 1..200 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(outcome(text.as_bytes()).contains("yaml-too-complex"));
}

#[test]
fn many_problems_end_the_file() {
    let broken = "---\nspec: b\n".repeat(10_000);
    let loaded = loaded(broken.as_bytes());
    assert_eq!((loaded.diagnostics.len(), loaded.broken), (ReadLimits::default().problems, true));
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{}", "- a: b\n".repeat(10_000));
    assert_eq!(super::loaded(list.as_bytes()).diagnostics.len(), ReadLimits::default().problems);
}

#[test]
fn a_large_mapping_still_finds_a_repeated_key() {
    let keys: String = (0..100).map(|key| format!("k{key}: v\n")).collect();
    for repeated in [3, 15, 16, 17, 99] {
        let text = format!("{keys}k{repeated}: v\n");
        assert_eq!(outcome(text.as_bytes()), "101:1 info not-an-object", "{repeated}");
    }
}

#[test]
fn places_are_those_of_values_or_of_what_is_nearest() {
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: ünï\n  name2: x\n  annotations:\n    \
                a.b/c: 'x'\nspec:\n  ports:\n  - port: 80\n    name: a\n  - {port: 81}\n  empty:\n  \
                text: |\n    a\n"
        .replace("ünï", "web");
    let object = &loaded(text.as_bytes()).objects[0];
    let cases = [
        ("", "4:9"),
        ("nothing", "4:9"),
        ("metadata.annotations[\"a.b/c\"]", "7:12"),
        ("metadata.annotations[\"d\"]", "6:3"),
        ("spec", "8:1"),
        ("spec.ports", "9:3"),
        ("spec.ports[0]", "10:5"),
        ("spec.ports[0].port", "10:11"),
        ("spec.ports[0].absent.deep", "10:5"),
        ("spec.ports[1].port", "12:12"),
        ("spec.ports[7]", "9:3"),
        ("spec.empty.more", "13:3"),
        ("spec.text", "14:3"),
        ("spec..ports", "8:1"),
        ("spec.ports[x].port", "9:3"),
        ("[", "4:9"),
    ];
    for (path, expected) in cases {
        let location = object.locate(&FieldPath::from(path));
        assert_eq!(format!("{}:{}", location.line, location.column), expected, "{path}");
    }
}

#[test]
fn places_are_found_again_without_the_tree() {
    let pod = |name: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nx: 1\n");
    let json = |name: &str| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "{name}"}}, "x": 1}}"#
        )
    };
    let item = |name: &str| format!("- {}\n", json(name));
    let (a, b, c) = (pod("a"), pod("b"), pod("c"));
    let cases = [
        format!("{a}---\n{b}---\n{c}"),
        format!("# A comment.\n{a}--- # Another.\n{b}...\n{c}"),
        format!("\u{feff}---\n{a}\n---\n\n--- \n{b}---\r\n{c}"),
        format!("{a}---\nx: |\n  ---\n  ---\ny: '\n ---'\n---\n{b}---\nx: [\n---\n{c}"),
        format!("%TAG !k! tag:k,2000:\n---\n{a}x: !k!x 1\n---\n{b}...\n%YAML 1.2\n---\n{c}"),
        format!("kind: List\nitems:\n{}{}---\n{c}", item("a"), item("b")),
        format!("&a {}\n---\n{}", json("a"), json("b")),
        format!("{}\n{}{}\n", json("a"), json("b"), json("c")),
    ];
    for text in cases {
        let objects = loaded(text.as_bytes()).objects;
        assert!(objects.len() > 1, "{text}");
        // One after the other, and now of this one and now of that.
        let mut reread = Reread::default();
        for path in ["", "x", "kind", "metadata", "metadata.name"].map(FieldPath::from) {
            for object in objects.iter().chain(objects.iter().rev()) {
                let (written, place) = (Written::of(object), object.locate(&path));
                assert_eq!(written.locate(&path), place, "{path} in {text}");
                assert_eq!(reread.locate(&written, &path, None), place, "{path} in {text}");
            }
        }
    }
}

#[test]
fn what_only_moved_in_its_file_is_told_from_what_changed() {
    let written = |text: &str| Written::of(&loaded(text.as_bytes()).objects[0]);
    let before = written(SERVICE);
    let moved = written(&format!("# One line.\n{SERVICE}"));
    assert!(moved.is_like(&before) && moved != before);
    assert!(written(&format!("{SERVICE}# At the end.\n")) == before);
    for edited in [SERVICE.replace("web", "wep"), SERVICE.replace(" web", "  web")] {
        assert!(!written(&edited).is_like(&before), "{edited}");
    }
}

#[test]
fn columns_count_characters() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {annotations: {ключ: \"値\"}, name: web}\n";
    let object = &loaded(text.as_bytes()).objects[0];
    assert_eq!(object.locate(&"metadata.annotations[\"ключ\"]".into()).column, 32);
    assert_eq!(object.locate(&FieldPath::root()).column, 44);
}

#[test]
fn of_an_object_defined_twice_the_first_stays() {
    let other = SERVICE.replace("web", "web\n  labels: {a: b}");
    let knative = SERVICE.replace("apiVersion: v1", "apiVersion: serving.knative.dev/v1");
    let files = [("a.yaml", SERVICE), ("b.yaml", &*knative), ("c.yaml", &*other)];
    let merged = merge(
        files
            .map(|(name, text)| load(&Source::new(name, text.as_bytes()), &ReadLimits::default()))
            .into(),
    );
    let kept: Vec<&str> = merged.objects.iter().map(|object| &*object.file).collect();
    assert_eq!(kept, ["a.yaml", "b.yaml"]);
    let [duplicate] = &merged.diagnostics[..] else { panic!("{:?}", merged.diagnostics) };
    assert_eq!(duplicate.location.as_ref().unwrap().to_string(), "c.yaml:4:9");
    assert!(duplicate.message.contains("a.yaml:4:9"), "{}", duplicate.message);
    assert!(!merged.broken);
}

#[test]
fn findings_of_later_stages_get_places() {
    let objects = loaded(SERVICE.as_bytes()).objects;
    let code = crate::codes::WRONG_TYPE;
    let finding = |object: &ObjectRef, path: &str| {
        Diagnostic::new(Severity::Error, code, object, path, "wrong", "right it")
    };
    let stranger = ObjectRef::new("Service", "default", "other");
    let mut findings = [finding(&objects[0].reference, "kind"), finding(&stranger, "kind")];
    place(&mut findings, &objects);
    assert_eq!(findings[0].location.as_ref().unwrap().to_string(), "a.yaml:2:7");
    assert_eq!(findings[1].location, None);
}
