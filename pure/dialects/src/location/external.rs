//! `auth-url` and what belongs to it: somebody else is asked who may pass.
//!
//! In the URL variables may stand: in its path and query any, in its host those that the host of a
//! route is, which is known beforehand; nothing else that a client says decides who is asked.

use std::sync::Arc;
use std::time::Duration;

use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{AskedAuth, AskedManner, FilterTls, NginxAsking};
use steelyard_model::routing::id::RouteId;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::variables::{TextPart, Variable, VariableFault, VariableText};
use steelyard_model::{OwnFilter, PassPhase};

use super::{Asked, value};
use crate::annotation;

mod cache;
mod sign_in;

/// What does nothing without `auth-url`; who may pass hangs on none of it.
const BESIDE: [&str; 8] = [
    "auth-always-set-cookie",
    "auth-cache-duration",
    "auth-cache-key",
    "auth-method",
    "auth-request-redirect",
    "auth-response-headers",
    "auth-signin",
    "auth-signin-redirect-param",
];

/// How long an answer may take: nginx waits so long for one.
const PATIENCE: Duration = Duration::from_secs(60);

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const HELP: &str = "write http:// or https://, a host, and a path";

/// The URL that is written, as far as it does not hang on a route.
struct Written<'t> {
    scheme: &'t str,
    authority: VariableText,
    target: VariableText,
}

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let Some(url) = asked.written("auth-url") else { return say_beside(asked) };
    let Some((usual, asking)) = asking(asked) else { return };
    let Some(url) = written(url, asked) else { return };
    let auth = |address, target| {
        let asking = NginxAsking { target, ..asking.clone() };
        let manner = AskedManner::Nginx(Box::new(asking));
        AskedAuth { address, manner, ..usual.clone() }
    };
    let varies = url.target.variables().next().is_some();
    let target = varies.then(|| url.target.clone());
    if url.authority.variables().next().is_none() {
        let Some(address) = address(&url, "", asked) else { return };
        return pass(asked, "auth-url", auth(address, target), None);
    }
    let routes = asked.routes;
    for (index, route) in routes.iter().enumerate() {
        let HostPattern::Exact(host) = route.rule.host() else {
            let help = "write the host that is asked, or have all rules name their hosts: one with \
                        a wildcard says not who is meant";
            return asked.close("auth-url", help);
        };
        let Some(address) = address(&url, host, asked) else { return };
        let (name, of) = (format!("auth-url/{index}"), Some(route.id.clone()));
        pass(asked, &name, auth(address, target.clone()), of);
    }
}

fn pass(asked: &mut Asked<'_, '_>, name: &str, auth: AskedAuth, of: Option<RouteId>) {
    let filter = Filter::ForwardAuth(Box::new(auth));
    let own = OwnFilter { of, ..OwnFilter::new(PassPhase::Asked, name, filter) };
    asked.reading.passes.push(own);
}

/// Says of what is written beside no `auth-url` that it does nothing.
fn say_beside(asked: &mut Asked<'_, '_>) {
    let written = BESIDE.iter().filter(|name| asked.written(name).is_some());
    for key in written.map(|name| asked.key(name)).collect::<Vec<_>>() {
        let message = format!("annotation `{key}` does nothing without `auth-url`");
        let help = "add `auth-url`, or remove it";
        annotation::not_honoured(&key, message, help, asked.findings);
    }
}

/// The parts of an URL; what is none closes the routes.
fn written<'t>(url: &'t str, asked: &mut Asked<'_, '_>) -> Option<Written<'t>> {
    let is_taken = value::basic(url, ",?&=$ {}").is_some();
    let parts = url.split_once("://").filter(|(scheme, _)| {
        is_taken && (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
    });
    let Some((scheme, rest)) = parts else {
        asked.close("auth-url", HELP);
        return None;
    };
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if target.starts_with('/') { "" } else { "/" };
    let authority = text(authority, "auth-url", asked)?;
    let target = text(&format!("{slash}{target}"), "auth-url", asked)?;
    Some(Written { scheme, authority, target })
}

