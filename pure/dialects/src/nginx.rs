//! The ConfigMap of ingress-nginx: what all its locations have, unless an Ingress says otherwise.
//!
//! Its keys are rows of a table, as annotations are: each is read, or makes no difference, or is
//! not honoured; what keeps somebody out and is not honoured closes all routes in ingress-nginx's
//! words. A value that cannot be read is said, and as if it were not there.

mod belief;
mod handshakes;
mod inspected;
mod keys;
mod logs;
mod notes;
mod page;
mod risks;
mod shown;
mod streams;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use steelyard_model::routing::backend::Algorithm;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{
    AllowedClients, AnswerPage, ClientSource, Networks,
};
use steelyard_model::routing::filter::content::{Compression, ContentCoding, HeaderRules};
use steelyard_model::routing::filter::limit::Counted;
use steelyard_model::routing::filter::nginx::{NginxBlocked, NginxSite, NginxStep, NginxWord};
use steelyard_model::routing::matcher::{Matcher, Values};
use steelyard_model::routing::pattern::Expression;
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::times::{ReuseTerms, RouteTimeouts};
use steelyard_model::routing::variables::{Variable, VariableText};
use steelyard_model::suggest::nearest;
use steelyard_model::{
    Diagnostic, FieldPath, Labels, NamespacedName, NginxAsks, NginxSettings, NginxStreams,
    ObjectRef, OwnFilter, PassPhase, Provenance, RouteDraft, Severity,
};

use crate::codes;
use crate::location::external::{self, AuthFault, AuthWords};
use crate::location::{passed_on, spoken, value, written_at};
pub use inspected::{is_plain_path, suspicious};
pub use keys::{KEYS, KeyFate};
pub use page::page;
pub use risks::{Forbidden, Inspection};
pub use streams::streams;
pub use verdict::{NginxVerdict, annotation, setting};

/// Seconds for which browsers keep to TLS, where nothing is said: a year.
const MAX_AGE: i64 = 31_536_000;
/// Largest body of a request, where nothing is said.
const BODY: u64 = 1 << 20;
/// Where certificate challenges are (RFC 8555 §8.3), which are asked for in plain.
const CHALLENGES: &str = "/.well-known/acme-challenge";
/// What this program calls itself, where it is to say so.
const SERVER: &str = "steelyard";
/// How many requests a connection to an endpoint carries, for how long, and how long it may be
/// idle, where nothing is said.
const REUSED: u32 = 10_000;
const REUSED_FOR: Duration = Duration::from_hours(1);
const KEPT: Duration = Duration::from_mins(1);
/// Statuses by which requests may be led to TLS, the usual one first.
const LED: [u16; 4] = [308, 301, 302, 307];
/// What to do with text for nginx that may keep somebody out.
const SNIPPET: &str = "configuration of nginx is never interpreted, and this one may keep somebody \
    out: docs/nginx.md says what to write instead";
/// What is made smaller where nothing is said.
const SMALLER: &str = "application/atom+xml application/javascript application/x-javascript \
    application/json application/rss+xml application/vnd.ms-fontobject application/x-font-ttf \
    application/x-web-app-manifest+json application/xhtml+xml application/xml font/opentype \
    image/svg+xml image/x-icon text/css text/javascript text/plain text/x-component";

/// Of what requests are counted that are under way; clients need no word.
fn counted(text: &str) -> Option<Option<Counted>> {
    let name = text.strip_prefix('$')?;
    let name = name.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(name);
    Some(match name {
        "binary_remote_addr" | "remote_addr" => None,
        "host" | "http_host" | "server_name" => Some(Counted::Host),
        name => {
            let Variable::Header(line) = Variable::of(name)? else { return None };
            Some(Counted::Header(line))
        }
    })
}

/// What a ConfigMap says.
struct Reading<'a> {
    data: &'a Labels,
    object: Arc<ObjectRef>,
    said: &'a mut Vec<Diagnostic>,
}

/// What all locations have. None is a ConfigMap that is not there.
pub fn settings(
    written: Option<(&Arc<ObjectRef>, &Labels)>,
    said: &mut Vec<Diagnostic>,
) -> NginxSettings {
    let nothing = (Arc::new(ObjectRef::new("ConfigMap", "", "")), Labels::new());
    let (object, data) = written.unwrap_or((&nothing.0, &nothing.1));
    let settings = Reading { data, object: object.clone(), said }.settings();
    // Who has none has not asked for a log, nor for anything of handshakes.
    match written {
        Some(_) => settings,
        None => NginxSettings { logs: (None, None), handshakes: None, ..settings },
    }
}

