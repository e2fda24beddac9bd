//! Traefik's own tests of its middlewares: each is read as an object, and its frame is given the
//! case's request, with the head parsed as the gateway parses it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use steelyard_dialects::{LowerOptions, lower};
use steelyard_filters::{
    Answerer, Ask, Blueprint, Context, Enter, Flight, Frame, Got, Journey, Leave, Letter, Memory,
    Recipe, Response,
};
use steelyard_http::{
    ForwardedPolicy, Head, RequestEdits, RequestHead, RequestView, ResponseEdits, ResponseView,
    Scheme, Slots, Vouching,
};
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::Item;
use steelyard_model::routing::filter::login::SecretText;
use steelyard_model::routing::filter::token::TokenKeys;
use steelyard_model::routing::filter::{Filter, FilterNode, Redirection, Use};
use steelyard_model::routing::id::FilterId;
use steelyard_model::routing::trust::Trust;
use steelyard_passwords::{DigestUsers, Users};

use super::Case;

/// What Traefik makes of other objects than its own, and why it is passed over here.
const NO_OBJECTS: [(&str, &str); 10] = [
    ("", "nothing is asked for"),
    ("requestHeaderModifier", OF_GATEWAYS),
    ("responseHeaderModifier", OF_GATEWAYS),
    ("requestRedirect", OF_GATEWAYS),
    ("urlRewrite", OF_GATEWAYS),
    ("URLRewrite", OF_GATEWAYS),
    ("snippet", "text for nginx is never interpreted (docs/nginx.md)"),
    ("rewriteTarget", OF_NGINX),
    ("upstreamVHost", OF_NGINX),
    ("appRoot", OF_NGINX),
];
const OF_GATEWAYS: &str = "HTTPRoutes are not read yet";
const OF_NGINX: &str = "class nginx is held to ingress-nginx's own cases (tests/nginx)";

/// Why a case is passed over, if it is.
pub(crate) fn passed_over(case: &Case) -> Option<&'static str> {
    let kind = kind(case);
    NO_OBJECTS.iter().find(|(of, _)| *of == kind).map(|(_, why)| *why)
}

fn kind(case: &Case) -> &str {
    let middleware = case.content["middleware"].as_object();
    middleware.and_then(|it| it.keys().next()).map_or("", String::as_str)
}

/// What did not come out as Traefik's test wants it.
pub(crate) fn of_requests(case: &Case) -> Vec<String> {
    if passed_over(case).is_some() {
        return Vec::new();
    }
    // Or the words of the error, which are no business of ours.
    let wants_error = match &case.content["expected"]["buildError"] {
        Value::String(_) => Some(true),
        said => said.as_bool(),
    };
    let filter = match built(&case.content["middleware"]) {
        Some(filter) => filter,
        None if wants_error == Some(true) => return Vec::new(),
        None => return vec!["it is not taken".to_owned()],
    };
    if wants_error == Some(true) {
        return vec!["it is taken".to_owned()];
    }
    if !filter.is_built() {
        // Nothing is claimed of it: who uses it is refused.
        return Vec::new();
    }
    let usage = Use { filter: "m".into(), state: "m".into() };
    let Some(recipe) = Recipe::of(&usage, Some(&filter), &mut Memory::default()) else {
        return vec![format!("{} has no frame", filter.kind())];
    };
    passed(&case.content["request"], &case.content, &recipe)
}

/// What of the request about a request is not as Traefik's test wants it.
pub(crate) fn of_questions(case: &Case) -> Vec<String> {
    let input = &case.content["input"];
    let spec = json!({"forwardAuth": {
        "address": "http://auth.test",
        "authRequestHeaders": input["authRequestHeaders"],
        "trustForwardHeader": input["trustForwardHeader"],
    }});
    let Some(filter) = built(&spec) else { return vec!["it is not taken".to_owned()] };
    let usage = Use { filter: "m".into(), state: "m".into() };
    let Some(recipe) = Recipe::of(&usage, Some(&filter), &mut Memory::default()) else {
        return vec!["it has no frame".to_owned()];
    };
    let mut wrong = passed(&input["request"], &case.content, &recipe);
    // Its requests come from nowhere.
    wrong.retain(|it| !it.starts_with("x-forwarded-for: ") && !it.starts_with("x-real-ip: "));
    wrong
}

