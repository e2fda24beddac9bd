//! Writes header lines: those that are asked for, those by which browsers keep to rules, and what
//! pages of other sites may do (the Fetch standard, "CORS protocol"), in Traefik's manner.
//!
//! Lines that are the same for all are made once. Those in which others have said something are
//! put in their place, so that an endpoint's word does not stand beside ours.

use std::sync::Arc;

use bytes::Bytes;
use steelyard_http::{Head, LineEdits, RequestEdits, RequestView, ResponseEdits, Scheme};
use steelyard_model::routing::filter::content::{Cors, HeaderRules, SecurityHeaders};

use crate::ask::Got;
use crate::context::{Context, Note};
use crate::frame::{Enter, Frame, Leave};
use crate::response::Response;

/// Lines, made once.
#[derive(Debug)]
pub(crate) struct WrittenLines {
    rules: HeaderRules,
    /// Another site, as a line would say it.
    host: Option<Arc<str>>,
    /// Of requests: an empty one is taken away.
    request: LineEdits,
    /// Of responses, in the same way.
    response: LineEdits,
    /// Of responses to pages of other sites, whoever they are.
    cors: Vec<Line>,
    preflight: Vec<Line>,
    has_cors: bool,
    sts: Option<Line>,
    public_key: Option<Line>,
}

type Line = (Box<str>, Box<[u8]>);

impl HeaderFrame {
    /// Its lines, where they are all there is to it.
    pub(crate) fn plain(&self) -> Option<&Arc<WrittenLines>> {
        Some(&self.lines).filter(|lines| lines.is_plain())
    }
}

/// What one request is.
#[derive(Clone, Debug)]
pub(crate) struct HeaderFrame {
    lines: Arc<WrittenLines>,
    /// The origin of the page that asks.
    origin: Option<Box<[u8]>>,
    is_secure: bool,
    /// It was answered here.
    is_preflight: bool,
}

impl WrittenLines {
    pub(crate) fn new(rules: &HeaderRules) -> Self {
        let is_host = |name: &str| name.eq_ignore_ascii_case("host");
        // Nothing in its place is nothing: each request is for some host.
        let host = rules.request.iter().rfind(|(name, _)| is_host(name));
        let host = host.filter(|(_, value)| !value.is_empty());
        let request = rules.request.iter().filter(|(name, _)| !is_host(name));
        let request = request.map(|(name, value)| line(name, value));
        let custom = rules.response.iter().map(|(name, value)| line(name, value));
        let SecurityHeaders { sts_seconds, sts_subdomains, sts_preload, .. } = rules.security;
        let subdomains = if sts_subdomains { "; includeSubDomains" } else { "" };
        let preload = if sts_preload { "; preload" } else { "" };
        let sts = format!("max-age={sts_seconds}{subdomains}{preload}");
        let said = sts_seconds != 0 && !rules.security.is_development;
        let public_key = rules.security.public_key.as_ref();
        let public_key = public_key.filter(|_| !rules.security.is_development);
        Self {
            host: host.map(|(_, value)| value.clone()),
            request: written(request),
            response: written(custom.chain(told(&rules.security))),
            cors: exposed(&rules.cors),
            preflight: preflight(&rules.cors),
            has_cors: rules.cors != Cors::default(),
            sts: said.then(|| line("Strict-Transport-Security", &sts)),
            public_key: public_key.map(|value| line("Public-Key-Pins", value)),
            rules: rules.clone(),
        }
    }

    /// What one request passes.
    pub(crate) fn frame(self: &Arc<Self>) -> HeaderFrame {
        HeaderFrame { lines: self.clone(), origin: None, is_secure: false, is_preflight: false }
    }
}

fn line(name: &str, value: &str) -> Line {
    (name.into(), value.as_bytes().into())
}

fn joined(name: &str, values: &[Arc<str>]) -> Option<Line> {
    (!values.is_empty()).then(|| line(name, &values.join(",")))
}

