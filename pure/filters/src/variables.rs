//! What variables of nginx are for a request.
//!
//! Values are those of the request as it is inside the filters before: what a client says in them
//! stays what it is, so who puts a text into an URL or a line has it spelled for that first
//! ([`in_url`]).

use std::fmt::Write as _;

use steelyard_http::path::{decoded, normalize};
use steelyard_http::{Head as _, RequestEdits, RequestView as _};
use steelyard_model::routing::variables::{TextPart, Variable, VariableText};

use crate::context::Context;

/// A text for this request. Bytes of lines that are no UTF-8 are U+FFFD.
pub(crate) fn filled(text: &VariableText, cx: &Context<'_>, head: &RequestEdits<'_>) -> String {
    let mut out = String::new();
    for part in text.parts() {
        match part {
            TextPart::Plain(plain) => out.push_str(plain),
            TextPart::Variable(variable) => out.push_str(&value(variable, cx, head)),
        }
    }
    out
}

fn value(variable: &Variable, cx: &Context<'_>, head: &RequestEdits<'_>) -> String {
    match variable {
        Variable::Scheme => scheme(cx).to_owned(),
        Variable::AccessScheme => head.scheme().as_str().to_owned(),
        Variable::Host => host(head.authority()).to_ascii_lowercase(),
        Variable::HttpHost => head.authority().to_owned(),
        Variable::RequestUri => uri(head),
        Variable::EscapedRequestUri => escaped(&uri(head)),
        Variable::Uri => {
            normalize(head.path()).map_or_else(|_| String::new(), |it| decoded(&it).into_owned())
        }
        Variable::Query => head.query().unwrap_or_default().to_owned(),
        Variable::QueryMark => head.query().map_or("", |_| "?").to_owned(),
        Variable::RemoteAddress => cx.journey.peer.to_canonical().to_string(),
        Variable::Method => head.method().to_owned(),
        Variable::Header(name) => lines(head, name, if &**name == "cookie" { "; " } else { ", " }),
        Variable::Cookie(name) => cookie(head, name),
        Variable::Argument(name) => argument(head.query().unwrap_or_default(), name).to_owned(),
    }
}

/// Path and query.
pub(crate) fn uri(head: &RequestEdits<'_>) -> String {
    let query = head.query().map_or(String::new(), |query| format!("?{query}"));
    format!("{}{query}", head.path())
}

/// By the connection.
pub(crate) fn scheme(cx: &Context<'_>) -> &'static str {
    if cx.journey.is_tls { "https" } else { "http" }
}

/// Without a port.
pub(crate) fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

/// All values of a line.
fn lines(head: &RequestEdits<'_>, name: &str, between: &str) -> String {
    let mut values = Vec::new();
    head.each(&mut |line, value| {
        if line.eq_ignore_ascii_case(name) {
            values.push(String::from_utf8_lossy(value).into_owned());
        }
    });
    values.join(between)
}

fn cookie(head: &RequestEdits<'_>, name: &str) -> String {
    let line = lines(head, "cookie", "; ");
    let mut pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find(|(own, _)| *own == name);
    found.map_or_else(String::new, |(_, value)| value.to_owned())
}

/// Without regard to case in its name, as nginx has it.
fn argument<'q>(query: &'q str, name: &str) -> &'q str {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| own.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

/// As a value in a query: letters, digits and `-._~` as they are (RFC 3986 §2.3).
pub(crate) fn escaped(text: &str) -> String {
    spelled(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// As a part of an URL that is written already: what none can have is encoded, and nothing begins
/// a fragment.
pub(crate) fn in_url(text: &str) -> String {
    spelled(text, |byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte))
}

fn spelled(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match is_plain(byte) {
            true => out.push(char::from(byte)),
            false => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Asked, World};

    #[test]
    fn variables_are_what_the_request_has() {
        let asked = Asked::by("POST", "https://A.test:8443", "/a%20b/../c%2Fd?x=1&User=a%26b")
            .with("X-User", "ann")
            .with("x-user", "bob")
            .with("Cookie", "a=1; b=2=3")
            .with("Cookie", "c=4");
        let mut world = World::new();
        for (text, expected) in [
            ("$scheme $pass_access_scheme", "http https"),
            ("$host|$http_host", "a.test|A.test:8443"),
            ("$request_uri", "/a%20b/../c%2Fd?x=1&User=a%26b"),
            ("$escaped_request_uri", "%2Fa%2520b%2F..%2Fc%252Fd%3Fx%3D1%26User%3Da%2526b"),
            ("$uri$is_args$args", "/c/d?x=1&User=a%26b"),
            ("$remote_addr $request_method", "10.0.0.1 POST"),
            ("$http_x_user|$http_cookie|$http_no", "ann, bob|a=1; b=2=3; c=4|"),
            ("$cookie_b $cookie_c $cookie_d.", "2=3 4 ."),
            ("$arg_user $arg_x $arg_y.", "a%26b 1 ."),
        ] {
            let read = VariableText::read(text, &[]).unwrap();
            let found = filled(&read, &world.context(), &RequestEdits::new(&asked));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn hosts_have_no_port() {
        for (authority, expected) in
            [("a.b", "a.b"), ("a.b:80", "a.b"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]")]
        {
            assert_eq!(host(authority), expected);
        }
    }

    #[test]
    fn nothing_ends_an_url_or_a_line() {
        for (text, expected) in [
            ("https://a.b/c?d=e%20&f", "https://a.b/c?d=e%20&f"),
            ("/a b\r\nX: y\"<>#z", "/a%20b%0D%0AX:%20y%22%3C%3E%23z"),
            ("ä\u{0}", "%C3%A4%00"),
        ] {
            assert_eq!(in_url(text), expected);
        }
    }
}
