//! Changes the path that is sent on, in Traefik's manner.
//!
//! Paths are changed as they are spelled: normal and encoded, so that an encoded slash stays what
//! it is. What is taken off may be written as it is read, too: `/my app` is `/my%20app` there. What
//! comes of it is looked at once more: what is no normal path, and would mean another
//! one to an endpoint, is answered 400 and goes nowhere.

use std::borrow::Cow;
use std::sync::Arc;

use steelyard_http::{LineEdits, RequestEdits, RequestView};
use steelyard_model::routing::filter::Rewrite;
use steelyard_model::routing::pattern::Expression;

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame};
use crate::response::Response;

/// What is told of a prefix that was taken off.
const PREFIX: &str = "X-Forwarded-Prefix";

const NO_PATH: &str = "the path is none once a filter has changed it";

const UNWRITTEN: Refused = (500, "a filter made no path");

/// What is told of a path that was replaced.
const REPLACED: &str = "X-Replaced-Path";

/// How a path is changed.
#[derive(Clone, Debug)]
pub(crate) struct Rewritten(Arc<Rewriting>);

#[derive(Debug)]
struct Rewriting {
    rewrite: Rewrite,
    /// What is told of each prefix that is taken off.
    told: Vec<LineEdits>,
}

impl Rewritten {
    pub(crate) fn new(rewrite: &Rewrite) -> Self {
        let told = |prefix: &Arc<str>| {
            let mut lines = LineEdits::default();
            // A prefix that cannot be told is one of no path.
            _ = lines.add(PREFIX, prefix.as_bytes());
            lines
        };
        let told = match rewrite {
            Rewrite::StripPrefix(prefixes) => prefixes.iter().map(told).collect(),
            _ => Vec::new(),
        };
        Self(Arc::new(Rewriting { rewrite: rewrite.clone(), told }))
    }
}

impl Rewritten {
    /// Changes the path. What becomes of a request that has none then, which is left as it is, and
    /// why, is told.
    pub(crate) fn lets_in(&self, head: &mut RequestEdits<'_>) -> Result<(), Refused> {
        match &self.0.rewrite {
            _ if head.path() == "*" => Ok(()),
            Rewrite::StripPrefix(prefixes) => self.0.strip(prefixes, head),
            rewrite => change(rewrite, head),
        }
    }
}

/// A path as it becomes.
#[derive(Debug, PartialEq, Eq)]
struct Changed<'p> {
    path: Cow<'p, str>,
    /// A line that tells of it.
    told: Option<(&'static str, Cow<'p, str>)>,
}

impl Frame for Rewritten {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        match self.lets_in(head) {
            Ok(()) => Enter::Next,
            Err((status, why)) => {
                cx.notes.push(Note::Reason(why));
                Enter::Answer(Box::new(Response::bare(status)))
            }
        }
    }
}

impl Rewriting {
    /// Takes the first of these prefixes off: most changes are that. What becomes of a request that
    /// has no path then, and why, is told.
    fn strip(&self, prefixes: &[Arc<str>], head: &mut RequestEdits<'_>) -> Result<(), Refused> {
        let path = head.path();
        let ends = |prefix: &Arc<str>| end_of(prefix, path).filter(|end| *end > 0);
        let found = prefixes.iter().enumerate().find_map(|(at, it)| Some((at, ends(it)?)));
        let Some((at, end)) = found else { return Ok(()) };
        let rest = rooted(Cow::Borrowed(&path[end..]));
        if !is_normal(&rest) {
            return Err((400, NO_PATH));
        }
        let rest: Box<str> = rest.into();
        head.set_path(rest).map_err(|_| UNWRITTEN)?;
        head.lines().apply(&self.told[at]);
        Ok(())
    }
}

