//! Diagnostics as text.

use std::sync::Arc;

use steelyard_model::{Code, Diagnostic, Location, ObjectRef, Severity};

use crate::{Source, render};

const CODE: Code = Code::new("some-code");

fn finding(line: u32, column: u32) -> Diagnostic {
    let object = ObjectRef::new("Service", "default", "web");
    let mut finding =
        Diagnostic::new(Severity::Error, CODE, &object, "spec.type", "it is wrong", "right it");
    finding.location = Some(Location { file: Arc::from("a.yaml"), line, column, width: 0 });
    finding
}

/// The line shown and the line of marks, for a file of one line.
fn shown(line: &str, column: u32) -> (String, String) {
    let text =
        render::text(&[finding(1, column)], &[Source::new("a.yaml", line.as_bytes())], false);
    let mut lines = text.lines().skip(3).map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap())
}

#[test]
fn a_finding_is_shown_with_its_line() {
    let source =
        Source::new("a.yaml", "\n\n\n\n\n\n\n\n\nspec:\n  type: LoadBalancr # oh\n".as_bytes());
    let text = render::text(&[finding(11, 9)], &[source], false);
    let expected = "\
error[some-code]: it is wrong
  --> a.yaml:11:9
   |
11 |   type: LoadBalancr # oh
   |         ^^^^^^^^^^^
   = object: Service/default/web
   = field: spec.type
   = help: right it
";
    assert_eq!(text, expected);
}

#[test]
fn findings_are_apart_and_need_no_place() {
    let mut bare = finding(1, 1);
    bare.location = None;
    bare.object = None;
    bare.path = "".into();
    bare.severity = Severity::Info;
    let text = render::text(&[bare, finding(1, 1)], &[], false);
    let expected = "\
info[some-code]: it is wrong
  = help: right it

error[some-code]: it is wrong
 --> a.yaml:1:1
  = object: Service/default/web
  = field: spec.type
  = help: right it
";
    assert_eq!(text, expected);
}

#[test]
fn marks_are_under_the_value() {
    let cases = [
        ("a: [b, c d, e]", 8, "^^^"),
        ("a: {b: c}", 5, "^"),
        ("a: \"b \\\" c\" # d", 4, "^^^^^^^^"),
        ("a: 'b: c'", 4, "^^^^^^"),
        ("a: http://b/c#d", 4, "^^^^^^^^^^^^"),
        ("a:", 1, "^"),
        ("a: b", 5, "^"),
        ("a: b", 99, "^"),
        ("a: 値値", 4, "^^^^"),
    ];
    for (line, column, marks) in cases {
        let (_, under) = shown(line, column);
        assert_eq!(under.trim_start_matches([' ', '|']), marks, "{line}");
    }
}

#[test]
fn tabs_wide_and_control_characters_keep_the_marks_in_place() {
    let cases = [
        ("\tab: c", 6, "1 |     ab: c", "  |         ^"),
        ("値: c", 4, "1 | 値: c", "  |     ^"),
        ("\u{1b}[2J: c", 7, "1 | \u{fffd}[2J: c", "  |       ^"),
    ];
    for (line, column, text, marks) in cases {
        assert_eq!(shown(line, column), (text.to_owned(), marks.to_owned()));
    }
    let mut finding = finding(1, 1);
    finding.message = "a\u{1b}[31m\nb\u{202e}".to_owned();
    let text = render::text(&[finding], &[], false);
    assert!(text.starts_with("error[some-code]: a\\u{1b}[31m b\\u{202e}\n"), "{text}");
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let line = format!("{}: {}", "k".repeat(500), "v".repeat(5000));
    for column in [1, 80, 300, 502, 503, 3000, 5502] {
        let (text, marks) = shown(&line, column);
        assert!(text.chars().count() < 130 && marks.chars().count() < 130, "{text}");
        assert!(text.contains('…'));
    }
    let (text, marks) = shown(&line, 503);
    let at = marks.find('^').unwrap() - 4;
    let shown: Vec<char> = text.chars().skip(4).collect();
    assert_eq!((shown[at], shown[at - 1]), ('v', ' '));
}