impl<'a> Reading<'a> {
    fn settings(&mut self) -> NginxSettings {
        let refusal = self.judge();
        self.level();
        let codes = "write 308, 301, 302 or 307";
        let leads_relatively = self.boolean("relative-redirects").unwrap_or(false);
        let code = |text: &str| text.parse().ok().filter(|it| LED.contains(it));
        let named = "name a ConfigMap: NAMESPACE/NAME";
        let (belief, trust, wait) = self.belief();
        let silence = self.silence();
        let many = |text: &str| text.parse().ok().filter(|it| *it > 0);
        let answers = self.value("proxy-stream-responses", many, "write a number from 1 on");
        NginxSettings {
            redirects: self.boolean("ssl-redirect").unwrap_or(true),
            always_redirects: self.boolean("force-ssl-redirect").unwrap_or(false),
            redirect_status: self.value("http-redirect-code", code, codes).unwrap_or(LED[0]),
            keeps_slash: self.boolean("preserve-trailing-slash").unwrap_or(false),
            leads_relatively,
            says_port: self.boolean("use-port-in-redirects").unwrap_or(false),
            algorithm: self.value("load-balance", balanced, BALANCED).flatten(),
            repeats_all: self.boolean("retry-non-idempotent").unwrap_or(false),
            open_paths: self.list("no-tls-redirect-locations", CHALLENGES),
            passes: self.passes(leads_relatively),
            timeouts: self.timeouts(),
            asks_services: self.boolean("service-upstream").unwrap_or(false),
            headers: self.value("add-headers", namespaced, named),
            allowed_headers: self
                .list("global-allowed-response-headers", "")
                .iter()
                .map(|it| it.to_ascii_lowercase())
                .collect(),
            allows_cross_namespace: self
                .boolean("allow-cross-namespace-resources")
                .unwrap_or(false),
            errors: self
                .value("custom-http-errors", value::statuses, "write statuses with commas between")
                .unwrap_or_default(),
            keeps_errors: self.boolean("disable-proxy-intercept-errors").unwrap_or(false),
            limited: (
                self.limit_status("limit-req-status-code"),
                self.limit_status("limit-conn-status-code"),
            ),
            counted: self.counted(),
            asks: self.asks(),
            unasked_paths: self.list("no-auth-locations", CHALLENGES),
            told: self
                .value("proxy-set-headers", namespaced, named)
                .map(|it| (it, self.place("proxy-set-headers"))),
            belief,
            streams: NginxStreams { trust, wait, silence, answers },
            handshakes: Some(self.handshakes()),
            logs: self.logs(),
            refusal,
        }
    }

    /// Who is asked about all locations. What cannot be read is said, and closes those that it is
    /// for.
    fn asks(&mut self) -> Option<NginxAsks> {
        let key = |name: &str| format!("global-{name}");
        let written = |name: &&str| written_at(self.data, &key(name)).map(str::trim);
        if written(&external::URL).is_none_or(str::is_empty) {
            let idle: Vec<&str> =
                external::BESIDE.into_iter().filter(|it| written(it).is_some()).collect();
            for name in idle {
                let message = format!("`{}` does nothing without `global-auth-url`", key(name));
                let help = "add `global-auth-url`, or remove it";
                let code = codes::FIELD_NOT_HONOURED;
                self.say(Severity::Warning, code, &key(name), message, help);
            }
            return None;
        }
        let names = [external::URL].into_iter().chain(external::BESIDE);
        let words = names.filter_map(|it| Some((it.to_owned(), written(&it)?.to_owned())));
        let asks = NginxAsks { words: words.collect(), place: self.place(&key(external::URL)) };
        let (found, ignored) = asked(&asks, NamespacedName::new("nobody", "nobody"), &[]);
        if let Err(AuthFault { name, why, help }) = found {
            let why =
                why.map_or_else(|| "has no value that is taken".to_owned(), |it| it.to_string());
            let message = format!("`{}`: {why}: Ingresses that it is for answer 503", key(name));
            self.say(Severity::Error, codes::ACCESS_NOT_HONOURED, &key(name), message, help);
        }
        for (name, help) in ignored {
            let message = format!(
                "`{}` has no value that is taken: it is as if it were not there",
                key(name)
            );
            self.say(Severity::Warning, codes::FIELD_NOT_HONOURED, &key(name), message, help);
        }
        Some(asks)
    }

