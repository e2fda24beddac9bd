//! What is ours in the kernel: the nftables table, the ip rule, the private routing table. The one
//! owner of all three.
//!
//! Each apply states everything again: others (systemd-networkd, `nft flush ruleset`) do remove
//! what is not theirs. Leftovers of a killed process are told by table name, mark and numbers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use steelyard_firewall::OtherRule;
use steelyard_forwarding::{
    AtExit, HostChange, HostFacts, Obstacle, Spot, TableFrame, VipTable, Whereabouts, Why,
    pass_table, source,
};
use steelyard_host::links::{self, Link};
use steelyard_host::nft::NftError;
use steelyard_host::rule::{MarkRule, Path, Routing, RoutingError};
use steelyard_host::sysctl;
use steelyard_model::{Family, Sorted};

use crate::ask::Look;
use crate::filter::Filter;
use crate::intake::Intake;
use crate::legacy::KernelLegacy;
use crate::meter::Meter;
use crate::passing::Passing;
use crate::vigil::Vigil;

#[derive(Debug)]
pub(crate) struct Kernel {
    filter: Filter,
    routing: Routing,
    vigil: Vigil,
    frame: TableFrame,
    rule: MarkRule,
    /// What is in force; none where that is unknown.
    applied: Option<VipTable>,
    /// Whether that is certain: what came of a batch that failed nobody knows.
    is_sure: bool,
    /// Vips with a route in the private table.
    routes: BTreeSet<IpAddr>,
    /// Others changed the rule or routes of the private table.
    is_astray: bool,
    /// Where endpoints are, and by which interface packets for vips come in: as last looked at.
    places: Sorted<IpAddr, Spot>,
    arrivals: Sorted<IpAddr, String>,
    /// Vips whose packets rules of others lead elsewhere, of those served when that was looked at.
    misled: (Sorted<IpAddr, ()>, BTreeMap<IpAddr, Obstacle>),
    intake: Intake,
    meter: Meter,
    /// Interfaces, as last looked at.
    links: Vec<Link>,
    /// None where no other node shares our vips, or the kernel cannot pass packets on.
    passing: Option<Passing>,
    /// Its tables are as they should be.
    passes: bool,
}

impl Kernel {
    /// Removes what an earlier process left, and sets up an empty table and the rule.
    pub(crate) async fn take(
        frame: TableFrame,
        rule: MarkRule,
        parts: (Intake, Meter),
    ) -> Result<Self, Why> {
        let mut kernel = Self::open(frame, rule, parts)?;
        kernel.clear().await?;
        // Not every kernel has all that leading and counting take.
        let mut refused = Ok(BTreeMap::new());
        for (leads, counts) in [(true, true), (true, false), (false, true), (false, false)] {
            (kernel.frame.leads, kernel.frame.counts) = (leads, counts);
            refused = kernel.apply(VipTable::default(), Look::AtAll).await;
            if refused.is_ok() {
                kernel.begin_counting();
                return Ok(kernel);
            }
        }
        kernel.clear().await?;
        refused.map(|_| kernel)
    }

    /// Takes what another process has set for its own, and leaves it as it is until it is told what
    /// is wanted: that takes its place at once.
    pub(crate) fn take_over(
        frame: TableFrame,
        rule: MarkRule,
        parts: (Intake, Meter),
        legacy: KernelLegacy,
    ) -> Result<Self, Why> {
        let KernelLegacy { leads, counts } = legacy;
        let mut kernel = Self::open(TableFrame { leads, counts, ..frame }, rule, parts)?;
        // Which routes there are is looked up.
        kernel.is_astray = true;
        kernel.begin_counting();
        Ok(kernel)
    }

