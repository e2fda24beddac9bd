//! What becomes of a request, told: to programs as JSON, and to people as words made of that.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};
use steelyard_http::RequestView;
use steelyard_model::Snapshot;
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::left_out::LeftOut;
use steelyard_model::routing::rank::Ladder;
use steelyard_model::routing::route::{Destination, Route};
use steelyard_model::routing::subject::Subject;
use steelyard_plan::{Plan, RouteRow};
use steelyard_route::{Defeat, WhyNot, WonBy};
use steelyard_terminal::Style;

use super::connected::ConnectionRow;
use super::passing::{FilterAnswer, Passing};
use super::through::Through;

/// Losers that are shown as words; all are in JSON.
const SHOWN: usize = 20;

/// What was found.
pub(crate) struct Ruled<'f> {
    pub(crate) snapshot: &'f Snapshot,
    pub(crate) plan: &'f Plan,
    pub(crate) point: &'f EntryPointId,
    pub(crate) is_tls: bool,
    pub(crate) through: Through<'f>,
    /// The request, as filters see it.
    pub(crate) within: &'f dyn RequestView,
    /// What its connection meets, where that is asked for.
    pub(crate) connection: Option<ConnectionRow>,
    /// Why it goes to nobody although routes match it, where that is so.
    pub(crate) rejected: Option<String>,
    /// Rules that match it, and have no route.
    pub(crate) left_out: Vec<&'f LeftOut>,
    /// The request is remembered only: nobody knows its header lines and its query.
    pub(crate) is_remembered: bool,
}

/// Why a route serves, as scripts have it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DecisionRow {
    kind: &'static str,
    ladder: &'static str,
    /// What the ladders bid, where both have routes that match: its own first.
    bids: Option<[i64; 2]>,
    why: String,
}

/// Rules without a route that a request matches.
pub(crate) fn left_out<'s>(snapshot: &'s Snapshot, subject: &impl Subject) -> Vec<&'s LeftOut> {
    let all = snapshot.left_out.values().map(|it| &**it);
    all.filter(|it| it.rule.holds(subject)).collect()
}

impl Ruled<'_> {
    /// What there is to tell; `answer` is what a filter says to the request.
    pub(crate) fn json(&self, passing: &Passing, answer: Option<&FilterAnswer>) -> Value {
        let winners = self.through.ruling.winners.iter().map(|won| {
            json!({ "name": won.route.id.traefik_name(), "rule": won.route.rule.to_string(),
                    "source": won.route.place.object.to_string(), "route": self.row(won.route),
                    "decision": decision(won.route, &won.by), "answers": self.refusal(won.route) })
        });
        let losers = self.through.ruling.losers.iter().map(|lost| {
            let (kind, why) = self.defeat(&lost.why);
            json!({ "name": lost.route.id.traefik_name(), "rule": lost.route.rule.to_string(),
                    "kind": kind, "source": lost.route.place.object.to_string(), "why": why })
        });
        let left_out = self.left_out.iter().map(|it| {
            json!({ "source": it.place.object.to_string(), "field": it.place.field.to_string(),
                    "rule": it.rule.to_string(), "why": it.why.to_string() })
        });
        json!({
            "leftOut": left_out.collect::<Vec<_>>(),
            "entryPoint": self.point.as_str(), "tls": self.is_tls,
            "routed": self.rejected.is_none() && self.through.ruling.served_by().is_some(),
            "rejected": self.rejected,
            "winners": winners.collect::<Vec<_>>(), "losers": losers.collect::<Vec<_>>(),
            "filters": passing.rows(), "filterAnswer": answer, "connection": self.connection,
            "onward": self.through.rows(self.within), "assumed": self.through.assumed(),
        })
    }

    fn defeat(&self, why: &Defeat) -> (&'static str, String) {
        let kind = match why {
            Defeat::Matcher(WhyNot::Header(name)) if self.is_remembered => {
                return ("unknown", format!("it wants a header `{name}`, and lines are not kept"));
            }
            Defeat::Matcher(WhyNot::Query(name)) if self.is_remembered => {
                let why = format!("it wants a query parameter `{name}`, and queries are not kept");
                return ("unknown", why);
            }
            Defeat::Matcher(_) => "matcher",
            Defeat::Order => "order",
            Defeat::Ladder => "ladder",
            Defeat::Unreached => "unreached",
        };
        (kind, why.to_string())
    }

    fn row(&self, route: &Route) -> Option<RouteRow> {
        let name = route.id.traefik_name();
        self.plan.routes.rows().find(|it| it.name == name)
    }

    /// Why nobody is asked behind a route, if nobody is.
    fn refusal(&self, route: &Route) -> Option<String> {
        let Destination::Backend(id) = &route.to else { return None };
        if let Some((status, why)) = self.snapshot.routing.refused(route) {
            return Some(format!("{status}: {why}"));
        }
        match &self.snapshot.routing.backends.get(id)?.backend {
            Backend::Answer(answer) => Some(format!("{}", answer.status)),
            _ => None,
        }
    }
}

fn decision(route: &Route, by: &WonBy) -> DecisionRow {
    let ladder = match route.rank.ladder {
        Ladder::Specific => "specific",
        Ladder::Priority => "priority",
    };
    let bids = match by {
        WonBy::Bid { own, other, .. } => Some([own.number, other.number]),
        WonBy::Alone | WonBy::Order(_) => None,
    };
    DecisionRow { kind: by.word(), ladder, bids, why: by.to_string() }
}

