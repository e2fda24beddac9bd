//! Traefik's rules: what its own tests expect of a rule's text, and of requests and connections.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;
use steelyard_dialects::traefik::rule::{
    ReadRule, RuleMistake, RuleProblem, RuleSubject, RuleSyntax, rule, written_in,
};
use steelyard_http::head::Slots;
use steelyard_http::{ForwardedPolicy, RequestHead, RequestSubject, Vouching};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{PathForm, PathPattern, PathShape};
use steelyard_model::routing::rank::{HostSpecificity, Ladder, PathSpecificity, Rank, Specificity};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::subject::Subject;
use steelyard_model::routing::trust::Trust;
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

/// The hosts, or server names, that a rule names; of what is wrong in it nothing is said here.
pub(crate) fn domains(case: &Case) -> Vec<String> {
    let (about, named) = match case.content["protocol"] == "tcp" {
        true => (RuleSubject::Connections, ["HostSNI"]),
        false => (RuleSubject::Requests, ["Host"]),
    };
    let syntax = if case.name.contains("-v2-") { RuleSyntax::V2 } else { RuleSyntax::V3 };
    let expected = &case.content["expected"];
    let text = case.content["rule"].as_str().unwrap_or_default();
    let is_rule = rule(text, about, syntax).is_ok_and(|read| !has_unknown(&read));
    if !is_rule || expected["error"] == true {
        let is_right = is_rule != (expected["error"] == true);
        return (!is_right).then(|| format!("{text}: {is_rule}")).into_iter().collect();
    }
    let found = written_in(text, &named).unwrap_or_default();
    let found: Vec<String> = found.iter().map(|it| it.to_lowercase()).collect();
    let wanted: Vec<&str> = rows(&expected["domains"]).filter_map(Value::as_str).collect();
    if found == wanted { Vec::new() } else { vec![format!("{found:?}, not {wanted:?}")] }
}

fn has_unknown(read: &ReadRule) -> bool {
    read.mistakes.iter().any(|it| matches!(it.what, RuleProblem::UnknownMatcher { .. }))
}

/// Whether a text is a rule, and each condition in it has its arguments: the matcher of the cases
/// takes as many as there are, as methods of version 2 do.
pub(crate) fn tree(case: &Case) -> Vec<String> {
    let content = &case.content;
    let text = content["rule"].as_str().unwrap_or_default();
    let ours = text.replace("m(", "Method(").replace("M(", "METHOD(");
    let read = rule(&ours, RuleSubject::Requests, RuleSyntax::V2);
    let wanted = leaves(&content["tree"]);
    // A rule none of whose matchers is one is read there, and makes no route then.
    if read.is_err() && !wanted.is_empty() && wanted.iter().all(|it| it["valid"] == false) {
        return Vec::new();
    }
    let is_error = read.as_ref().map_or(true, has_unknown);
    if is_error || content["parseError"] == true {
        let is_right = is_error == (content["parseError"] == true);
        return (!is_right).then(|| format!("{ours}: {read:?}")).into_iter().collect();
    }
    let read = read.expect("it is no error");
    let found = conditions(&read.rule, true);
    let said: Vec<Condition> = wanted.iter().flat_map(|leaf| meant(leaf)).collect();
    let is_alike = said.len() == found.len()
        && said.iter().zip(&found).all(|(wanted, (is, matcher))| match (wanted, matcher) {
            (Some((not, value)), Matcher::Method(method)) => **method == **value && is != not,
            (None, Matcher::Invalid(_)) => true,
            _ => false,
        });
    let mut wrong: Vec<String> =
        (!is_alike).then(|| format!("{found:?}, not {wanted:?}")).into_iter().collect();
    wrong.extend(collected(content, text));
    wrong
}

/// Whether it is negated, and its argument; none of one that means nothing.
type Condition = Option<(bool, String)>;

/// The conditions of a leaf: one for each argument.
fn meant(leaf: &Value) -> Vec<Condition> {
    if leaf["valid"] != true {
        return vec![None];
    }
    let value = |it: &Value| it.as_str().unwrap_or_default().to_uppercase();
    rows(&leaf["value"]).map(|it| Some((leaf["not"] == true, value(it)))).collect()
}

/// What is written in calls of the matchers that the case asks for.
fn collected(content: &Value, text: &str) -> Option<String> {
    let collect = content.get("collect")?;
    let names: Vec<&str> = rows(&collect["matchers"]).filter_map(Value::as_str).collect();
    let found = written_in(text, &names).unwrap_or_default();
    let wanted: Vec<&str> = rows(&collect["values"]).filter_map(Value::as_str).collect();
    (found != wanted).then(|| format!("{found:?} are in {names:?}, not {wanted:?}"))
}

fn leaves(tree: &Value) -> Vec<&Value> {
    match tree["left"].is_null() {
        true => vec![tree],
        false => [leaves(&tree["left"]), leaves(&tree["right"])].concat(),
    }
}