/// By what browsers keep to rules.
fn told(security: &SecurityHeaders) -> impl Iterator<Item = Line> {
    let either = |value: &Option<Arc<str>>, usual: Option<&'static str>| {
        value.as_deref().or(usual).map(str::to_owned)
    };
    let lines = [
        ("X-Frame-Options", either(&security.frame_options, security.frame_deny.then_some("DENY"))),
        ("X-Content-Type-Options", either(&None, security.no_sniff.then_some("nosniff"))),
        (
            "X-XSS-Protection",
            either(&security.xss_value, security.xss_filter.then_some("1; mode=block")),
        ),
        ("Content-Security-Policy", either(&security.content_policy, None)),
        ("Content-Security-Policy-Report-Only", either(&security.reported_policy, None)),
        ("Referrer-Policy", either(&security.referrer_policy, None)),
        ("Permissions-Policy", either(&security.permissions_policy, None)),
    ];
    lines.into_iter().filter_map(|(name, value)| Some(line(name, &value?)))
}

/// What every answer says, whoever asks.
fn exposed(cors: &Cors) -> Vec<Line> {
    let credentials = cors.credentials.then(|| line("Access-Control-Allow-Credentials", "true"));
    credentials.into_iter().chain(joined("Access-Control-Expose-Headers", &cors.exposed)).collect()
}

fn preflight(cors: &Cors) -> Vec<Line> {
    let credentials = cors.credentials.then(|| line("Access-Control-Allow-Credentials", "true"));
    let max_age = line("Access-Control-Max-Age", &cors.max_age.to_string());
    let with_stars = |values: &[Arc<str>]| cors.credentials && values.iter().any(|it| **it == *"*");
    let list = |name: &str, values: &[Arc<str>]| {
        // With cookies a star is no star: what is asked for is said instead.
        if with_stars(values) { None } else { joined(name, values) }
    };
    credentials
        .into_iter()
        .chain(list("Access-Control-Allow-Headers", &cors.headers))
        .chain(list("Access-Control-Allow-Methods", &cors.methods))
        .chain([max_age])
        .collect()
}

impl Frame for HeaderFrame {
    fn enter(&mut self, cx: &mut Context<'_>, head: &mut RequestEdits<'_>, _: Got) -> Enter {
        let lines = &*self.lines;
        let security = &lines.rules.security;
        self.is_secure = is_secure(cx, head, security);
        if !is_allowed(head, security) {
            cx.notes.push(Note::Reason("the site is none of those that may be asked for"));
            return Enter::Answer(Box::new(bad_host()));
        }
        if lines.has_cors {
            let origin = head.first("origin").filter(|origin| !origin.is_empty());
            self.origin = origin.map(Into::into);
            if let Some(answer) = lines.answer(self.origin.as_deref(), head) {
                self.is_preflight = true;
                cx.notes.push(Note::Reason("a browser asks what its page may do"));
                return Enter::Answer(Box::new(answer));
            }
        }
        if let Some(host) = &lines.host {
            let _ = head.set_authority(host);
        }
        lines.tell(head);
        Enter::Next
    }

    fn leave(&mut self, _: &mut Context<'_>, head: &mut ResponseEdits<'_>, _: Got) -> Leave {
        if self.is_preflight {
            return Leave::Next;
        }
        let lines = &*self.lines;
        lines.answer_with(self.is_secure, head.lines());
        lines.admit(self.origin.as_deref(), head.lines());
        if lines.rules.cors.adds_vary {
            vary(head);
        }
        Leave::Next
    }
}

impl WrittenLines {
    /// Whether it says the same of all requests that name no page of another site, and of all
    /// responses to those of them that came plain, and to those that did not.
    pub(crate) fn is_plain(&self) -> bool {
        let security = &self.rules.security;
        let lets_all_in = security.allowed_hosts.is_empty() || security.is_development;
        let is_alike = security.tls_headers.is_empty() && !self.rules.cors.adds_vary;
        lets_all_in && is_alike && self.host.is_none()
    }

    /// What endpoints are told, whoever asks.
    pub(crate) fn tell(&self, head: &mut RequestEdits<'_>) {
        head.lines().apply(&self.request);
    }

    /// What clients are told, whoever asks.
    pub(crate) fn answer_with(&self, is_secure: bool, lines: &mut LineEdits) {
        lines.apply(&self.response);
        if is_secure || self.rules.security.sts_always {
            set(lines, self.sts.as_ref());
        }
        if is_secure {
            set(lines, self.public_key.as_ref());
        }
    }

    /// The same, with what pages of other sites are told whose origin is not known.
    pub(crate) fn answer_to_all(&self, is_secure: bool, lines: &mut LineEdits) {
        self.answer_with(is_secure, lines);
        self.admit(None, lines);
    }

    /// Whether something is said of pages of other sites.
    pub(crate) fn has_cors(&self) -> bool {
        self.has_cors
    }

