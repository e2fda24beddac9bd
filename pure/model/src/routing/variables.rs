//! Texts in which variables of nginx stand (`https://$host/start?rd=$escaped_request_uri`), read
//! once. What a variable is for a request is said where the request is known (`pure/filters`).
//!
//! The list is closed: a name that is in it nowhere is no variable, and its text is refused rather
//! than sent as it is written.

use std::fmt;
use std::sync::Arc;

/// Longest text, in bytes, and most parts of one.
const LONGEST: usize = 8192;
const MOST_PARTS: usize = 64;

/// A text with variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariableText(Vec<TextPart>);

/// A part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextPart {
    /// As it is.
    Plain(Arc<str>),
    /// What a request has under this name.
    Variable(Variable),
}

/// What of a request a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// `$scheme`: `http` or `https`, by the connection.
    Scheme,
    /// `$pass_access_scheme`: the same, as a believed proxy says it.
    AccessScheme,
    /// `$host`: in lower case, without a port.
    Host,
    /// `$http_host`: as it is written.
    HttpHost,
    /// `$request_uri`: path and query, as they are written.
    RequestUri,
    /// `$escaped_request_uri`: the same as a value in a query.
    EscapedRequestUri,
    /// `$uri`: the path, decoded.
    Uri,
    /// `$args`, `$query_string`: the query.
    Query,
    /// `$is_args`: `?` where there is one.
    QueryMark,
    /// `$remote_addr`: the client's address.
    RemoteAddress,
    /// `$request_method`.
    Method,
    /// `$http_NAME`: values of header lines, by their name in lower case with hyphens.
    Header(Arc<str>),
    /// `$cookie_NAME`: the value of a cookie.
    Cookie(Arc<str>),
    /// `$arg_NAME`: a parameter of the query, as it is written.
    Argument(Arc<str>),
    /// `$msec`: seconds since 1970, with three places.
    Milliseconds,
    /// `$proxy_add_x_forwarded_for`: whom a request has passed, the peer included.
    Passed,
    /// `$server_port`: the port that the request came to.
    ServerPort,
    /// `$ssl_protocol`: which TLS, where it is spoken.
    SslProtocol,
    /// `$ssl_cipher`: by which cipher suite.
    SslCipher,
    /// What a location is: known where texts of all are put beside it ([`VariableText::placed`]).
    Place(PlaceWord),
}

/// What ingress-nginx says of the location that takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceWord {
    /// `$namespace`.
    Namespace,
    /// `$ingress_name`.
    Ingress,
    /// `$service_name`.
    Service,
    /// `$service_port`.
    ServicePort,
    /// `$proxy_upstream_name`: namespace, Service and port.
    Upstream,
    /// `$location_path`.
    Path,
}

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableFault {
    /// There is no such variable here.
    Unknown(Box<str>),
    /// A `$` without a name, or a brace that nothing closes.
    Malformed,
    /// It is too long, or has too many parts.
    TooLong,
}

impl VariableText {
    /// Reads a text: `$name` and `${name}` are variables. `constants` are names whose value is
    /// known already.
    ///
    /// # Errors
    /// What in it cannot be read.
    pub fn read(text: &str, constants: &[(&str, &str)]) -> Result<Self, VariableFault> {
        Self::read_by(text, constants, Variable::of)
    }

    /// The same, with names of what a location is: it is to be [`Self::placed`].
    ///
    /// # Errors
    /// What in it cannot be read.
    pub fn read_of_place(text: &str) -> Result<Self, VariableFault> {
        let of = |name: &str| PlaceWord::of(name).map(Variable::Place);
        Self::read_by(text, &[], |name| of(name).or_else(|| Variable::of(name)))
    }

