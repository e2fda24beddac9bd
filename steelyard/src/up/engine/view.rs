//! What a running instance tells through the admin API.
//!
//! Nothing is made before somebody asks ([`Lazy`]): publishing costs a few pointers, however many
//! vips there are. What is made is of one moment ([`Moment`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::{Value, json};
use steelyard_admin::{
    DiagnosticCounts, EndpointCounts, EntryPointRow, Happening, Lazy, Overview, View,
};
use steelyard_forward::{Carried, PortStatus};
use steelyard_metrics::{Exposition, table};
use steelyard_model::{
    Diagnostic, Endpoint, EndpointState, NamespacedName, Protocol, ResolvedService, ServedBy,
    Severity,
};
use steelyard_plan::{AnnouncementRow, Explanation, Layer2Row, Plan};
use steelyard_speaker::{NAME_TAKEN, Sharing, VipStatus};

use super::{Current, Engine};
use crate::up::account::Account;
use crate::up::binds;
use crate::up::descriptors::Crowded;
use crate::up::lack::{explain_routes, is_silent};
use crate::up::note::{self, Note};
use crate::up::privileges::Privileges;
use crate::up::shared::{self, Owners};
use crate::up::standing::Standing;
use crate::up::unreached::Unreached;
use crate::up::unready::{self, Unready};
use crate::up::vips::Vips;
use steelyard_terminal::{Cell, Style};

/// All that there is to tell, as it is at one moment.
struct Moment {
    current: Arc<Current>,
    is_waiting: bool,
    lock_trouble: Option<String>,
    crowded: Vec<Crowded>,
    privileges: Privileges,
    started: u64,
    vips: Vips,
    /// How they stand, by address; none where nothing is answered for.
    stands: Option<Arc<[VipStatus]>>,
    /// Where several machines settle who has which.
    sharing: Option<Arc<Sharing>>,
    events: Vec<Arc<Happening>>,
    /// Endpoints that the gateway's requests got no connection to.
    silent: Arc<BTreeSet<SocketAddr>>,
}

impl Engine {
    /// Tells everyone what is in force now.
    pub(in crate::up) fn publish(&self) {
        let Some(current) = &self.current else { return };
        let sharing = self.parts.shared.as_ref().filter(|_| self.settings.sharing.is_some());
        let moment = Arc::new(Moment {
            current: Arc::clone(current),
            is_waiting: self.is_waiting,
            lock_trouble: self.lock_trouble.clone(),
            crowded: self.parts.descriptors.crowded().to_vec(),
            privileges: self.settings.privileges.clone(),
            started: self.started,
            vips: self.vips.clone(),
            stands: self.parts.status.as_ref().map(|it| Arc::clone(&it.borrow())),
            sharing: sharing.map(|it| Arc::clone(&it.borrow())),
            events: self.history.all(),
            silent: Arc::clone(&self.silent),
        });
        self.parts.published.publish(moment.view());
    }
}

impl Moment {
    fn view(self: &Arc<Self>) -> View {
        let told = |tell: fn(&Self) -> Value| {
            let moment = Arc::clone(self);
            Lazy::new(move || tell(&moment))
        };
        let [moment, noting, announcing] = [(); 3].map(|()| Arc::clone(self));
        View {
            generation: self.current.generation,
            unready: Lazy::new(move || moment.unready().iter().map(ToString::to_string).collect()),
            notes: Lazy::new(move || noting.notes()),
            overview: told(|it| rows(it.overview())),
            services: told(Self::services),
            announcements: told(Self::announcements),
            routes: told(Self::routes),
            peers: told(|it| rows(&it.current.plan.peers)),
            members: told(|it| it.sharing.as_deref().map_or_else(|| json!([]), shared::members)),
            certificates: json!([]).into(),
            events: told(|it| it.events.iter().map(|it| rows(&**it)).collect()),
            diagnostics: told(Self::diagnostics),
            requests: json!([]).into(),
            gauges: Lazy::new(move || announcing.gauges()),
        }
    }

    fn diagnostics(&self) -> Value {
        let mut diagnostics = self.current.plan.diagnostics.clone();
        self.current.known.advise(&mut diagnostics);
        let Value::Array(mut told) = rows(diagnostics) else { return json!([]) };
        told.extend(self.unreached().iter().map(rows));
        told.into()
    }

    /// What keeps clients from what is served here, as findings.
    fn unreached(&self) -> Vec<Diagnostic> {
        let all = Unreached::all(&self.current.applied.forwarded);
        all.iter().map(Unreached::diagnostic).collect()
    }