    /// Of what connections are counted, where it is not each client.
    fn counted(&mut self) -> Option<Counted> {
        let help = "write $binary_remote_addr, $host, or $http_NAME";
        self.value("limit-conn-zone-variable", counted, help).flatten()
    }

    /// The status of who is one too many.
    fn limit_status(&mut self, key: &str) -> u16 {
        let code = |text: &str| text.parse().ok().filter(|it| (400..=599).contains(it));
        self.value(key, code, "write a status from 400 to 599").unwrap_or(503)
    }

    /// Which annotations are taken, by what they may do: what cannot be read is as the default.
    fn level(&mut self) {
        let help = "write Low, Medium, High or Critical";
        self.value("annotations-risk-level", risks::level, help);
        self.boolean("strict-validate-path-type");
    }

    /// Says of keys that are not honoured; the first that keeps somebody out.
    fn judge(&mut self) -> Option<Provenance> {
        let mut refusal = None;
        for (key, value) in self.data {
            let Some((_, fate)) = KEYS.iter().find(|(name, _)| name == key) else {
                if self.unknown(key) {
                    refusal.get_or_insert_with(|| self.place(key));
                }
                continue;
            };
            let asks = !value.trim().is_empty() && value.trim() != keys::idle(key);
            let fate = match fate {
                KeyFate::Snippet if keys::may_keep_out(value) => &KeyFate::Refused(SNIPPET),
                fate => fate,
            };
            match fate {
                KeyFate::Snippet if asks => {
                    let message = format!("`{key}` is text for nginx: it is never interpreted");
                    let so = "everything is served without it; docs/nginx.md says what to write \
                              instead";
                    self.say(Severity::Warning, codes::FIELD_NOT_HONOURED, key, message, so);
                }
                KeyFate::Snippet => {}
                KeyFate::Reads | KeyFate::Guards | KeyFate::Cosmetic => {}
                KeyFate::Elsewhere(_) if !asks => {}
                KeyFate::Elsewhere(instead) => {
                    let message = format!("`{key}: {value}` is not honoured");
                    let help = format!("instead: {instead}");
                    self.say(Severity::Warning, codes::FIELD_NOT_HONOURED, key, message, &help);
                }
                KeyFate::Refused(_) if !asks => {}
                KeyFate::Refused(why) => {
                    let message = format!(
                        "`{key}` is not honoured: what is in words of ingress-nginx answers 503"
                    );
                    self.say(Severity::Error, codes::ACCESS_NOT_HONOURED, key, message, why);
                    refusal.get_or_insert_with(|| self.place(key));
                }
            }
        }
        refusal
    }

    /// Says of a key that there is none such; whether one may be meant that keeps somebody out.
    fn unknown(&mut self, key: &str) -> bool {
        let near = nearest(key, KEYS.iter().map(|(name, _)| *name));
        let restricts = near.is_some_and(keys::restricts);
        let help = near.map_or_else(
            || "docs/nginx.md lists those there are".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let so = match restricts {
            true => ", and may keep somebody out: what is in its words answers 503",
            false => "",
        };
        let message = format!("`{key}` is no setting of ingress-nginx{so}");
        let (severity, code) = match restricts {
            true => (Severity::Error, codes::ACCESS_NOT_HONOURED),
            false => (Severity::Warning, codes::FIELD_NOT_HONOURED),
        };
        self.say(severity, code, key, message, &help);
        restricts
    }

    fn place(&self, key: &str) -> Provenance {
        Provenance::new(&self.object, FieldPath::from("data").key(key))
    }

    fn say(
        &mut self,
        severity: Severity,
        code: steelyard_model::Code,
        key: &str,
        message: String,
        help: &str,
    ) {
        self.said.push(Diagnostic::at(severity, code, &self.place(key), message, help));
    }

    /// What is written, read; what cannot be read is said, and as if it were not there.
    fn value<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&'a str) -> Option<T>,
        help: &str,
    ) -> Option<T> {
        let written = self.data.get(key).map(|it| it.trim()).filter(|it| !it.is_empty())?;
        let read = read(written);
        if read.is_none() {
            let message =
                format!("`{key}: {written}` cannot be read: it is as if it were not there");
            self.say(Severity::Warning, codes::FIELD_NOT_HONOURED, key, message, help);
        }
        read
    }