    fn read_by(
        text: &str,
        constants: &[(&str, &str)],
        of: impl Fn(&str) -> Option<Variable>,
    ) -> Result<Self, VariableFault> {
        if text.len() > LONGEST {
            return Err(VariableFault::TooLong);
        }
        let (mut read, mut rest) = (Self::default(), text);
        while let Some((before, after)) = rest.split_once('$') {
            read.push_plain(before);
            let (name, further) = named(after).ok_or(VariableFault::Malformed)?;
            match constants.iter().find(|(it, _)| *it == name) {
                Some((_, value)) => read.push_plain(value),
                None => {
                    let unknown = || VariableFault::Unknown(name.into());
                    read.push(of(name).ok_or_else(unknown)?);
                }
            }
            if read.0.len() > MOST_PARTS {
                return Err(VariableFault::TooLong);
            }
            rest = further;
        }
        read.push_plain(rest);
        Ok(read)
    }

    /// A text without variables, whatever stands in it.
    pub fn plain(text: &str) -> Self {
        let mut made = Self::default();
        made.push_plain(text);
        made
    }

    /// Its parts, in their order.
    pub fn parts(&self) -> &[TextPart] {
        &self.0
    }

    /// The variables in it.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter().filter_map(|part| match part {
            TextPart::Variable(it) => Some(it),
            TextPart::Plain(_) => None,
        })
    }

    /// Whether it hangs on the location.
    pub fn is_of_place(&self) -> bool {
        self.variables().any(|it| matches!(it, Variable::Place(_)))
    }

    /// The same with what a location is put in.
    #[must_use]
    pub fn placed(&self, is: &dyn Fn(PlaceWord) -> String) -> Self {
        let mut made = Self::default();
        for part in &self.0 {
            match part {
                TextPart::Plain(text) => made.push_plain(text),
                TextPart::Variable(Variable::Place(word)) => made.push_plain(&is(*word)),
                TextPart::Variable(variable) => made.push(variable.clone()),
            }
        }
        made
    }

    /// Adds a variable.
    pub fn push(&mut self, variable: Variable) {
        self.0.push(TextPart::Variable(variable));
    }

    /// Adds what stands there as it is.
    pub fn push_plain(&mut self, text: &str) {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(TextPart::Plain(last)) => *last = format!("{last}{text}").into(),
            _ => self.0.push(TextPart::Plain(text.into())),
        }
    }
}

impl Variable {
    /// The one of this name, without `$`.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "scheme" => Self::Scheme,
            "pass_access_scheme" => Self::AccessScheme,
            "host" | "best_http_host" => Self::Host,
            "http_host" => Self::HttpHost,
            "request_uri" => Self::RequestUri,
            "escaped_request_uri" => Self::EscapedRequestUri,
            "uri" | "document_uri" => Self::Uri,
            "args" | "query_string" => Self::Query,
            "is_args" => Self::QueryMark,
            "remote_addr" | "the_real_ip" => Self::RemoteAddress,
            "request_method" => Self::Method,
            "req_id" | "request_id" => Self::Header("x-request-id".into()),
            "content_type" => Self::Header("content-type".into()),
            "content_length" => Self::Header("content-length".into()),
            "msec" => Self::Milliseconds,
            "proxy_add_x_forwarded_for" => Self::Passed,
            "server_port" | "pass_server_port" => Self::ServerPort,
            "ssl_protocol" => Self::SslProtocol,
            "ssl_cipher" => Self::SslCipher,
            name => match name.split_once('_')? {
                (_, "") => return None,
                ("http", header) => {
                    Self::Header(header.to_ascii_lowercase().replace('_', "-").into())
                }
                ("cookie", cookie) => Self::Cookie(cookie.into()),
                ("arg", argument) => Self::Argument(argument.into()),
                _ => return None,
            },
        })
    }
}

impl PlaceWord {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "namespace" => Self::Namespace,
            "ingress_name" => Self::Ingress,
            "service_name" => Self::Service,
            "service_port" => Self::ServicePort,
            "proxy_upstream_name" => Self::Upstream,
            "location_path" => Self::Path,
            _ => return None,
        })
    }
}

/// Most parts of a line of a log.
const MOST_OF_LINES: usize = 512;

