//! What ingress-nginx does to the requests of a location, where that is another thing than what
//! Traefik does by the same name.

use std::sync::Arc;

use crate::routing::filter::access::Networks;
use crate::routing::pattern::Expression;

/// One thing that is done to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NginxStep {
    /// Says what pages of other sites may do.
    Cors(NginxCors),
    /// Answers with a redirection.
    Return(NginxReturn),
    /// Refuses clients of these addresses, with 403.
    Deny(Networks),
    /// Lets clients in that are among the first addresses and not among the second, and refuses
    /// others, with 403: both lists as one of several ways to pass.
    Among(Networks, Networks),
    /// Asks for another path.
    Rewrite(NginxRewrite),
}

/// What pages of other sites may do: said on every answer, and to browsers that ask beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxCors {
    /// From these; none is any, which is said as `*`.
    pub origins: Option<Vec<NginxOrigin>>,
    /// With cookies.
    pub credentials: bool,
    /// By these methods, as they are written.
    pub methods: Arc<str>,
    /// With these lines, as they are written.
    pub headers: Arc<str>,
    /// These lines may be read, as they are written.
    pub exposed: Option<Arc<str>>,
    /// For so many seconds.
    pub max_age: i64,
}

/// An origin, in lower case: `https://a.b:8443`, `https://*.b`, where the star is one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxOrigin {
    /// What is before the star; all of it where there is none.
    pub head: Arc<str>,
    /// What is behind it.
    pub tail: Option<Arc<str>>,
}

/// Answers with a redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxReturn {
    /// Status.
    pub status: u16,
    /// Where to: an URL, or a path of the same site.
    pub to: Arc<str>,
    /// A path goes out as it is; else it is made an URL.
    pub is_relative: bool,
    /// Only who asks for `/`.
    pub of_root: bool,
}

/// Asks for another path where an expression is found in the one that was asked for, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxRewrite {
    /// The expression.
    pub expression: Expression,
    /// What is asked for instead; `$1` to `$9` stand for its groups. An URL is led to.
    pub to: Arc<str>,
    /// What an endpoint is told was taken off (`X-Forwarded-Prefix`).
    pub prefix: Option<Arc<str>>,
}

impl NginxStep {
    /// What it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cors(_) => "nginx-cors",
            Self::Return(_) => "nginx-return",
            Self::Deny(_) => "nginx-deny",
            Self::Among(..) => "nginx-among",
            Self::Rewrite(_) => "nginx-rewrite",
        }
    }
}

impl NginxOrigin {
    /// Whether `origin` is meant, without regard to case.
    pub fn matches(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let Some(tail) = &self.tail else { return *origin == *self.head };
        let label = origin.strip_prefix(&*self.head).and_then(|rest| rest.strip_suffix(&**tail));
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        label.is_some_and(|label| !label.is_empty() && label.bytes().all(is_part))
    }
}