    /// The answer to a browser that asks what a page of `origin` may do.
    fn answer(&self, origin: Option<&[u8]>, head: &RequestEdits<'_>) -> Option<Response> {
        if head.method() != "OPTIONS" || origin.is_none() {
            return None;
        }
        let method = head.first("access-control-request-method").filter(|it| !it.is_empty())?;
        let cors = &self.rules.cors;
        let mut answer = Response::of(200);
        answer.lines.extend(self.preflight.iter().cloned());
        if let Some(origin) = self.allowed(origin) {
            answer.lines.push(("Access-Control-Allow-Origin".into(), origin.into()));
        }
        let is_star = |values: &[Arc<str>]| values.iter().any(|it| **it == *"*");
        if cors.credentials && is_star(&cors.methods) {
            answer.lines.push(("Access-Control-Allow-Methods".into(), method.into()));
        }
        let headers = head.first("access-control-request-headers");
        if let Some(headers) = headers.filter(|_| cors.credentials && is_star(&cors.headers)) {
            answer.lines.push(("Access-Control-Allow-Headers".into(), headers.into()));
        }
        Some(answer)
    }

    /// Says which page may read the answer.
    fn admit(&self, origin: Option<&[u8]>, lines: &mut LineEdits) {
        if let Some(origin) = self.allowed(origin) {
            write(lines, "Access-Control-Allow-Origin", origin);
        }
        for (name, value) in &self.cors {
            write(lines, name, value);
        }
    }

    /// Which origin is said to be let in. With cookies a star is no star to browsers.
    fn allowed<'o>(&self, origin: Option<&'o [u8]>) -> Option<&'o [u8]> {
        let cors = &self.rules.cors;
        let text = origin.and_then(|origin| str::from_utf8(origin).ok());
        for known in &cors.origins {
            if **known == *"*" {
                return if cors.credentials { origin } else { Some(b"*") };
            }
            if text == Some(known) {
                return origin;
            }
        }
        let text = text?;
        cors.origin_expressions.iter().any(|it| it.is_found_in(text)).then_some(origin?)
    }
}

/// Says that the answer hangs on the page that asks.
fn vary(head: &mut ResponseEdits<'_>) {
    let varies = match head.first("vary") {
        Some(b"Origin") => return,
        Some(varies) if !varies.is_empty() => [varies, b",Origin"].concat(),
        _ => b"Origin".to_vec(),
    };
    write(head.lines(), "Vary", &varies);
}

/// These lines, each in the place of all of its name.
fn written(lines: impl Iterator<Item = Line>) -> LineEdits {
    let mut edits = LineEdits::default();
    lines.for_each(|(name, value)| write(&mut edits, &name, &value));
    edits
}

/// Puts a line in the place of all of its name, or takes them away.
fn write(lines: &mut LineEdits, name: &str, value: &[u8]) {
    // What is refused frames the message, and is not ours to write: `check` has said so.
    let _ = if value.is_empty() { lines.remove(name) } else { lines.set(name, value) };
}

fn set(lines: &mut LineEdits, line: Option<&Line>) {
    if let Some((name, value)) = line {
        write(lines, name, value);
    }
}

/// Whether TLS was spoken, here or as lines of a proxy say that is believed.
fn is_secure(cx: &Context<'_>, head: &RequestEdits<'_>, security: &SecurityHeaders) -> bool {
    let says = |(name, value): (&Arc<str>, &Arc<str>)| head.first(name) == Some(value.as_bytes());
    cx.journey.is_tls || head.scheme() == Scheme::Https || security.tls_headers.iter().any(says)
}

fn is_allowed(head: &RequestEdits<'_>, security: &SecurityHeaders) -> bool {
    if security.allowed_hosts.is_empty() || security.is_development {
        return true;
    }
    let named = security.host_headers.iter().filter_map(|name| head.first(name));
    let mut named =
        named.filter_map(|value| str::from_utf8(value).ok()).filter(|it| !it.is_empty());
    let host = named.next().unwrap_or_else(|| head.authority());
    security.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
}

/// As the library says it that Traefik has for this.
fn bad_host() -> Response {
    let lines = vec![
        ("Content-Type".into(), (*b"text/plain; charset=utf-8").into()),
        ("X-Content-Type-Options".into(), (*b"nosniff").into()),
    ];
    Response { status: 500, lines, body: Bytes::from_static(b"Bad Host\n") }
}
