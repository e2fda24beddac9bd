//! JSON of the admin API as tables.
//!
//! The JSON comes from another process, perhaps of another version: whatever is absent or of
//! another type shows as `-`, and control characters never reach the terminal.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use steelyard_terminal::{Cell, Style, Table};

const NONE: &str = "-";

/// One line per fact.
pub(super) fn overview(overview: &Value) -> Table {
    let mut table = Table::new(&["WHAT", "VALUE"]);
    let endpoints = &overview["endpoints"];
    let found = &overview["diagnostics"];
    let mut row = |name: &str, value: Cell| table.row([name.into(), value]);
    row("ready", ready(overview));
    for note in list(&overview["notes"]) {
        row("note", Cell::new(text(note), Style::Careful));
    }
    row("node", text(&overview["node"]).into());
    row("version", text(&overview["version"]).into());
    row("generation", text(&overview["generation"]).into());
    row("privileges", text(&overview["privileges"]).into());
    row("vips", text(&overview["vips"]).into());
    row("routes", text(&overview["routes"]).into());
    row("endpoints ready", ratio(endpoints["ready"].as_u64(), endpoints["total"].as_u64()));
    for severity in ["error", "warning", "info"] {
        row(&format!("diagnostics: {severity}"), text(&found[severity]).into());
    }
    for entry_point in list(&overview["entryPoints"]) {
        let name = format!("entry point {}", text(&entry_point["name"]));
        row(&name, joined(&entry_point["addresses"]).into());
    }
    table
}

/// Addresses and who answers for them.
pub(super) fn services(services: &Value, announcements: &Value) -> Table {
    let header = ["NAMESPACE", "NAME", "ADDRESS", "POOL", "SERVED BY", "OWNER", "ENDPOINTS", "WHY"];
    let mut table = Table::new(&header);
    for service in list(services) {
        let has_address = !list(&service["addresses"]).is_empty();
        let address = if has_address {
            joined(&service["addresses"]).into()
        } else {
            Cell::new("<pending>", Style::Bad)
        };
        table.row([
            text(&service["namespace"]).into(),
            text(&service["name"]).into(),
            address,
            text(&service["pool"]).into(),
            text(&service["servedBy"]).into(),
            owners(service, announcements).into(),
            ready_of(service),
            Cell::new(why(service, announcements), Style::Faint),
        ]);
    }
    table
}

/// Who answers for which address.
pub(super) fn announcements(announcements: &Value) -> Table {
    let header = ["ADDRESS", "SERVICE", "PROTOCOL", "OWNER", "STANDBYS", "INTERFACES", "STATE"];
    let mut table = Table::new(&header);
    for announcement in list(announcements) {
        table.row([
            text(&announcement["address"]).into(),
            text(&announcement["service"]).into(),
            text(&announcement["protocol"]).into(),
            owner(announcement).into(),
            joined(&announcement["standbys"]).into(),
            joined(&announcement["interfaces"]).into(),
            text(&announcement["state"]).into(),
        ]);
    }
    table
}

/// Who owns which address of the LAN, as of `now` in seconds since 1970.
pub(super) fn owned(announcements: &Value, now: u64) -> Table {
    let mut table = Table::new(&["ADDRESS", "OWNER", "SINCE", "EPOCH", "STANDBYS", "WHY", "HERE"]);
    for row in list(announcements).iter().filter(|row| row["protocol"] == "layer2") {
        let since = row["since"].as_f64().map(|since| age(now as f64 - since));
        let owner = match &row["owner"] {
            Value::Null => Cell::new("<nobody>", Style::Bad),
            owner => text(owner).into(),
        };
        table.row([
            text(&row["address"]).into(),
            owner,
            or_none(since.unwrap_or_default()).into(),
            text(&row["epoch"]).into(),
            joined(&row["standbys"]).into(),
            text(&row["reason"]).into(),
            text(&row["state"]).into(),
        ]);
    }
    table
}

