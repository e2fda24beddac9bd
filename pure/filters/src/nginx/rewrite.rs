//! Asks for another path, as nginx's `rewrite … break` does: the expression is looked for in the
//! decoded path, and what becomes of it is the whole path, encoded again. Where the path ends and a
//! query begins is said by the target alone, never by what a client has written: so is whether it
//! leads to another site. The query that came stays, behind one that the target has, but where the
//! target ends in a question mark. What would mean another path to an endpoint is answered 400.

use steelyard_http::path::{decoded_whole, normalize, odd_byte};
use steelyard_http::{RequestEdits, RequestView};
use steelyard_model::routing::filter::nginx::NginxRewrite;

use super::led::led;
use crate::context::{Context, Note};
use crate::frame::Enter;
use crate::response::Response;
use crate::variables;

/// What an endpoint is told was taken off.
const PREFIX: &str = "X-Forwarded-Prefix";

/// What stands in a path as it is (RFC 3986, section 3.3).
const PLAIN: &[u8] = b"/-._~!$&'()*+,;=:@";

pub(super) fn enter(
    rewrite: &NginxRewrite,
    cx: &mut Context<'_>,
    head: &mut RequestEdits<'_>,
) -> Enter {
    let before = head.path().to_owned();
    let Ok(normal) = normalize(&before) else { return Enter::Next };
    let text = decoded_whole(&normal);
    let (to, keeps_query) = match rewrite.to.strip_suffix('?') {
        Some(to) => (to, false),
        None => (&*rewrite.to, true),
    };
    let own = head.query().filter(|it| keeps_query && !it.is_empty()).map(str::to_owned);
    let is_site = to.starts_with("http://") || to.starts_with("https://");
    let (path, query) = match to.split_once('?').filter(|_| !is_site) {
        Some((path, query)) => (path, Some(query)),
        None => (to, None),
    };
    let named = |name: &str| variables::named(name, cx, head);
    let filled = |to: &str, written: fn(&str) -> String| {
        rewrite.expression.rewritten(&text, to, written, &named)
    };
    let path = filled(path, if is_site { argument } else { str::to_owned });
    let query = query.map(|query| filled(query, argument)).transpose();
    let prefix = rewrite.prefix.as_deref().map(|it| filled(it, str::to_owned)).transpose();
    let (path, query, prefix) = match (path, query, prefix) {
        (Ok(Some(path)), Ok(query), Ok(prefix)) => (path, query.flatten(), prefix.flatten()),
        (Ok(None), ..) => return Enter::Next,
        _ => {
            cx.notes.push(Note::Reason("it takes too many steps to say what is asked for instead"));
            return Enter::Answer(Box::new(Response::of_nginx(503)));
        }
    };
    if is_site {
        let mark = if path.contains('?') { '&' } else { '?' };
        let query = own.map(|it| format!("{mark}{it}")).unwrap_or_default();
        return led(cx, 302, encoded(&path, b"%?#[]") + &query);
    }
    let path = encoded(&path, b"");
    let Some(path) = rooted(path) else {
        cx.notes.push(Note::Reason("the path is none once it is rewritten"));
        return Enter::Answer(Box::new(Response::bare(400)));
    };
    let mut is_written = head.set_path(&*path).is_ok();
    if own.is_none() {
        is_written &= head.set_query(None).is_ok();
    }
    if let Some(query) = query {
        let query = encoded(&query, b"%?");
        let whole = own.map_or_else(|| query.clone(), |own| format!("{query}&{own}"));
        is_written &= head.set_query(Some(&whole)).is_ok();
    }
    if let Some(prefix) = prefix {
        let prefix = encoded(&prefix, b"%?#[]");
        is_written &= head.lines().set(PREFIX, prefix.as_bytes()).is_ok();
    }
    if is_written {
        return Enter::Next;
    }
    cx.notes.push(Note::Reason("a filter made no path"));
    Enter::Answer(Box::new(Response::bare(500)))
}

/// A group as a part of a query, of which it can be no more than one value.
fn argument(group: &str) -> String {
    spelled(group, |byte| byte.is_ascii_alphanumeric() || b"-._~/:@,=!$'()*".contains(&byte))
}

