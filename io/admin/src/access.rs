//! Who may ask for what.

use std::net::IpAddr;
use std::path::Path;

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use crate::{AdminOptions, MIN_TOKEN, StartError};

/// The token for whom `Authorization` does not reach: an API server takes that for itself.
pub const TOKEN_HEADER: &str = "x-steelyard-token";

/// The one path that changes something, when posted to.
pub(crate) const REBALANCE: &str = "/api/v1/rebalance";

/// The rules of one listener.
pub(crate) struct Access {
    listen: IpAddr,
    token: Option<Vec<u8>>,
}

/// Why a request is not answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The Host header names another machine.
    ForeignHost,
    /// There is no token to ask for, so nobody may.
    MetricsOnly,
    /// The token is missing or wrong.
    Token,
    /// An order without a token that does not come from here.
    ForeignOrigin,
}

/// What kind of thing is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Metrics and health: everyone may.
    Public,
    /// The page's files: they hold no data, and the page asks for the token itself.
    Page,
    /// Everything else.
    Api,
}

impl Access {
    /// The rules for `options`, with the token read from its file.
    pub(crate) fn new(options: &AdminOptions) -> Result<Self, StartError> {
        let token = options.token_file.as_deref().map(read_token).transpose()?;
        Ok(Self { listen: options.listen.ip(), token })
    }

    /// Whether anything but metrics and health is told at all.
    pub(crate) fn is_public_only(&self) -> bool {
        self.token.is_none() && !self.listen.is_loopback()
    }

    /// Whether a request may be answered. What changes something wants a token, or to come from
    /// here: a browser posts for a page of any site, but says which.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if self.listen.is_loopback() && !self.is_own_host(uri, headers) {
            return Err(Refusal::ForeignHost);
        }
        match (Asked::of(uri.path()), &self.token) {
            (Asked::Public, _) | (Asked::Page, Some(_)) => Ok(()),
            (Asked::Page | Asked::Api, None) if self.is_public_only() => Err(Refusal::MetricsOnly),
            (Asked::Api, None) if is_order(method, uri) && !is_same_origin(headers) => {
                Err(Refusal::ForeignOrigin)
            }
            (Asked::Page | Asked::Api, None) => Ok(()),
            (Asked::Api, Some(token)) => match bearer(headers) {
                Some(given) if equal(given, token) => Ok(()),
                _ => Err(Refusal::Token),
            },
        }
    }

    /// Whether the request was meant for this machine. A page of `evil.example` whose name was
    /// made to resolve to 127.0.0.1 still sends its own name here.
    fn is_own_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if let Some(host) = uri.host() {
            return self.is_own_name(host);
        }
        let mut hosts = headers.get_all(HOST).iter();
        match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
            (None, _) => true, // HTTP/1.0: no browser
            (Some(Ok(host)), None) => self.is_own_name(without_port(host)),
            _ => false,
        }
    }

    fn is_own_name(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        match bare.parse::<IpAddr>() {
            Ok(address) => address == self.listen || is_usual_loopback(address),
            Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
        }
    }
}

impl Asked {
    fn of(path: &str) -> Self {
        match path {
            "/metrics" | "/healthz" | "/readyz" => Self::Public,
            path if path.starts_with("/api/") || path == "/api" => Self::Api,
            _ => Self::Page,
        }
    }
}

impl Refusal {
    /// Status and sentence of the answer.
    pub(crate) fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::ForeignHost => (
                StatusCode::FORBIDDEN,
                "the Host header names another machine; use localhost or the address listened on",
            ),
            Self::MetricsOnly => (
                StatusCode::FORBIDDEN,
                "off loopback only /metrics, /healthz and /readyz are told without a token; \
                 start with --admin-token-file, or listen on 127.0.0.1",
            ),
            Self::ForeignOrigin => (
                StatusCode::FORBIDDEN,
                "orders are taken with the header `Origin: http://HOST:PORT` of this very address, \
                 or with the token of --admin-token-file; `steelyard rebalance` sends either",
            ),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "send the content of the file given as --admin-token-file as \
                 `Authorization: Bearer TOKEN`, or behind a proxy that takes that for itself as \
                 `X-Steelyard-Token: TOKEN`",
            ),
        }
    }
}

/// Whether a request would change something.
fn is_order(method: &Method, uri: &Uri) -> bool {
    *method == Method::POST && uri.path() == REBALANCE
}

/// Whether a request says that it comes from the address that it is sent to.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let one = |name| {
        let mut all = headers.get_all(name).iter();
        let first = all.next().and_then(text);
        first.filter(|_| all.next().is_none())
    };
    let site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    match (one(ORIGIN), one(HOST)) {
        (Some(origin), Some(host)) => site && origin == format!("http://{host}"),
        _ => false,
    }
}

/// Bytes of a file with a token, at most.
const LARGEST_TOKEN: u64 = 1 << 16;

fn read_token(path: &Path) -> Result<Vec<u8>, StartError> {
    let text = steelyard_host::files::read(path, LARGEST_TOKEN)
        .map_err(|source| StartError::TokenFile { path: path.to_owned(), source })?;
    let token = text.trim_ascii().to_vec();
    if token.len() < MIN_TOKEN {
        return Err(StartError::WeakToken { path: path.to_owned() });
    }
    Ok(token)
}

/// The token that came, in either of two headers.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(token) = headers.get(TOKEN_HEADER) {
        return Some(token.as_bytes().trim_ascii());
    }
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

/// Takes as long whatever differs, so that the time tells nothing of the token but its length.
fn equal(given: &[u8], token: &[u8]) -> bool {
    let differing =
        given.iter().zip(token).fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
    given.len() == token.len() && differing == 0
}

fn is_usual_loopback(address: IpAddr) -> bool {
    use std::net::{Ipv4Addr, Ipv6Addr};
    address == Ipv4Addr::LOCALHOST || address == Ipv6Addr::LOCALHOST
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.split_once(':').map_or(host, |(name, _)| name)
}