/// The parts of a text: what stands there as it is, and what `of` makes of names.
///
/// # Errors
/// What of it cannot be read.
pub(crate) fn parts<P>(
    text: &str,
    plain: fn(Arc<str>) -> P,
    mut of: impl FnMut(&str) -> P,
) -> Result<Vec<P>, VariableFault> {
    if text.len() > LONGEST {
        return Err(VariableFault::TooLong);
    }
    let (mut all, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        all.extend((!before.is_empty()).then(|| plain(before.into())));
        let (name, further) = named(after).ok_or(VariableFault::Malformed)?;
        all.push(of(name));
        if all.len() > MOST_OF_LINES {
            return Err(VariableFault::TooLong);
        }
        rest = further;
    }
    all.extend((!rest.is_empty()).then(|| plain(rest.into())));
    Ok(all)
}

/// The name that a text begins with, plain or in braces, and what stands behind it.
fn named(text: &str) -> Option<(&str, &str)> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let (name, rest) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}')?,
        None => text.split_at(text.find(|it| !is_part(it)).unwrap_or(text.len())),
    };
    (!name.is_empty() && name.chars().all(is_part)).then_some((name, rest))
}

impl fmt::Display for VariableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "`${name}` is not known here"),
            Self::Malformed => f.write_str("a `$` has no name behind it"),
            Self::TooLong => f.write_str("it is too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> TextPart {
        TextPart::Plain(text.into())
    }

    #[test]
    fn variables_are_told_from_text() {
        let is = TextPart::Variable;
        for (text, parts) in [
            ("", vec![]),
            ("/a", vec![plain("/a")]),
            ("$host", vec![is(Variable::Host)]),
            (
                "https://$host/start?rd=${escaped_request_uri}x",
                vec![
                    plain("https://"),
                    is(Variable::Host),
                    plain("/start?rd="),
                    is(Variable::EscapedRequestUri),
                    plain("x"),
                ],
            ),
            ("$http_X_User.", vec![is(Variable::Header("x-user".into())), plain(".")]),
            ("$cookie_a_b", vec![is(Variable::Cookie("a_b".into()))]),
            ("$arg_a-$args", {
                vec![is(Variable::Argument("a".into())), plain("-"), is(Variable::Query)]
            }),
            ("a$namespace/b", vec![plain("adefault/b")]),
        ] {
            let read = VariableText::read(text, &[("namespace", "default")]);
            assert_eq!(read.map(|it| it.0), Ok(parts), "{text}");
        }
        assert_eq!(VariableText::plain("$host").parts(), [plain("$host")]);
    }

    #[test]
    fn what_a_location_is_is_put_in() {
        assert!(VariableText::read("$service_name", &[]).is_err());
        let read = VariableText::read_of_place("$host: $service_name.$namespace").unwrap();
        assert!(read.is_of_place());
        let placed = read.placed(&|word| format!("{word:?}"));
        let is = TextPart::Variable;
        assert_eq!(placed.parts(), [is(Variable::Host), plain(": Service.Namespace")]);
        assert!(!placed.is_of_place());
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        let unknown = |name: &str| VariableFault::Unknown(name.into());
        for (text, fault) in [
            ("$lua_x", unknown("lua_x")),
            ("$http_", unknown("http_")),
            ("$binary_remote_addr", unknown("binary_remote_addr")),
            ("a$", VariableFault::Malformed),
            ("$$host", VariableFault::Malformed),
            ("$(id)", VariableFault::Malformed),
            ("${host", VariableFault::Malformed),
            ("${host;}", VariableFault::Malformed),
            ("${}", VariableFault::Malformed),
        ] {
            assert_eq!(VariableText::read(text, &[]), Err(fault), "{text}");
        }
        let long = |text: &str| VariableText::read(&text.repeat(MOST_PARTS * 2), &[]);
        assert_eq!(long("$host"), Err(VariableFault::TooLong));
        assert!(long("x").is_ok());
    }
}