/// Text in characters that are plain; others are encoded, each byte as it came.
fn spelled(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        let mut bytes = [0; 4];
        let bytes = match odd_byte(character) {
            Some(byte) => {
                bytes[0] = byte;
                &bytes[..1]
            }
            None => character.encode_utf8(&mut bytes).as_bytes(),
        };
        for byte in bytes {
            match is_plain(*byte) {
                true => out.push(char::from(*byte)),
                false => out.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    out
}

fn encoded(text: &str, also: &[u8]) -> String {
    spelled(text, |byte| {
        byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) || also.contains(&byte)
    })
}

/// A path of whole elements, none of which leads up; slashes that follow each other are one.
fn rooted(path: String) -> Option<String> {
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let is_up = path.split('/').any(|element| matches!(element, "." | ".."));
    match normalize(&path) {
        Ok(normal) if !is_up => Some(normal.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use steelyard_http::Head as _;
    use steelyard_model::routing::pattern::Expression;

    use super::*;
    use crate::tests::{Asked, World};

    /// What takes steps without end.
    const LONG: &str = "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!b";

    /// What goes on; or the status of the answer.
    fn pass(expression: &str, to: &str, path: &'static str) -> Result<String, u16> {
        let expression = Expression::looking(expression).unwrap();
        let rewrite = NginxRewrite { expression, to: to.into(), prefix: Some("/p".into()) };
        let asked = Asked::get("http://a.b", path);
        let mut request = RequestEdits::new(&asked);
        match enter(&rewrite, &mut World::new().context(), &mut request) {
            Enter::Next => {}
            Enter::Answer(answer) => return Err(answer.status),
            Enter::Ask(ask) => panic!("{ask:?}"),
        }
        let query = request.query().map_or(String::new(), |query| format!("?{query}"));
        Ok(format!("{}{query}", request.path()))
    }

    #[test]
    fn the_whole_path_is_replaced() {
        for (expression, to, path, expected) in [
            ("(?i)/api(/|$)(.*)", "/$2", "/api/x/y?q=1", Ok("/x/y?q=1")),
            ("(?i)/api(/|$)(.*)", "/$2", "/API", Ok("/")),
            ("(?i)/api", "/", "/api/x", Ok("/")),
            ("(?i)/no", "/", "/api/x", Ok("/api/x")),
            ("(?i)/a(.*)", "/b$1?own=1", "/a%20c?q", Ok("/b%20c?own=1&q")),
            ("(?i)/a/(.*)", "/b?x=$1", "/a/c%26d=e%20%3F?q", Ok("/b?x=c%26d=e%20%3F&q")),
            ("(?i)/a(.*)", "/b$1$3$x", "/a%252F", Ok("/b%252F$x")),
            ("(?i)/a(.*)", "/b/$1", "/a/c", Ok("/b/c")),
            ("(?i)/a(.*)", "https://x.y$1", "/a/c?q", Err(302)),
            // What a client has encoded stays in the path, and what leads elsewhere is our word.
            ("(?i)/a(.*)", "/b$1", "/a/c%3Fd=e%23f%20g%09h", Ok("/b/c%3Fd=e%23f%20g%09h")),
            ("(?i)/a(.*)", "/b$1", "/a%3F?q", Ok("/b%3F?q")),
            ("(?i)/a/(.*)", "$1", "/a/http:%2F%2Fx.y", Ok("/http:/x.y")),
            ("(?i)/a/(.*)", "/b/$1?x=$1", "/a/c%3Fd", Ok("/b/c%3Fd?x=c%3Fd")),
            // A question mark at the end: nothing of the query that came.
            ("(?i)/a(.*)", "/b$1?", "/a/c?q=1", Ok("/b/c")),
            ("(?i)/a(.*)", "/b$1?own=1?", "/a/c?q=1", Ok("/b/c?own=1")),
            ("(?i)/(?!api)(.*)", "/b/$1", "/a/c?q", Ok("/b/a/c?q")),
            ("(?i)/(?!api)(.*)$", "/b/$1", "/api", Ok("/api")),
            (r"^/((a+)*)*\2b$", "/", LONG, Err(503)),
            // Bytes stay what they are, also where they are no text.
            ("(?i)/a/(.*)", "/b/$1?x=$1", "/a/%FF%c3%a4", Ok("/b/%FF%C3%A4?x=%FF%C3%A4")),
            // Groups with names, and variables; a name that is neither stays.
            ("(?i)/v(?<ver>[0-9]+)/(.*)", "/$ver/$2", "/v12/foo", Ok("/12/foo")),
            ("(?i)/(.*)", "/$host/${request_method}/$1", "/a", Ok("/a.b/GET/a")),
            ("(?i)/(.*)", "/b?h=$arg_x&$1", "/a?x=1%262", Ok("/b?h=1%25262&a&x=1%262")),
            // What an endpoint would resolve.
            ("(?i)/a(.*)", "/b/$1", "/a..", Err(400)),
        ] {
            let found = pass(expression, to, path);
            assert_eq!(found, expected.map(str::to_owned), "{expression} {to} {path}");
        }
    }

    #[test]
    fn endpoints_are_told_what_was_taken_off_with_its_groups() {
        for (prefix, path, expected) in [
            ("/$1", "/Foo/bar", Some("/Foo")),
            ("/p/$host", "/foo/bar", Some("/p/a.b")),
            ("/$1", "/f%0d%0ao/bar", Some("/f%0D%0Ao")),
            ("/$1", "/other", None),
        ] {
            let expression = Expression::looking("(?i)^/(f[^/]*)/(.*)").unwrap();
            let (to, prefix) = ("/$2".into(), Some(prefix.into()));
            let rewrite = NginxRewrite { expression, to, prefix };
            let asked = Asked::get("http://a.b", path);
            let mut request = RequestEdits::new(&asked);
            let entered = enter(&rewrite, &mut World::new().context(), &mut request);
            assert!(matches!(entered, Enter::Next));
            let found = request.first(PREFIX).map(|it| String::from_utf8_lossy(it).into_owned());
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }
}