/// Machines that share addresses.
pub(super) fn members(members: &Value) -> Table {
    let header = ["NODE", "INTERFACE", "ADDRESS", "STATE", "ROUND TRIP", "HEARD"];
    let mut table = Table::new(&header);
    for member in list(members) {
        let is_self = member["self"].as_bool() == Some(true);
        let milliseconds = |field: &str| member[field].as_f64().map(|it| format!("{it:.1} ms"));
        let heard = milliseconds("lastHeardMs").map(|it| it + " ago");
        let state = text(&member["state"]);
        let style = if state == "up" { Style::Plain } else { Style::Careful };
        table.row([
            text(&member["node"]).into(),
            text(&member["interface"]).into(),
            if is_self { "this machine".into() } else { text(&member["address"]).into() },
            Cell::new(state, style),
            or_none(milliseconds("roundTripMs").unwrap_or_default()).into(),
            or_none(heard.unwrap_or_default()).into(),
        ]);
    }
    table
}

/// Where requests go.
pub(super) fn routes(routes: &Value) -> Table {
    let mut table = Table::new(&["RULE", "ENTRY POINTS", "BACKEND", "ENDPOINTS", "SOURCE"]);
    for route in list(routes) {
        let backends = list(&route["backends"]);
        let services = backends.iter().map(|backend| text(&backend["service"]));
        let endpoints: Vec<_> =
            backends.iter().flat_map(|backend| list(&backend["endpoints"])).map(text).collect();
        table.row([
            text(&route["rule"]).into(),
            joined(&route["entryPoints"]).into(),
            or_none(services.collect::<Vec<_>>().join(",")).into(),
            served(route, &endpoints),
            text(&route["source"]).into(),
        ]);
    }
    table
}

/// Endpoints of all Services and routes.
pub(super) fn endpoints(services: &Value, routes: &Value, health: &Value, now: u64) -> Table {
    let header =
        ["SERVICE", "ENDPOINT", "STATE", "SINCE", "BUSY", "LATENCY", "NODE", "LAST FAILURE"];
    let mut table = Table::new(&header);
    for row in list(&endpoint_rows(services, routes, health)) {
        let health = &row["health"];
        let since = |time: &Value| {
            or_none(time.as_f64().map_or_else(String::new, |it| age((now as f64 - it).max(0.0))))
        };
        let latency = health["latencyMs"].as_f64().map(|it| format!("{it:.1} ms"));
        let failure = &health["lastFailure"];
        let why = match text(&failure["why"]) {
            why if failure.is_object() => format!("{why} ({} ago)", since(&failure["time"])),
            _ => String::new(),
        };
        table.row([
            text(&row["service"]).into(),
            text(&row["address"]).into(),
            fitness(row),
            since(&health["since"]).into(),
            text(&health["inFlight"]).into(),
            or_none(latency.unwrap_or_default()).into(),
            text(&row["node"]).into(),
            or_none(why).into(),
        ]);
    }
    table
}

/// Whether an endpoint gets traffic: what the gateway knows of it, where that is worse than what is
/// written.
fn fitness(row: &Value) -> Cell {
    match row["health"]["state"].as_str() {
        Some("down") => Cell::new("down", Style::Bad),
        Some("shunned") if row["state"] == "ready" => Cell::new("shunned", Style::Careful),
        _ => state(&row["state"]),
    }
}

/// The endpoints in `services` and `routes`, each once, by Service and port. Where only usable
/// ones are told, they are ready.
pub(super) fn endpoint_rows(services: &Value, routes: &Value, health: &Value) -> Value {
    let known: BTreeMap<(String, String), &Value> =
        list(health).iter().map(|it| ((text(&it["service"]), text(&it["address"])), it)).collect();
    let mut rows = BTreeMap::new();
    let mut add = |service: &str, address: &Value, state: &Value, node: &Value| {
        let row = json!({
            "service": service, "address": address, "state": state, "node": node,
            "health": known.get(&(service.to_owned(), text(address))),
        });
        rows.entry((service.to_owned(), text(address))).or_insert(row);
    };
    for service in list(services) {
        for port in list(&service["ports"]) {
            let name = format!("{}:{}", id(service), text(&port["port"]));
            for endpoint in list(&port["endpoints"]) {
                add(&name, &endpoint["address"], &endpoint["state"], &endpoint["node"]);
            }
        }
    }
    for backend in list(routes).iter().flat_map(|route| list(&route["backends"])) {
        let name = text(&backend["service"]);
        for endpoint in list(&backend["states"]) {
            add(&name, &endpoint["address"], &endpoint["state"], &endpoint["node"]);
        }
        for address in list(&backend["endpoints"]) {
            add(&name, address, &json!("ready"), &Value::Null);
        }
    }
    rows.into_values().collect()
}