    fn boolean(&mut self, key: &str) -> Option<bool> {
        self.value(key, value::boolean, "write \"true\" or \"false\"")
    }

    fn number(&mut self, key: &str) -> Option<u64> {
        self.value(key, |it| it.parse().ok(), "write a whole number, without a unit")
    }

    fn list(&self, key: &str, usual: &str) -> Vec<Arc<str>> {
        let written = self.data.get(key).map_or(usual, String::as_str);
        let parts = written.split(',').map(str::trim).filter(|it| !it.is_empty());
        parts.map(Arc::from).collect()
    }

    fn timeouts(&mut self) -> RouteTimeouts {
        let mut seconds = |key: &str, usual: u64| {
            let written = self.number(key).filter(|it| *it > 0);
            Some(Duration::from_secs(written.unwrap_or(usual)))
        };
        RouteTimeouts {
            connect: seconds("proxy-connect-timeout", 5),
            idle_read: seconds("proxy-read-timeout", 60),
            idle_send: seconds("proxy-send-timeout", 60),
            reuse: self.reuse(),
            ..RouteTimeouts::default()
        }
    }

    /// How long connections to endpoints are used. Who keeps none has each carry one request.
    fn reuse(&mut self) -> ReuseTerms {
        let kept = self.number("upstream-keepalive-connections");
        let most = |it: u64| u32::try_from(it).unwrap_or(u32::MAX).max(1);
        let requests = self.number("upstream-keepalive-requests").map_or(REUSED, most);
        let idle = self.number("upstream-keepalive-timeout").map(Duration::from_secs);
        let help = "write a time: 1h, 90m";
        ReuseTerms {
            idle: Some(idle.unwrap_or(KEPT)),
            age: Some(
                self.value("upstream-keepalive-time", belief::time, help).unwrap_or(REUSED_FOR),
            ),
            requests: Some(if kept == Some(0) { 1 } else { requests }),
        }
    }

    fn passes(&mut self, leads_relatively: bool) -> Vec<OwnFilter> {
        let mut passes = vec![step(PassPhase::Around, "site", NginxStep::Site(self.site()))];
        passes.extend(self.original_uri());
        passes.extend(self.smaller());
        let size = "write bytes, or a number with k, m or g behind it";
        let most = self.value("proxy-body-size", value::size, size).unwrap_or(BODY);
        passes.push(step(PassPhase::Before, "body", passed_on::body(most)));
        if let Some(rate) = self.number("limit-rate").filter(|it| *it > 0) {
            let after = self.number("limit-rate-after").unwrap_or_default();
            passes.push(step(PassPhase::Before, "pace", passed_on::pace(rate, after)));
        }
        let lists =
            ["block-user-agents", "block-referers"].map(|key| self.words(key, "nobody is let in"));
        let blocked = match lists {
            [Some(agents), Some(referers)] => NginxStep::Blocked(NginxBlocked { agents, referers }),
            _ => NginxStep::Deny(everybody()),
        };
        if blocked != NginxStep::Blocked(NginxBlocked::default()) {
            passes.push(step(PassPhase::Before, "blocked", blocked));
        }
        let version = self.value("proxy-http-version", spoken::version, spoken::VERSIONS).flatten();
        let speech = version.map(NginxStep::Speak);
        passes.extend(speech.map(|it| step(PassPhase::Content, spoken::NAME, it)));
        passes.extend(self.kept_out());
        passes.extend(self.changed(leads_relatively));
        passes.extend(self.again());
        passes
    }

    /// What asks another endpoint.
    fn again(&mut self) -> Option<OwnFilter> {
        let help = "write error, timeout, http_502 and the like, non_idempotent, or off";
        let all = self.data.get("retry-non-idempotent");
        let all = all.and_then(|it| value::boolean(it.trim())) == Some(true);
        let mut words = self.value("proxy-next-upstream", value::next_upstream, help)?;
        words.for_all_methods |= all;
        let tries = self.number("proxy-next-upstream-tries").unwrap_or(3);
        let timeout = self.number("proxy-next-upstream-timeout").filter(|it| *it > 0);
        let tries = i64::try_from(tries).unwrap_or(0);
        Some(passed_on::next_upstream(&words, tries, timeout.map(Duration::from_secs)))
    }

