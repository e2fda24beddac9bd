//! The hand that reports in the cluster: addresses in the statuses of Services, and what else
//! objects and events tell of a decision.
//!
//! It waits for no write. What became of one is taken in ([`Statuses::take`]), and what is still
//! wanted then is written again: one object that cannot be written keeps no other waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use anyhow::Result;
use steelyard_kube::{CarriedOut, Writer, rfc3339};
use steelyard_manifest::ClusterEvent;
use steelyard_metrics::{Exposition, table};
use steelyard_model::{Diagnostic, Holdings, NamespacedName, ObjectRef, Snapshot};
use steelyard_plan::{Plan, PoolUsage, ServiceEventKind};
use steelyard_statuses::{
    Component, ConditionStatus, Events, Happened, LeftAlone, Reportable, Reported, Retries, Rivals,
    Scope, StatusKind, StatusOptions, Wanted, WriteOutcome, condition, differing, left_alone,
    taken_up, wanted,
};

use super::{Applied, Doing, Hand};
use crate::mind::Decided;

/// Reason of the event that a status is somebody else's.
const LEFT_ALONE: &str = "StatusOfAnother";
/// Reason and text of the event that an Ingress was taken up, as ingress-nginx writes them.
const SYNC: (&str, &str) = ("Sync", "Scheduled for sync");

/// The reporter, and what is known of what is reported.
pub(crate) struct Statuses {
    options: StatusOptions,
    reported: Reported,
    rivals: Rivals,
    retries: Retries,
    events: Events,
    /// None while nothing is written: another replica leads, or this one only looks.
    writer: Option<Writer>,
    last: Option<Arc<Decided>>,
    /// What to look at: it, or what was decided of it, differs from what was last compared.
    stale: Scope,
    left: BTreeMap<NamespacedName, LeftAlone>,
    counts: Counts,
}

/// What is counted. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    written: AtomicU64,
    failed: AtomicU64,
    conflicts: AtomicU64,
    decided: AtomicU64,
    stale: AtomicU64,
    leads: AtomicU64,
    pools: Mutex<(Vec<PoolUsage>, BTreeMap<String, u64>)>,
}

impl Statuses {
    pub(crate) fn new(options: StatusOptions, counts: Counts) -> Self {
        Self {
            options,
            reported: Reported::default(),
            rivals: Rivals::default(),
            retries: Retries::default(),
            events: Events::default(),
            writer: None,
            last: None,
            stale: Scope::All,
            left: BTreeMap::new(),
            counts,
        }
    }

    /// Takes note of what was heard, and out of it what is older than what is known.
    pub(crate) fn heed(&mut self, heard: &mut Vec<ClusterEvent>) {
        for event in &*heard {
            match event {
                ClusterEvent::Written(object) => self.see(&object.object.reference),
                ClusterEvent::Gone { key, .. } => self.see(&key.reference),
                ClusterEvent::Unwatched(_)
                | ClusterEvent::Refused { .. }
                | ClusterEvent::Anew(_) => {}
                ClusterEvent::Listed { .. } | ClusterEvent::Absent(_) => self.stale = Scope::All,
            }
        }
        heard.retain(|event| self.reported.heed(event));
    }

    /// An object may report something else.
    fn see(&mut self, object: &ObjectRef) {
        let Some(kind) = StatusKind::named(&object.kind) else { return };
        if kind == StatusKind::Service
            && self.options.ingresses.as_ref().is_some_and(|it| it.hangs_on(&object.id()))
        {
            // Every Ingress reports what it does.
            self.stale = Scope::All;
        }
        self.stale.extend(kind, [object.id()]);
    }

    /// Writes by this one from now on; what another one began is not its business.
    pub(crate) fn write_by(&mut self, writer: Option<Writer>) {
        self.counts.0.leads.store(u64::from(writer.is_some()), Ordering::Relaxed);
        (self.writer, self.retries, self.last) = (writer, Retries::default(), None);
        self.stale = Scope::All;
        self.left.clear();
    }

    /// What Services report is not known: they are listed before anything is written.
    pub(crate) fn forget_services(&mut self) {
        self.reported.forget(StatusKind::Service.name());
    }

    /// Who else gives addresses; whether that is news.
    pub(crate) fn set_rivals(&mut self, rivals: Rivals) -> bool {
        let is_news = rivals != self.rivals;
        if is_news {
            (self.rivals, self.stale) = (rivals, Scope::All);
        }
        is_news
    }

