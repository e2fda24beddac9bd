//! The owner of the data path: looks at the host, decides, opens, writes, closes, forgets; in this
//! order, so that nothing is led where nobody is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use steelyard_forwarding::{
    Carriage, Decider, Decision, Desired, Forwarded, HostChange, HostFacts, Listeners, Mending,
    Observed, Served, TableFrame, VipPort, VipTable, Why, answering, as_before, status,
};
use steelyard_host::name::{self, Name};
use steelyard_host::rule::MarkRule;
use steelyard_host::{conntrack, private};
use steelyard_model::Protocol;
use tokio::sync::{mpsc, watch};

use crate::ask::{Ask, Look};
use crate::intake::Intake;
use crate::journal;
use crate::kernel::Kernel;
use crate::legacy::{CLAIM, ForwardHandedOn, ForwardLegacy, LOCK};
use crate::meter::Meter;
use crate::options::{ForwardOptions, NoForwarder};
use crate::passing::Passing;
use crate::proxy::{At, Proxies};
use crate::rounds::Rounds;

pub(crate) struct Owner {
    kernel: Option<Kernel>,
    no_kernel: Option<Why>,
    /// Why forwarding could not be turned on although it was asked for.
    no_sysctl: Option<Why>,
    passing: Passing,
    intake: Intake,
    meter: Meter,
    proxies: Proxies,
    /// UDP ports, and who may answer for them.
    answering: BTreeMap<VipPort, BTreeSet<SocketAddr>>,
    lock: Option<(File, Name)>,
    /// TCP ports that the kernel carried until they were closed for good.
    ending: BTreeSet<SocketAddr>,
    /// As last asked for.
    desired: Desired,
    decider: Decider,
    /// As last decided, whether or not the kernel took it.
    table: VipTable,
    rounds: Rounds,
    mending: Mending,
    /// Another process may set what is ours: nothing of the host is touched.
    is_handing_on: bool,
    /// It has all of it, for good; or this one is the other process, and not in charge yet.
    is_anothers: bool,
    /// Told when others did something to the packet filter, or to the ip rules.
    stirred: watch::Sender<()>,
}

impl Owner {
    pub(crate) async fn start(
        options: &ForwardOptions,
    ) -> Result<(Self, Vec<HostChange>), NoForwarder> {
        let mut owner = Self::new(options);
        if !options.privileged {
            return Ok((owner, Vec::new()));
        }
        owner.lock = Some((lock(options)?, claim(options)?));
        if let Some(legacy) = &options.legacy {
            owner.intake.take_over(&legacy.live);
            owner.passing.take_over(&legacy.passes);
        }
        let frame = TableFrame {
            table: options.table.clone(),
            mark: options.fwmark,
            leads: true,
            counts: true,
        };
        let rule = MarkRule {
            mark: options.fwmark,
            table: options.route_table,
            priority: options.rule_priority,
        };
        let mut changes = Vec::new();
        let parts = (owner.intake.clone(), owner.meter.clone());
        let taken = match options.legacy.as_ref().and_then(|it| it.kernel) {
            Some(legacy) => Kernel::take_over(frame, rule, parts, legacy),
            None => Kernel::take(frame, rule, parts).await,
        };
        match taken {
            Ok(mut kernel) => {
                if options.shared
                    && let Err(why) = kernel.pass(&owner.passing)
                {
                    tracing::warn!(%why, "flows break when their vip gets another owner");
                }
                changes = kernel.changes();
                owner.no_kernel = None;
                owner.kernel = Some(kernel);
            }
            Err(why) => owner.no_kernel = Some(why),
        }
        if options.ip_forward && owner.kernel.is_some() {
            match journal::turn_forwarding_on(&options.state_dir) {
                Ok(set) => changes.extend(set),
                Err(error) => {
                    owner.no_sysctl = Some(Why::ForwardingLocked(error.to_string()));
                }
            }
        }
        Ok((owner, changes))
    }

