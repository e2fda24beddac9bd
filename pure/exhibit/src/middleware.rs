//! Middlewares: filters, as Traefik shows them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};
use steelyard_model::discretion::{HIDDEN, shown_url};
use steelyard_model::routing::filter::access::{AskedAuth, PasswordAuth};
use steelyard_model::routing::filter::content::{Compression, EncodedCharacters, HeaderRules};
use steelyard_model::routing::filter::limit::Counted;
use steelyard_model::routing::filter::{Filter, FilterNode, Rewrite};
use steelyard_model::routing::id::FilterId;
use steelyard_model::routing::pattern::Expression;
use steelyard_model::routing::world::RoutingMap;

use crate::broken::Known;
use crate::fault::{Faults, Status, sentences};
use crate::names::{backend, filter};
use crate::row::{Draft, Row, Rows};
use crate::service::{ranges, seconds};
use crate::shape::{clients, strategy, trimmed};
use crate::{Part, Section};
use crate::{guard, hidden};

/// Adds all middlewares.
pub(crate) fn add<'r>(
    routing: &'r RoutingMap,
    faults: &Faults<'_>,
    known: &mut Known<'r>,
    sections: &mut BTreeMap<Section, Rows>,
) {
    let users = users(routing);
    for node in routing.filters.values() {
        let id = node.id.as_str();
        // One of the program's own is shown where somebody uses it.
        let is_idle = id.ends_with("@internal") && !users.contains_key(&node.id);
        if id.contains("#get@") || is_idle {
            continue;
        }
        node.place.iter().for_each(|place| known.add(place));
        let is_tcp = id.contains("#tcp") || id.contains("@tcp@");
        let part = Part::Middlewares;
        let section = if is_tcp { Section::Tcp(part) } else { Section::Http(part) };
        let name = filter(&node.id);
        let row = row(&name, node, users.get(&node.id), faults, is_tcp);
        sections.entry(section).or_default().insert((&*name).into(), row);
    }
}

/// Routers that use each filter themselves, or at their entry points.
fn users(routing: &RoutingMap) -> HashMap<&FilterId, BTreeSet<String>> {
    let mut users: HashMap<&FilterId, BTreeSet<String>> = HashMap::new();
    for route in routing.routes.values() {
        let listeners = route.listeners.iter().filter_map(|id| routing.listeners.get(id));
        let shared = listeners.filter(|_| route.kind.is_of_requests()).flat_map(|it| &it.uses);
        for usage in shared.chain(&route.uses) {
            users.entry(&usage.filter).or_default().insert(route.id.traefik_name());
        }
    }
    users
}

fn row(
    name: &str,
    node: &FilterNode,
    users: Option<&BTreeSet<String>>,
    faults: &Faults<'_>,
    is_tcp: bool,
) -> Row {
    let found = node.place.as_ref().map(|place| sentences(&faults.at(place)));
    let mut errors = found.unwrap_or_default();
    let is_built = if is_tcp { node.filter.is_built_for_bytes() } else { node.filter.is_built() };
    if !is_built {
        errors.push("it is not carried out: what uses it answers 503".to_owned());
    }
    let status = match (is_built, errors.is_empty()) {
        (false, _) => Status::Disabled,
        (true, false) => Status::Warning,
        (true, true) => Status::Enabled,
    };
    let mut draft = Draft::new(name, status);
    let (key, shape) = shape(&node.filter);
    draft.row.kind = LOWER.iter().find(|(of, _)| *of == key).map_or("", |(_, lower)| lower);
    draft.set(key, shape);
    draft.set("error", errors);
    draft.set("usedBy", users.into_iter().flatten().cloned().collect::<Vec<_>>());
    draft.done()
}

/// What types are called in lists.
const LOWER: [(&str, &str); 33] = [
    ("addPrefix", "addprefix"),
    ("stripPrefix", "stripprefix"),
    ("stripPrefixRegex", "stripprefixregex"),
    ("replacePath", "replacepath"),
    ("replacePathRegex", "replacepathregex"),
    ("redirectScheme", "redirectscheme"),
    ("redirectRegex", "redirectregex"),
    ("encodedCharacters", "encodedcharacters"),
    ("ipAllowList", "ipallowlist"),
    ("basicAuth", "basicauth"),
    ("digestAuth", "digestauth"),
    ("forwardAuth", "forwardauth"),
    ("passTLSClientCert", "passtlsclientcert"),
    ("headers", "headers"),
    ("rateLimit", "ratelimit"),
    ("inFlightReq", "inflightreq"),
    ("inFlightConn", "inflightconn"),
    ("buffering", "buffering"),
    ("circuitBreaker", "circuitbreaker"),
    ("retry", "retry"),
    ("errors", "errors"),
    ("compress", "compress"),
    ("contentType", "contenttype"),
    ("grpcWeb", "grpcweb"),
    ("chain", "chain"),
    ("plugin", "plugin"),
    ("jwt", "jwt"),
    ("hmac", "hmac"),
    ("apiKey", "apikey"),
    ("ipDenyList", "ipdenylist"),
    ("oidc", "oidc"),
    ("anyOf", "anyof"),
    ("unless", "unless"),
];

