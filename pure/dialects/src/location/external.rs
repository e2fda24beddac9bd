//! `auth-url` and what belongs to it: somebody else is asked who may pass. An Ingress says it for
//! its routes, and the ConfigMap for all that say nothing of it (`global-auth-url`, in the same
//! words).
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
use steelyard_model::{FieldPath, NamespacedName, OwnFilter, PassPhase, RouteDraft};

use super::{Asked, value};
use crate::annotation;

mod cache;
mod sign_in;

/// The word by which somebody is asked.
pub(crate) const URL: &str = "auth-url";

/// What does nothing without it; who may pass hangs on none of it.
pub(crate) const BESIDE: [&str; 9] = [
    "auth-always-set-cookie",
    "auth-cache-duration",
    "auth-cache-key",
    "auth-method",
    "auth-proxy-set-headers",
    "auth-request-redirect",
    "auth-response-headers",
    "auth-signin",
    "auth-signin-redirect-param",
];

/// How long an answer may take: nginx waits so long for one.
const PATIENCE: Duration = Duration::from_secs(60);

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const HELP: &str = "write http:// or https://, a host, and a path";

/// What is written of who is asked, and what is found in it.
pub(crate) struct AuthWords<'w> {
    /// What is written by a name; an empty value is none.
    written: &'w dyn Fn(&str) -> Option<&'w str>,
    /// The object whose routes ask.
    object: NamespacedName,
    /// Names whose values are as if they were not there, each with what to write.
    ignored: Vec<(&'static str, &'static str)>,
}

/// Why nobody can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthFault {
    /// Whose value it is.
    pub(crate) name: &'static str,
    /// What is wrong with a text of variables; none is that no such value is taken.
    pub(crate) why: Option<VariableFault>,
    /// What to write.
    pub(crate) help: &'static str,
}

/// The URL that is written, as far as it does not hang on a route.
struct Written<'t> {
    scheme: &'t str,
    authority: VariableText,
    target: VariableText,
}

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    if asked.boolean("enable-global-auth") == Some(false) {
        asked.own().asks_nobody = true;
    }
    let Some(url) = asked.written(URL) else { return say_beside(asked) };
    let object = asked.findings.object().id();
    let written = |name: &str| asked.words.written(name);
    let mut words = AuthWords::new(&written, object);
    let found = words.asking(url, asked.routes);
    for (name, help) in std::mem::take(&mut words.ignored) {
        let key = asked.key(name);
        let message = format!(
            "annotation `{key}` has no value that ingress-nginx takes: it is as if it were not there"
        );
        annotation::not_honoured(&key, message, help, asked.findings);
    }
    headers(asked);
    match found {
        Ok(passes) => asked.reading.passes.extend(passes),
        Err(AuthFault { name, why: None, help }) => asked.close(name, help),
        Err(AuthFault { name, why: Some(why), help }) => close(asked, name, &why, help),
    }
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

/// The ConfigMap that has lines for who is asked, which the join looks up.
fn headers(asked: &mut Asked<'_, '_>) {
    let name = "auth-proxy-set-headers";
    let Some(written) = asked.written(name) else { return };
    let place = asked.findings.place(&FieldPath::annotation(&asked.key(name)));
    let own = asked.findings.object().namespace.clone();
    let (namespace, object) = written.split_once('/').unwrap_or((&own, written));
    let is_name = |it: &str| !it.is_empty() && value::basic(it, "").is_some();
    if !is_name(namespace) || !is_name(object) {
        return asked.close(name, "name a ConfigMap of the same namespace");
    }
    asked.own().asked_headers = Some((NamespacedName::new(namespace, object), place));
}

fn close(asked: &mut Asked<'_, '_>, name: &str, why: &VariableFault, help: &str) {
    let key = asked.key(name);
    let message = format!("annotation `{key}`: {why}: its routes answer 503");
    let code = crate::codes::ACCESS_NOT_HONOURED;
    annotation::close(code, &key, message, help, asked.reading, asked.findings);
}

impl<'w> AuthWords<'w> {
    pub(crate) fn new(
        written: &'w dyn Fn(&str) -> Option<&'w str>,
        object: NamespacedName,
    ) -> Self {
        Self { written, object, ignored: Vec::new() }
    }

    /// Names whose values are as if they were not there, each with what to write.
    pub(crate) fn ignored(&self) -> &[(&'static str, &'static str)] {
        &self.ignored
    }

    /// What has the requests of `routes` asked about: one for all of them, or, where the host that
    /// is asked hangs on that of a route, one for each.
    pub(crate) fn asking(
        &mut self,
        url: &str,
        routes: &[RouteDraft],
    ) -> Result<Vec<OwnFilter>, AuthFault> {
        let (usual, asking) = self.manner()?;
        let url = self.parts(url)?;
        let auth = |address, target| {
            let asking = NginxAsking { target, ..asking.clone() };
            let manner = AskedManner::Nginx(Box::new(asking));
            AskedAuth { address, manner, ..usual.clone() }
        };
        let varies = url.target.variables().next().is_some();
        let target = varies.then(|| url.target.clone());
        if url.authority.variables().next().is_none() {
            let address = address(&url, "")?;
            return Ok(vec![own(URL, auth(address, target), None)]);
        }
        let each = routes.iter().enumerate().map(|(index, route)| {
            let HostPattern::Exact(host) = route.rule.host() else {
                let help = "write the host that is asked, or have all rules name their hosts: one \
                            with a wildcard says not who is meant";
                return Err(refused(URL, help));
            };
            let address = address(&url, host)?;
            let (name, of) = (format!("{URL}/{index}"), Some(route.id.clone()));
            Ok(own(&name, auth(address, target.clone()), of))
        });
        each.collect()
    }

