//! Traefik's rules: what they come to, and where which mistake is seen.

use steelyard_http::path::readable;
use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::rule::Rule;
use steelyard_testbed::chance::Chance;
use steelyard_testbed::probe::{Probe, get, hello};

use crate::traefik::rule::RuleSubject::{Connections, Requests};
use crate::traefik::rule::RuleSyntax::{V2, V3};
use crate::traefik::rule::{RuleMistake, RuleSyntax, rule};

fn read(text: &str, syntax: RuleSyntax) -> Rule {
    let read = rule(text, Requests, syntax).unwrap_or_else(|found| panic!("{text}: {found:?}"));
    assert_eq!(read.mistakes, [], "{text}");
    read.rule
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let rows = [
        ("Host(`a`) || Host(`b`) && Path(`/x`)", "a/ a/x b/x"),
        ("(Host(`a`) || Host(`b`)) && Path(`/x`)", "a/x b/x"),
        ("!Host(`a`) && Path(`/x`)", "b/x"),
        ("!(Host(`a`) && Path(`/x`))", "a/ b/ b/x"),
        ("!!Host(`a`)", "a/ a/x"),
        ("  Host ( \"a\" , )\n  && Path(`/x`) ", "a/x"),
        ("HOST(`A.`) && path(`/x`)", "a/x"),
        ("Host(`a:8010`)", "a/ a/x"),
        ("Host(`A.:80`) || Host(`[::1]:80`)", "a/ a/x"),
    ];
    for (text, expected) in rows {
        let rule = read(text, V3);
        let all = [("a", "/"), ("a", "/x"), ("b", "/"), ("b", "/x")];
        let held = all.iter().filter(|(host, path)| rule.holds(&get(host, path)));
        let held: Vec<String> = held.map(|(host, path)| format!("{host}{path}")).collect();
        assert_eq!(held.join(" "), expected, "{text}");
    }
}