/// What asks for names and passwords has its users in a Secret, where cases have them in place.
const WITH_USERS: [&str; 2] = ["basicAuth", "digestAuth"];

fn built(middleware: &Value) -> Option<Filter> {
    let mut middleware = middleware.clone();
    // Objects name Services by their ports.
    let errors = &mut middleware["errors"];
    let told = errors.get("nginxHeaders").cloned();
    if errors["service"].is_string() {
        errors["service"] = json!({"name": "error", "port": 80});
    } else if errors.is_null() {
        middleware.as_object_mut().map(|all| all.remove("errors"));
    }
    let mut users = Vec::new();
    for kind in WITH_USERS {
        let Some(auth) = middleware.get_mut(kind).and_then(Value::as_object_mut) else { continue };
        let written = auth.remove("users").unwrap_or_default();
        let texts = written.as_array().into_iter().flatten().filter_map(Value::as_str);
        users.extend(texts.map(Arc::<str>::from));
        auth.insert("secret".into(), "users".into());
    }
    let mut filter = lowered(&middleware)?;
    let is_there = match &mut filter {
        Filter::BasicAuth(auth) => {
            auth.users = users.into();
            !Users::read(&auth.users).0.is_empty()
        }
        Filter::DigestAuth(auth) => {
            auth.users = users.into();
            !DigestUsers::read(&auth.users).0.is_empty()
        }
        _ => true,
    };
    is_there.then(|| with_lines(filter, told.as_ref()))
}

fn lowered(middleware: &Value) -> Option<Filter> {
    let object = json!({
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": {"name": "m"},
        "spec": middleware,
    });
    let source = Source::new("m.yaml", object.to_string().as_bytes());
    let loaded = load(&source, &ReadLimits::default());
    let lowered = lower(loaded.objects.first()?, &LowerOptions::default());
    match lowered.items.into_iter().next() {
        Some(Item::Filter(draft)) => Some(draft.filter),
        _ => None,
    }
}

/// With lines that only ingress-nginx has of errors.
fn with_lines(filter: Filter, told: Option<&Value>) -> Filter {
    let (Filter::ErrorPages(mut pages), Some(told)) = (filter.clone(), told) else { return filter };
    let lines = told.as_object().into_iter().flatten();
    let lines = lines.map(|(name, values)| {
        (name.as_str().into(), values[0].as_str().unwrap_or_default().into())
    });
    pages.told = Some(lines.collect());
    Filter::ErrorPages(pages)
}

/// A request as it goes on the wire.
struct Sent {
    raw: String,
    scheme: Scheme,
    peer: IpAddr,
}

fn sent(request: &Value) -> Sent {
    let url = request["url"].as_str().unwrap_or("/");
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => ("http", url),
    };
    let (authority, target) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let target = if target.is_empty() { "/" } else { target };
    let host = request["host"].as_str().unwrap_or(authority);
    let is_tls = scheme == "https" || request["tls"].as_bool().unwrap_or_default();
    let method = request["method"].as_str().unwrap_or("GET");
    let target = target.replace(' ', "%20");
    let mut raw = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, values) in request["headers"].as_object().into_iter().flatten() {
        for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
            raw += &format!("{name}: {value}\r\n");
        }
    }
    raw += "\r\n";
    let peer = request["remoteAddr"].as_str().unwrap_or("192.0.2.1");
    let address = peer.rsplit_once(':').map_or(peer, |(address, _)| address);
    let peer = address.parse().or_else(|_| peer.parse()).unwrap_or_else(|_| [192, 0, 2, 1].into());
    Sent { raw, scheme: if is_tls { Scheme::Https } else { Scheme::Http }, peer }
}