    fn written(&self, name: &str) -> Option<&'w str> {
        (self.written)(name)
    }

    /// What is written, read; what cannot be read is as if it were not there.
    fn value<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'w str) -> Option<T>,
        help: &'static str,
    ) -> Option<T> {
        let read = read(self.written(name)?);
        if read.is_none() {
            self.ignored.push((name, help));
        }
        read
    }

    /// The parts of an URL.
    fn parts<'t>(&self, url: &'t str) -> Result<Written<'t>, AuthFault> {
        let is_taken = value::basic(url, ",?&=$ {}").is_some();
        let parts = url.split_once("://").filter(|(scheme, _)| {
            is_taken
                && (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        });
        let (scheme, rest) = parts.ok_or_else(|| refused(URL, HELP))?;
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let slash = if target.starts_with('/') { "" } else { "/" };
        let authority = self.text(authority, URL)?;
        let target = self.text(&format!("{slash}{target}"), URL)?;
        Ok(Written { scheme, authority, target })
    }

    /// A text with variables.
    fn text(&self, text: &str, name: &'static str) -> Result<VariableText, AuthFault> {
        let NamespacedName { namespace, name: object } = &self.object;
        let constants = [("namespace", &**namespace), ("ingress_name", &**object)];
        VariableText::read(text, &constants).map_err(|why| AuthFault {
            name,
            why: Some(why),
            help: "write variables such as `$host`, `$scheme`, `$request_uri`, \
                   `$escaped_request_uri`, `$http_NAME`, `$cookie_NAME`, `$arg_NAME`",
        })
    }

    /// How it is asked, and its answer taken.
    fn manner(&mut self) -> Result<(AskedAuth, NginxAsking), AuthFault> {
        let method = self.written("auth-method");
        if method.is_some_and(|it| !METHODS.contains(&it)) {
            let help = "write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS";
            return Err(refused("auth-method", help));
        }
        let redirect = self.written("auth-request-redirect");
        if redirect.is_some_and(|it| value::location(it).is_none()) {
            let help = "write an URL or a path, without variables";
            return Err(refused("auth-request-redirect", help));
        }
        let cookies = self.written("auth-always-set-cookie").map(value::boolean);
        if cookies == Some(None) {
            return Err(refused("auth-always-set-cookie", "write \"true\" or \"false\""));
        }
        let address = AskedUrl::read("http://nobody/").expect("this is an URL");
        let auth = AskedAuth {
            address,
            backend: "".into(),
            trusts_forwarded: false,
            patience: self.patience(),
            response_headers: self.response_headers()?,
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
            cache: cache::read(self)?,
        };
        let asking = NginxAsking {
            target: None,
            method: method.map(Into::into),
            redirect: redirect.map(Into::into),
            lines: Vec::new(),
            sign_in: sign_in::read(self)?,
            always_cookies: cookies == Some(Some(true)),
        };
        Ok((auth, asking))
    }

    /// For as long as for endpoints of the same place (its `proxy_read_timeout`).
    fn patience(&self) -> Duration {
        let written = self.written("proxy-read-timeout").and_then(|it| it.trim().parse().ok());
        let seconds = written.filter(|it: &u32| *it > 0);
        seconds.map_or(PATIENCE, |it| Duration::from_secs(it.into()))
    }

    /// Lines of its answer that endpoints are told.
    fn response_headers(&self) -> Result<Vec<Arc<str>>, AuthFault> {
        let name = "auth-response-headers";
        let Some(written) = self.written(name) else { return Ok(Vec::new()) };
        let names = written.split(',').map(str::trim).filter(|it| !it.is_empty());
        let is_part = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
        if !names.clone().all(|name| name.bytes().all(is_part)) {
            return Err(refused(name, "write names of headers with commas between them"));
        }
        Ok(names.map(Arc::from).collect())
    }
}

fn refused(name: &'static str, help: &'static str) -> AuthFault {
    AuthFault { name, why: None, help }
}

fn own(name: &str, auth: AskedAuth, of: Option<RouteId>) -> OwnFilter {
    let filter = Filter::ForwardAuth(Box::new(auth));
    OwnFilter { of, ..OwnFilter::new(PassPhase::Asked, name, filter) }
}

/// Whom a route asks whose host is `host`.
fn address(url: &Written<'_>, host: &str) -> Result<AskedUrl, AuthFault> {
    let mut authority = String::new();
    for part in url.authority.parts() {
        match part {
            TextPart::Plain(text) => authority.push_str(text),
            TextPart::Variable(Variable::Host | Variable::HttpHost) => authority.push_str(host),
            TextPart::Variable(_) => {
                return Err(refused(URL, "write the host that is asked, or `$host`"));
            }
        }
    }
    // What varies in it is asked for by each request.
    let target = match url.target.parts() {
        [TextPart::Plain(plain)] => plain,
        _ => "/",
    };
    let read = AskedUrl::read(&format!("{}://{authority}{target}", url.scheme));
    read.map_err(|why| refused(URL, why.help()))
}