#[test]
fn texts_are_written_as_in_go() {
    let rows = [
        (r#"Path("/\x61\141\u0061\"")"#, "/aaa%22"),
        ("Path(`/a\\x61`)", "/a%5Cx61"),
        ("Path(`/a b`)", "/a%20b"),
        ("Path(`/é`)", "/%C3%A9"),
        ("Path(`/a%2Fb`)", "/a%2Fb"),
        ("PathPrefix(`/é%2F`)", "/%C3%A9%2Fb"),
    ];
    for (text, path) in rows {
        assert!(read(text, V3).holds(&get("a", path)), "{text} {:?}", read(text, V3));
    }
}

/// The routing path is compared with the text as it is written: what is encoded there though it is
/// not reserved, or in small letters, is in no routing path.
#[test]
fn a_path_is_compared_as_it_is_written() {
    for (written, asked, expected) in [
        ("/foo%20bar", "/foo%20bar", false),
        ("/foo bar", "/foo%20bar", true),
        ("/a%2fb", "/a%2Fb", false),
        ("/a%2Fb", "/a%2Fb", true),
        ("/%C3%BC", "/%C3%BC", false),
        ("/ü", "/%C3%BC", true),
        ("/a%41", "/aA", false),
        ("/%2", "/%2Fb", false),
        ("/100%", "/100%25", false),
        ("/100%25", "/100%25", true),
    ] {
        for (of, rule) in [
            ("", read(&format!("Path(`{written}`)"), V3)),
            ("v2", read(&format!("Path(`{written}`)"), V2)),
        ] {
            let matcher = rule.path().expect("a path");
            let seen = match matcher.form {
                PathForm::Readable => readable(asked).into_owned(),
                _ => asked.to_owned(),
            };
            assert_eq!(matcher.shape.matches(&seen), expected, "{of} {written} of {asked}");
        }
    }
    let prefix = read("PathPrefix(`/%2`)", V3);
    let matcher = prefix.path().expect("a path");
    assert_eq!(matcher.form, PathForm::Readable);
    assert!(
        matcher.shape.matches(&readable("/%2Fb")) && !matcher.shape.matches(&readable("/%20b"))
    );
}

/// A path is shown as it would be written.
#[test]
fn a_path_is_shown_as_a_rule_has_it() {
    for text in ["Path(`/a b`)", "PathPrefix(`/é%2F{x}`)", "Path(`/a%20b`)"] {
        let shown = read(text, V3).to_string();
        assert_eq!(shown, text);
        assert_eq!(read(&shown, V3), read(text, V3));
    }
}

/// The dot of the root is ignored by Host alone.
#[test]
fn expressions_see_the_dot_of_the_root() {
    for (text, syntax, plain, rooted) in [
        ("Host(`a.com`)", V3, true, true),
        ("Host(`a.com.`)", V3, true, true),
        ("HostRegexp(`^a\\.com$`)", V3, true, false),
        ("HostRegexp(`^a\\.com\\.$`)", V3, false, true),
        ("HostRegexp(`^a\\.com`)", V3, true, true),
        ("HostRegexp(`{sub:a}.com`)", V2, true, false),
        ("Host(`a.com.`)", V2, true, true),
        ("Host(`*.com`, `*`)", V2, false, false),
    ] {
        let rule = read(text, syntax);
        let probe = get("a.com", "/");
        assert_eq!(rule.holds(&probe), plain, "{text}");
        assert_eq!(rule.holds(&Probe { rooted: true, ..probe }), rooted, "{text}");
    }
}

#[test]
fn arguments_of_version_2_are_any_of_them_and_may_be_templates() {
    let rows = [
        ("Host(`a`, `b`)", "b", "/", true),
        ("HostRegexp(`{sub:[a-z]+}.x.com`)", "a.x.com", "/", true),
        ("HostRegexp(`{sub:[a-z]+}.x.com`)", "1.x.com", "/", false),
        ("HostRegexp(`{sub}.x.com`)", "a.b.x.com", "/", false),
        ("HostRegexp(`a{n:[0-9]{2}}.x`)", "a12.x", "/", true),
        ("HostRegexp(`{sub:[0-9]*}::1`)", "[::1]", "/", true),
        ("HostRegexp(`\\[::1\\]`)", "[::1]", "/", false),
        ("Path(`/a`, `/b/{id}`)", "h", "/b/7", true),
        ("Path(`/a`, `/b/{id}`)", "h", "/b/7/8", false),
        ("PathPrefix(`/b/{id:[0-9]+}`)", "h", "/b/7/8", true),
        ("PathPrefix(`/b.c`)", "h", "/bxc", false),
        ("Query(`a=1`, `b={v:[0-9]}`, `c=`)", "h", "/", true),
        ("Query(`a=1`, `d=`)", "h", "/", false),
        ("Query(`a`, `1`)", "h", "/", true),
        ("Query(`a`, `2`)", "h", "/", false),
        ("Query(`a`, `1`, `b=2`)", "h", "/", true),
        ("Headers(`X-A`, `1`, `X-B`, `2`)", "h", "/", true),
        ("Headers(`X-A`, `1`, `X-B`, `3`)", "h", "/", false),
        ("HeadersRegexp(`X-A`, `^1`, `X-B`, `^[2]$`)", "h", "/", true),
    ];
    for (text, host, path, expected) in rows {
        let probe = get(host, path).query("a", "1").query("b", "2").query("c", "x");
        let probe = probe.header("x-a", "1").header("x-b", "2");
        assert_eq!(read(text, V2).holds(&probe), expected, "{text}");
    }
}

#[test]
fn connections_are_told_by_their_handshake() {
    let rows = [
        ("HostSNI(`*`)", "", -1, true),
        (" HostSNI(`*`)", "", -1, true),
        ("HostSNI(`a.b`)", "a.b", 14, true),
        ("HostSNI(`*.b`)", "a.b", 14, true),
        ("HostSNI(`*.b`)", "a.a.b", 14, false),
        ("HostSNIRegexp(`^a`) && !ALPN(`h2`)", "a.b", 34, true),
    ];
    for (text, name, number, expected) in rows {
        let read = rule(text, Connections, V3).unwrap();
        assert_eq!((read.number, read.rule.holds(&hello(name))), (number, expected), "{text}");
    }
}

#[test]
fn names_of_connections_are_those_that_there_may_be() {
    for (text, syntax, name, expected) in [
        ("HostSNI(`a:443`)", V3, "a", false),
        ("HostSNI(`a_b.c`)", V3, "a_b.c", true),
        ("HostSNI(`10::10`)", V3, "10::10", true),
        ("HostSNI(`foobar`, `*`)", V2, "", false),
        ("HostSNI(`foobar`, `*`)", V2, "other", true),
        ("HostSNI(`*`, `foobar`)", V2, "", true),
        ("HostSNIRegexp(`é`)", V2, "a", false),
    ] {
        let read = rule(text, Connections, syntax).unwrap();
        assert_eq!(read.mistakes, [], "{text}");
        assert_eq!(read.rule.holds(&hello(name)), expected, "{text} of {name}");
    }
}

/// What cannot be read is no rule; what means nothing holds everywhere, and is told.
#[test]
fn mistakes_are_seen_where_they_are() {
    let deep = format!("{}Host(`a`)", "!".repeat(70));
    let long = format!("Host(`{}`)", "a".repeat(70_000));
    let rows: &[(&str, &str, &str, &str)] = &[
        ("", "", "the rule is empty", "app.example.com"),
        (&deep, "!", "too many parentheses", "fewer"),
        (&long, &long, "the rule is too long", "several"),
        ("Host", "", "expected `(`", "joined by"),
        ("Host(a)", "a", "expected a text between", "joined by"),
        ("Host('a')", "'", "single quotes", "backticks"),
        ("Host(`a)", "`a)", "does not end", "backticks"),
        ("Host(\"a", "\"a", "does not end", "backticks"),
        (r#"Host("\q")"#, "\\", "this escape", "backticks"),
        ("Host(`a`) Path(`/`)", "P", "expected &&, || or the end", "joined"),
        ("Host(`a`) &&", "", "expected a matcher", "joined"),
        ("(Host(`a`)", "", "expected `)`", "joined"),
        ("Host(`a` `b`)", "`", "expected `,` or `)`", "joined"),
        ("Host(`a`))", ")", "expected &&, || or the end", "joined"),
        ("é(`a`)", "é", "expected a matcher", "joined"),
        ("Hots(`a`)", "Hots", "no matcher `Hots`", "did you mean `Host`?"),
        ("HostHeader(`a`)", "HostHeader", "no matcher", "did you mean `Host`?"),
        ("PaTh(`/`)", "PaTh", "no matcher", "did you mean `Path`?"),
        ("Zzz(`/`)", "Zzz", "no matcher", "there are Host, HostRegexp, Path"),
        ("Host(`a`, `b`)", "Host(`a`, `b`)", "`Host` has 1 argument", "Host(`a`) || Host(`b`)"),
        ("Query()", "Query()", "`Query` has 1 to 2 arguments", "as many"),
        ("Header(`a`)", "Header(`a`)", "`Header` has 2 arguments", "as many"),
        ("Header(`a`, ``)", "``", "the argument is empty", "compared"),
        ("Host(`ü`)", "`ü`", "not in ASCII", "xn--"),
        ("Host(`*.*.x`)", "`*.*.x`", "no host has a `*`", "*.example.com"),
        ("Host(`a*.x`)", "`a*.x`", "no host has a `*`", "HostRegexp"),
        ("Host(`a, b`)", "`a, b`", "not the name of a host", "by ||"),
        ("Host(`http://a`)", "`http://a`", "not the name of a host", "alone"),
        ("Host(`:80`)", "`:80`", "not the name of a host", "alone"),
        ("hOST(`a`)", "hOST", "no matcher `hOST`", "did you mean `Host`?"),
        ("Path(`a`)", "`a`", "does not begin with `/`", "begin"),
        ("PathRegexp(`(`)", "`(`", "the regular expression cannot be used", "RE2"),
        ("PathRegexp(`\\pL{1000}`)", "`\\pL{1000}`", "too large", "RE2"),
        ("PathRegexp(`a**`)", "`a**`", "nested repetition operator: `**`", "RE2"),
        ("ClientIP(`10.0.0.0/33`)", "`10.0.0.0/33`", "neither an address", "10.0.0.0/8"),
    ];
    for (text, place, words, help) in rows {
        let found = match rule(text, Requests, V3) {
            Ok(read) => {
                assert!(read.rule.holds(&get("other", "/other")), "{text}");
                assert!(read.rule.negated().holds(&get("other", "/other")), "!({text})");
                read.mistakes
            }
            Err(mistake) => vec![mistake],
        };
        let [RuleMistake { at, what }] = &found[..] else { panic!("{text}: {found:?}") };
        assert_eq!(&text[at.clone()], *place, "{text}");
        assert!(what.to_string().contains(words), "{text}: {what}");
        assert!(what.help().contains(help), "{text}: {}", what.help());
    }
    let rows = [
        ("ALPN(`acme-tls/1`)", Connections, V3, "challenges"),
        ("HostSNI(`a$b`)", Connections, V3, "not the name of a host"),
        ("HostSNI(`*.a+b`)", Connections, V3, "not the name of a host"),
        ("HostSNI(`[::1]`)", Connections, V2, "not the name of a host"),
        ("HostSNI(`*.b`)", Connections, V2, "no host has a `*`"),
        ("HostRegexp(`é`)", Requests, V2, "not in ASCII"),
        ("Headers(`a`)", Requests, V2, "2 or more arguments"),
        ("Headers(`a`, `1`, `b`)", Requests, V2, "no value stands behind"),
        ("HeadersRegexp(`a`, `(`)", Requests, V2, "regular expression"),
        ("Query(`a=1`, `b`)", Requests, V2, "name=value"),
        ("HostSNI(`a*.b`)", Connections, V3, "no host has a `*`"),
        ("Query(`a`)", Requests, V2, "name=value"),
        ("Path(`/{}`)", Requests, V2, "braces"),
        ("Path(`/{a:}`)", Requests, V2, "braces"),
        ("Path(`/{a`)", Requests, V2, "braces"),
        ("Path(`/a}`)", Requests, V2, "braces"),
        ("Host()", Requests, V2, "has 1 or more arguments"),
    ];
    for (text, about, syntax, words) in rows {
        let mistakes = match rule(text, about, syntax) {
            Ok(read) => read.mistakes,
            Err(mistake) => vec![mistake],
        };
        assert!(mistakes[0].what.to_string().contains(words), "{text}: {mistakes:?}");
    }
}

/// A matcher that means nothing narrows nothing: what only such say takes nobody's requests, and
/// the rest closes what it is about, and nothing beside.
#[test]
fn what_means_nothing_takes_no_other_hosts() {
    let none: &[&str] = &[];
    let rows: &[(&str, &[&str])] = &[
        ("Hots(`a`)", none),
        ("Host(`ü`)", none),
        ("!ClientIP(`x`)", none),
        ("PathRegexp(`(`)", none),
        ("Hots(`a`) || !(Pth(`/`) && Host(`a`, `b`))", none),
        // Whose paths these are is not known.
        ("Host(`ü`) && PathPrefix(`/`)", none),
        ("(HostRegexp(`(`) && Path(`/x`)) || Host(`ü`)", none),
        ("!(!Host(`ü`) || !Path(`/x`))", none),
        ("Host(`a*`) && Path(`/x`)", none),
        // A matcher that is likely to be of hosts, however it is misspelt.
        ("Hots(`a`) && Path(`/x`)", none),
        ("hOST(`a`) && Path(`/x`)", none),
        ("Host(`ü`) || Host(`a`)", &["a/", "a/x"]),
        ("!(Pth(`/`) || Host(`a`))", &["b/", "b/x"]),
        ("Hots(`a`) && Host(`a`)", &["a/", "a/x"]),
        ("Host(`a`) && HostRegexp(`(`)", &["a/", "a/x"]),
        ("Host(`a`) && (Host(`ü`) && Path(`/x`) || Path(`/`))", &["a/"]),
        ("Host(`a`) && (Host(`ü`) && Path(`/x`))", &["a/x"]),
        ("Host(`a`) && !PathRegexp(`(`)", &["a/", "a/x"]),
        ("PathPrefix(`/x`) && ClientIP(`x`)", &["a/x", "b/x"]),
        ("PathPrefix(`/x`) && !Host(`ü`)", &["a/x", "b/x"]),
    ];
    for (text, expected) in rows {
        let read = rule(text, Requests, V3);
        let read = read.ok().filter(|read| !read.is_of_nobody);
        assert_eq!(read.is_none(), expected.is_empty(), "{text}");
        let all = [("a", "/"), ("a", "/x"), ("b", "/"), ("b", "/x")];
        let holds = |(host, path): &&(&str, &str)| {
            read.as_ref().is_some_and(|read| read.rule.holds(&get(host, path)))
        };
        let held: Vec<_> = all.iter().filter(holds).map(|it| format!("{}{}", it.0, it.1)).collect();
        assert_eq!(held, *expected, "{text}");
    }
}

/// Text of any kind ends in a rule or a mistake whose place is in it.
#[test]
fn any_text_comes_to_an_end() {
    const PARTS: [&str; 16] = [
        "Host(",
        "`a`",
        "\"",
        "\\",
        "(",
        ")",
        "!",
        "&&",
        "||",
        ",",
        "é",
        "{",
        "}",
        "PathRegexp(",
        " ",
        "`",
    ];
    for seed in 1..=2_000 {
        let mut chance = Chance::new(seed);
        let count = chance.below(12);
        let text: String = (0..count).map(|_| chance.pick(&PARTS)).collect();
        for (about, syntax) in [(Requests, V3), (Requests, V2), (Connections, V3)] {
            let mistakes = match rule(&text, about, syntax) {
                Ok(read) => read.mistakes,
                Err(mistake) => vec![mistake],
            };
            for RuleMistake { at, .. } in mistakes {
                assert!(text.get(at.clone()).is_some(), "{text}: {at:?}");
            }
        }
    }
}