#[test]
fn color_is_only_there_when_asked_for() {
    let source = [Source::new("a.yaml", "a: b".as_bytes())];
    let plain = render::text(&[finding(1, 4)], &source, false);
    let colored = render::text(&[finding(1, 4)], &source, true);
    assert!(!plain.contains('\u{1b}') && colored.contains("\u{1b}[1;31merror[some-code]\u{1b}[0m"));
    let mut stripped = colored;
    for code in ["1;31", "1;34", "1", "0"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(stripped, plain);
}

/// Values that no report may show, and a mistake in or beside each.
#[test]
fn what_is_secret_is_not_shown() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
    let peer = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: p}\n";
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  data:\n    k: hunter2\n  \
                kind: Secret\n- apiVersion: v1\n  kind: Service\n  spec: {type: Shown}\n";
    for (file, line, column, shown) in [
        (format!("{secret}stringData: {{password: hunter2}}\n"), 4, 24, "stringData: ********"),
        (format!("{secret}data:\n  key: hunter2\n"), 5, 3, "  key: ********"),
        (format!("{secret}data:\n  key: |\n    hunter2\n"), 6, 5, "********"),
        (format!("{secret}data:\n- hunter2\n"), 5, 3, "********"),
        (format!("{secret}type: kubernetes.io/tls\n"), 4, 7, "type: kubernetes.io/tls"),
        (format!("{peer}spec: {{myASN: 1, password: hunter2}}\n"), 4, 7, "password: ********"),
        (format!("{peer}spec:\n  password: hunter2\n"), 5, 13, "  password: ********"),
        (format!("{peer}spec:\n  pasword: hunter2\n"), 5, 3, "  pasword: ********"),
        (format!("{peer}spec: {{bgpPaswsord: hunter2}}\n"), 4, 8, "bgpPaswsord: ********"),
        (format!("{peer}spec:\n  secrt: hunter2\n"), 5, 3, "  secrt: ********"),
        (format!("{peer}spec:\n  tokn: hunter2\n"), 5, 3, "  tokn: ********"),
        (format!("{peer}spec:\n  kye: hunter2\n"), 5, 3, "  kye: ********"),
        (format!("{peer}spec:\n  privatKey: hunter2\n"), 5, 3, "  privatKey: ********"),
        (format!("{peer}spec:\n  passwordSecret: {{name: n}}\n"), 5, 3, "{name: n}"),
        (
            "{\"kind\": \"Secret\", \"data\": {\"a\": \"hunter2\"}}".into(),
            1,
            30,
            "\"data\": ********",
        ),
        (list.into(), 6, 5, "    k: ********"),
        (list.into(), 10, 10, "{type: Shown}"),
        ("a: |\n -----BEGIN PRIVATE KEY-----\n hunter2\n".into(), 3, 1, "********"),
        (format!("kind: Service\n---\n{secret}x: hunter2\n"), 6, 4, "x: ********"),
    ] {
        let source = Source::new("a.yaml", file.as_bytes());
        let text = render::text(&[finding(line, column)], &[source], false);
        assert!(text.contains(shown), "{file}\n{text}");
        assert!(!text.contains("hunter2"), "{file}\n{text}");
    }
}

#[test]
fn messages_of_wrong_types_do_not_show_what_is_secret() {
    for yaml in [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pin: 424242}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: 424242\n",
        "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: p}\n\
         spec: {password: 424242}\n",
    ] {
        let source = Source::new("a.yaml", yaml.as_bytes());
        let object = crate::load(&source, &crate::ReadLimits::default()).objects.remove(0);
        let secret = object.read_lenient::<crate::kinds::core::Secret>().diagnostics;
        let peer = object.read_lenient::<crate::kinds::metallb::BgpPeer>().diagnostics;
        let found = [secret, peer].concat();
        assert!(!found.is_empty(), "{yaml}");
        let text = render::text(&found, &[source], false);
        assert!(!text.contains("424242"), "{text}");
    }
}