/// Its type as Traefik's files have it, and its options.
fn shape(filter_of: &Filter) -> (&'static str, Value) {
    match filter_of {
        Filter::Redirect(_) | Filter::RedirectScheme(_) | Filter::RedirectRegex(_) => {
            redirection(filter_of)
        }
        Filter::Rewrite(rewrite) => path(rewrite),
        Filter::EncodedCharacters(allowed) => ("encodedCharacters", characters(*allowed)),
        Filter::AllowAddresses(allowed) => ("ipAllowList", clients(allowed)),
        Filter::BasicAuth(auth) => ("basicAuth", passwords(auth)),
        Filter::DigestAuth(auth) => ("digestAuth", passwords(auth)),
        Filter::ForwardAuth(auth) => ("forwardAuth", asked(auth)),
        Filter::ClientCertificate(told) => ("passTLSClientCert", json!({ "pem": told.pem })),
        Filter::Headers(rules) => ("headers", headers(rules)),
        Filter::ErrorPages(pages) => {
            let shape = json!({
                "status": ranges(&pages.statuses),
                "service": backend(&pages.backend),
                "query": shown_url(&pages.query),
            });
            ("errors", trimmed(shape))
        }
        Filter::Compress(it) => ("compress", compression(it)),
        Filter::GrpcWeb(origins) => ("grpcWeb", json!({ "allowOrigins": origins })),
        Filter::Chain(members) => {
            let members: Vec<String> = members.iter().map(filter).collect();
            ("chain", json!({ "middlewares": members }))
        }
        Filter::Plugin(name) => ("plugin", json!({ (&**name): {} })),
        Filter::ContentType => ("contentType", json!({})),
        other => guard::shape(other).unwrap_or_else(|| limited(other)),
    }
}

fn redirection(filter: &Filter) -> (&'static str, Value) {
    match filter {
        Filter::RedirectRegex(to) => {
            let shape = json!({
                "regex": to.expression.source(),
                "replacement": shown_url(&to.replacement),
                "permanent": to.is_permanent,
            });
            ("redirectRegex", trimmed(shape))
        }
        Filter::RedirectScheme(to) => {
            let permanent = to.is_permanent;
            let shape = json!({ "scheme": to.scheme, "port": to.port, "permanent": permanent });
            ("redirectScheme", trimmed(shape))
        }
        Filter::Redirect(to) => {
            let shape = json!({
                "scheme": to.scheme,
                "port": to.port.map(|port| port.to_string()),
                "permanent": matches!(to.status, 301 | 308),
            });
            ("redirectScheme", trimmed(shape))
        }
        _ => UNKNOWN,
    }
}

/// Filters that say how many, how long and how often.
fn limited(filter: &Filter) -> (&'static str, Value) {
    match filter {
        Filter::RateLimit(limit) => {
            let mut shape = json!({
                "average": limit.average,
                "period": seconds(limit.period),
                "burst": limit.burst,
                "sourceCriterion": counted(&limit.of),
            });
            if let Some(redis) = &limit.redis {
                let endpoints = redis.servers.iter().map(|(server, _)| &*server.authority);
                shape["redis"] = json!({ "endpoints": endpoints.collect::<Vec<_>>() });
            }
            ("rateLimit", shape)
        }
        Filter::InFlight(limit) => {
            let of = counted(&limit.of);
            ("inFlightReq", json!({ "amount": limit.amount, "sourceCriterion": of }))
        }
        Filter::InFlightConnections(amount) => ("inFlightConn", json!({ "amount": amount })),
        Filter::Buffers(it) => {
            let shape = json!({
                "maxRequestBodyBytes": it.max_request,
                "memRequestBodyBytes": it.mem_request,
                "maxResponseBodyBytes": it.max_response,
                "memResponseBodyBytes": it.mem_response,
                "retryExpression": it.retry,
            });
            ("buffering", trimmed(shape))
        }
        Filter::CircuitBreaker(it) => {
            let shape = json!({
                "expression": it.expression,
                "checkPeriod": seconds(it.check_period),
                "fallbackDuration": seconds(it.fallback),
                "recoveryDuration": seconds(it.recovery),
                "responseCode": it.status,
            });
            ("circuitBreaker", shape)
        }
        Filter::Retry(it) => {
            let shape = json!({
                "attempts": it.attempts,
                "initialInterval": it.interval.map(seconds),
                "timeout": it.timeout.map(seconds),
                "status": ranges(&it.statuses),
            });
            ("retry", trimmed(shape))
        }
        _ => UNKNOWN,
    }
}

/// What has no shape of Traefik's: nothing of it is shown, whatever it is made of.
const UNKNOWN: (&str, Value) = ("", Value::Null);

