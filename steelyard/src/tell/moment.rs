//! What a running instance tells through the admin API.
//!
//! Nothing is made before somebody asks ([`Lazy`], [`Fresh`]): publishing costs a few pointers,
//! however many vips there are. What is made is of one moment ([`Moment`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::{Value, json};
use steelyard_admin::{
    DiagnosticCounts, EndpointCounts, EntryPointRow, Fresh, Happening, Lazy, Overview, View,
};
use steelyard_gateway::Lacking;
use steelyard_kube::Gap;
use steelyard_metrics::{Exposition, table};
use steelyard_model::routing::id::CertificateId;
use steelyard_model::{
    Code, Diagnostic, Diagnostics, Endpoint, NamespacedName, Severity, Snapshot,
};
use steelyard_plan::{AnnouncementRow, Explanation, Layer2Row};
use steelyard_speaker::{NAME_TAKEN, Sharing, VipStatus};

use super::account::Account;
use super::current::Current;
use super::note::{self, Note};
use super::shared::{self, Owners};
use super::standing::Standing;
use super::unready::{self, Unready};
use crate::certificates;
use crate::hands::Applied;
use crate::hands::announcements::Idle;
use crate::hands::binds;
use crate::hands::descriptors::Crowded;
use crate::hands::forwarding::Refusal;
use crate::hands::ipvs::LooseArp;
use crate::hands::unheard;
use crate::hands::unreached::Unreached;
use crate::lack::{LACKING, Lacks};
use crate::mind::{Decided, is_gateway};
use crate::privileges::Privileges;

use tables::rows;
pub(crate) use tables::{carried, explain_services};

mod tables;

/// All that there is to tell, as it is at one moment.
pub(super) struct Moment {
    pub(super) current: Arc<Current>,
    /// Why it is not ready, whatever else is so.
    pub(super) plight: Option<Unready>,
    /// The kernel answers for vips, whichever node is to.
    pub(super) loose_arp: Option<LooseArp>,
    /// What of the cluster is not known as it is now.
    pub(super) gaps: Vec<Gap>,
    pub(super) is_waiting: bool,
    pub(super) lock_trouble: Option<String>,
    pub(super) crowded: Vec<Crowded>,
    pub(super) privileges: Privileges,
    pub(super) accepts_broken: bool,
    pub(super) started: u64,
    /// How vips stand, by address; none where nothing is answered for.
    pub(super) stands: Option<Arc<[VipStatus]>>,
    /// Where several machines settle who has which.
    pub(super) sharing: Option<Arc<Sharing>>,
    pub(super) events: Vec<Arc<Happening>>,
    /// Endpoints that the gateway's requests got no connection to.
    pub(super) silent: Arc<BTreeSet<SocketAddr>>,
    /// Certificates that are not shown as they ask to be.
    pub(super) lacking: Arc<BTreeMap<CertificateId, Lacking>>,
}

impl Moment {
    /// For whoever asks.
    pub(super) fn view(self: &Arc<Self>) -> View {
        let told = |tell: fn(&Self) -> Value| {
            let moment = Arc::clone(self);
            Fresh::new(move || tell(&moment))
        };
        let [moment, noting, announcing] = [(); 3].map(|()| Arc::clone(self));
        View {
            generation: self.decided().generation,
            unready: Lazy::new(move || moment.unready().iter().map(ToString::to_string).collect()),
            notes: Lazy::new(move || noting.notes()),
            overview: told(|it| rows(it.overview())),
            services: told(Self::services),
            announcements: told(Self::announcements),
            routes: told(Self::routes),
            peers: told(|it| rows(&it.decided().plan.peers)),
            members: told(|it| it.sharing.as_deref().map_or_else(|| json!([]), shared::members)),
            certificates: told(|it| certificates::rows(&it.decided().snapshot).into()),
            events: told(|it| it.events.iter().map(|it| rows(&**it)).collect()),
            diagnostics: told(Self::diagnostics),
            gauges: Fresh::new(move || announcing.gauges()),
        }
    }

    fn decided(&self) -> &Decided {
        &self.current.decided
    }

    fn applied(&self) -> &Applied {
        &self.current.applied
    }

    fn diagnostics(&self) -> Value {
        let mut diagnostics = self.decided().plan.diagnostics.clone();
        self.decided().known.advise(&mut diagnostics);
        diagnostics.extend(self.today());
        rows(diagnostics)
    }

    /// What was found since it was decided.
    fn today(&self) -> Vec<Diagnostic> {
        let Decided { snapshot, places, .. } = self.decided();
        let certificates = certificates::today(snapshot, places, &self.lacking);
        let routing = self.decided().plan.routes.routing();
        let unheard = unheard::findings(self.applied().listeners(), routing);
        let mut unheard: Diagnostics = unheard.into_iter().collect();
        places.place(&mut unheard);
        let found = certificates.iter().chain(unheard.iter()).cloned();
        found.chain(self.unreached()).collect()
    }