    /// What of a decision is not written, since it is somebody else's: as findings, and in what is
    /// held. Addresses that others write count as they write them.
    pub(crate) fn leave_alone(&mut self, decided: &mut Decided) -> Holdings {
        self.compare(decided);
        let mut scope = self.stale.clone();
        scope.extend(StatusKind::Service, self.left.keys().cloned());
        let left = left_alone(self.reportable(decided, ""), &self.reported, &scope);
        let found = left.iter().map(LeftAlone::diagnostic).chain(self.rivals.diagnostic());
        decided.plan.diagnostics.extend(found.collect::<Vec<Diagnostic>>());
        let mut held = decided.plan.held.clone();
        held.0.change(left.into_iter().map(|it| (it.service, None)));
        held
    }

    /// Takes in what became of writes, and writes what is wanted still.
    pub(crate) fn take(&mut self, carried: Vec<CarriedOut>) {
        let now = Instant::now();
        for CarriedOut { kind, id, outcome, object } in carried {
            if let Some(object) = object {
                self.reported.heed(&ClusterEvent::Written(object));
            }
            self.stale.extend(kind, [id.clone()]);
            self.counts.count(outcome);
            self.retries.end(now, kind, &id, outcome);
        }
        self.write();
    }

    /// When there is something to write again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retries.deadline().filter(|_| self.writer.is_some())
    }

    /// Writes what is wanted, given what is reported now.
    pub(crate) fn write(&mut self) {
        let (Some(decided), Some(writer)) = (self.last.clone(), self.writer.clone()) else {
            return;
        };
        let (now, at) = (Instant::now(), rfc3339(SystemTime::now(), 0));
        let mut scope = std::mem::replace(&mut self.stale, Scope::nothing());
        for (kind, id) in self.retries.due(now) {
            scope.extend(kind, [id.clone()]);
        }
        let Wanted { writes, left } =
            wanted(self.reportable(&decided, &at), &self.reported, &scope);
        let keys: BTreeSet<_> = writes.iter().map(|write| (write.kind, write.id.clone())).collect();
        self.retries.settle(&scope, |kind, id| keys.contains(&(kind, id.clone())));
        for write in self.retries.begin(now, writes) {
            writer.write(write);
        }
        self.tell_left(left, &scope, &at);
    }

    fn reportable<'a>(&'a self, decided: &'a Decided, now: &'a str) -> Reportable<'a> {
        let Decided { plan, snapshot, .. } = decided;
        let (rivals, options) = (&self.rivals, &self.options);
        Reportable { plan, snapshot, rivals, options, now }
    }

    /// Takes note of what of a decision is otherwise than in the last.
    fn compare(&mut self, decided: &Decided) {
        let Some(last) = &self.last else { return self.stale = Scope::All };
        let scope = differing(self.reportable(last, ""), self.reportable(decided, ""));
        self.stale.join(scope);
    }

    fn tell_left(&mut self, left: Vec<LeftAlone>, scope: &Scope, at: &str) {
        let mut before = std::mem::take(&mut self.left);
        for it in left {
            if before.get(&it.service) != Some(&it) {
                let (kind, why) = (ServiceEventKind::Warning, it.to_string());
                self.tell((StatusKind::Service, &it.service), kind, LEFT_ALONE, &why, at);
            }
            self.left.insert(it.service.clone(), it);
        }
        before.retain(|id, _| !scope.holds(StatusKind::Service, id));
        self.left.extend(before);
    }

    /// Tells of a Service, or an Ingress.
    fn tell(
        &mut self,
        (of, id): (StatusKind, &NamespacedName),
        kind: ServiceEventKind,
        reason: &str,
        message: &str,
        at: &str,
    ) {
        let Some(writer) = &self.writer else { return };
        let Some(revision) = self.reported.revision(of, id) else { return };
        let object = ObjectRef::new(of.name(), id.namespace.clone(), id.name.clone());
        let happened = Happened { object: &object, uid: &revision.uid, kind, reason, message };
        if let Some(event) = self.events.tell(Instant::now(), at, happened) {
            writer.tell(event);
        }
    }

    fn tell_services(&mut self, before: &Plan, plan: &Plan) {
        let at = rfc3339(SystemTime::now(), 0);
        for id in plan.services.differing(&before.services) {
            let Some(row) = plan.services.get(id) else { continue };
            if before.services.get(id).is_some_and(|before| before.outcome() == row.outcome()) {
                continue;
            }
            for event in row.events {
                let of = (StatusKind::Service, id);
                self.tell(of, event.kind, event.reason, &event.message, &at);
            }
        }
    }

    /// Tells of Ingresses that they were taken up.
    fn tell_ingresses(&mut self, before: &Snapshot, now: &Snapshot) {
        if !self.options.tells_ingresses || self.writer.is_none() {
            return;
        }
        let at = rfc3339(SystemTime::now(), 0);
        for id in taken_up(before, now) {
            let (reason, message) = SYNC;
            let of = (StatusKind::Ingress, &id);
            self.tell(of, ServiceEventKind::Normal, reason, message, &at);
        }
    }

    /// Begins no more writes; who may have to wait for the last ones.
    pub(crate) fn end(&mut self) -> Option<Writer> {
        self.writer.take()
    }
}