fn passed(request: &Value, case: &Value, recipe: &Recipe) -> Vec<String> {
    let Sent { raw, scheme, peer } = sent(request);
    let mut slots = Slots::default();
    let head = RequestHead::parse(raw.as_bytes(), &mut slots);
    let Ok(Some(mut head)) = head else { return vec![format!("{raw:?} is refused")] };
    let everybody = ForwardedPolicy { trust: Trust::Everybody, ..ForwardedPolicy::default() };
    head.settle(&Vouching::new(Arc::new(everybody), peer).over(scheme));
    let is_tls = scheme == Scheme::Https;
    let journey = Journey { is_tls, ..Journey::of(peer) };
    let mut notes = Vec::new();
    let mut cx = Context {
        now: Instant::now(),
        clock: || 1_000_000,
        wall: || std::time::Duration::from_secs(1_000_000),
        random: || None,
        journey: &journey,
        cause: Answerer::Backend,
        notes: &mut notes,
    };
    let mut frame = recipe.frame();
    let mut request = RequestEdits::new(&head);
    let expected = &case["expected"];
    let mut entered = frame.enter(&mut cx, &mut request, Got::Nothing);
    let mut wrong = Vec::new();
    let mut has_asked = false;
    loop {
        let got = match entered {
            Enter::Ask(Ask::Shared(_)) => Got::Flight(Flight::Lead),
            Enter::Ask(Ask::Work(job)) => Got::Done((job.work)()),
            // Who counts for all has room for one more.
            Enter::Ask(Ask::Run { .. }) => {
                Got::Said(vec![b"1".as_slice().into(), b"0".as_slice().into()])
            }
            Enter::Ask(Ask::Fetch { letter, .. }) => {
                if case["function"].as_str() == Some("forwardAuthRequestHeaders") {
                    return asked(&letter, expected);
                }
                has_asked = true;
                wrong.extend(asked(&letter, &expected["authRequest"]));
                fetched(&letter, &case["authServer"])
            }
            _ => break,
        };
        entered = frame.enter(&mut cx, &mut request, got);
    }
    if expected["authCalled"].as_bool().is_some_and(|called| called != has_asked) {
        wrong.push(format!("somebody is asked who may pass: {has_asked}"));
    }
    let (answer, more) = match entered {
        Enter::Next => {
            let stays = expected["nextCalled"].as_bool() == Some(false);
            let mut more = sent_on(&request, expected);
            more.extend(stays.then(|| "it lets it on".to_owned()));
            (of_backend(&case["backend"]), more)
        }
        Enter::Answer(answer) => {
            let called = expected["nextCalled"].as_bool() == Some(true);
            (*answer, Vec::from_iter(called.then(|| "it answers itself".to_owned())))
        }
        Enter::Ask(ask) => return vec![format!("it asks for {ask:?}")],
    };
    wrong.extend(more);
    let mut response = ResponseEdits::new(&answer);
    let mut left = frame.leave(&mut cx, &mut response, Got::Nothing);
    if let Leave::Ask(Ask::Begin { .. }) = left {
        left = frame.leave(&mut cx, &mut response, Got::Begin(answer.body.clone()));
    }
    if let Leave::Ask(Ask::Fetch { letter, .. }) = &left {
        wrong.extend(asked(letter, &expected["errorRequest"]));
        let got = fetched(letter, &case["errorService"]);
        left = frame.leave(&mut cx, &mut response, got);
    } else if expected["errorServiceCalled"].as_bool() == Some(true) {
        wrong.push("it asks for no page".to_owned());
    }
    match left {
        Leave::Next => wrong.extend(received(&response, &answer, expected)),
        Leave::Replace(other) => {
            wrong.extend(received(&ResponseEdits::new(&*other), &other, expected));
        }
        other => return vec![format!("it leaves by {other:?}")],
    }
    wrong
}

/// What a server of the case answers.
fn fetched(letter: &Letter, server: &Value) -> Got {
    let response = of_backend(&server["response"]);
    match response.body.len() > letter.max {
        true => Got::TooLarge,
        false => Got::Response(Box::new(response)),
    }
}

/// What of a request of the filter's own is not as expected.
fn asked(letter: &Letter, expected: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let host = expected["host"].as_str().filter(|host| **host != *letter.authority);
    wrong.extend(host.map(|host| format!("{host} is asked, not {}", letter.authority)));
    let method = expected["method"].as_str().filter(|method| **method != *letter.method);
    wrong.extend(method.map(|method| format!("it asks by {}, not {method}", letter.method)));
    let target = expected["requestURI"].as_str().filter(|uri| **uri != *letter.target);
    wrong.extend(target.map(|uri| format!("{uri} is asked for, not {}", letter.target)));
    let said = Response {
        lines: letter.lines.added().map(|(name, value)| (name.into(), value.into())).collect(),
        ..Response::default()
    };
    let is_exact = expected["headersExact"].as_bool().unwrap_or_default();
    wrong.extend(lines(&said, &expected["headers"], is_exact));
    wrong
}