    /// What keeps clients from what is served here, as findings.
    fn unreached(&self) -> Vec<Diagnostic> {
        let all = Unreached::all(&self.applied().forwarded);
        let loose = self.loose_arp.iter().map(LooseArp::diagnostic);
        all.iter().map(Unreached::diagnostic).chain(loose).collect()
    }

    fn overview(&self) -> Overview {
        let Decided { plan, snapshot, node, .. } = self.decided();
        let applied = self.applied();
        let today = self.today();
        let found = || plan.diagnostics.iter().chain(&today);
        let severity = |wanted| found().filter(|found| found.severity == wanted).count();
        let mut entry_points: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (bind, outcome) in applied.listeners() {
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
            endpoints: endpoint_counts(snapshot),
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
        let mut reasons: Vec<Unready> = self.plight.iter().cloned().collect();
        if self.is_waiting {
            reasons.push(Unready::EditWaits);
        }
        let (Decided { plan, .. }, applied) = (self.decided(), self.applied());
        reasons.extend(applied.forwarded.refused.clone().map(Refusal).map(Unready::Refused));
        reasons.extend(self.lock_trouble.clone().map(Unready::LockNotFollowed));
        reasons.extend(unready::unread(plan));
        if !self.accepts_broken {
            reasons.extend(unready::never_read(plan).map(Unready::NeverRead));
        }
        let crowded = self.crowded.iter().filter(|it| it.keeps_waiting());
        reasons.extend(crowded.cloned().map(Unready::Crowded));
        for (bind, outcome) in applied.listeners() {
            if let Err(error) = outcome {
                let (entry_point, address) = (bind.entry_point.clone(), bind.address);
                reasons.push(Unready::NotListening { entry_point, address, error: error.clone() });
            }
        }
        if self.stands.is_none() {
            return reasons;
        }
        let own = self.unaddressed().filter(|(_, why)| !is_others_to_give(why.as_ref()));
        reasons.extend(own.map(|(id, why)| {
            let why = why.as_ref().map(ToString::to_string);
            Unready::NoAddress { service: id.clone(), why }
        }));
        let members = self.sharing.iter().flat_map(|it| &it.members);
        let doubled = members.filter(|it| it.status.this && it.status.state == NAME_TAKEN);
        reasons
            .extend(doubled.map(|it| Unready::NameTaken { interface: it.interface.to_string() }));
        let owners = self.owners();
        let is_shadow = |vip: &IpAddr| applied.idle.get(vip) == Some(&Idle::Shadow);
        let ours = applied.vips.addresses().filter(|vip| !is_shadow(vip));
        let vips = ours.chain(self.own_vips());
        let silent = vips.filter_map(|vip| self.account(vip, &owners).silence());
        reasons.extend(silent.map(Unready::NotAnnounced));
        let unreached = Unreached::all(&applied.forwarded).into_iter();
        reasons.extend(unreached.filter(|it| it.obstacle.is_certain()).map(Unready::Unreached));
        reasons
    }

    /// Services of the gateway that have no address, and why.
    fn unaddressed(&self) -> impl Iterator<Item = (&NamespacedName, Option<Explanation>)> {
        let Decided { plan, snapshot, .. } = self.decided();
        let pending = plan.services.iter().filter(|(_, row)| row.addresses.is_empty());
        let of_gateway = |id| snapshot.services.get(id).is_some_and(|it| is_gateway(it));
        let why = |id| plan.explain(id).into_iter().next();
        pending.filter(move |(id, _)| of_gateway(id)).map(move |(id, _)| (id, why(id)))
    }

    /// Addresses of Services that are this machine's own, too.
    fn own_vips(&self) -> impl Iterator<Item = IpAddr> {
        let Decided { plan, own, .. } = self.decided();
        let mut vips: Vec<IpAddr> = plan.withheld.keys().map(|(vip, _)| *vip).collect();
        vips.dedup();
        vips.into_iter().filter(|vip| own.contains(vip))
    }

    /// What serves nobody, though not for want of readiness.
    fn notes(&self) -> Vec<String> {
        let (Decided { plan, snapshot, .. }, applied) = (self.decided(), self.applied());
        let (owners, silent) = (self.owners(), self.silent());
        let mut notes = note::of_gaps(&self.gaps);
        let crowded = self.crowded.iter().filter(|it| !it.keeps_waiting());
        notes.extend(crowded.map(Note::Crowded));
        notes.extend(note::of_mistakes(plan));
        if self.accepts_broken {
            notes.extend(unready::never_read(plan).map(Note::NeverRead));
        }
        notes.extend(note::of_routes(plan, plan.routes.routing(), &silent));
        notes.extend(note::of_left_out(snapshot));
        notes.extend(note::of_ports(snapshot, &applied.forwarded, &silent));
        let pending = self.unaddressed().filter(|(_, why)| is_others_to_give(why.as_ref()));
        notes.extend(pending.map(|(id, _)| Note::NoAddress(id)));
        let planned: BTreeSet<IpAddr> = plan.announcements.values().filter_map(lan).collect();
        let excluded = planned.into_iter().map(|vip| self.account(vip, &owners));
        let excluded = excluded.filter(Account::is_left_to_others).count();
        notes.extend((excluded > 0).then_some(Note::NotCandidate(excluded)));
        notes.iter().map(ToString::to_string).collect()
    }

    /// Endpoints that take no connections.
    fn silent(&self) -> BTreeSet<SocketAddr> {
        self.silent.union(&self.applied().forwarded.silent).copied().collect()
    }

    /// Who owns which vip, as the nodes that share them agreed.
    fn owners(&self) -> Owners<'_> {
        self.sharing.as_deref().map(Owners::of).unwrap_or_default()
    }