/// Said of a request that goes to nobody, whatever routes there are.
pub(super) fn unanswered(why: &str, color: bool) -> String {
    let so = "such a request is answered, and goes to nobody";
    Style::Bad.paint(&format!("{so}: {why}"), color)
}

/// The same for people.
pub(crate) fn words(found: &Value, color: bool) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let each = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let mut out = String::new();
    let is_met = met(&found["connection"], color, &mut out);
    if let Some(why) = found["rejected"].as_str().filter(|_| is_met) {
        let _ = writeln!(out, "{}", unanswered(why, color));
    } else if is_met && found["routed"] == false {
        let _ = writeln!(out, "{}", Style::Bad.paint("no route serves it: 404", color));
    }
    let is_taken = found["rejected"].is_null();
    for won in each(&found["winners"]).into_iter().filter(|_| is_taken) {
        let name = Style::Good.paint(&text(&won["name"]), color);
        let _ = writeln!(out, "→ {name} ({})", text(&won["source"]));
        let _ = writeln!(out, "  rule      {}", text(&won["rule"]));
        let _ = writeln!(out, "  because   {}", text(&won["decision"]["why"]));
        tell_onward(found, &won["name"], &mut out);
        if let Some(why) = won["answers"].as_str() {
            let _ = writeln!(out, "  answers   {}", Style::Bad.paint(why, color));
            continue;
        }
        let backends = each(&won["route"]["backends"]);
        let any = backends.iter().any(|to| !each(&to["endpoints"]).is_empty());
        for to in backends.into_iter().filter(|_| is_met) {
            let endpoints: Vec<String> = each(&to["endpoints"]).iter().map(text).collect();
            let endpoints = match endpoints.as_slice() {
                [] if any => "no endpoint is ready: the others take its share".to_owned(),
                [] => "no endpoint is ready: 503".to_owned(),
                some => some.join(", "),
            };
            let _ = writeln!(
                out,
                "  backend   {} ×{}: {endpoints}",
                text(&to["service"]),
                to["weight"]
            );
        }
    }
    for filter in each(&found["filters"]) {
        let _ = writeln!(out, "  filter    {} ({})", text(&filter["name"]), text(&filter["kind"]));
    }
    let answer = &found["filterAnswer"];
    if answer.is_object() {
        let _ = writeln!(out, "  {}", Style::Careful.paint(&answered(answer), color));
    }
    let assumed = each(&found["assumed"]).iter().map(text).collect::<Vec<_>>().join(", ");
    if !assumed.is_empty() {
        let said = format!("what is behind is told as if {assumed} let it in and changed nothing");
        let _ = writeln!(out, "  {}", Style::Careful.paint(&said, color));
    }
    tell_left_out(found, color, &mut out);
    let losers = each(&found["losers"]);
    for lost in losers.iter().take(SHOWN) {
        let _ = writeln!(out, "✗ {}: {}", text(&lost["name"]), text(&lost["why"]));
        let _ = writeln!(out, "  {}", Style::Faint.paint(&text(&lost["rule"]), color));
    }
    let more = losers.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "and {more} more: -o json has them");
    }
    out
}

/// Says what the filters of a route that leads to others make of a request.
fn tell_onward(found: &Value, behind: &Value, out: &mut String) {
    let rows = found["onward"].as_array().into_iter().flatten();
    for row in rows.filter(|row| row["behind"] == *behind) {
        let headers = row["headers"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let headers: String = headers.map(|line| format!(", {line}")).collect();
        let request = row["request"].as_str().unwrap_or_default();
        let _ = writeln!(out, "  onward    {request}{headers}");
    }
}

/// Says of rules that match and have no route why.
fn tell_left_out(found: &Value, color: bool, out: &mut String) {
    for rule in found["leftOut"].as_array().into_iter().flatten() {
        let text = |name: &str| rule[name].as_str().unwrap_or_default();
        let said = format!("{} serves nobody: {}", text("source"), text("why"));
        let _ = writeln!(out, "{}", Style::Careful.paint(&said, color));
        let _ = writeln!(out, "  {}", Style::Faint.paint(text("rule"), color));
    }
}

/// What the connection meets, and whether a request on it is looked at.
fn met(connection: &Value, color: bool, out: &mut String) -> bool {
    let why = connection["why"].as_str().unwrap_or_default();
    let (said, is_met) = match connection["taken"].as_str() {
        Some("tcp") => ("no request is looked at: a TCP route takes the connection", false),
        Some("refused") => ("no handshake is held, so nothing is answered", false),
        Some("certified") => ("a certificate is asked for", true),
        _ => return true,
    };
    let style = if is_met { Style::Careful } else { Style::Bad };
    let _ = writeln!(out, "{}", style.paint(&format!("{said}: {why}"), color));
    is_met
}

/// What a filter says.
fn answered(answer: &Value) -> String {
    let name = answer["filter"].as_str().unwrap_or_default();
    let Some(status) = answer["status"].as_u64() else {
        return format!("{name} asks somebody else first, who is not asked here");
    };
    let to = answer["location"].as_str().map(|to| format!(" to {to}")).unwrap_or_default();
    format!("{name} answers {status}{to}")
}
