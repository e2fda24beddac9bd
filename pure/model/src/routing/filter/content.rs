//! Filters that change what is in requests and responses.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::routing::id::BackendId;
use crate::routing::pattern::Expression;

/// Answers with what somebody else says to a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPages {
    /// To these: ranges.
    pub statuses: Vec<(u16, u16)>,
    /// What they become: the first range that has one.
    pub rewrites: Vec<((u16, u16), u16)>,
    /// Who says it.
    pub backend: BackendId,
    /// What is asked for there; `{status}`, `{originalStatus}` and `{url}` stand for those.
    pub query: Arc<str>,
    /// Lines of the request that are told there; none is all.
    pub request_headers: Option<Vec<Arc<str>>>,
    /// ingress-nginx's `custom-http-errors`: lines that it is told beside `X-Code`, `X-Format` and
    /// `X-Original-URI`, and the status is the one that it answers. None is Traefik's manner.
    pub told: Option<Vec<(Arc<str>, Arc<str>)>>,
    /// What a backend answers itself stays as it is.
    pub spares_backends: bool,
    /// It answers too where there is nobody to be asked (503).
    pub stands_in: bool,
}

/// Writes header lines. An empty value takes a line away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// Lines of requests; `Host` is the site.
    pub request: BTreeMap<Arc<str>, Arc<str>>,
    /// Lines of responses.
    pub response: BTreeMap<Arc<str>, Arc<str>>,
    /// What pages of other sites may do.
    pub cors: Cors,
    /// What browsers are told to keep to.
    pub security: SecurityHeaders,
}

/// What pages of other sites may do (the Fetch standard's CORS protocol).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// With cookies.
    pub credentials: bool,
    /// With these lines.
    pub headers: Vec<Arc<str>>,
    /// By these methods.
    pub methods: Vec<Arc<str>>,
    /// From these pages; `*` is all.
    pub origins: Vec<Arc<str>>,
    /// From pages that these match.
    pub origin_expressions: Vec<Expression>,
    /// These lines may be read.
    pub exposed: Vec<Arc<str>>,
    /// For so many seconds.
    pub max_age: i64,
    /// `Vary: Origin` is added.
    pub adds_vary: bool,
}

/// What browsers are told to keep to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityHeaders {
    /// Sites that may be asked for; none is all.
    pub allowed_hosts: Vec<Arc<str>>,
    /// Lines that name the site.
    pub host_headers: Vec<Arc<str>>,
    /// Lines with values that say that TLS was spoken.
    pub tls_headers: BTreeMap<Arc<str>, Arc<str>>,
    /// `max-age` of `Strict-Transport-Security`; 0 is none.
    pub sts_seconds: i64,
    /// `includeSubDomains` of it.
    pub sts_subdomains: bool,
    /// `preload` of it.
    pub sts_preload: bool,
    /// It is said in plain as well.
    pub sts_always: bool,
    /// `X-Frame-Options: DENY`.
    pub frame_deny: bool,
    /// `X-Frame-Options`.
    pub frame_options: Option<Arc<str>>,
    /// `X-Content-Type-Options: nosniff`.
    pub no_sniff: bool,
    /// `X-XSS-Protection: 1; mode=block`.
    pub xss_filter: bool,
    /// `X-XSS-Protection`.
    pub xss_value: Option<Arc<str>>,
    /// `Content-Security-Policy`.
    pub content_policy: Option<Arc<str>>,
    /// `Content-Security-Policy-Report-Only`.
    pub reported_policy: Option<Arc<str>>,
    /// `Public-Key-Pins`.
    pub public_key: Option<Arc<str>>,
    /// `Referrer-Policy`.
    pub referrer_policy: Option<Arc<str>>,
    /// `Permissions-Policy`.
    pub permissions_policy: Option<Arc<str>>,
    /// Sites, TLS and its header are let be.
    pub is_development: bool,
}

/// Makes responses smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// But not these types.
    pub excluded: Vec<Arc<str>>,
    /// Only these types; none is all.
    pub included: Vec<Arc<str>>,
    /// Smaller ones, in bytes, stay as they are.
    pub smallest: u64,
    /// How, the best first.
    pub encodings: Vec<ContentCoding>,
    /// How, for who says nothing of it; none is as it is.
    pub default: Option<ContentCoding>,
    /// As nginx does it: answers of 200, 403 and 404 only, and `Vary` is said of what would be made
    /// smaller for somebody, and of nothing else.
    pub is_nginx: bool,
}

/// How content is made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentCoding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

/// Encoded characters that may be in paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodedCharacters {
    /// `%2F`
    pub slash: bool,
    /// `%5C`
    pub back_slash: bool,
    /// `%00`
    pub null: bool,
    /// `%3B`
    pub semicolon: bool,
    /// `%25`
    pub percent: bool,
    /// `%3F`
    pub question_mark: bool,
    /// `%23`
    pub hash: bool,
}

impl ContentCoding {
    /// Its name (IANA's HTTP Content Coding Registry).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}
