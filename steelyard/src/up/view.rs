//! What a running instance tells: the admin API's view, and the summary on a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use steelyard_admin::{DiagnosticCounts, EndpointCounts, EntryPoint, Overview, View};
use steelyard_forward::{Carried, PortStatus};
use steelyard_model::{Endpoint, EndpointState, NamespacedName, ResolvedService, Severity};
use steelyard_plan::Plan;
use steelyard_speaker::{Sharing, VipState, VipStatus};

use super::engine::{Current, Engine};
use super::privileges::Privileges;
use super::shared;
use crate::cli::LogFormat;
use crate::text::{self, Cell, Style, Table, wants_color};

impl Engine {
    /// Tells everyone what is in force now.
    pub(super) fn publish(&self) {
        let Some(current) = &self.current else { return };
        let rows = serde_json::to_value(&current.plan).expect("a plan is always JSON");
        let vips = self.parts.speaker.as_ref().map(|speaker| speaker.status());
        let sharing = self.parts.shared.as_ref().map(|it| Arc::clone(&it.borrow()));
        self.parts.published.publish(View {
            generation: current.generation,
            unready: self.unready(current, vips.as_deref()),
            overview: serde_json::to_value(self.overview(current)).expect("always JSON"),
            services: services(current, rows["services"].clone()),
            announcements: announcements(
                rows["announcements"].clone(),
                vips.as_deref(),
                sharing.as_deref(),
            ),
            routes: routes(current, rows["routes"].clone()),
            peers: rows["peers"].clone(),
            members: sharing.as_deref().map_or_else(|| json!([]), shared::members),
            certificates: json!([]),
            events: serde_json::to_value(self.history.all()).expect("always JSON"),
            diagnostics: rows["diagnostics"].clone(),
            requests: json!([]),
        });
    }

    fn overview(&self, current: &Current) -> Overview {
        let severity = |wanted| {
            current.plan.diagnostics.iter().filter(|found| found.severity == wanted).count()
        };
        let mut entry_points: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (bind, outcome) in &current.applied.listeners {
            let addresses = entry_points.entry(&bind.entry_point).or_default();
            addresses.extend(outcome.as_ref().ok().map(ToString::to_string));
        }
        Overview {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: self.node(),
            since: self.started,
            privileges: match &self.settings.privileges {
                Privileges::Full => "full".to_owned(),
                Privileges::None { why } => why.clone(),
            },
            vips: current.plan.services.values().map(|row| row.addresses.len()).sum(),
            routes: current.snapshot.routes.len(),
            endpoints: endpoint_counts(current),
            diagnostics: DiagnosticCounts {
                error: severity(Severity::Error),
                warning: severity(Severity::Warning),
                info: severity(Severity::Info),
            },
            entry_points: entry_points
                .into_iter()
                .map(|(name, addresses)| EntryPoint { name: name.to_owned(), addresses })
                .collect(),
        }
    }

    /// Ready means: configured, listening, and announcing what it should.
    fn unready(&self, current: &Current, vips: Option<&[VipStatus]>) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.is_waiting {
            reasons.push("an edit waits: the lock file cannot be written".to_owned());
        }
        for (bind, outcome) in &current.applied.listeners {
            if let Err(error) = outcome {
                reasons.push(format!(
                    "{} cannot listen on {}: {error}",
                    bind.entry_point, bind.address
                ));
            }
        }
        for vip in self.vips(&current.plan).iter().filter(|_| vips.is_some()) {
            let address = vip.address;
            if let Some(idle) = current.applied.idle.iter().find(|idle| idle.0 == address) {
                reasons.push(format!("{address} is not announced: {}", idle.1));
                continue;
            }
            let status = vips.into_iter().flatten().find(|vip| vip.address == address);
            match status.map(|status| &status.state) {
                Some(VipState::Announced { .. } | VipState::Elsewhere { owner: Some(_) }) => {}
                Some(state) => {
                    let why = state.reason().unwrap_or_else(|| state.as_str().to_owned());
                    reasons.push(format!("{address} is not announced: {why}"));
                }
                None => reasons.push(format!("{address} is not announced yet")),
            }
        }
        reasons
    }
}

/// The page of the live summary.
pub(super) fn summary(engine: &Engine, color: bool) -> String {
    let Some(current) = &engine.current else { return String::new() };
    let privileges = match &engine.settings.privileges {
        Privileges::Full => String::new(),
        Privileges::None { why } => format!(", loopback only ({why})"),
    };
    let mut out = Style::Heading.paint(&format!("steelyard on {}", engine.node()), color);
    let _ = write!(
        out,
        "{privileges}: generation {} in force after {:.1} ms; http://{}/\n\n",
        current.generation,
        current.took.as_secs_f64() * 1000.0,
        engine.admin_address(),
    );
    let mut section = |name: &str, table: Table| {
        if !table.is_empty() {
            out += &Style::Heading.paint(name, color);
            let _ = write!(out, "\n{}\n", table.render(2, color));
        }
    };
    section("ADDRESSES", text::addresses(&current.plan));
    section("REACHED AT", reached(current));
    section("ROUTES", text::routes(&current.snapshot.routes));
    let errors = current.plan.diagnostics.iter().filter(|found| found.is_error()).count();
    if errors > 0 {
        let plural = if errors == 1 { "" } else { "s" };
        let line = format!("{errors} error{plural}: steelyard get diagnostics\n");
        out += &Style::Bad.paint(&line, color);
    }
    out
}