    fn open(
        frame: TableFrame,
        rule: MarkRule,
        (intake, meter): (Intake, Meter),
    ) -> Result<Self, Why> {
        let filter = Filter::open(&frame.table).map_err(nft_why)?;
        let mut kernel = Self {
            filter,
            routing: Routing::open().map_err(routing_why)?,
            vigil: Vigil::open(rule),
            frame,
            rule,
            applied: None,
            is_sure: false,
            routes: BTreeSet::new(),
            is_astray: false,
            places: Sorted::default(),
            arrivals: Sorted::default(),
            misled: Default::default(),
            intake,
            meter,
            links: Vec::new(),
            passing: None,
            passes: false,
        };
        kernel.routing.port().into_iter().for_each(|port| kernel.vigil.is_own(port));
        Ok(kernel)
    }

    /// What another process has to know of it.
    pub(crate) fn legacy(&self) -> KernelLegacy {
        KernelLegacy { leads: self.frame.leads, counts: self.frame.counts }
    }

    /// Others may have set anything that is ours: it is made anew.
    pub(crate) fn doubt(&mut self) {
        (self.applied, self.is_sure, self.passes) = (None, false, false);
        self.is_astray = true;
    }

    fn begin_counting(&self) {
        if !self.frame.counts {
            tracing::info!("the kernel does not count what it forwards: its sets cannot");
        } else if let Err(error) = self.meter.begin(&self.frame.table) {
            tracing::warn!(%error, "what the kernel forwards is not counted");
        }
    }

    /// Whether packets can be led to listeners at other ports than the one asked for.
    pub(crate) fn leads(&self) -> bool {
        self.frame.leads
    }

    /// Those of `vips` whose packets can be.
    pub(crate) fn led(&mut self, vips: BTreeSet<IpAddr>) -> BTreeSet<IpAddr> {
        if !self.frame.leads {
            return BTreeSet::new();
        }
        self.links = links::list().unwrap_or_default();
        let mut facts = HostFacts { bridges: self.filtered_bridges(), ..HostFacts::default() };
        if !facts.bridges.is_empty() {
            facts.arrivals = self.arrivals(&vips);
        }
        vips.into_iter().filter(|vip| !facts.is_filtered(*vip)).collect()
    }

    /// Has packets of flows that began at former owners passed to them, as `passing` says.
    pub(crate) fn pass(&mut self, passing: &Passing) -> Result<(), Why> {
        self.passing = Some(passing.clone());
        self.set_passing()
    }

    fn set_passing(&mut self) -> Result<(), Why> {
        let Some(passing) = self.passing.clone().filter(|_| !self.passes) else { return Ok(()) };
        let begun = passing.begin(&self.frame.table);
        let port = begun.map_err(|error| Why::Refused(error.to_string()))?;
        port.into_iter().for_each(|port| self.filter.is_own(port));
        self.passes = true;
        Ok(())
    }

    /// What [`Kernel::take`] and later applies set.
    pub(crate) fn changes(&self) -> Vec<HostChange> {
        let changes = set_by(&self.frame.table, self.rule, self.passing.is_some());
        changes.map(|what| HostChange { what, at_exit: AtExit::Undone }).into()
    }

    /// Makes `ruleset` be what is in force. On an error the one before most likely still is; what
    /// comes next is made anew. Returns the vips that this host cannot be made to take.
    pub(crate) async fn apply(
        &mut self,
        ruleset: VipTable,
        look: Look,
    ) -> Result<BTreeMap<IpAddr, Why>, Why> {
        let lost = self.lead(&ruleset, look)?;
        self.write(&ruleset).await?;
        let is_gone = |vip: &&IpAddr| !ruleset.served().contains_key(*vip);
        let gone: Vec<IpAddr> = self.routes.iter().filter(is_gone).copied().collect();
        for vip in gone {
            self.routing.delete_route(self.rule.table, vip).map_err(routing_why)?;
            self.routes.remove(&vip);
        }
        Ok(lost)
    }