/// A status, and why a request is answered with it.
type Refused = (u16, &'static str);

/// Changes the path in another way than by taking a prefix off.
fn change(rewrite: &Rewrite, head: &mut RequestEdits<'_>) -> Result<(), Refused> {
    let before = head.path().to_owned();
    let Some(Changed { path, told }) = changed(rewrite, &before) else { return Ok(()) };
    if !has_whole_escapes(path.as_bytes()) {
        return Err(UNWRITTEN);
    }
    if !is_normal(&path) {
        return Err((400, NO_PATH));
    }
    head.set_path(&*path).map_err(|_| UNWRITTEN)?;
    // What came as a path may stand in a line.
    told.map_or(Ok(()), |(name, value)| head.lines().add(name, value.as_bytes()))
        .map_err(|_| UNWRITTEN)
}

/// What becomes of a path; none where it stays. Prefixes are taken off otherwise.
fn changed<'p>(rewrite: &'p Rewrite, path: &'p str) -> Option<Changed<'p>> {
    match rewrite {
        Rewrite::AddPrefix(prefix) => {
            let path = rooted(Cow::Owned(spelled(format!("{prefix}{path}"))));
            Some(Changed { path, told: None })
        }
        Rewrite::StripPrefix(_) => None,
        Rewrite::StripExpression(expressions) => {
            let end_in = |it: &Expression, text: &str| match it.first_in(text)? {
                (0, end) if end > 0 => Some(end),
                _ => None,
            };
            let read = read(path);
            let as_read = |it| {
                let (text, ends) = read.as_ref()?;
                let end = end_in(it, text)?;
                Some(stripped(path, ends[end], Cow::Owned(text[..end].to_owned())))
            };
            let as_spelled = |it| {
                let end = end_in(it, path)?;
                Some(stripped(path, end, Cow::Borrowed(&path[..end])))
            };
            expressions.iter().find_map(|it| as_read(it).or_else(|| as_spelled(it)))
        }
        Rewrite::Replace(to) => Some(replaced(to.to_string(), path)),
        Rewrite::Expression(expression, replacement) => {
            let to = expression.replaced(path, replacement)?;
            Some(replaced(to, path))
        }
    }
}

/// Without so many bytes at its begin; a path begins with a slash all the same.
fn stripped<'p>(path: &'p str, end: usize, prefix: Cow<'p, str>) -> Changed<'p> {
    Changed { path: rooted(Cow::Borrowed(&path[end..])), told: Some((PREFIX, prefix)) }
}

/// Where a path goes on behind a prefix that it begins with, as it is spelled or as it is read.
fn end_of(prefix: &str, path: &str) -> Option<usize> {
    if path.starts_with(prefix) {
        return Some(prefix.len());
    }
    let mut rest = path.as_bytes();
    for wanted in prefix.bytes() {
        let (byte, behind) = first(rest)?;
        if byte != wanted {
            return None;
        }
        rest = behind;
    }
    Some(path.len() - rest.len())
}

/// A path as it is read, and for each byte of that where it is spelled, the end too; none where it
/// is read as it is spelled, or is no text.
fn read(path: &str) -> Option<(String, Vec<usize>)> {
    if !path.contains('%') {
        return None;
    }
    let (mut text, mut at, mut rest) = (Vec::new(), Vec::new(), path.as_bytes());
    while let Some((byte, behind)) = first(rest) {
        text.push(byte);
        at.push(path.len() - rest.len());
        rest = behind;
    }
    at.push(path.len());
    Some((String::from_utf8(text).ok()?, at))
}

/// What a path begins with. An encoded slash is none; what no line has stays encoded.
fn first(path: &[u8]) -> Option<(u8, &[u8])> {
    let (byte, behind) = path.split_first()?;
    let hex = |at: usize| char::from(*behind.get(at)?).to_digit(16);
    let decoded = (*byte == b'%').then(|| u8::try_from(hex(0)? * 16 + hex(1)?).ok()).flatten();
    match decoded.filter(|it| *it != b'/' && !it.is_ascii_control()) {
        Some(decoded) => Some((decoded, &behind[2..])),
        None => Some((*byte, behind)),
    }
}

/// A question mark in it is a part of the path, as with Traefik: the query that came goes on.
fn replaced(to: String, path: &str) -> Changed<'_> {
    Changed { path: rooted(Cow::Owned(spelled(to))), told: Some((REPLACED, Cow::Borrowed(path))) }
}