/// The same for a terminal that shows logs; empty where things are reached at their own addresses.
pub(super) fn loopback(engine: &Engine) -> String {
    let is_text = engine.settings.serve.log_format == LogFormat::Text;
    let shown = |_: &&Current| is_text && engine.parts.speaker.is_none();
    let Some(current) = engine.current.as_ref().filter(shown) else { return String::new() };
    reached(current).render(0, wants_color())
}

/// Where things are really reached: entry points, and forwarded ports with how they are carried.
fn reached(current: &Current) -> Table {
    let mut table = Table::new(&["WHAT", "AT", "HOW"]);
    for (bind, outcome) in &current.applied.listeners {
        let (at, how): (Cell, Cell) = match outcome {
            Ok(address) => (address.to_string().into(), "gateway".into()),
            Err(error) => (bind.address.to_string().into(), Cell::new(error.as_str(), Style::Bad)),
        };
        table.row([format!("entry point {}", bind.entry_point).into(), at, how]);
    }
    for status in &current.applied.forwarded.ports {
        if let Some(service) = &status.service {
            let (at, how) = carried(status);
            table.row([service.to_string().into(), at.into(), how]);
        }
    }
    table
}

fn carried(status: &PortStatus) -> (String, Cell) {
    match &status.carried {
        Carried::Delivered => (status.key.to_string(), "gateway".into()),
        Carried::Nftables { endpoints } => {
            let plural = if *endpoints == 1 { "" } else { "s" };
            (status.key.to_string(), format!("nftables, {endpoints} endpoint{plural}").into())
        }
        Carried::InProcess { listen, why } => {
            (format!("{listen}/{}", status.key.protocol), format!("in process: {why}").into())
        }
        Carried::Not { why } => {
            (status.key.to_string(), Cell::new(format!("not carried: {why}"), Style::Careful))
        }
    }
}

/// Adds to each row of `plan`'s Services why it has its addresses or none.
pub(crate) fn explain_services(rows: &mut Value, plan: &Plan) {
    for (row, service) in rows.as_array_mut().into_iter().flatten().zip(plan.services.values()) {
        let id = NamespacedName::new(service.namespace.as_str(), service.name.as_str());
        row["why"] = json!(plan.explanations.get(&id));
    }
}

/// Service rows with what is behind them, and why they have their addresses.
fn services(current: &Current, mut rows: Value) -> Value {
    explain_services(&mut rows, &current.plan);
    for (row, plan) in rows.as_array_mut().into_iter().flatten().zip(current.plan.services.values())
    {
        let id = NamespacedName::new(plan.namespace.as_str(), plan.name.as_str());
        if let Some(resolved) = current.snapshot.services.get(&id) {
            row["ports"] = ports(resolved, &current.applied.forwarded.ports);
        }
    }
    rows
}

/// Route rows with the state of every endpoint, also of those that take no traffic.
fn routes(current: &Current, mut rows: Value) -> Value {
    let rows_and_routes = rows.as_array_mut().into_iter().flatten().zip(&*current.snapshot.routes);
    for (row, route) in rows_and_routes {
        let backends = row["backends"].as_array_mut().into_iter().flatten();
        for (row, backend) in backends.zip(&route.backends) {
            row["states"] = backend.endpoints.iter().map(endpoint).collect();
        }
        row["refused"] = json!(route.refusal.as_ref().map(|refusal| &refusal.reason));
    }
    rows
}

fn ports(resolved: &ResolvedService, carried_ports: &[PortStatus]) -> Value {
    let id = &resolved.service.id;
    let rows = resolved.ports.iter().map(|port| {
        let status = carried_ports.iter().filter(|status| {
            status.service.as_ref() == Some(id)
                && status.key.port == port.port.port
                && status.key.protocol == port.port.protocol
        });
        let reached: Vec<Value> = status
            .map(|status| {
                let (at, how) = carried(status);
                json!({"at": at, "how": how.text()})
            })
            .collect();
        json!({
            "name": port.port.name,
            "protocol": port.port.protocol,
            "port": port.port.port,
            "reached": reached,
            "endpoints": port.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        })
    });
    rows.collect()
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let state = match endpoint.state {
        EndpointState::Ready => "ready",
        EndpointState::Terminating => "terminating",
        EndpointState::NotReady => "not ready",
    };
    json!({"address": endpoint.to_string(), "state": state, "node": endpoint.node.as_deref()})
}

fn announcements(mut rows: Value, vips: Option<&[VipStatus]>, sharing: Option<&Sharing>) -> Value {
    for row in rows.as_array_mut().into_iter().flatten() {
        let address = row["address"].as_str().unwrap_or_default().to_owned();
        let status = vips.into_iter().flatten().find(|vip| vip.address.to_string() == address);
        if let Some(status) = status {
            let reason = status.state.reason().map(|why| format!(": {why}")).unwrap_or_default();
            row["state"] = json!(format!("{}{reason}", status.state.as_str()));
        }
        if let Some(sharing) = sharing.filter(|_| row["protocol"] == "layer2") {
            shared::agreed(row, sharing);
        }
    }
    rows
}

fn endpoint_counts(current: &Current) -> EndpointCounts {
    let ports = current.snapshot.services.values().flat_map(|service| &service.ports);
    let endpoints: Vec<&Endpoint> = ports.flat_map(|port| &port.endpoints).collect();
    let ready = endpoints.iter().filter(|endpoint| endpoint.is_ready()).count();
    EndpointCounts { ready, total: endpoints.len() }
}