    fn new(options: &ForwardOptions) -> Self {
        let meter = Meter::default();
        Self {
            kernel: None,
            no_kernel: Some(Why::Unprivileged),
            no_sysctl: None,
            passing: Passing::default(),
            intake: Intake::new(options.lease),
            proxies: Proxies::new(
                (options.flows.clone(), options.sessions.clone()),
                meter.clone(),
                (options.inherited.clone(), options.own_sockets.clone()),
            ),
            meter,
            answering: BTreeMap::new(),
            lock: None,
            ending: BTreeSet::new(),
            desired: Desired::default(),
            decider: Decider::default(),
            table: VipTable::default(),
            rounds: Rounds::default(),
            mending: Mending::default(),
            is_handing_on: false,
            is_anothers: options.legacy.is_some(),
            stirred: watch::Sender::default(),
        }
    }

    /// Why the kernel is not used at all, where that is so.
    pub(crate) fn degraded(&self) -> Option<Why> {
        self.no_kernel.clone()
    }

    pub(crate) fn passing(&self) -> Passing {
        self.passing.clone()
    }

    pub(crate) fn stirred(&self) -> watch::Receiver<()> {
        self.stirred.subscribe()
    }

    pub(crate) fn intake(&self) -> Intake {
        self.intake.clone()
    }