/// With what may not stand in a path encoded (RFC 3986 §3.3), as Go writes one. What many take for
/// a slash stays, and is no path.
fn spelled(path: String) -> String {
    let is_odd = |byte: u8| !byte.is_ascii_graphic() || b"?#\"<>^`{|}".contains(&byte);
    if !path.bytes().any(is_odd) {
        return path;
    }
    let mut out = String::with_capacity(path.len() + 16);
    for letter in path.chars() {
        let mut bytes = [0; 4];
        for byte in letter.encode_utf8(&mut bytes).bytes() {
            match is_odd(byte) {
                true => out.push_str(&format!("%{byte:02X}")),
                false => out.push(char::from(byte)),
            }
        }
    }
    out
}

fn rooted(path: Cow<'_, str>) -> Cow<'_, str> {
    if path.starts_with('/') { path } else { Cow::Owned(format!("/{path}")) }
}

/// Whether nobody takes it for another path: its escapes are whole, and no element of it is `.` or
/// `..`, also where that is encoded (RFC 3986 §5.2.4, §6.2.2).
fn is_normal(path: &str) -> bool {
    let bytes = path.as_bytes();
    if is_plain(bytes) {
        return true;
    }
    let is_spelled = bytes.iter().all(u8::is_ascii_graphic) && !path.contains(['\\', '#', '?']);
    if !is_spelled || !has_whole_escapes(bytes) {
        return false;
    }
    let undotted = |element: &str| element.replace("%2e", ".").replace("%2E", ".");
    let is_dots = |element: &str| matches!(element, "." | "..");
    let is_up = |element: &str| match element.contains('%') {
        true => is_dots(&undotted(element)),
        false => is_dots(element),
    };
    !path.split('/').any(is_up) && !path.starts_with("//")
}

/// Whether each `%` is that of a byte (RFC 3986 §2.1).
fn has_whole_escapes(path: &[u8]) -> bool {
    let escapes = path.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    let mut whole = escapes.map(|(at, _)| path.get(at + 1..at + 3));
    whole.all(|two| two.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)))
}

/// Whether a path is so plainly normal that one look tells: letters, digits and a few signs, no
/// element that is empty or begins with a dot.
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|byte| {
        let begins = std::mem::replace(&mut before, *byte) == b'/';
        match byte {
            b'/' | b'.' => !begins,
            b'-' | b'_' | b'~' | b'=' | b':' | b'@' | b',' | b'+' => true,
            _ => byte.is_ascii_alphanumeric(),
        }
    })
}

#[cfg(test)]
mod tests {
    use steelyard_http::Head;

    use super::*;
    use crate::tests::{Asked, World};

    fn strip(prefixes: &[&str]) -> Rewrite {
        Rewrite::StripPrefix(prefixes.iter().map(|it| (*it).into()).collect())
    }

    fn strip_regex(text: &str) -> Rewrite {
        Rewrite::StripExpression(vec![Expression::new(text).unwrap()])
    }

    fn replace(regex: &str, to: &str) -> Rewrite {
        Rewrite::Expression(Expression::new(regex).unwrap(), to.into())
    }

    /// The path and query that go on, what is told of it; or the status of the answer.
    fn pass(rewrite: Rewrite, path: &'static str) -> Result<(String, Option<String>), u16> {
        let asked = Asked::get("http://a.b", path);
        let mut request = RequestEdits::new(&asked);
        let mut world = World::new();
        match Rewritten::new(&rewrite).enter(&mut world.context(), &mut request, Got::Nothing) {
            Enter::Next => {}
            Enter::Answer(answer) => return Err(answer.status),
            Enter::Ask(ask) => panic!("{ask:?}"),
        }
        let query = request.query().map_or(String::new(), |query| format!("?{query}"));
        let told = request.first(PREFIX).or_else(|| request.first(REPLACED));
        let told = told.map(|it| String::from_utf8_lossy(it).into_owned());
        Ok((format!("{}{query}", request.path()), told))
    }