    /// What is changed of answers of backends.
    fn changed(&mut self, leads_relatively: bool) -> Vec<OwnFilter> {
        let mut passes = Vec::new();
        for (key, name, read) in passed_on::COOKIES {
            let found = self.value(key, read, passed_on::COOKIES_HELP).flatten();
            passes.extend(found.map(|it| step(PassPhase::Content, name, it)));
        }
        let help = "write the begin of an URL, or off";
        let mut part = |key: &str| self.value(key, value::location, help);
        let (from, to) = (part("proxy-redirect-from"), part("proxy-redirect-to"));
        let mut led = from.zip(to).and_then(|(from, to)| passed_on::led(from, to));
        led.iter_mut().filter(|_| leads_relatively).for_each(NginxStep::lead_relatively);
        passes.extend(led.map(|it| step(PassPhase::Content, "location", it)));
        let hidden = self.list("hide-headers", "");
        if !hidden.is_empty() {
            // A line without a value is taken away.
            let response = hidden.into_iter().map(|it| (it, "".into())).collect();
            let rules = HeaderRules { response, ..HeaderRules::default() };
            let filter = Filter::Headers(rules.into());
            passes.push(OwnFilter::new(PassPhase::Content, "hidden", filter));
        }
        passes
    }

    /// Tells backends what was asked for, before anything is changed about it.
    fn original_uri(&mut self) -> Option<OwnFilter> {
        self.boolean("proxy-add-original-uri-header").filter(|is_on| *is_on)?;
        let mut text = VariableText::default();
        text.push(Variable::RequestUri);
        let lines = NginxStep::Tell([("X-Original-URI".into(), text)].into());
        Some(step(PassPhase::Around, "original-uri", lines))
    }

    fn site(&mut self) -> NginxSite {
        let max_age = self.value("hsts-max-age", |it| it.parse().ok(), "write seconds");
        let subdomains = match self.boolean("hsts-include-subdomains").unwrap_or(true) {
            true => "; includeSubDomains",
            false => "",
        };
        let preload = if self.boolean("hsts-preload") == Some(true) { "; preload" } else { "" };
        let strict = format!("max-age={}{subdomains}{preload}", max_age.unwrap_or(MAX_AGE));
        NginxSite {
            strict: self.boolean("hsts").unwrap_or(true).then(|| strict.into()),
            server: (self.boolean("server-tokens") == Some(true)).then(|| SERVER.into()),
            keeps_server: self.boolean("allow-backend-server-header") == Some(true),
            names_requests: self.boolean("generate-request-id").unwrap_or(true),
        }
    }

    /// `use-gzip` and `enable-brotli`. HTML is among what is made smaller in any case.
    fn smaller(&mut self) -> Option<OwnFilter> {
        let gzip = self.boolean("use-gzip") == Some(true);
        let brotli = self.boolean("enable-brotli") == Some(true);
        let (key, least, usual) = match gzip {
            true => ("gzip-types", "gzip-min-length", 256),
            false => ("brotli-types", "brotli-min-length", 20),
        };
        let types = self.data.get(key).map_or(SMALLER, String::as_str).split_whitespace();
        let compression = Compression {
            excluded: Vec::new(),
            included: ["text/html"].into_iter().chain(types).map(Into::into).collect(),
            smallest: self.number(least).unwrap_or(usual),
            encodings: [(brotli, ContentCoding::Brotli), (gzip, ContentCoding::Gzip)]
                .into_iter()
                .filter_map(|(is_on, it)| is_on.then_some(it))
                .collect(),
            default: None,
            is_nginx: true,
        };
        let spares = self.old_browsers();
        if !gzip && !brotli {
            return None;
        }
        let filter = Filter::Compress(compression.into());
        Some(OwnFilter { spares, ..OwnFilter::new(PassPhase::Around, "smaller", filter) })
    }