    pub(crate) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    pub(crate) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Ask>) {
        loop {
            let ask = tokio::select! {
                ask = inbox.recv() => ask,
                () = self.rounds.changed(), if self.kernel.is_some() && !self.is_handing_on => {
                    self.apply(&self.desired.clone(), Look::AtNew).await;
                    self.stirred.send_replace(());
                    continue;
                }
                () = stirred(&mut self.kernel, &mut self.mending, &self.stirred),
                    if !self.is_handing_on => {
                    self.apply(&self.desired.clone(), Look::AtAll).await;
                    continue;
                }
            };
            let Some(ask) = ask else { break };
            match ask {
                Ask::Apply(desired, look, answer) => {
                    let _ = answer.send(self.apply(&desired, look).await);
                }
                Ask::Led(vips, answer) => {
                    let kernel = self.kernel.as_mut();
                    let _ = answer.send(kernel.map(|it| it.led(vips)).unwrap_or_default());
                }
                Ask::WindDown(answer) => {
                    self.wind_down().await;
                    let _ = answer.send(());
                }
                Ask::HandOn(answer) => {
                    self.is_handing_on = true;
                    let _ = answer.send(self.hand_on());
                }
                Ask::GoOn(answer) => {
                    self.is_handing_on = false;
                    self.kernel.iter_mut().for_each(Kernel::doubt);
                    self.apply(&self.desired.clone(), Look::AtAll).await;
                    let _ = answer.send(());
                }
                Ask::TakeOver(answer) => {
                    self.is_anothers = false;
                    let _ = answer.send(());
                }
                Ask::LetGo(answer) => {
                    self.let_go();
                    let _ = answer.send(());
                }
                Ask::Flows(answer) => {
                    let _ = answer.send(self.flows().await);
                }
                Ask::Remove(answer) => {
                    let outcome = self.remove().await;
                    let _ = answer.send(outcome);
                    return;
                }
            }
        }
        if let Err(why) = self.remove().await {
            tracing::error!(%why, "what was set on this host could not be undone");
        }
    }

    /// What another process goes on with.
    fn hand_on(&self) -> ForwardHandedOn {
        let legacy = ForwardLegacy {
            kernel: self.kernel.as_ref().map(Kernel::legacy),
            live: self.intake.live(),
            passes: self.passing.legacy(),
        };
        let mut descriptors = self.proxies.sockets();
        if let Some((lock, claim)) = &self.lock {
            let lock = lock.try_clone().map(OwnedFd::from).ok();
            let claim = claim.share().ok().flatten();
            descriptors.extend(lock.map(|it| (LOCK.to_owned(), it)));
            descriptors.extend(claim.map(|it| (CLAIM.to_owned(), it)));
        }
        ForwardHandedOn { legacy, descriptors }
    }

    fn let_go(&mut self) {
        (self.is_handing_on, self.is_anothers) = (true, true);
        self.intake.end();
        self.passing.end();
        self.kernel = None;
        self.lock = None;
        self.ending = BTreeSet::new();
        self.proxies.let_go();
    }

    async fn apply(&mut self, desired: &Desired, look: Look) -> Observed {
        self.mending.done(Instant::now());
        let facts = self.facts(desired, look).await;
        self.desired.clone_from(desired);
        let before = self.decider.decision().clone();
        let decision = self.decider.take(desired, &facts).clone();
        let listening = self.open(&decision, &facts);
        let wanted = |key: VipPort| listening.get(&key).is_some_and(Result::is_ok);
        let (mut lost, mut misled) = (BTreeMap::new(), BTreeMap::new());
        if let Some(kernel) = &mut self.kernel {
            let delivered = decision.ports().filter_map(|port| match port.way {
                Carriage::Deliver(at) => Some((port.key, at)),
                _ => None,
            });
            let local = delivered.chain(self.proxies.at_vips(wanted)).collect();
            self.table = self.table.after(&before, &decision, local, &self.proxies.busy());
            match kernel.apply(self.table.clone(), look).await {
                Ok(undelivered) => lost = undelivered,
                Err(why) => {
                    tracing::debug!(%why, "the last good rules stay in force");
                    let ports = as_before(&decision, kernel.applied(), &listening, &why);
                    return Observed { ports, silent: facts.dead, refused: Some(why) };
                }
            }
            misled = kernel.misled();
        }
        self.proxies.retain(wanted);
        self.meter.follow(&decision, self.kernel.as_ref().and_then(Kernel::applied));
        self.forget_flows(&decision).await;
        let ports = decision.ports().map(|port| status(port, &listening, &lost, &misled));
        Observed { ports: ports.collect(), silent: facts.dead, refused: None }
    }

    async fn facts(&mut self, desired: &Desired, look: Look) -> HostFacts {
        let nothing = Desired::default();
        let before = if look == Look::AtAll { &nothing } else { &self.desired };
        let mut facts = HostFacts::default();
        if let Some(kernel) = &mut self.kernel {
            facts = kernel.look().await;
            if look == Look::AtAll {
                kernel.forget_places();
            }
            let (vips, endpoints) = desired.concerned(before);
            facts.places = kernel.places(&endpoints);
            facts.arrivals = kernel.arrivals(&vips);
        }
        if let Some(failed) = &self.no_sysctl {
            for why in facts.no_forwarding.values_mut() {
                if matches!(why, Why::ForwardingOff(_)) {
                    *why = failed.clone();
                }
            }
        }
        facts.no_kernel.clone_from(&self.no_kernel);
        self.rounds.follow(desired.choices());
        facts.dead.clone_from(self.rounds.dead());
        facts
    }

    /// Opens what is carried in this process, before any packet is led there.
    fn open(&mut self, decision: &Decision, facts: &HostFacts) -> Listeners {
        let leads = self.kernel.as_ref().map(Kernel::leads);
        let at = |vip| match leads {
            Some(true) if !facts.is_filtered(vip) => At::Led,
            Some(_) => At::Vip,
            None => At::Loopback,
        };
        let mut listening = BTreeMap::new();
        for port in decision.ports() {
            if let Carriage::InProcess(endpoints, _) = &port.way {
                let opened = self.proxies.carry(port.key, at(port.key.address), endpoints);
                listening.insert(port.key, opened.map_err(|error| error.to_string()));
            }
        }
        listening
    }

    /// Makes the kernel forget UDP flows to endpoints that no longer carry their port.
    async fn forget_flows(&mut self, decision: &Decision) {
        if self.kernel.is_none() {
            return;
        }
        let udp = decision.ports().filter(|port| port.key.protocol == Protocol::Udp);
        let now: BTreeMap<VipPort, BTreeSet<SocketAddr>> =
            udp.map(|port| (port.key, answering(port))).collect();
        let before = std::mem::replace(&mut self.answering, now.clone());
        let mut changed = now;
        for (key, who) in before {
            if changed.get(&key) == Some(&who) {
                changed.remove(&key);
            } else {
                changed.entry(key).or_default();
            }
        }
        if changed.is_empty() {
            return;
        }
        let stale = move |flow: &conntrack::TrackedFlow| {
            let key = VipPort {
                address: flow.destination.ip(),
                protocol: Protocol::Udp,
                port: flow.destination.port(),
            };
            let allowed = changed.get(&key);
            flow.protocol == conntrack::UDP
                && allowed.is_some_and(|allowed| !allowed.contains(&flow.answering))
        };
        match tokio::task::spawn_blocking(|| conntrack::delete(stale)).await {
            Ok(Ok(flows)) => tracing::debug!(flows, "stale UDP flows forgotten"),
            Ok(Err(error)) => tracing::warn!(%error, "stale UDP flows stay until they end"),
            Err(error) => tracing::error!(%error, "forgetting UDP flows broke off"),
        }
    }

    async fn wind_down(&mut self) {
        self.ending = self.translated();
        let served = self.desired.served.iter().map(|(place, vip)| {
            let nobody = Served { listening: Vec::new(), ..vip.clone() };
            (place.clone(), nobody)
        });
        let forwarded = self.desired.forwarded.iter().map(|(place, vip)| {
            let mut nowhere = Forwarded::clone(vip);
            nowhere.ports.iter_mut().for_each(|port| port.endpoints.clear());
            (place.clone(), nowhere)
        });
        let desired = Desired { served: served.collect(), forwarded: forwarded.collect() };
        self.apply(&desired, Look::AtAll).await;
    }

    /// TCP ports that the kernel carries.
    fn translated(&self) -> BTreeSet<SocketAddr> {
        let applied = self.kernel.as_ref().and_then(Kernel::applied);
        let keys = applied.into_iter().flat_map(|ruleset| ruleset.translated().keys());
        keys.filter(|key| key.protocol == Protocol::Tcp).map(|key| key.socket()).collect()
    }

    async fn flows(&self) -> usize {
        let mut translated = self.translated();
        translated.extend(&self.ending);
        if translated.is_empty() {
            return self.proxies.connections();
        }
        let ours = move |flow: &conntrack::TrackedFlow| {
            flow.protocol == conntrack::TCP
                && flow.is_open
                && translated.contains(&flow.destination)
        };
        let counted = tokio::task::spawn_blocking(|| conntrack::count(ours)).await;
        // What cannot be counted is not waited for.
        self.proxies.connections() + counted.map_or(0, |count| count.unwrap_or(0))
    }

    async fn remove(&mut self) -> Result<(), Why> {
        self.proxies = Proxies::default();
        if self.is_anothers {
            return Ok(());
        }
        let outcome = match &mut self.kernel {
            Some(kernel) => kernel.clear().await,
            None => Ok(()),
        };
        if let Some((lock, _claim)) = self.lock.take() {
            // Closing it would do, but not at once: a child being started has a copy.
            let _ = lock.unlock();
        }
        outcome
    }
}

