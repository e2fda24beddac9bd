//! Traefik's own tests of what goes on of a request before any middleware, and of what its
//! middlewares are made of: held to what goes on by the gateway's own code.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use steelyard_dialects::{LowerOptions, lower};
use steelyard_filters::{Admission, ConnectionGate, Memory};
use steelyard_http::{
    ForwardedPolicy, Hop, RequestHead, Scheme, Semicolons, Slots, Spelling, Vouching, client_lines,
};
use steelyard_manifest::{ReadLimits, Source, load};
use steelyard_model::Item;
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::route::Manner;
use steelyard_model::routing::trust::Trust;

use super::{Case, middlewares};

/// Functions that have no like of their own here, and why.
const NO_LIKE: [(&str, &str); 2] = [
    ("parseAcceptEncoding", "what is accepted is not written down, it is chosen from at once"),
    ("nginxVariables", "variables stand in what class nginx has alone"),
];

/// What a function of Traefik's makes of its input.
pub(crate) fn of_functions(case: &Case) -> Vec<String> {
    let (function, input) =
        (case.content["function"].as_str().unwrap_or_default(), &case.content["input"]);
    let found = match function {
        "compressEncoding" => return compressed(case),
        "forwardAuthRequestHeaders" => return middlewares::of_questions(case),
        "deniedEncodedCharacters" => denied(input),
        "removeConnectionHeaders" => kept(input),
        "isWebsocketRequest" => json!(is_websocket(input)),
        "canonicalHost" => json!(host(&input["url"], "://")),
        "hostWithoutPort" => json!(host(&input["host"], "")),
        _ if NO_LIKE.iter().any(|(name, _)| *name == function) => return Vec::new(),
        _ => return vec![format!("nobody knows {function}")],
    };
    let expected = &case.content["expected"];
    if found == *expected { Vec::new() } else { vec![format!("{found}, not {expected}")] }
}

/// How a response is made smaller.
fn compressed(case: &Case) -> Vec<String> {
    let input = &case.content["input"];
    let accepted: Vec<Value> = input["acceptEncoding"].as_array().cloned().unwrap_or_default();
    let mut content = json!({
        "middleware": {"compress": {"encodings": input["encodings"], "minResponseBodyBytes": 0}},
        "request": {"method": "GET", "url": "http://localhost", "headers": {"Accept-Encoding": accepted}},
        "backend": {"status": 200, "body": "body", "headers": {"Content-Length": ["4"]}},
        "expected": {"response": {"headers": {"Content-Encoding": [case.content["expected"]]}}},
    });
    if input["defaultEncoding"].as_str().is_some_and(|it| !it.is_empty()) {
        content["middleware"]["compress"]["defaultEncoding"] = input["defaultEncoding"].clone();
    }
    let (name, folder) = (case.name.clone(), case.folder.clone());
    middlewares::of_requests(&Case { name, folder, content })
}

/// Which encoded characters are not let through, in the order of the case.
fn denied(input: &Value) -> Value {
    let all = ["%00", "%23", "%25", "%2F", "%2f", "%3B", "%3F", "%3b", "%3f", "%5C", "%5c"];
    let is_denied = |spelled: &&str| {
        // The gateway lets no path through that has this.
        if *spelled == "%00" {
            return input["allowEncodedNullCharacter"].as_bool() != Some(true);
        }
        let content = json!({
            "middleware": {"encodedCharacters": input},
            "request": {"method": "GET", "url": format!("http://localhost/a{spelled}b")},
            "expected": {"status": 400},
        });
        let case = Case { name: String::new(), folder: Default::default(), content };
        middlewares::of_requests(&case).is_empty()
    };
    json!(all.into_iter().filter(is_denied).collect::<Vec<_>>())
}

fn is_websocket(input: &Value) -> bool {
    let line = |name: &str| input[name].as_str().unwrap_or_default();
    let lines = format!("Connection: {}\r\nUpgrade: {}\r\n", line("connection"), line("upgrade"));
    let raw = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let mut slots = Slots::default();
    let head = RequestHead::parse(raw.as_bytes(), &mut slots);
    head.ok().flatten().is_some_and(|head| head.is_websocket())
}