/// Conditions in their order, and whether each is to hold.
fn conditions(rule: &Rule, is: bool) -> Vec<(bool, &Matcher)> {
    match rule {
        Rule::All(rules) | Rule::Any(rules) => {
            rules.iter().flat_map(|it| conditions(it, is)).collect()
        }
        Rule::Not(rule) => conditions(rule, !is),
        Rule::One(matcher) => vec![(is, matcher)],
    }
}

/// The path as rules compare it.
pub(crate) fn routing_path(case: &Case) -> Vec<String> {
    let text = format!(
        "GET {} HTTP/1.1\r\nHost: a\r\n\r\n",
        case.content["path"].as_str().unwrap_or_default()
    );
    let mut slots = Slots::default();
    let Ok(Some(head)) = RequestHead::parse(text.as_bytes(), &mut slots) else {
        return vec!["it is no request".to_owned()];
    };
    let subject = RequestSubject::new(&head, IpAddr::from([0; 4]));
    let found = subject.path(PathForm::Readable);
    let expected = case.content["expected"].as_str().unwrap_or_default();
    if found == expected { Vec::new() } else { vec![format!("{found}, not {expected}")] }
}

/// A prefix by whole elements, as the rule that Traefik makes of one.
pub(crate) fn strict_prefix(case: &Case) -> Vec<String> {
    let content = &case.content;
    let text = content["rule"].as_str().unwrap_or_default();
    let read = rule(text, RuleSubject::Requests, RuleSyntax::V3).expect("a rule");
    let own = PathShape::elements(content["path"].as_str().unwrap_or_default());
    let asked = serde_json::json!({ "url": content["requestPath"] });
    let by_rule = request_holds(&read.rule, &asked);
    let own = Rule::One(Matcher::Path(PathPattern::normal(own)));
    let expected = content["expected"] == true;
    let is_right = by_rule == expected && request_holds(&own, &asked) == expected;
    (!is_right).then(|| format!("{by_rule} for {asked}")).into_iter().collect()
}

/// Which of several routes is taken: the highest number, then the provider that is named first.
pub(crate) fn precedence(case: &Case) -> Vec<String> {
    let content = &case.content;
    let is_tcp = content["protocol"] == "tcp";
    let about = if is_tcp { RuleSubject::Connections } else { RuleSubject::Requests };
    let providers: Vec<&Value> = rows(&content["providersPrecedence"]).collect();
    let routes: Vec<Arc<Route>> = rows(&content["routes"])
        .enumerate()
        .map(|(index, written)| {
            let text = written["rule"].as_str().unwrap_or_default();
            let read = rule(text, about, RuleSyntax::V3).expect("a rule");
            let usual = if is_tcp { 0 } else { read.number };
            let place = providers.iter().position(|it| **it == written["provider"]);
            let rank = Rank {
                ladder: Ladder::Priority,
                number: written["priority"].as_i64().unwrap_or(usual),
                specific: Specificity::new(
                    HostSpecificity::Any,
                    PathSpecificity::Length(Reverse(0)),
                ),
                provider: place.map_or(u8::MAX, |at| u8::try_from(at).unwrap_or(u8::MAX)),
                created: None,
                object: "".into(),
                index: u32::try_from(index).unwrap_or(u32::MAX),
            };
            Arc::new(Route { rank, rule: read.rule, written: written.clone() })
        })
        .collect();
    let chosen = routes.iter().min_by(|a, b| a.rank.before(&b.rank)).filter(|first| {
        // All of a case match, so that the order alone decides.
        let matches = |route: &&Arc<Route>| match is_tcp {
            true => route.rule.holds(&connection(&content["connection"])),
            false => request_holds(&route.rule, &content["request"]),
        };
        routes.iter().all(|it| matches(&it)) && matches(first)
    });
    let expected = &content["expected"];
    let is_expected = |route: &Arc<Route>| match expected {
        Value::String(name) => route.written["name"] == **name,
        other => route.written["provider"] == other["provider"],
    };
    if chosen.is_some_and(is_expected) { Vec::new() } else { vec![format!("not {expected}")] }
}

/// A route as a case writes it.
struct Route {
    rank: Rank,
    rule: Rule,
    written: Value,
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
    // A line under another spelling comes from no request there: nobody finds it.
    let all = asked["headers"].as_object().into_iter().flatten();
    for (name, values) in all.filter(|(name, _)| is_canonical(name)) {
        for value in rows(values) {
            text += &format!("{name}: {}\r\n", value.as_str().unwrap_or_default());
        }
    }
    text + "\r\n"
}

/// Whether a name is spelled as Go has those of all lines that came: `X-Forwarded-For`.
fn is_canonical(name: &str) -> bool {
    name.split('-').all(|part| {
        let (head, tail) = part.split_at(part.len().min(1));
        !head.contains(|it: char| it.is_ascii_lowercase())
            && !tail.contains(|it: char| it.is_ascii_uppercase())
    })
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