    fn overview(&self) -> Overview {
        let Current { plan, snapshot, applied, node, .. } = &*self.current;
        let unreached = self.unreached();
        let found = || plan.diagnostics.iter().chain(&unreached);
        let severity = |wanted| found().filter(|found| found.severity == wanted).count();
        let mut entry_points: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (bind, outcome) in &applied.listeners {
            let addresses = entry_points.entry(&bind.entry_point).or_default();
            let socket = outcome.as_ref().ok();
            addresses.extend(socket.map(|it| binds::reached(bind, *it).to_string()));
        }
        Overview {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: node.clone(),
            since: self.started,
            privileges: match &self.privileges {
                Privileges::Full => "full".to_owned(),
                Privileges::None { why } => why.clone(),
            },
            vips: plan.services.values().map(|row| row.addresses.len()).sum(),
            routes: snapshot.routing.routes.len(),
            endpoints: endpoint_counts(&self.current),
            diagnostics: DiagnosticCounts {
                error: severity(Severity::Error),
                warning: severity(Severity::Warning),
                info: severity(Severity::Info),
            },
            entry_points: entry_points
                .into_iter()
                .map(|(name, addresses)| EntryPointRow { name: name.to_owned(), addresses })
                .collect(),
        }
    }

    /// Ready means: configured, listening, and announcing what it should.
    fn unready(&self) -> Vec<Unready> {
        let mut reasons = Vec::new();
        if self.is_waiting {
            reasons.push(Unready::EditWaits);
        }
        let Current { applied, plan, snapshot, .. } = &*self.current;
        reasons.extend(self.lock_trouble.clone().map(Unready::LockNotFollowed));
        reasons.extend(unready::unread(plan));
        reasons.extend(self.crowded.iter().cloned().map(Unready::Crowded));
        for (bind, outcome) in &applied.listeners {
            if let Err(error) = outcome {
                let (entry_point, address) = (bind.entry_point.clone(), bind.address);
                reasons.push(Unready::NotListening { entry_point, address, error: error.clone() });
            }
        }
        if self.stands.is_none() {
            return reasons;
        }
        let pending = plan.services.iter().filter(|(_, row)| row.addresses.is_empty());
        let pending =
            pending.filter(|(id, _)| snapshot.services.get(id).is_some_and(|it| is_gateway(it)));
        reasons.extend(pending.map(|(id, _)| {
            let why =
                plan.explanations.get(id).and_then(|why| why.first().map(ToString::to_string));
            Unready::NoAddress { service: id.clone(), why }
        }));
        let members = self.sharing.iter().flat_map(|it| &it.members);
        let doubled = members.filter(|it| it.status.this && it.status.state == NAME_TAKEN);
        reasons.extend(doubled.map(|it| Unready::NameTaken { interface: it.interface.clone() }));
        let owners = self.owners();
        let silent = self.vips.addresses().filter_map(|vip| self.account(vip, &owners).silence());
        reasons.extend(silent.map(Unready::NotAnnounced));
        let unreached = Unreached::all(&applied.forwarded).into_iter();
        reasons.extend(unreached.filter(|it| it.obstacle.is_certain()).map(Unready::Unreached));
        reasons
    }

    /// What serves nobody, though not for want of readiness.
    fn notes(&self) -> Vec<String> {
        let Current { plan, snapshot, applied, .. } = &*self.current;
        let (owners, silent) = (self.owners(), self.silent());
        let mut notes = note::of_routes(&snapshot.routing, &silent);
        notes.extend(note::of_ports(snapshot, &applied.forwarded, &silent));
        let planned: BTreeSet<IpAddr> = plan.announcements.values().filter_map(lan).collect();
        let excluded = planned.into_iter().map(|vip| self.account(vip, &owners));
        let excluded = excluded.filter(Account::is_left_to_others).count();
        notes.extend((excluded > 0).then_some(Note::NotCandidate(excluded)));
        notes.iter().map(ToString::to_string).collect()
    }

    /// Endpoints that take no connections.
    fn silent(&self) -> BTreeSet<SocketAddr> {
        self.silent.union(&self.current.applied.forwarded.silent).copied().collect()
    }

