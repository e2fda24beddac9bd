//! Its tables: Services, routes, announcements.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use steelyard_forward::{Carried, PortStatus, VipPort};
use steelyard_model::{Endpoint, EndpointState, NamespacedName, ResolvedService};
use steelyard_plan::{AnnouncementRow, Explanation, Plan};
use steelyard_terminal::{Cell, Style};

use super::Moment;
use crate::hands::unheard;
use crate::lack::{explain_routes, is_silent};
use crate::mind::Decided;
use crate::tell::remembered;
use crate::tell::unready::Unready;

impl Moment {
    /// Service rows with what is behind them, and why they have their addresses.
    pub(super) fn services(&self) -> Value {
        let (Decided { plan, snapshot, .. }, applied) = (self.decided(), self.applied());
        let mut carried: HashMap<VipPort, Vec<&PortStatus>> = HashMap::new();
        for port in &applied.forwarded.ports {
            carried.entry(port.key).or_default().push(port);
        }
        let (owners, silent) = (self.owners(), self.silent());
        let told = |row: &AnnouncementRow| match row {
            AnnouncementRow::Layer2(row) => self.planned(row, &owners).sentence(row),
            AnnouncementRow::Bgp(row) => row.prospect(),
        };
        let rows = plan.services.iter().map(|(id, service)| {
            let mut row = rows(service);
            row["why"] = json!(why(plan, id, &told));
            if let Some(resolved) = snapshot.services.get(id) {
                row["ports"] = ports(resolved, service.addresses, &carried, &silent);
            }
            row
        });
        rows.collect()
    }

    /// Route rows with the state of every endpoint, also of those that take no traffic.
    pub(super) fn routes(&self) -> Value {
        let plan = &self.decided().plan;
        let (silent, routing) = (self.silent(), plan.routes.routing());
        let mut told = rows(&plan.routes);
        let rows = told.as_array_mut().into_iter().flatten();
        for (row, route) in rows.zip(plan.routes.in_order()) {
            let backends = row["backends"].as_array_mut().into_iter().flatten();
            let ends = routing.ends(route).into_iter().filter(|end| end.node.service.is_some());
            for (row, end) in backends.zip(ends) {
                let endpoints = end.endpoints.into_iter().flat_map(|set| &set.endpoints);
                let elsewhere = end.endpoints.into_iter().flat_map(|set| &set.elsewhere);
                let here = endpoints.map(|(it, _)| endpoint(it, &silent));
                row["states"] = here.chain(elsewhere.map(in_another_zone)).collect();
            }
        }
        explain_routes(&mut told, plan, routing, &silent);
        let rows = told.as_array_mut().into_iter().flatten();
        for (row, route) in rows.zip(plan.routes.in_order()) {
            let points = routing.entry_points_of(route);
            if let Some(why) = unheard::nobody_at(self.applied().listeners(), &points) {
                row["answers"] = json!(why);
            }
        }
        told
    }

    /// Announcement rows with how they stand here, and who answers for them.
    pub(super) fn announcements(&self) -> Value {
        let owners = self.owners();
        if self.plight == Some(Unready::Remembered) {
            let stands = self.stands.as_deref().unwrap_or_default();
            return remembered::announcements(stands, |vip| self.account(vip, &owners));
        }
        let row = |announcement: &AnnouncementRow| {
            let mut row = rows(announcement);
            match announcement {
                AnnouncementRow::Layer2(planned) => {
                    self.planned(planned, &owners).tell(&mut row, self.sharing.is_some());
                }
                AnnouncementRow::Bgp(_) => {
                    row["nodes"] = json!([]);
                    row["state"] = json!("not-announced: BGP is not spoken yet");
                }
            }
            row
        };
        self.decided().plan.announcements.values().map(row).collect()
    }
}

pub(super) fn rows(told: impl serde::Serialize) -> Value {
    serde_json::to_value(told).expect("a plan is always JSON")
}

