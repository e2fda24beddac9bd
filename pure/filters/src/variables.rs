//! What variables of nginx are for a request.
//!
//! Values are those of the request as it is inside the filters before: what a client says in them
//! stays what it is, so who puts a text into an URL or a line has it spelled for that first
//! ([`in_url`]).

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use steelyard_http::path::{decoded, normalize};
use steelyard_http::{Head as _, RequestEdits, RequestView as _};
use steelyard_model::routing::variables::{TextPart, Variable, VariableText};

use crate::context::Context;

/// A request as variables see it, under way or over.
pub trait VariableSource {
    /// Whether its connection is TLS.
    fn is_tls(&self) -> bool;
    /// `http` or `https`, as a believed proxy says it.
    fn access_scheme(&self) -> &str;
    /// Host and port, as they are written.
    fn authority(&self) -> &str;
    /// Path, as it is written.
    fn path(&self) -> &str;
    /// The query, without its mark.
    fn query(&self) -> Option<&str>;
    /// Method.
    fn method(&self) -> &str;
    /// Who asks.
    fn client(&self) -> IpAddr;
    /// Calls `see` with each header line.
    fn each(&self, see: &mut dyn FnMut(&str, &[u8]));

    /// Time since 1970, where it is known.
    fn now(&self) -> Option<Duration> {
        None
    }

    /// The port that was asked at, where it is known.
    fn port(&self) -> Option<u16> {
        None
    }

    /// Which TLS, and by which cipher suite.
    fn tls(&self) -> Option<(&str, &str)> {
        None
    }
}

/// A request on its way in.
struct Inside<'a, 'h>(&'a Context<'a>, &'a RequestEdits<'h>);

impl VariableSource for Inside<'_, '_> {
    fn is_tls(&self) -> bool {
        self.0.journey.is_tls
    }

    fn access_scheme(&self) -> &str {
        self.1.scheme().as_str()
    }

    fn authority(&self) -> &str {
        self.1.authority()
    }

    fn path(&self) -> &str {
        self.1.path()
    }

    fn query(&self) -> Option<&str> {
        self.1.query()
    }

    fn method(&self) -> &str {
        self.1.method()
    }

    fn client(&self) -> IpAddr {
        self.0.journey.peer
    }

    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        self.1.each(see);
    }

    fn now(&self) -> Option<Duration> {
        Some((self.0.wall)())
    }

    fn port(&self) -> Option<u16> {
        self.0.journey.port
    }

    fn tls(&self) -> Option<(&str, &str)> {
        self.0.journey.tls
    }
}

/// A text for this request. Bytes of lines that are no UTF-8 are U+FFFD.
pub(crate) fn filled(text: &VariableText, cx: &Context<'_>, head: &RequestEdits<'_>) -> String {
    let (mut out, of) = (Vec::new(), Inside(cx, head));
    for part in text.parts() {
        match part {
            TextPart::Plain(plain) => out.extend_from_slice(plain.as_bytes()),
            TextPart::Variable(variable) => _ = recall(variable, &of, &mut out),
        }
    }
    String::from_utf8(out).unwrap_or_else(|it| String::from_utf8_lossy(it.as_bytes()).into_owned())
}

/// What a name in a template stands for, where it is a variable that is known.
pub(crate) fn named(name: &str, cx: &Context<'_>, head: &RequestEdits<'_>) -> Option<String> {
    let mut out = Vec::new();
    recall(&Variable::of(name)?, &Inside(cx, head), &mut out);
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// Appends what a variable is; whether the request has it at all.
pub fn recall(variable: &Variable, of: &dyn VariableSource, out: &mut Vec<u8>) -> bool {
    let mut push = |text: &str| out.extend_from_slice(text.as_bytes());
    match variable {
        Variable::Scheme => push(if of.is_tls() { "https" } else { "http" }),
        Variable::AccessScheme => push(of.access_scheme()),
        Variable::Host => push(&host(of.authority()).to_ascii_lowercase()),
        Variable::HttpHost => push(of.authority()),
        Variable::RequestUri => push_uri(of, out),
        Variable::EscapedRequestUri => {
            let mut plain = Vec::new();
            push_uri(of, &mut plain);
            push(&escaped(&String::from_utf8_lossy(&plain)));
        }
        Variable::Uri => {
            push(&normalize(of.path()).map_or_else(|_| "".into(), |it| decoded(&it).into_owned()))
        }
        Variable::Query => push(of.query().unwrap_or_default()),
        Variable::QueryMark => push(of.query().map_or("", |_| "?")),
        Variable::RemoteAddress => _ = write!(out, "{}", of.client().to_canonical()),
        Variable::Method => push(of.method()),
        Variable::Header(name) => {
            return lines(of, name, if &**name == "cookie" { b"; " } else { b", " }, out);
        }
        Variable::Cookie(name) => return cookie(of, name, out),
        Variable::Milliseconds => {
            let Some(now) = of.now() else { return false };
            _ = write!(out, "{}.{:03}", now.as_secs(), now.subsec_millis());
        }
        Variable::Passed => {
            if lines(of, "x-forwarded-for", b", ", out) {
                out.extend_from_slice(b", ");
            }
            _ = write!(out, "{}", of.client().to_canonical());
        }
        Variable::ServerPort => match of.port() {
            Some(port) => _ = write!(out, "{port}"),
            None => return false,
        },
        Variable::SslProtocol | Variable::SslCipher => {
            let Some((version, cipher)) = of.tls() else { return false };
            push(if *variable == Variable::SslCipher { cipher } else { version });
        }
        // They are put in where locations are made.
        Variable::Place(_) => return false,
        Variable::Argument(name) => {
            let found = argument(of.query().unwrap_or_default(), name);
            push(found.unwrap_or_default());
            return found.is_some();
        }
    }
    true
}

fn push_uri(of: &dyn VariableSource, out: &mut Vec<u8>) {
    out.extend_from_slice(of.path().as_bytes());
    if let Some(query) = of.query() {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
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

/// All values of a line; whether there is one.
fn lines(of: &dyn VariableSource, name: &str, between: &[u8], out: &mut Vec<u8>) -> bool {
    let mut is_there = false;
    of.each(&mut |line, value| {
        if line.eq_ignore_ascii_case(name) {
            out.extend_from_slice(if is_there { between } else { b"" });
            out.extend_from_slice(value);
            is_there = true;
        }
    });
    is_there
}

fn cookie(of: &dyn VariableSource, name: &str, out: &mut Vec<u8>) -> bool {
    let mut is_there = false;
    of.each(&mut |line, value| {
        if is_there || !line.eq_ignore_ascii_case("cookie") {
            return;
        }
        let mut pairs = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let found = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        out.extend_from_slice(found.unwrap_or_default());
        is_there = found.is_some();
    });
    is_there
}

/// Without regard to case in its name, as nginx has it.
fn argument<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
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
    use crate::context::Journey;
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
            ("$proxy_add_x_forwarded_for", "10.0.0.1"),
            ("t=${msec} $server_port $ssl_protocol/$ssl_cipher.", "t=1000000.250 8443 TLSv1.3/s."),
        ] {
            let read = VariableText::read(text, &[]).unwrap();
            let journey = Journey {
                port: Some(8443),
                tls: Some(("TLSv1.3", "s")),
                ..world.context().journey.clone()
            };
            let cx = Context { journey: &journey, ..world.context() };
            let found = filled(&read, &cx, &RequestEdits::new(&asked));
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