    /// Browsers that answers are not made smaller for (`gzip-disable`).
    fn old_browsers(&mut self) -> Option<Rule> {
        let source = |text: &str| match text {
            "msie6" => "MSIE [4-6]\\.".to_owned(),
            other => other.to_owned(),
        };
        let read = |text: &'a str| {
            let parts = text.split_whitespace().map(|it| Expression::new(&source(it)).ok());
            parts.collect::<Option<Vec<_>>>()
        };
        let found = self.value("gzip-disable", read, "write expressions, or msie6")?;
        let agent = |it| Rule::One(Matcher::Header("user-agent".into(), Values::Regex(it)));
        Some(Rule::Any(found.into_iter().map(agent).collect()))
    }

    /// Who is kept out by what he says; none where that cannot be read, which keeps everybody out.
    fn words(&mut self, key: &str, cost: &str) -> Option<Vec<NginxWord>> {
        let words = self.list(key, "");
        let read: Option<Vec<_>> = words.iter().map(|it| NginxWord::read(it)).collect();
        if read.is_none() {
            let message = format!("`{key}` has what is no expression: {cost}");
            let help = "write whole values, or `~*` and an expression";
            self.say(Severity::Error, codes::FIELD_NOT_HONOURED, key, message, help);
        }
        read
    }

    /// Who may not pass: what cannot be read keeps everybody out.
    fn kept_out(&mut self) -> Vec<OwnFilter> {
        let help = "write addresses and ranges with commas between them";
        let mut ranges = |key: &str| -> Option<Networks> {
            let parts: Vec<Arc<str>> = self.list(key, "");
            let read = Networks::parse(&parts).ok();
            if read.is_none() {
                let message = format!("`{key}` has what is no range: nobody is let in");
                self.say(Severity::Error, codes::FIELD_NOT_HONOURED, key, message, help);
            }
            if parts.is_empty() { None } else { Some(read.unwrap_or_default()) }
        };
        let allowed = ranges("whitelist-source-range");
        let denied = [ranges("block-cidrs"), ranges("denylist-source-range")];
        let denied: Vec<Networks> = denied.into_iter().flatten().collect();
        let mut passes = Vec::new();
        if !denied.is_empty() {
            let is_unread = denied.iter().any(|it| it.nets().is_empty());
            let nets: Vec<_> = denied.iter().flat_map(|it| it.nets().iter().copied()).collect();
            let ranges = if is_unread { everybody() } else { nets.into() };
            passes.push(step(PassPhase::Access, "denied", NginxStep::Deny(ranges)));
        }
        if let Some(ranges) = allowed {
            let (source, page) = (ClientSource::default(), AnswerPage::Nginx);
            let allowed = AllowedClients { ranges, source, status: 403, page };
            let filter = Filter::AllowAddresses(allowed);
            passes.push(OwnFilter::new(PassPhase::Access, "allowed", filter));
        }
        passes
    }
}

/// What asks about the routes of an object by what is said for all; else what to write instead.
pub fn asks(
    asks: &NginxAsks,
    object: NamespacedName,
    routes: &[RouteDraft],
) -> Result<Vec<OwnFilter>, &'static str> {
    asked(asks, object, routes).0.map_err(|fault| fault.help)
}

type Ignored = Vec<(&'static str, &'static str)>;

fn asked(
    asks: &NginxAsks,
    object: NamespacedName,
    routes: &[RouteDraft],
) -> (Result<Vec<OwnFilter>, AuthFault>, Ignored) {
    let written = |name: &str| written_at(&asks.words, name);
    let mut words = AuthWords::new(&written, object);
    let found = words.asking(written(external::URL).unwrap_or_default(), routes);
    (found, words.ignored().to_vec())
}

fn everybody() -> Networks {
    Networks::parse(&["0.0.0.0/0", "::/0"]).expect("these are ranges")
}

fn step(phase: PassPhase, name: &str, step: NginxStep) -> OwnFilter {
    OwnFilter::new(phase, name, Filter::Nginx(step.into()))
}

const BALANCED: &str = "write round_robin or ewma";

/// How endpoints are chosen; the usual way needs nothing.
fn balanced(text: &str) -> Option<Option<Algorithm>> {
    match text {
        "round_robin" => Some(None),
        "ewma" => Some(Some(Algorithm::PeakEwma)),
        _ => None,
    }
}

fn namespaced(text: &str) -> Option<NamespacedName> {
    let (namespace, name) = text.split_once('/')?;
    (!namespace.is_empty() && !name.is_empty()).then(|| NamespacedName::new(namespace, name))
}

#[cfg(test)]
mod tests;