/// The site that is meant, without its port.
fn host(value: &Value, behind: &str) -> Option<String> {
    let text = value.as_str().unwrap_or_default();
    let authority = text.split_once(behind).filter(|_| !behind.is_empty()).map_or(text, |it| it.1);
    let raw = format!("GET / HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let mut slots = Slots::default();
    let head = RequestHead::parse(raw.as_bytes(), &mut slots).ok().flatten()?;
    let host = head.authority.host.as_ref();
    Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

/// The lines of a request that go on, of those that it has.
fn kept(input: &Value) -> Value {
    let mut sent = String::new();
    for (name, values) in input["headers"].as_object().into_iter().flatten() {
        for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
            sent += &format!("{name}: {value}\r\n");
        }
    }
    let raw = format!("GET / HTTP/1.1\r\nHost: a\r\n{sent}\r\n");
    let Some(lines) =
        gone_on(&raw, &Vouching::nothing([192, 0, 2, 1].into()), ("a", Manner::Traefik))
    else {
        return Value::Null;
    };
    let mut kept = serde_json::Map::new();
    for (name, value) in lines {
        let is_its = input["headers"].as_object().is_some_and(|it| it.contains_key(&name));
        if (is_its || name == "Connection")
            && let Some(values) = kept.entry(name).or_insert_with(|| json!([])).as_array_mut()
        {
            values.push(json!(value));
        }
    }
    Value::Object(kept)
}

/// The lines of a request as endpoints get them.
fn gone_on(
    raw: &str,
    vouching: &Vouching,
    (server, manner): (&str, Manner),
) -> Option<Vec<(String, String)>> {
    let mut slots = Slots::default();
    let mut head = RequestHead::parse(raw.as_bytes(), &mut slots).ok().flatten()?;
    head.settle(vouching);
    let lines = client_lines(vouching.peer(), server, "it");
    let hop = Hop {
        list: steelyard_http::USUAL_LIST,
        keeps_underscores: false,
        client_lines: &lines,
        fallback_host: "192.0.2.9:80",
        path: Spelling::AsAsked,
        semicolons: Semicolons::Kept,
        manner,
        port: 80,
    };
    let mut out = Vec::new();
    head.forward(&hop, None, &mut out);
    let text = String::from_utf8_lossy(&out).into_owned();
    let lines = text.lines().skip(1).filter_map(|line| line.split_once(": "));
    Some(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// What endpoints are told of clients, and what of their own words goes on.
pub(crate) fn of_forwarding(case: &Case) -> Vec<String> {
    let (request, terms) = (&case.content["request"], &case.content["forwardedHeaders"]);
    let ranges = terms["trustedIPs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let ranges: Vec<_> = ranges.filter_map(|it| it.parse().ok()).collect();
    let trust = match terms["insecure"].as_bool() {
        Some(true) => Trust::Everybody,
        _ if ranges.is_empty() => Trust::Nobody,
        _ => Trust::Ranges(ranges),
    };
    let policy = ForwardedPolicy { trust, ..ForwardedPolicy::default() };
    let peer = request["remoteAddr"].as_str().and_then(|it| it.rsplit_once(':'));
    let peer: IpAddr =
        peer.and_then(|it| it.0.parse().ok()).unwrap_or_else(|| [192, 0, 2, 1].into());
    let is_tls = request["tls"].as_bool().unwrap_or_default();
    let scheme = if is_tls { Scheme::Https } else { Scheme::Http };
    let vouching = Vouching::new(Arc::new(policy), peer).over(scheme);
    let host = request["host"].as_str().unwrap_or("localhost");
    let mut raw = format!("GET / HTTP/1.1\r\nHost: {host}\r\n");
    for (name, values) in request["headers"].as_object().into_iter().flatten() {
        for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
            raw += &format!("{name}: {value}\r\n");
        }
    }
    // Traefik has these lines for class nginx.
    let is_nginx = terms["schemeHeaders"].as_bool() == Some(true);
    let manner = if is_nginx { Manner::Nginx } else { Manner::Traefik };
    let server = terms["machineHostname"].as_str().unwrap_or("here");
    let Some(lines) = gone_on(&(raw + "\r\n"), &vouching, (server, manner)) else {
        return vec!["it is refused".to_owned()];
    };
    let mut wrong = Vec::new();
    for (name, values) in
        case.content["expected"]["request"]["headers"].as_object().into_iter().flatten()
    {
        let has: Vec<&str> =
            lines.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name)).map(|it| &*it.1).collect();
        let wants: Vec<&str> =
            values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // Here the list goes on: the client is added to it, and it is said of whom it is.
        let is_met = match &**name {
            "X-Forwarded-For" if wants.is_empty() => has.iter().all(|it| *it == peer.to_string()),
            "X-Forwarded-For" => has.iter().zip(&wants).all(|(has, wants)| has.starts_with(wants)),
            _ => has == wants,
        };
        if !is_met {
            wrong.push(format!("{name}: {wants:?}, not {has:?}"));
        }
    }
    wrong
}

/// Whether a connection is let in.
pub(crate) fn of_connections(case: &Case) -> Vec<String> {
    let object = json!({
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "MiddlewareTCP",
        "metadata": {"name": "m"},
        "spec": case.content["middleware"],
    });
    let source = Source::new("m.yaml", object.to_string().as_bytes());
    let loaded = load(&source, &ReadLimits::default());
    let lowered = loaded.objects.first().map(|it| lower(it, &LowerOptions::default()));
    let filter = lowered.into_iter().flat_map(|it| it.items).find_map(|item| match item {
        Item::Filter(draft) => Some(draft.filter),
        _ => None,
    });
    let usage = Use { filter: "m".into(), state: "m".into() };
    let gate = ConnectionGate::of(&usage, filter.as_ref(), &mut Memory::default());
    let expected = &case.content["expected"];
    if let Some(wants_error) = expected["buildError"].as_bool() {
        let is_met = wants_error == gate.is_none();
        return Vec::from_iter((!is_met).then(|| format!("it is taken: {}", gate.is_some())));
    }
    let Some(gate) = gate else { return vec!["it is not taken".to_owned()] };
    let from = case.content["connection"]["remoteAddr"].as_str().and_then(|it| it.rsplit_once(':'));
    let Some(peer) = from.and_then(|(address, _)| address.parse().ok()) else {
        return vec!["it comes from nowhere".to_owned()];
    };
    let is_in = Admission::of(&[gate], peer).is_ok();
    let is_met = expected["accepted"].as_bool() == Some(is_in);
    Vec::from_iter((!is_met).then(|| format!("it is let in: {is_in}")))
}