    /// Sets the rule and the routes that `ruleset` takes, of all vips or of those without one.
    /// Returns the vips for which there can be none.
    fn lead(&mut self, ruleset: &VipTable, look: Look) -> Result<BTreeMap<IpAddr, Why>, Why> {
        self.routing.add_rule(self.rule).map_err(routing_why)?;
        let is_astray = self.is_astray;
        if is_astray {
            let there = self.routing.addresses(self.rule.table).map_err(routing_why)?;
            self.routes = there.into_iter().collect();
        }
        let mut lost = BTreeMap::new();
        let all = is_astray || look == Look::AtAll;
        let is_new = |vip: &&IpAddr| all || !self.routes.contains(*vip);
        let routes: Vec<IpAddr> = ruleset.served().keys().filter(is_new).copied().collect();
        for vip in routes {
            if let Err(error) = self.routing.add_local(self.rule.table, vip) {
                self.routes.remove(&vip);
                lost.insert(vip, Why::Undeliverable(error.to_string()));
            } else {
                self.routes.insert(vip);
            }
        }
        self.is_astray = false;
        Ok(lost)
    }

    /// Makes the table be as `ruleset` says: by what differs, else anew.
    async fn write(&mut self, ruleset: &VipTable) -> Result<(), Why> {
        let is_sure = std::mem::take(&mut self.is_sure);
        if let Some(before) = self.applied.as_ref().filter(|_| is_sure) {
            let batch = ruleset.change(before, &self.frame);
            if ruleset.takes_from(before) {
                self.meter.save();
            }
            let outcome = if batch.is_empty() { Ok(()) } else { self.filter.run(&batch).await };
            match outcome {
                Ok(()) => {
                    self.is_sure_of(ruleset);
                    return Ok(());
                }
                Err(error) => tracing::warn!(%error, "our table is made anew"),
            }
        }
        self.meter.save();
        let table = &self.frame.table;
        let batch = ruleset.replace(&self.frame) + &self.intake.elements(table);
        self.filter.run(&batch).await.map_err(nft_why)?;
        self.meter.renew();
        // Vips may have come or gone meanwhile.
        let begun = self.intake.begin(table);
        let port = begun.map_err(|error| Why::Refused(error.to_string()))?;
        port.into_iter().for_each(|port| self.filter.is_own(port));
        self.is_sure_of(ruleset);
        Ok(())
    }

    fn is_sure_of(&mut self, ruleset: &VipTable) {
        (self.applied, self.is_sure) = (Some(ruleset.clone()), true);
    }

    /// What is in force.
    pub(crate) fn applied(&self) -> Option<&VipTable> {
        self.applied.as_ref()
    }

    /// Looks whether our tables are as we left them, and what the host is like.
    pub(crate) async fn look(&mut self) -> HostFacts {
        let mut facts =
            HostFacts { mark: self.rule.mark, leads: self.frame.leads, ..HostFacts::default() };
        for (family, setting) in
            [(Family::V4, "net.ipv4.ip_forward"), (Family::V6, "net.ipv6.conf.all.forwarding")]
        {
            if !is_on(setting) {
                facts.no_forwarding.insert(family, Why::ForwardingOff(family));
            }
        }
        self.links = links::list().unwrap_or_default();
        self.attend();
        (facts.walls, facts.is_unread) = self.filter.walls().await;
        facts.closed = self.closed(&facts);
        facts.bridges = self.filtered_bridges();
        facts
    }

    /// Looks what others did to what is ours; what of it apply does not set again is set here.
    fn attend(&mut self) {
        self.is_astray |= self.vigil.is_touched();
        if self.filter.is_touched() {
            (self.applied, self.is_sure, self.passes) = (None, false, false);
        }
        if let Err(why) = self.set_passing() {
            tracing::warn!(%why, "flows that began at a former owner may break");
        }
    }

    /// Interfaces whose IPv4 packets are not forwarded, though the host forwards.
    fn closed(&self, facts: &HostFacts) -> BTreeSet<String> {
        if facts.no_forwarding.contains_key(&Family::V4) {
            return BTreeSet::new();
        }
        let is_closed = |link: &&Link| {
            !link.loopback
                && !is_on(&format!("net.ipv4.conf.{}.forwarding", link.name.replace('.', "/")))
        };
        self.links.iter().filter(is_closed).map(|link| link.name.clone()).collect()
    }