impl Hand for Statuses {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        _: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        let (nothing, none) = (Plan::default(), Snapshot::default());
        let before = self.last.replace(Arc::clone(decided));
        self.counts.see(&decided.plan);
        self.write();
        self.tell_services(before.as_ref().map_or(&nothing, |it| &it.plan), &decided.plan);
        let shown = before.as_ref().map_or(&none, |it| &it.snapshot);
        self.tell_ingresses(shown, &decided.snapshot);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Counts {
    fn count(&self, outcome: WriteOutcome) {
        let Counted { written, failed, conflicts, .. } = &*self.0;
        let counter = match outcome {
            WriteOutcome::Written => written,
            WriteOutcome::Conflict => conflicts,
            WriteOutcome::Failed(_) => failed,
            WriteOutcome::Gone | WriteOutcome::Deposed => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn see(&self, plan: &Plan) {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for pool in plan.services.values().filter_map(|row| row.pool) {
            *counts.entry(pool).or_default() += 1;
        }
        let services = counts.into_iter().map(|(pool, count)| (pool.to_owned(), count)).collect();
        self.0.decided.store(1, Ordering::Relaxed);
        let is_stale = condition(Component::Controller, &plan.diagnostics, "").status;
        let is_stale = is_stale == ConditionStatus::False;
        self.0.stale.store(u64::from(is_stale), Ordering::Relaxed);
        *self.0.pools.lock().unwrap_or_else(PoisonError::into_inner) =
            (plan.pools.clone(), services);
    }

    /// Tells them, under MetalLB's names.
    pub(crate) fn expose(&self, out: &mut Exposition) {
        let Counted { written, failed, conflicts, decided, stale, leads, pools } = &*self.0;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        out.family(&table::CLIENT_UPDATES).put([], read(written));
        out.family(&table::CLIENT_UPDATE_ERRORS).put([], read(failed));
        out.family(&table::UPDATE_CONFLICTS).put([], read(conflicts));
        out.family(&table::CONFIG_LOADED).put([], read(decided));
        out.family(&table::CONFIG_STALE).put([], read(stale));
        out.family(&table::LEADER).put([], read(leads));
        if read(leads) == 0 {
            return;
        }
        let pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
        let mut put = |family, count: fn(&PoolUsage) -> u64| {
            let mut series = out.family(family);
            for usage in &pools.0 {
                series.put([&usage.pool.name], count(usage));
            }
        };
        put(&table::POOL_ADDRESSES, |it| v4(it).saturating_add(v6(it)));
        put(&table::POOL_IPV4, v4);
        put(&table::POOL_IPV6, v6);
        put(&table::POOL_IN_USE, |it| it.status.assigned_ipv4 + it.status.assigned_ipv6);
        put(&table::POOL_IPV4_IN_USE, |it| it.status.assigned_ipv4);
        put(&table::POOL_IPV6_IN_USE, |it| it.status.assigned_ipv6);
        let mut series = out.family(&table::POOL_SERVICES);
        for (pool, count) in &pools.1 {
            series.put([pool], *count);
        }
    }
}

fn v4(it: &PoolUsage) -> u64 {
    it.status.assigned_ipv4.saturating_add(it.status.available_ipv4)
}

fn v6(it: &PoolUsage) -> u64 {
    it.status.assigned_ipv6.saturating_add(it.status.available_ipv6)
}
