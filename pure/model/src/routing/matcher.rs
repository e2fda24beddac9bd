//! One condition of a rule.

use std::sync::Arc;

use ipnet::IpNet;

use crate::routing::pattern::{Expression, HostPattern, PathPattern};
use crate::routing::subject::Subject;

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matcher {
    /// The host asked for.
    Host(HostPattern),
    /// The host asked for, by expression.
    HostRegex(Expression),
    /// The same, and the dot of the root is seen where one is written: Traefik's.
    RootedHostRegex(Expression),
    /// The server name of the TLS handshake.
    Sni(HostPattern),
    /// The server name of the TLS handshake, by expression.
    SniRegex(Expression),
    /// An application protocol that the handshake offers.
    Alpn(Arc<str>),
    /// The path.
    Path(PathPattern),
    /// The method, exactly.
    Method(Arc<str>),
    /// A header by its lower-case name: any of its values.
    Header(Arc<str>, Values),
    /// A query parameter: any of its values.
    Query(Arc<str>, Values),
    /// The address the connection comes from.
    ClientIp(IpNet),
    /// An argument that means nothing, as it was written. It counts as true, also under `!`:
    /// its route is refused, and must not open to others what it was to guard.
    Invalid(Arc<str>),
}

/// Which values are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Values {
    /// Any: the name is there.
    Present,
    /// Exactly this one.
    Exact(Arc<str>),
    /// All in which this expression is found.
    Regex(Expression),
}

/// A host as expressions see it: an address of IPv6 without its brackets, as in Traefik.
pub fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host)
}

impl Matcher {
    /// Whether it holds for `subject`.
    pub fn holds(&self, subject: &impl Subject) -> bool {
        match self {
            Self::Host(pattern) => pattern.matches(subject.host()),
            Self::HostRegex(expression) => expression.is_found_in(without_brackets(subject.host())),
            Self::RootedHostRegex(expression) if subject.is_rooted() => {
                expression.is_found_in(&format!("{}.", subject.host()))
            }
            Self::RootedHostRegex(expression) => {
                expression.is_found_in(without_brackets(subject.host()))
            }
            Self::Sni(pattern) => pattern.matches(subject.server_name().unwrap_or_default()),
            Self::SniRegex(expression) => {
                expression.is_found_in(subject.server_name().unwrap_or_default())
            }
            Self::Alpn(protocol) => subject.offers(protocol),
            Self::Path(pattern) => pattern.shape.matches(subject.path(pattern.form)),
            Self::Method(method) => **method == *subject.method(),
            Self::Header(name, values) => {
                subject.any_header(name, &mut |value| values.contain_bytes(value))
            }
            Self::Query(name, values) => {
                subject.any_query(name, &mut |value| values.contain(value))
            }
            Self::ClientIp(net) => {
                subject.client_ip().is_some_and(|ip| net.contains(&ip.to_canonical()))
            }
            Self::Invalid(_) => true,
        }
    }
}

impl Matcher {
    /// The same for strangers: without what a header or a query is to say.
    pub fn discreet(&self) -> Self {
        let hidden = || Values::Exact("…".into());
        match self {
            Self::Header(name, Values::Exact(_) | Values::Regex(_)) => {
                Self::Header(name.clone(), hidden())
            }
            Self::Query(name, Values::Exact(_) | Values::Regex(_)) => {
                Self::Query(name.clone(), hidden())
            }
            // As it was written, whatever that is.
            Self::Invalid(_) => Self::Invalid("…".into()),
            other => other.clone(),
        }
    }
}

impl Values {
    fn contain(&self, value: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(wanted) => **wanted == *value,
            Self::Regex(expression) => expression.is_found_in(value),
        }
    }

    /// Header values are bytes; an expression sees only those that are text.
    fn contain_bytes(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(wanted) => wanted.as_bytes() == value,
            Self::Regex(expression) => {
                str::from_utf8(value).is_ok_and(|value| expression.is_found_in(value))
            }
        }
    }
}