fn of_backend(backend: &Value) -> Response {
    let status = backend["status"].as_u64().and_then(|it| u16::try_from(it).ok()).unwrap_or(200);
    let mut response = Response::of(status);
    for (name, values) in backend["headers"].as_object().into_iter().flatten() {
        for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
            response.lines.push((name.as_str().into(), value.as_bytes().into()));
        }
    }
    // So is a short answer of Go's servers, which say how long it is.
    if let Some(length) = backend["bodyBytes"].as_u64() {
        response.lines.push(("Content-Length".into(), length.to_string().into_bytes().into()));
    }
    let body = backend["body"].as_str().unwrap_or_default();
    Response { body: body.to_owned().into(), ..response }
}

/// What of the request that goes on is not as expected.
fn sent_on(request: &RequestEdits<'_>, expected: &Value) -> Vec<String> {
    let wanted = &expected["request"];
    let mut wrong = lines(request, &wanted["headers"], false);
    let query = request.query().map_or(String::new(), |query| format!("?{query}"));
    let uri = format!("{}{query}", request.path());
    if let Some(expected) = wanted["requestURI"].as_str().filter(|expected| *expected != uri) {
        wrong.push(format!("{expected} is to go on, not {uri}"));
    }
    if let Some(expected) =
        wanted["query"].as_str().filter(|it| *it != query.trim_start_matches('?'))
    {
        wrong.push(format!("the query {expected} is to go on, not {query}"));
    }
    // That, or how it is written where it may be written in several ways.
    let written = wanted["rawPath"].as_str().filter(|it| !it.is_empty());
    let path = written.map_or_else(|| decoded(request.path()), |_| request.path().to_owned());
    let expected = written.or_else(|| wanted["path"].as_str());
    if wanted["requestURI"].is_null() && expected.is_some_and(|expected| *expected != *path) {
        wrong.push(format!("{expected:?} is to go on, not {path}"));
    }
    if let Some(host) = wanted["host"].as_str().filter(|host| *host != request.authority()) {
        wrong.push(format!("{host} is to be asked for, not {}", request.authority()));
    }
    wrong
}

/// What a path says that is written so.
fn decoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(digits, 16).ok());
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What of the response is not as expected.
fn received(response: &ResponseEdits<'_>, answer: &Response, expected: &Value) -> Vec<String> {
    let is_exact = expected["response"]["headersExact"].as_bool().unwrap_or_default();
    let mut wrong = lines(response, &expected["response"]["headers"], is_exact);
    if let Some(status) =
        expected["status"].as_u64().filter(|it| *it != u64::from(response.status()))
    {
        wrong.push(format!("status {status}, not {}", response.status()));
    }
    let body = String::from_utf8_lossy(&answer.body);
    if let Some(expected) = expected["body"].as_str().filter(|expected| *expected != body) {
        wrong.push(format!("body {expected:?}, not {body:?}"));
    }
    let location = response.first("location").map(|it| String::from_utf8_lossy(it).into_owned());
    let (scheme, rest) =
        location.as_deref().unwrap_or_default().split_once("://").unwrap_or_default();
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    for (part, found) in [("locationScheme", scheme), ("locationPath", path)] {
        if let Some(expected) = expected[part].as_str().filter(|it| *it != found) {
            wrong.push(format!("{part} {expected}, not {found}"));
        }
    }
    let within = |part: &&str| location.as_ref().is_some_and(|it| it.contains(part));
    if let Some(part) = expected["locationContains"].as_str().filter(|part| !within(part)) {
        wrong.push(format!("to something with {part}, not {location:?}"));
    }
    match &expected["location"] {
        // A path that is asked for has a slash at least.
        Value::String(expected) => {
            let found = location.unwrap_or_default();
            if found != *expected && found != format!("{expected}/") {
                wrong.push(format!("to {expected}, not {found:?}"));
            }
        }
        Value::Null => {}
        other => wrong.push(format!("{other} is no location")),
    }
    wrong
}