    /// What is known of an address that is to be answered for.
    fn account<'a>(&self, vip: IpAddr, owners: &Owners<'a>) -> Account<'a> {
        let occupant = self.decided().plan.occupant(vip).cloned();
        let standing = match (self.stands.as_deref(), occupant) {
            (_, Some(occupant)) => Standing::Withheld(occupant),
            (None, None) => Standing::Unprivileged,
            (Some(told), None) if self.applied().vips.contains(vip) => {
                Standing::of(vip, &self.applied().idle, told)
            }
            (Some(_), None) => Standing::NotCandidate,
        };
        Account::new(vip, Some(standing), owners.get(vip), &self.decided().node)
    }

    /// The same of a row of the plan, which may be that no node is to answer for it.
    fn planned<'a>(&self, row: &Layer2Row, owners: &Owners<'a>) -> Account<'a> {
        if row.owner.is_none()
            && self.decided().plan.occupant(row.address).is_none()
            && self.sharing.is_none()
            && !self.applied().vips.contains(row.address)
        {
            return Account::new(row.address, None, None, &self.decided().node);
        }
        self.account(row.address, owners)
    }

    /// What is found, and who is served by nobody.
    fn expose_mistakes(&self, out: &mut Exposition) {
        let plan = &self.decided().plan;
        let mut counts: BTreeMap<(Severity, Code), u64> = BTreeMap::new();
        for found in plan.diagnostics.iter().chain(&self.today()) {
            *counts.entry((found.severity, found.code)).or_default() += 1;
        }
        let mut series = out.family(&table::FINDINGS);
        for ((severity, code), count) in &counts {
            series.put([severity, code], *count);
        }
        let silent = self.silent();
        let lacks = Lacks::new(plan, plan.routes.routing(), &silent);
        let mut idle = LACKING.map(|cause| (cause, 0_u64));
        for lack in plan.routes.in_order().filter_map(|route| lacks.of(route)) {
            let of_cause = idle.iter_mut().find(|(cause, _)| *cause == lack.cause());
            of_cause.into_iter().for_each(|(_, count)| *count += 1);
        }
        let mut series = out.family(&table::IDLE_ROUTES);
        for (cause, count) in idle {
            series.put([&cause], count);
        }
    }

    /// What this node answers for now, under MetalLB's name, and what is wrong.
    fn gauges(&self) -> String {
        let mut out = Exposition::default();
        self.expose_mistakes(&mut out);
        let mut series = out.family(&table::ANNOUNCED);
        let owners = self.owners();
        for row in self.decided().plan.announcements.values() {
            let AnnouncementRow::Layer2(row) = row else { continue };
            if self.planned(row, &owners).is_ours() {
                series.put([&row.service, &"layer2", &self.decided().node, &row.address], 1);
            }
        }
        out.into_text()
    }
}

/// The address of a row that is to be answered for on the LAN.
fn lan(row: &AnnouncementRow) -> Option<IpAddr> {
    match row {
        AnnouncementRow::Layer2(row) => row.owner.is_some().then_some(row.address),
        AnnouncementRow::Bgp(_) => None,
    }
}

fn endpoint_counts(snapshot: &Snapshot) -> EndpointCounts {
    let ports = snapshot.services.values().flat_map(|service| &service.ports);
    let endpoints: Vec<&Endpoint> = ports.flat_map(|port| &port.endpoints).collect();
    let ready = endpoints.iter().filter(|endpoint| endpoint.is_ready()).count();
    EndpointCounts { ready, total: endpoints.len() }
}

/// Whether a controller has not given an address yet: no node can do anything about that, and a
/// rollout that waited for it would wait for whoever makes a pool.
fn is_others_to_give(why: Option<&Explanation>) -> bool {
    why.is_some_and(Explanation::is_left_to_a_controller)
}
