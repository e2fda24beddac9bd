//! Traefik's rules: what its own tests expect of a rule's text, and of requests and connections.

use std::net::IpAddr;

use serde_json::Value;
use steelyard_dialects::traefik::rule::{ReadRule, RuleMistake, RuleSubject, RuleSyntax, rule};
use steelyard_http::head::Slots;
use steelyard_http::{ForwardedPolicy, RequestHead, RequestSubject, Vouching};
use steelyard_model::routing::entry_point::Trust;
use steelyard_model::routing::rule::Rule;
use steelyard_testbed::probe::Probe;

use super::Case;

/// Whether each request is one that the rule is about.
pub(crate) fn of_requests(case: &Case) -> Vec<String> {
    let read = match read(case, RuleSubject::Requests) {
        Ok(read) => read,
        Err(wrong) => return wrong,
    };
    let mut wrong = Vec::new();
    for asked in rows(&case.content["requests"]) {
        let holds = request_holds(&read.rule, asked);
        if holds != (asked["status"] == 200) {
            wrong.push(format!("{holds} for {asked}"));
        }
    }
    wrong
}

/// The same of connections.
pub(crate) fn of_connections(case: &Case) -> Vec<String> {
    let read = match read(case, RuleSubject::Connections) {
        Ok(read) => read,
        Err(wrong) => return wrong,
    };
    let mut wrong = Vec::new();
    for asked in rows(&case.content["connections"]) {
        let holds = read.rule.holds(&connection(asked));
        if holds != (asked["match"] == true) {
            wrong.push(format!("{holds} for {asked}"));
        }
        if asked["catchAll"].as_bool().is_some_and(|it| it != (read.number < 0)) {
            wrong.push(format!("number {} for {asked}", read.number));
        }
    }
    wrong
}

/// The number of a rule that was given none.
pub(crate) fn number(case: &Case) -> Vec<String> {
    let about = if case.content["protocol"] == "tcp" {
        RuleSubject::Connections
    } else {
        RuleSubject::Requests
    };
    let text = case.content["rule"].as_str().unwrap_or_default();
    let found = rule(text, about, RuleSyntax::V3).map(|read| read.number);
    let expected = case.content["expected"].as_i64();
    if found.as_ref().ok().copied() == expected { Vec::new() } else { vec![format!("{found:?}")] }
}

/// The rule, where it is to be one; else what did not hold, if anything.
fn read(case: &Case, about: RuleSubject) -> Result<ReadRule, Vec<String>> {
    let content = &case.content;
    let syntax = if content["syntax"] == "v2" { RuleSyntax::V2 } else { RuleSyntax::V3 };
    let text = content["rule"].as_str().map_or_else(|| call(content), str::to_owned);
    let found: Result<ReadRule, Vec<RuleMistake>> = match rule(&text, about, syntax) {
        Ok(read) if read.mistakes.is_empty() => Ok(read),
        Ok(read) => Err(read.mistakes),
        Err(mistake) => Err(vec![mistake]),
    };
    match (found, content["parseError"] == true) {
        (Ok(read), false) => Ok(read),
        (Err(_), true) => Err(Vec::new()),
        (Ok(read), true) => Err(vec![format!("{text} is taken for {:?}", read.rule)]),
        (Err(mistakes), false) => Err(vec![format!("{text}: {mistakes:?}")]),
    }
}

/// A matcher with its arguments, as a rule.
fn call(content: &Value) -> String {
    let arguments: Vec<String> = rows(&content["args"]).map(ToString::to_string).collect();
    format!("{}({})", content["matcher"].as_str().unwrap_or_default(), arguments.join(", "))
}

/// As the request arrives from somebody who is believed; what is none is no route's.
fn request_holds(rule: &Rule, asked: &Value) -> bool {
    let text = asked["raw"].as_str().map_or_else(|| request(asked), str::to_owned);
    let mut slots = Slots::default();
    let Ok(Some(mut head)) = RequestHead::parse(text.as_bytes(), &mut slots) else { return false };
    let client = client(asked).unwrap_or_else(|| IpAddr::from([0; 4]));
    let policy = ForwardedPolicy { trust: Trust::Everybody, ..ForwardedPolicy::default() };
    head.settle(&Vouching::new(policy.into(), client));
    rule.holds(&RequestSubject::new(&head, client))
}

fn request(asked: &Value) -> String {
    let url = asked["url"].as_str().unwrap_or_default();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(if url.starts_with('/') { 0 } else { end });
    let slash = if target.starts_with('/') { "" } else { "/" };
    let method = asked["method"].as_str().unwrap_or("GET");
    let mut text = format!("{method} {slash}{target} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, values) in asked["headers"].as_object().into_iter().flatten() {
        for value in rows(values) {
            text += &format!("{name}: {}\r\n", value.as_str().unwrap_or_default());
        }
    }
    text + "\r\n"
}

fn connection(asked: &Value) -> Probe {
    let protocols = rows(&asked["alpn"]).filter_map(Value::as_str).map(str::to_owned);
    Probe {
        path: "/".to_owned(),
        sni: asked["serverName"].as_str().map(str::to_owned),
        alpn: protocols.collect(),
        client: client(asked),
        ..Probe::default()
    }
}

fn client(asked: &Value) -> Option<IpAddr> {
    let text = asked["remoteAddr"].as_str().or_else(|| asked["remoteIP"].as_str())?;
    let whole = || text.parse::<IpAddr>().ok();
    whole().or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()))
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