/// Why a Service has its addresses or none, and who announces them, as `told` says of each.
fn why(plan: &Plan, id: &NamespacedName, told: &dyn Fn(&AnnouncementRow) -> String) -> Vec<String> {
    let told = |said: &Explanation| match said {
        Explanation::Announced(row) => told(row),
        said => said.to_string(),
    };
    plan.explain(id).iter().map(told).collect()
}

/// Adds to each row of `plan`'s Services why it has its addresses or none.
pub(crate) fn explain_services(rows: &mut Value, plan: &Plan) {
    for (row, id) in rows.as_array_mut().into_iter().flatten().zip(plan.services.keys()) {
        row["why"] = json!(why(plan, id, &AnnouncementRow::sentence));
    }
}

/// Where a port is reached, and how it is carried.
pub(crate) fn carried(status: &PortStatus) -> (String, Cell) {
    match &status.carried {
        Carried::Delivered => (status.key.to_string(), "gateway".into()),
        Carried::Nftables { endpoints } => {
            let plural = if *endpoints == 1 { "" } else { "s" };
            (status.key.to_string(), format!("nftables, {endpoints} endpoint{plural}").into())
        }
        Carried::InProcess { listen, why } => {
            (format!("{listen}/{}", status.key.protocol), format!("in process: {why}").into())
        }
        Carried::Before { why } => {
            let how = format!("as before the last edit: {why}");
            (status.key.to_string(), Cell::new(how, Style::Careful))
        }
        Carried::Not { why } => {
            (status.key.to_string(), Cell::new(format!("not carried: {why}"), Style::Careful))
        }
    }
}

/// Where a port of a vip is reached and how, and what keeps clients from it.
fn reached(status: &PortStatus) -> Value {
    let (at, how) = carried(status);
    let mut row = json!({"at": at, "how": how.text(), "works": works(status)});
    if let Some(obstacle) = &status.obstacle {
        row["obstacle"] = json!(obstacle.to_string());
        row["help"] = json!(obstacle.help());
    }
    row
}

/// Whether a port is carried as it is meant to be, and nothing keeps clients from it.
fn works(status: &PortStatus) -> bool {
    let is_meant = !matches!(status.carried, Carried::Before { .. } | Carried::Not { .. });
    is_meant && status.obstacle.is_none()
}

fn ports(
    resolved: &ResolvedService,
    addresses: &[IpAddr],
    carried: &HashMap<VipPort, Vec<&PortStatus>>,
    silent: &BTreeSet<SocketAddr>,
) -> Value {
    let id = &resolved.service.id;
    let rows = resolved.ports.iter().map(|port| {
        let (protocol, number) = (port.port.protocol, port.port.port);
        let keys = addresses.iter().map(|&address| VipPort { address, protocol, port: number });
        let known = keys.filter_map(|key| carried.get(&key)).flatten();
        // The gateway's name no Service.
        let own = known.filter(|it| it.service.as_ref().is_none_or(|service| service == id));
        let reached = own.map(|status| reached(status));
        json!({
            "name": port.port.name,
            "protocol": port.port.protocol,
            "port": port.port.port,
            "reached": reached.collect::<Vec<_>>(),
            "endpoints": port.endpoints.iter().map(|it| endpoint(it, silent)).collect::<Vec<_>>(),
        })
    });
    rows.collect()
}

/// An endpoint that takes no requests here.
fn in_another_zone(endpoint: &Endpoint) -> Value {
    let node = endpoint.node.as_deref();
    json!({"address": endpoint.to_string(), "state": "other zone", "node": node})
}

/// An endpoint that is to work and does not answer is told as it is.
fn endpoint(endpoint: &Endpoint, silent: &BTreeSet<SocketAddr>) -> Value {
    let is_silent = is_silent(endpoint, silent);
    let state = match endpoint.state {
        EndpointState::Ready if is_silent => "silent",
        EndpointState::Ready => "ready",
        EndpointState::Serving => "serving",
        EndpointState::Terminating => "terminating",
        EndpointState::NotReady => "not ready",
    };
    json!({"address": endpoint.to_string(), "state": state, "node": endpoint.node.as_deref()})
}