    /// Bridges whose frames pass through the firewall, by family.
    fn filtered_bridges(&mut self) -> BTreeMap<String, BTreeSet<Family>> {
        let filtered: BTreeSet<Family> = [(Family::V4, "iptables"), (Family::V6, "ip6tables")]
            .into_iter()
            .filter(|(_, tables)| is_on(&format!("net.bridge.bridge-nf-call-{tables}")))
            .map(|(family, _)| family)
            .collect();
        if filtered.is_empty() {
            return BTreeMap::new();
        }
        let routing = &mut self.routing;
        let bridges = self.links.iter().filter(|it| routing.is_bridge(it.index).unwrap_or(false));
        bridges.map(|link| (link.name.clone(), filtered.clone())).collect()
    }

    /// Everything is looked at again.
    pub(crate) fn forget_places(&mut self) {
        (self.places, self.arrivals, self.misled) = Default::default();
    }

    /// By which interface packets for vips come in; `vips` are looked at, others known.
    pub(crate) fn arrivals(&mut self, vips: &BTreeSet<IpAddr>) -> Sorted<IpAddr, String> {
        let found: Vec<_> = vips
            .iter()
            .map(|vip| {
                let link = self.arrival(*vip);
                (*vip, link.and_then(|link| self.name(link)))
            })
            .collect();
        self.arrivals.change(found);
        self.arrivals.clone()
    }

    /// The one by which this host would send there; the one with its subnet, where somebody's rule
    /// or route refuses that.
    fn arrival(&mut self, vip: IpAddr) -> Option<u32> {
        if let Ok(Path::Out { link, .. }) = self.routing.path(vip) {
            return Some(link);
        }
        let held = self.links.iter().filter(|link| link.up);
        let held = held.filter_map(|link| Some((link.subnet_of(vip)?.prefix_len(), link.index)));
        held.max().map(|(_, index)| index)
    }

    fn name(&self, link: u32) -> Option<String> {
        self.links.iter().find(|it| it.index == link).map(|it| it.name.clone())
    }

    /// Vips whose packets, or answers, rules of others lead elsewhere: asked of the kernel, for a
    /// packet of another machine of the vip's subnet.
    pub(crate) fn misled(&mut self) -> BTreeMap<IpAddr, Obstacle> {
        let served = self.applied.as_ref().map(|it| it.served().clone()).unwrap_or_default();
        if served != self.misled.0 {
            let mut rules: BTreeMap<Family, Vec<OtherRule>> = BTreeMap::new();
            for vip in served.keys() {
                if let Entry::Vacant(entry) = rules.entry(Family::of(*vip)) {
                    entry.insert(self.routing.others(*vip, self.rule).unwrap_or_default());
                }
            }
            let mislead =
                |vip: &IpAddr| Some((*vip, self.misleads(*vip, &rules[&Family::of(*vip)])?));
            let misled = served.keys().filter_map(mislead).collect();
            self.misled = (served, misled);
        }
        self.misled.1.clone()
    }

    fn misleads(&mut self, vip: IpAddr, rules: &[OtherRule]) -> Option<Obstacle> {
        if rules.is_empty() {
            return None;
        }
        let link = self.arrival(vip)?;
        let from = self.neighbor(link, vip)?;
        let before = rules.iter().filter(|rule| rule.priority < self.rule.priority);
        let before: Vec<OtherRule> = before.copied().collect();
        let delivered = self.routing.is_delivered(vip, self.rule.mark, from, link);
        if matches!(delivered, Ok(false)) && !before.is_empty() {
            Some(Obstacle::PolicyRule { rules: before })
        } else if matches!(Routing::is_answered(vip, from), Ok(false)) {
            Some(Obstacle::NoWayBack { vip, rules: rules.to_vec() })
        } else {
            None
        }
    }