    #[test]
    fn paths_are_changed_as_traefik_does() {
        for (rewrite, path, expected, told) in [
            (Rewrite::AddPrefix("/x".into()), "/a?q", "/x/a?q", None),
            (Rewrite::AddPrefix("x".into()), "/a%2Fb", "/x/a%2Fb", None),
            (strip(&["/b", "/a"]), "/a/c?q=1", "/c?q=1", Some("/a")),
            (strip(&["/a"]), "/a", "/", Some("/a")),
            (strip(&["/a/"]), "/a/b", "/b", Some("/a/")),
            (strip(&["/a"]), "/abc", "/bc", Some("/a")),
            (strip(&["/a"]), "/b", "/b", None),
            (strip(&[]), "/b", "/b", None),
            (strip(&["/fo o"]), "/fo%20o/z", "/z", Some("/fo o")),
            (strip(&["/müller"]), "/m%C3%BCller/z", "/z", Some("/müller")),
            (strip(&["/fo%20o"]), "/fo%20o/z", "/z", Some("/fo%20o")),
            (strip(&["/a"]), "/%61/b", "/b", Some("/a")),
            (strip_regex("/t /x+"), "/t%20/xx/a%2Fb", "/a%2Fb", Some("/t /xx")),
            (strip_regex("/t%20"), "/t%20/x", "/x", Some("/t%20")),
            (strip_regex("/a/b"), "/a%2Fb/c", "/a%2Fb/c", None),
            (strip(&["/a\r\n"]), "/a%0D%0A/c", "/a%0D%0A/c", None),
            // An encoded slash is none.
            (strip(&["/a/"]), "/a%2Fb", "/a%2Fb", None),
            (strip(&["/a"]), "/a%2Fb", "/%2Fb", Some("/a")),
            (strip_regex("/b/([a-z0-9]+)/"), "/b/api/", "/", Some("/b/api/")),
            (strip_regex("/b/([a-z0-9]+)/"), "/x/b/api/", "/x/b/api/", None),
            (Rewrite::Replace("/r".into()), "/a%2Fb?q", "/r?q", Some("/a%2Fb")),
            (Rewrite::Replace("/r?x=1".into()), "/a?q", "/r%3Fx=1?q", Some("/a")),
            (replace("^/(.*)$", "/$1?x=1"), "/x?y=2", "/x%3Fx=1?y=2", Some("/x")),
            (replace("(.*)", "/a b"), "/x", "/a%20b", Some("/x")),
            (Rewrite::AddPrefix("/fo o".into()), "/b", "/fo%20o/b", None),
            (Rewrite::AddPrefix("/ü".into()), "/b", "/%C3%BC/b", None),
            (replace("^/foo/(.*)", "/bar/$1"), "/foo/x%20y", "/bar/x%20y", Some("/foo/x%20y")),
            (replace("/who", "/i"), "/who/and/who", "/i/and/i", Some("/who/and/who")),
            (replace("/no", "/i"), "/who", "/who", None),
        ] {
            let found = pass(rewrite, path);
            assert_eq!(found, Ok((expected.into(), told.map(Into::into))), "{path}");
        }
    }

    #[test]
    fn what_would_be_another_path_goes_nowhere() {
        for (rewrite, path, status) in [
            (replace("^/foo(.*)", "/$1"), "/foo../bar", 400),
            (replace("^/foo(.*)", "/%2e$1"), "/foo./bar", 400),
            (strip(&["/api"]), "/api../admin", 400),
            (strip(&["/api"]), "/api./x", 400),
            (strip(&["/a/b"]), "/a/b//evil.example", 400),
            (strip_regex("^/a"), "/a%2E%2E/x", 400),
            (Rewrite::AddPrefix("/x/..".into()), "/a", 400),
            (Rewrite::AddPrefix("/x%".into()), "/a", 500),
            (replace("^/(.*)$", "/%zz$1"), "/x", 500),
            (replace("^/(.*)$", "//$1"), "/evil.example", 400),
            (replace("(.*)", "/a\\b"), "/x", 400),
        ] {
            assert_eq!(pass(rewrite, path), Err(status), "{path}");
        }
    }
}