/// What is wrong, and how to mend it.
pub(super) fn diagnostics(diagnostics: &Value) -> Table {
    let mut table = Table::new(&["SEVERITY", "CODE", "OBJECT", "PLACE", "MESSAGE", "HELP"]);
    for finding in list(diagnostics) {
        table.row([
            severity(&finding["severity"]),
            text(&finding["code"]).into(),
            text(&finding["object"]).into(),
            place(finding).into(),
            text(&finding["message"]).into(),
            text(&finding["help"]).into(),
        ]);
    }
    table
}

/// What happened, as of `now` in seconds since 1970.
pub(super) fn events(events: &Value, now: u64) -> Table {
    let mut table = Table::new(&["AGE", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
    for event in list(events) {
        let age = event["time"].as_f64().map(|time| age(now as f64 - time));
        let kind = text(&event["type"]);
        let style = if kind == "Normal" { Style::Plain } else { Style::Careful };
        table.row([
            or_none(age.unwrap_or_default()).into(),
            Cell::new(kind, style),
            text(&event["reason"]).into(),
            text(&event["object"]).into(),
            text(&event["message"]).into(),
        ]);
    }
    table
}

/// Widths of what is told of a request, up to its route: `AGE` to `METHOD` have no longer ones.
const REQUEST_WIDTHS: [usize; 7] = [4, 16, 6, 7, 24, 32, 32];

/// Requests that were not answered with success: new ones move no column.
pub(super) fn requests(requests: &Value, now: u64) -> Table {
    let header = ["AGE", "REQUEST", "STATUS", "METHOD", "HOST", "PATH", "ROUTE", "WHY"];
    let mut table = Table::new(&header);
    for it in list(requests) {
        let age = it["time"].as_f64().map(|time| age((now as f64 - time).max(0.0)));
        let is_ours = it["status"].as_u64().is_some_and(|status| status >= 500);
        table.row([
            or_none(age.unwrap_or_default()).into(),
            text(&it["id"]).into(),
            Cell::new(text(&it["status"]), if is_ours { Style::Bad } else { Style::Careful }),
            text(&it["method"]).into(),
            text(&it["host"]).into(),
            text(&it["path"]).into(),
            text(&it["router"]).into(),
            list(&it["why"]).first().map_or_else(|| NONE.into(), |why| text(why).into()),
        ]);
    }
    table.fix(&REQUEST_WIDTHS);
    table
}

fn ready(overview: &Value) -> Cell {
    if overview["ready"].as_bool() == Some(true) {
        return Cell::new("yes", Style::Good);
    }
    Cell::new(format!("no: {}", joined(&overview["reasons"])), Style::Bad)
}

fn ready_of(service: &Value) -> Cell {
    let endpoints: Vec<_> =
        list(&service["ports"]).iter().flat_map(|port| list(&port["endpoints"])).collect();
    if endpoints.is_empty() && service["servedBy"] != "forward" {
        return NONE.into(); // the gateway's: its routes have them
    }
    let ready = endpoints.iter().filter(|endpoint| endpoint["state"] == "ready").count();
    ratio(Some(ready as u64), Some(endpoints.len() as u64))
}

fn ratio(ready: Option<u64>, total: Option<u64>) -> Cell {
    let (Some(ready), Some(total)) = (ready, total) else { return NONE.into() };
    let style = match ready {
        0 if total > 0 => Style::Bad,
        ready if ready < total => Style::Careful,
        _ => Style::Plain,
    };
    Cell::new(format!("{ready}/{total}"), style)
}

/// The first reason, else the last thing said about a Service.
/// What is wrong with one of its ports or addresses, else why it has these or none.
fn why(service: &Value, announcements: &Value) -> String {
    let mut reached = list(&service["ports"]).iter().flat_map(|port| list(&port["reached"]));
    if let Some(broken) = reached.find(|it| it["works"] == false) {
        let what = if broken["obstacle"].is_string() { "obstacle" } else { "how" };
        return format!("{}: {}", text(&broken["at"]), text(&broken[what]));
    }
    let name = id(service);
    let of_it = |row: &&Value| row["service"] == *name && row["silence"].is_string();
    if let Some(silent) = list(announcements).iter().find(of_it) {
        return text(&silent["silence"]);
    }
    let said = list(&service["events"]).last().map(|event| &event["message"]);
    list(&service["why"]).first().or(said).map_or_else(String::new, text)
}

fn owners(service: &Value, announcements: &Value) -> String {
    let name = id(service);
    let of_it = |row: &&Value| row["service"].as_str() == Some(&name);
    let mut owners: Vec<_> = list(announcements).iter().filter(of_it).map(owner).collect();
    owners.dedup();
    or_none(owners.join(","))
}

/// The one owner of a layer 2 address, or all nodes that announce it by BGP.
fn owner(announcement: &Value) -> String {
    if announcement["nodes"].is_array() {
        joined(&announcement["nodes"])
    } else {
        text(&announcement["owner"])
    }
}

fn id(service: &Value) -> String {
    format!("{}/{}", text(&service["namespace"]), text(&service["name"]))
}

fn place(finding: &Value) -> String {
    if finding["file"].is_null() {
        return text(&finding["path"]);
    }
    ["file", "line", "column"].map(|field| text(&finding[field])).join(":")
}

fn severity(severity: &Value) -> Cell {
    let style = match severity.as_str() {
        Some("error") => Style::Bad,
        Some("warning") => Style::Careful,
        _ => Style::Faint,
    };
    Cell::new(text(severity), style)
}

fn state(state: &Value) -> Cell {
    let style = if state == "ready" { Style::Good } else { Style::Careful };
    Cell::new(text(state), style)
}

/// The endpoints of a route, or what it answers instead of asking them.
fn served(route: &Value, endpoints: &[String]) -> Cell {
    match &route["answers"] {
        Value::Null => few(endpoints),
        answers => Cell::new(text(answers), Style::Bad),
    }
}

/// The first endpoints, and how many more there are.
fn few(endpoints: &[String]) -> Cell {
    const SHOWN: usize = 3;
    match endpoints.len() {
        0 => Cell::new("none", Style::Bad),
        count if count > SHOWN => {
            let rest = count - SHOWN;
            format!("{} + {rest} more", endpoints[..SHOWN].join(",")).into()
        }
        _ => endpoints.join(",").into(),
    }
}

/// `12s`, `5m`, `3h`, `2d`, as kubectl shows it.
fn age(seconds: f64) -> String {
    let whole = seconds.max(0.0);
    match whole {
        _ if whole < 120.0 => format!("{whole:.0}s"),
        _ if whole < 7200.0 => format!("{:.0}m", (whole / 60.0).floor()),
        _ if whole < 172_800.0 => format!("{:.0}h", (whole / 3600.0).floor()),
        _ => format!("{:.0}d", (whole / 86_400.0).floor()),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn joined(values: &Value) -> String {
    or_none(list(values).iter().map(text).collect::<Vec<_>>().join(","))
}

/// A scalar for people, on one line and harmless to a terminal.
fn text(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.chars().map(printable).collect(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    };
    or_none(text)
}

fn printable(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

fn or_none(text: String) -> String {
    if text.is_empty() { NONE.to_owned() } else { text }
}