    /// An address that a client at `link` may have.
    fn neighbor(&self, link: u32, vip: IpAddr) -> Option<IpAddr> {
        let own = &self.links.iter().find(|it| it.index == link)?.addresses;
        let net = own.iter().find(|net| net.contains(&vip))?;
        let is_free = |at: &IpAddr| *at != vip && own.iter().all(|net| net.addr() != *at);
        match net {
            IpNet::V4(net) => net.hosts().map(IpAddr::V4).take(8).find(is_free),
            IpNet::V6(net) => net.hosts().skip(1).map(IpAddr::V6).take(8).find(is_free),
        }
    }

    /// Waits until others did something to the packet filter or to rules and routes; whether to
    /// what is ours.
    pub(crate) async fn stirred(&mut self) -> bool {
        tokio::select! {
            is_ours = self.filter.stirred() => is_ours,
            is_ours = self.vigil.stirred() => is_ours,
        }
    }

    /// Where endpoints are; `addresses` are looked at, others known.
    pub(crate) fn places(&mut self, addresses: &BTreeSet<IpAddr>) -> Sorted<IpAddr, Spot> {
        if !addresses.is_empty() {
            let lasting = links::lasting().unwrap_or_default();
            let found: Vec<_> =
                addresses.iter().map(|at| (*at, Some(self.spot(*at, &lasting)))).collect();
            self.places.change(found);
        }
        self.places.clone()
    }

    fn spot(&mut self, address: IpAddr, lasting: &[(u32, IpNet)]) -> Spot {
        let path = self.routing.path(address);
        let source = match path {
            Ok(Path::Out { link, .. }) => source(address, link, lasting),
            _ => None,
        };
        let (place, link) = match path {
            Ok(Path::Local) => (Whereabouts::Here, None),
            Ok(Path::Out { pod_link: true, link }) => (Whereabouts::PodLink, self.name(link)),
            Ok(Path::Out { pod_link: false, link }) => (Whereabouts::OffBox, self.name(link)),
            Ok(Path::Nowhere) | Err(_) => (Whereabouts::OffBox, None),
        };
        Spot { place, link, source }
    }

    /// Removes everything that is ours, whoever made it: all that can be, whatever is refused.
    pub(crate) async fn clear(&mut self) -> Result<(), Why> {
        (self.applied, self.is_sure, self.passes) = (None, false, false);
        self.passing.take().iter().for_each(Passing::end);
        self.intake.end();
        let batch = self.frame.delete() + &pass_table::delete(&self.frame.table);
        let tables = self.filter.run(&batch).await.map_err(nft_why);
        let roads = self.clear_roads().map_err(routing_why);
        tables.and(roads)
    }

    fn clear_roads(&mut self) -> Result<(), RoutingError> {
        self.routing.delete_rule(self.rule)?;
        for vip in self.routing.addresses(self.rule.table)? {
            self.routing.delete_route(self.rule.table, vip)?;
        }
        self.routes.clear();
        Ok(())
    }
}

/// What is set on a host, as an administrator would look for it.
pub(crate) fn set_by(name: &str, rule: MarkRule, passes: bool) -> [String; 3] {
    let MarkRule { mark, table, priority } = rule;
    let passes = if passes { format!(", ip {name}, ip6 {name}") } else { String::new() };
    [
        format!("nftables: table inet {name}{passes}"),
        format!(
            "ip rule: priority {priority} fwmark {mark:#x}/{mark:#x} lookup {table}, v4 and v6"
        ),
        format!("ip route: table {table}, one local route for each vip served here"),
    ]
}

fn is_on(setting: &str) -> bool {
    sysctl::read(setting).is_ok_and(|value| value.as_deref() == Some("1"))
}

pub(crate) fn nft_why(error: NftError) -> Why {
    match error {
        NftError::Missing => Why::NftMissing,
        NftError::Denied => Why::Denied(error.to_string()),
        NftError::Run(_) | NftError::Refused(_) | NftError::Unfinished(_) => {
            Why::Refused(error.to_string())
        }
    }
}

pub(crate) fn routing_why(error: RoutingError) -> Why {
    if error.is_denied() { Why::Denied(error.to_string()) } else { Why::Refused(error.to_string()) }
}
