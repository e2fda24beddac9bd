//! Cookies that are read and written.

use steelyard_model::routing::cookie::SameSite;

use crate::{CookieRule, Jar, MOST_BYTES, MOST_PIECES};

fn rule() -> CookieRule {
    CookieRule {
        name: "s".into(),
        path: "/".into(),
        domain: None,
        same_site: SameSite::Lax,
        is_hidden: true,
        is_secure: false,
    }
}

fn jar(line: &str) -> Jar<'_> {
    let mut jar = Jar::default();
    jar.add(line.as_bytes());
    jar
}

/// As a browser sends back what it was told.
fn sent(lines: &[String]) -> String {
    let pairs = lines.iter().filter(|line| !line.contains("Max-Age=0"));
    pairs.filter_map(|line| line.split(';').next()).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_browsers_are_told() {
    let secure = CookieRule { is_secure: true, ..rule() };
    let domain = CookieRule { domain: Some("a.b".into()), ..secure.clone() };
    let below = CookieRule { path: "/x".into(), ..secure.clone() };
    let open = CookieRule { is_hidden: false, same_site: SameSite::None, ..secure.clone() };
    for (rule, expected) in [
        (rule(), "s=v; Path=/; Max-Age=9; SameSite=Lax; HttpOnly"),
        (secure, "__Host-s=v; Path=/; Max-Age=9; SameSite=Lax; HttpOnly; Secure"),
        (domain, "s=v; Path=/; Max-Age=9; Domain=a.b; SameSite=Lax; HttpOnly; Secure"),
        (below, "s=v; Path=/x; Max-Age=9; SameSite=Lax; HttpOnly; Secure"),
        (open, "__Host-s=v; Path=/; Max-Age=9; SameSite=None; Secure"),
    ] {
        assert_eq!(rule.named().kept("v", 9), expected);
    }
    let strict = CookieRule { same_site: SameSite::Strict, ..rule() };
    assert!(strict.kept("", 0).contains("SameSite=Strict"));
}

#[test]
fn long_values_lie_in_several() {
    for (len, pieces) in [(0, 0), (1, 1), (3_700, 1), (3_701, 2), (MOST_BYTES, MOST_PIECES)] {
        let value: String = ('a'..='z').cycle().take(len).collect();
        let lines = rule().kept_whole(&value, 9, 0).unwrap();
        assert_eq!(lines.len(), pieces, "{len}");
        assert!(lines.iter().all(|line| line.len() < 4_000));
        let sent = sent(&lines);
        let jar = jar(&sent);
        assert_eq!(jar.whole("s"), (len > 0).then_some(value), "{len}");
        assert_eq!(jar.pieces("s"), pieces);
        assert_eq!(jar.others(&["s"]), None);
    }
    assert_eq!(rule().kept_whole(&"a".repeat(MOST_BYTES + 1), 9, 0), None);
    assert_eq!(rule().kept_whole("\u{e9}", 9, 0), None);
    // A shorter one takes the rest of a longer one away.
    let lines = rule().kept_whole("a", 9, 3).unwrap();
    let names: Vec<&str> = lines.iter().map(|line| &line[..line.find(';').unwrap()]).collect();
    assert_eq!(names, ["s=1~a", "s.1=", "s.2="]);
}

#[test]
fn what_is_not_whole_is_not_there() {
    for (line, expected) in [
        ("s=1~a", Some("a")),
        ("a=b;s=1~a ;c=d", Some("a")),
        ("s=2~a; s.1=b; s.2=c", Some("ab")),
        ("s.1=b; s=2~a", Some("ab")),
        ("s=1~a; s=1~b", Some("a")),
        ("s=2~a", None),
        ("s=0~a", None),
        ("s=6~a; s.1=b; s.2=c; s.3=d; s.4=e; s.5=f", None),
        ("s=a", None),
        ("s=-1~a", None),
        ("s=99999999999999999999~a", None),
        ("S=1~a", None),
        ("s", None),
        ("", None),
    ] {
        assert_eq!(jar(line).whole("s").as_deref(), expected, "{line}");
    }
    let long = format!("s=1~{}", "a".repeat(1 << 20));
    assert_eq!(jar(&long).whole("s"), None);
    let many = "x=1; ".repeat(10_000) + "s=1~a";
    assert_eq!(jar(&many).whole("s").as_deref(), Some("a"));
}

#[test]
fn others_keep_theirs() {
    for (line, others) in [
        ("a=b; s=1~x; s.1=y; c=d", Some("a=b; c=d")),
        ("s=1~x; t=1", None),
        ("s.5=x; s.a=y; ss=z; s.1x=1", Some("s.5=x; s.a=y; ss=z; s.1x=1")),
    ] {
        assert_eq!(jar(line).others(&["s", "t"]).as_deref(), others, "{line}");
        assert_eq!(jar(line).has(&["s", "t"]), line.contains("s=") && !line.contains("ss="));
    }
}