/// A text with variables; what is none closes the routes.
fn text(text: &str, name: &str, asked: &mut Asked<'_, '_>) -> Option<VariableText> {
    let object = asked.findings.object().clone();
    let constants = [("namespace", &*object.namespace), ("ingress_name", &*object.name)];
    match VariableText::read(text, &constants) {
        Ok(read) => Some(read),
        Err(why) => {
            close(asked, name, &why);
            None
        }
    }
}

fn close(asked: &mut Asked<'_, '_>, name: &str, why: &VariableFault) {
    let key = asked.key(name);
    let message = format!("annotation `{key}`: {why}: its routes answer 503");
    let help = "write variables such as `$host`, `$scheme`, `$request_uri`, \
                `$escaped_request_uri`, `$http_NAME`, `$cookie_NAME`, `$arg_NAME`";
    let code = crate::codes::ACCESS_NOT_HONOURED;
    annotation::close(code, &key, message, help, asked.reading, asked.findings);
}

/// Whom a route asks whose host is `host`.
fn address(url: &Written<'_>, host: &str, asked: &mut Asked<'_, '_>) -> Option<AskedUrl> {
    let mut authority = String::new();
    for part in url.authority.parts() {
        match part {
            TextPart::Plain(text) => authority.push_str(text),
            TextPart::Variable(Variable::Host | Variable::HttpHost) => authority.push_str(host),
            TextPart::Variable(_) => {
                asked.close("auth-url", "write the host that is asked, or `$host`");
                return None;
            }
        }
    }
    // What varies in it is asked for by each request.
    let target = match url.target.parts() {
        [TextPart::Plain(plain)] => plain,
        _ => "/",
    };
    let read = AskedUrl::read(&format!("{}://{authority}{target}", url.scheme));
    if let Err(why) = &read {
        asked.close("auth-url", why.help());
    }
    read.ok()
}

/// How it is asked, and its answer taken.
fn asking(asked: &mut Asked<'_, '_>) -> Option<(AskedAuth, NginxAsking)> {
    let method = asked.written("auth-method");
    if method.is_some_and(|it| !METHODS.contains(&it)) {
        asked.close("auth-method", "write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
        return None;
    }
    let redirect = asked.written("auth-request-redirect");
    if redirect.is_some_and(|it| value::location(it).is_none()) {
        asked.close("auth-request-redirect", "write an URL or a path, without variables");
        return None;
    }
    let cookies = asked.written("auth-always-set-cookie").map(value::boolean);
    if cookies == Some(None) {
        asked.close("auth-always-set-cookie", "write \"true\" or \"false\"");
        return None;
    }
    let address = AskedUrl::read("http://nobody/").ok()?;
    let auth = AskedAuth {
        address,
        backend: "".into(),
        trusts_forwarded: false,
        patience: PATIENCE,
        response_headers: response_headers(asked)?,
        response_headers_regex: None,
        request_headers: Vec::new(),
        // Who is asked over TLS is not verified, as with nginx.
        tls: Some(FilterTls { is_unverified: true, ..FilterTls::default() }),
        max_response: None,
        cookies: Vec::new(),
        user_header: None,
        forwards_body: false,
        max_body: None,
        keeps_location: false,
        keeps_method: false,
        sign_in: None,
        manner: AskedManner::Traefik,
        cache: cache::read(asked)?,
    };
    let asking = NginxAsking {
        target: None,
        method: method.map(Into::into),
        redirect: redirect.map(Into::into),
        lines: Vec::new(),
        sign_in: sign_in::read(asked)?,
        always_cookies: cookies == Some(Some(true)),
    };
    Some((auth, asking))
}

/// Lines of its answer that endpoints are told.
fn response_headers(asked: &mut Asked<'_, '_>) -> Option<Vec<Arc<str>>> {
    let Some(written) = asked.written("auth-response-headers") else { return Some(Vec::new()) };
    let names = written.split(',').map(str::trim).filter(|it| !it.is_empty());
    let is_part = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    if !names.clone().all(|name| name.bytes().all(is_part)) {
        asked.close("auth-response-headers", "write names of headers with commas between them");
        return None;
    }
    Some(names.map(Arc::from).collect())
}