    /// Who owns which vip, as the nodes that share them agreed.
    fn owners(&self) -> Owners<'_> {
        self.sharing.as_deref().map(Owners::of).unwrap_or_default()
    }

    /// What is known of an address that is to be answered for.
    fn account<'a>(&self, vip: IpAddr, owners: &Owners<'a>) -> Account<'a> {
        let standing = match self.stands.as_deref() {
            None => Standing::Unprivileged,
            Some(told) if self.vips.contains(vip) => {
                Standing::of(vip, &self.current.applied.idle, told)
            }
            Some(_) => Standing::NotCandidate,
        };
        Account::new(vip, Some(standing), owners.get(vip), &self.current.node)
    }

    /// The same of a row of the plan, which may be that no node is to answer for it.
    fn planned<'a>(&self, row: &Layer2Row, owners: &Owners<'a>) -> Account<'a> {
        if row.owner.is_none() && self.sharing.is_none() && !self.vips.contains(row.address) {
            return Account::new(row.address, None, None, &self.current.node);
        }
        self.account(row.address, owners)
    }

    /// What this node answers for now, under MetalLB's name.
    fn gauges(&self) -> String {
        let mut out = Exposition::default();
        let mut series = out.family(&table::ANNOUNCED);
        let owners = self.owners();
        for row in self.current.plan.announcements.values() {
            let AnnouncementRow::Layer2(row) = row else { continue };
            if self.planned(row, &owners).is_ours() {
                series.put([&row.service, &"layer2", &self.current.node, &row.address], 1);
            }
        }
        out.into_text()
    }

    /// Service rows with what is behind them, and why they have their addresses.
    fn services(&self) -> Value {
        let Current { plan, snapshot, applied, .. } = &*self.current;
        let mut carried: HashMap<_, Vec<&PortStatus>> = HashMap::new();
        for port in &applied.forwarded.ports {
            let Some(service) = &port.service else { continue };
            carried.entry((service, port.key.protocol, port.key.port)).or_default().push(port);
        }
        let (owners, silent) = (self.owners(), self.silent());
        let told = |row: &AnnouncementRow| match row {
            AnnouncementRow::Layer2(row) => self.planned(row, &owners).sentence(row),
            AnnouncementRow::Bgp(row) => row.prospect(),
        };
        let row = |(id, service)| {
            let mut row = rows(service);
            row["why"] = json!(why(plan, id, &told));
            if let Some(resolved) = snapshot.services.get(id) {
                row["ports"] = ports(resolved, &carried, &silent);
            }
            row
        };
        plan.services.iter().map(row).collect()
    }

    /// Route rows with the state of every endpoint, also of those that take no traffic.
    fn routes(&self) -> Value {
        let Current { plan, snapshot, .. } = &*self.current;
        let (silent, routing) = (self.silent(), &snapshot.routing);
        let mut told = rows(plan.routes.values().collect::<Vec<_>>());
        let rows = told.as_array_mut().into_iter().flatten();
        for (row, route) in rows.zip(routing.in_order()) {
            let backends = row["backends"].as_array_mut().into_iter().flatten();
            let ends = routing.ends(route).into_iter().filter(|end| end.node.service.is_some());
            for (row, end) in backends.zip(ends) {
                let endpoints = end.endpoints.into_iter().flat_map(|set| &set.endpoints);
                row["states"] = endpoints.map(|(it, _)| endpoint(it, &silent)).collect();
            }
        }
        explain_routes(&mut told, routing, &silent);
        told
    }

    /// Announcement rows with how they stand here, and who answers for them.
    fn announcements(&self) -> Value {
        let owners = self.owners();
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
        self.current.plan.announcements.values().map(row).collect()
    }
}

/// Whether our entry points are reached by a Service.
pub(in crate::up) fn is_gateway(service: &ResolvedService) -> bool {
    service.served_by == ServedBy::Gateway && service.service.is_load_balancer()
}

fn rows(told: impl serde::Serialize) -> Value {
    serde_json::to_value(told).expect("a plan is always JSON")
}

/// The address of a row that is to be answered for on the LAN.
fn lan(row: &AnnouncementRow) -> Option<IpAddr> {
    match row {
        AnnouncementRow::Layer2(row) => row.owner.is_some().then_some(row.address),
        AnnouncementRow::Bgp(_) => None,
    }
}

/// Why a Service has its addresses or none, and who announces them, as `told` says of each.
fn why(plan: &Plan, id: &NamespacedName, told: &dyn Fn(&AnnouncementRow) -> String) -> Vec<String> {
    let said = plan.explanations.get(id).into_iter().flatten();
    let told = |said: &Explanation| match said {
        Explanation::Announced(row) => told(row),
        said => said.to_string(),
    };
    said.map(told).collect()
}

/// Adds to each row of `plan`'s Services why it has its addresses or none.
pub(crate) fn explain_services(rows: &mut Value, plan: &Plan) {
    for (row, id) in rows.as_array_mut().into_iter().flatten().zip(plan.services.keys()) {
        row["why"] = json!(why(plan, id, &AnnouncementRow::sentence));
    }
}

/// Where a port is reached, and how it is carried.
pub(in crate::up) fn carried(status: &PortStatus) -> (String, Cell) {
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

fn ports(
    resolved: &ResolvedService,
    carried_ports: &HashMap<(&NamespacedName, Protocol, u16), Vec<&PortStatus>>,
    silent: &BTreeSet<SocketAddr>,
) -> Value {
    let rows = resolved.ports.iter().map(|port| {
        let key = (&resolved.service.id, port.port.protocol, port.port.port);
        let reached = carried_ports.get(&key).into_iter().flatten().map(|status| {
            let (at, how) = carried(status);
            let mut row = json!({"at": at, "how": how.text()});
            if let Some(obstacle) = &status.obstacle {
                row["obstacle"] = json!(obstacle.to_string());
            }
            row
        });
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

fn endpoint_counts(current: &Current) -> EndpointCounts {
    let ports = current.snapshot.services.values().flat_map(|service| &service.ports);
    let endpoints: Vec<&Endpoint> = ports.flat_map(|port| &port.endpoints).collect();
    let ready = endpoints.iter().filter(|endpoint| endpoint.is_ready()).count();
    EndpointCounts { ready, total: endpoints.len() }
}