/// Lines that are not as expected: a list of values, or null for none.
fn lines(head: &dyn Head, expected: &Value, is_exact: bool) -> Vec<String> {
    let mut found: Vec<(String, String)> = Vec::new();
    head.each(&mut |name, value| {
        found.push((name.to_ascii_lowercase(), String::from_utf8_lossy(value).into_owned()));
    });
    let mut wrong = Vec::new();
    let known = expected.as_object().into_iter().flatten();
    for (name, values) in known.clone() {
        // The gateway itself says how long a body is.
        if name == "Content-Length" {
            continue;
        }
        let name = name.to_ascii_lowercase();
        let has: Vec<&str> =
            found.iter().filter(|(it, _)| *it == name).map(|(_, value)| value.as_str()).collect();
        let wants: Vec<&str> =
            values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if has != wants && !(values.is_null() && has.iter().all(|it| it.is_empty())) {
            wrong.push(format!("{name}: {wants:?}, not {has:?}"));
        }
    }
    let is_known = |name: &str| known.clone().any(|(it, _)| it.eq_ignore_ascii_case(name));
    let more = found.iter().filter(|(name, _)| is_exact && !is_known(name));
    wrong.extend(more.map(|(name, value)| format!("{name}: {value} besides")));
    wrong
}

/// One of each kind, with every option it has: what is said to be built has a frame, and nothing
/// else does.
pub(crate) fn frames_of_what_is_built() -> Vec<String> {
    let samples = include_str!("../../pure/dialects/src/tests/middlewares.yaml");
    let mut wrong = Vec::new();
    for sample in samples.split("---\n") {
        let written = sample.lines().filter(|line| !line.starts_with('#'));
        let spec: String = written.map(|line| format!("  {line}\n")).collect();
        let text = format!(
            "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {{name: m}}\nspec:\n{spec}"
        );
        let loaded = load(&Source::new("m.yaml", text.as_bytes()), &ReadLimits::default());
        let item = loaded
            .objects
            .first()
            .and_then(|object| lower(object, &LowerOptions::default()).items.into_iter().next());
        let Some(Item::Filter(draft)) = item else {
            wrong.push(format!("{text} is not taken"));
            continue;
        };
        let filter = filled(draft.filter);
        let has_frame = has_frame(&filter);
        // Chains are passed one by one, and of others beside them nobody is here.
        let has_others = matches!(filter, Filter::Chain(_) | Filter::AnyOf(_));
        if filter.is_built() != has_frame && !has_others {
            wrong.push(format!("{}: built {}, a frame {has_frame}", filter.kind(), !has_frame));
        }
    }
    wrong
}

/// With what is looked up elsewhere.
fn filled(mut filter: Filter) -> Filter {
    match &mut filter {
        Filter::BasicAuth(auth) => auth.users = vec![Arc::from("ann:{PLAIN}x")].into(),
        Filter::DigestAuth(auth) => {
            auth.users = vec![format!("ann:here:{}", "0".repeat(32)).into()].into();
        }
        Filter::ApiKey(auth) => auth.hashes = vec!["{PLAIN}x".into()],
        Filter::Token(auth) if matches!(auth.keys, TokenKeys::Kept(_)) => {
            auth.keys = TokenKeys::Secret((*b"a secret of sufficient length for this").into());
        }
        Filter::Login(auth) => {
            let known = || SecretText::Known((*b"a secret of sufficient length for this").into());
            (auth.client.id, auth.client.secret) = (known(), Some(known()));
            auth.sealing = Some(known());
        }
        Filter::AnyOf(members) => *members = vec!["inner".into()],
        Filter::When(_, member) => *member = "inner".into(),
        _ => {}
    }
    filter
}

fn has_frame(filter: &Filter) -> bool {
    let node = |name: &str, filter: Filter| {
        let id = FilterId::from(name);
        (id.clone(), Arc::new(FilterNode { id, place: None, filter }))
    };
    let inner = Filter::Redirect(Redirection {
        scheme: None,
        host: None,
        port: None,
        beside: Vec::new(),
        path: None,
        status: 302,
    });
    let filters = [node("outer", filter.clone()), node("inner", inner)].into_iter().collect();
    let usage = Use { filter: "outer".into(), state: "outer".into() };
    Recipe::among(&usage, &filters, &mut Memory::default()).is_some()
}