fn path(rewrite: &Rewrite) -> (&'static str, Value) {
    let sources = |all: &[Expression]| -> Vec<String> {
        all.iter().map(|it| it.source().to_owned()).collect()
    };
    match rewrite {
        Rewrite::AddPrefix(prefix) => ("addPrefix", json!({ "prefix": prefix })),
        Rewrite::StripPrefix(all) => ("stripPrefix", json!({ "prefixes": all })),
        Rewrite::StripExpression(all) => ("stripPrefixRegex", json!({ "regex": sources(all) })),
        Rewrite::Replace(path) => ("replacePath", json!({ "path": path })),
        Rewrite::Expression(regex, to) => {
            ("replacePathRegex", json!({ "regex": regex.source(), "replacement": to }))
        }
    }
}

fn characters(allowed: EncodedCharacters) -> Value {
    trimmed(json!({
        "allowEncodedSlash": allowed.slash,
        "allowEncodedBackSlash": allowed.back_slash,
        "allowEncodedNullCharacter": allowed.null,
        "allowEncodedSemicolon": allowed.semicolon,
        "allowEncodedPercent": allowed.percent,
        "allowEncodedQuestionMark": allowed.question_mark,
        "allowEncodedHash": allowed.hash,
    }))
}

/// Who may come in is nobody's business, but how many.
fn passwords(auth: &PasswordAuth) -> Value {
    let users: Vec<&str> = auth.users.iter().map(|_| HIDDEN).collect();
    trimmed(json!({
        "users": users,
        "realm": auth.realm,
        "removeHeader": auth.removes_header,
        "headerField": auth.user_header,
    }))
}

fn asked(auth: &AskedAuth) -> Value {
    let mut shape = trimmed(json!({
        "address": shown_url(&auth.address.to_string()),
        "trustForwardHeader": auth.trusts_forwarded,
        "authResponseHeaders": auth.response_headers,
        "authResponseHeadersRegex": auth.response_headers_regex.as_ref().map(Expression::source),
        "authRequestHeaders": auth.request_headers,
        "addAuthCookiesToResponse": auth.cookies,
        "headerField": auth.user_header,
        "forwardBody": auth.forwards_body,
        "preserveLocationHeader": auth.keeps_location,
        "preserveRequestMethod": auth.keeps_method,
    }));
    if let Some(tls) = &auth.tls {
        shape["tls"] = json!({ "insecureSkipVerify": tls.is_unverified });
    }
    shape
}

fn headers(rules: &HeaderRules) -> Value {
    let (cors, security) = (&rules.cors, &rules.security);
    let origins: Vec<&str> = cors.origin_expressions.iter().map(Expression::source).collect();
    let lines = |lines: &BTreeMap<Arc<str>, Arc<str>>| {
        if lines.is_empty() { Value::Null } else { hidden::values(lines) }
    };
    trimmed(json!({
        "customRequestHeaders": lines(&rules.request),
        "customResponseHeaders": rules.response,
        "accessControlAllowCredentials": cors.credentials,
        "accessControlAllowHeaders": cors.headers,
        "accessControlAllowMethods": cors.methods,
        "accessControlAllowOriginList": cors.origins,
        "accessControlAllowOriginListRegex": origins,
        "accessControlExposeHeaders": cors.exposed,
        "accessControlMaxAge": cors.max_age,
        "addVaryHeader": cors.adds_vary,
        "allowedHosts": security.allowed_hosts,
        "hostsProxyHeaders": security.host_headers,
        "sslProxyHeaders": security.tls_headers,
        "stsSeconds": security.sts_seconds,
        "stsIncludeSubdomains": security.sts_subdomains,
        "stsPreload": security.sts_preload,
        "forceSTSHeader": security.sts_always,
        "frameDeny": security.frame_deny,
        "customFrameOptionsValue": security.frame_options,
        "contentTypeNosniff": security.no_sniff,
        "browserXssFilter": security.xss_filter,
        "customBrowserXSSValue": security.xss_value,
        "contentSecurityPolicy": security.content_policy,
        "contentSecurityPolicyReportOnly": security.reported_policy,
        "publicKey": security.public_key,
        "referrerPolicy": security.referrer_policy,
        "permissionsPolicy": security.permissions_policy,
        "isDevelopment": security.is_development,
    }))
}

fn compression(it: &Compression) -> Value {
    let encodings: Vec<&str> = it.encodings.iter().map(|it| it.as_str()).collect();
    trimmed(json!({
        "excludedContentTypes": it.excluded,
        "includedContentTypes": it.included,
        "minResponseBodyBytes": it.smallest,
        "encodings": encodings,
        "defaultEncoding": it.default.map(|it| it.as_str()),
    }))
}

fn counted(of: &Counted) -> Value {
    match of {
        Counted::Client(source) => {
            json!({ "ipStrategy": strategy(source).unwrap_or_else(|| json!({})) })
        }
        Counted::Header(name) => json!({ "requestHeaderName": name }),
        Counted::Host => json!({ "requestHost": true }),
    }
}