/// Waits until it is time to set what is ours again, and tells `news` of what others do.
async fn stirred(kernel: &mut Option<Kernel>, mending: &mut Mending, news: &watch::Sender<()>) {
    let Some(kernel) = kernel else { return std::future::pending().await };
    loop {
        let due = async {
            match mending.due() {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => return,
            ours = kernel.stirred() => {
                if ours {
                    mending.ask(Instant::now());
                }
                news.send_replace(());
            }
        }
    }
}

/// Two folders on one host would still mean one table. The name belongs to the network namespace,
/// as the table does.
fn claim(options: &ForwardOptions) -> Result<Name, NoForwarder> {
    if let Some(given) = options.inherited.take(CLAIM).pop() {
        return Ok(Name::given(given));
    }
    let claimed = name::take(&claimed(&options.table));
    claimed.map_err(|name::Taken| NoForwarder::TableTaken(options.table.clone()))
}

/// What whoever sets our table claims.
pub(crate) fn claimed(table: &str) -> String {
    format!("steelyard-forward-{table}")
}

/// Held by this process alone, and let go by the kernel however it ends. Nobody else can open it,
/// so nobody else can hold it.
fn lock(options: &ForwardOptions) -> Result<File, NoForwarder> {
    // Locked already, by whoever opened it: a lock is the open file's, whoever has that.
    if let Some(given) = options.inherited.take(LOCK).pop() {
        return Ok(given.into());
    }
    let path = options.state_dir.clone();
    let state = |source| NoForwarder::State { path: path.clone(), source };
    private::folder(&options.state_dir).map_err(state)?;
    let name = options.state_dir.join("forward.lock");
    let file = private::open(&name).map_err(state)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(NoForwarder::Taken(name)),
        Err(TryLockError::Error(source)) => Err(state(source)),
    }
}
