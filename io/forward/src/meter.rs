//! What passes through each forwarded port: counted by the kernel where it translates, and here
//! where this process carries.
//!
//! The kernel is asked when somebody wants to know, and not more often than [`FRESH`]; before our
//! table is made anew it is asked once more, so that nothing that was counted is lost with it.
//! (Where another program deletes the table, what was counted since the last look is.)

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steelyard_forwarding::{
    Amount, COUNTED, Carriage, Decision, Ledger, PortDecision, Traffic, VipPort, VipTable, Why,
};
use steelyard_host::conntrack;
use steelyard_host::nft_counts::{CountedElement, ElementCounts};
use steelyard_host::nft_set::TableFamily;
use steelyard_host::udp::Train;
use steelyard_metrics::{Exposition, table};
use steelyard_model::{Protocol, Sorted};

/// Tells what passes through forwarded ports. Its clones are the same; for any thread.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    kernel: Option<KernelCounts>,
    ledger: Ledger,
    decision: Decision,
    counted: Sorted<VipPort, ()>,
    process: BTreeMap<VipPort, Arc<FlowCounts>>,
}

/// Sets of our table, and when they were read.
#[derive(Debug)]
struct KernelCounts {
    counts: ElementCounts,
    table: String,
    fresh_until: Option<Instant>,
}

/// What one port carries in this process.
#[derive(Debug, Default)]
pub(crate) struct FlowCounts {
    flows: AtomicU64,
    open: AtomicU64,
    came: Amounts,
    went: Amounts,
    failures: [AtomicU64; FAILURES.len()],
}

#[derive(Debug, Default)]
struct Amounts {
    packets: AtomicU64,
    bytes: AtomicU64,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To an endpoint.
    Came,
    /// To a client.
    Went,
}

/// Why a connection, or a client of a UDP port, was not served, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowFailure {
    /// No endpoint took it.
    Connect,
    /// None, and the last did not answer in time.
    ConnectTimeout,
    /// The client broke off.
    Client,
    /// The endpoint broke off, or refused.
    Endpoint,
    /// Neither said anything for too long.
    Silence,
    /// It was silent, and others needed its place.
    MadeRoom,
    /// There was no place for it.
    NoPlace,
}

/// Counts as open until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenFlow(Arc<FlowCounts>);

/// Each with its label.
pub(crate) const FAILURES: [(FlowFailure, &str); 7] = [
    (FlowFailure::Connect, "connect"),
    (FlowFailure::ConnectTimeout, "connect-timeout"),
    (FlowFailure::Client, "client-broke"),
    (FlowFailure::Endpoint, "endpoint-broke"),
    (FlowFailure::Silence, "silence"),
    (FlowFailure::MadeRoom, "made-room"),
    (FlowFailure::NoPlace, "no-place"),
];

/// What was read this short ago is told again; where reading took long, for this many times as
/// long.
const FRESH: Duration = Duration::from_secs(2);
const PAUSE: u32 = 20;

const KERNEL: &str = "kernel";
const PROCESS: &str = "process";

impl Meter {
    /// The kernel counts in the sets of this table from now on.
    pub(crate) fn begin(&self, table: &str) -> io::Result<()> {
        let counts = ElementCounts::open()?;
        let table = table.to_owned();
        self.lock().kernel = Some(KernelCounts { counts, table, fresh_until: None });
        Ok(())
    }

    /// The table is about to be made anew, or to go: what it counted is taken out of it.
    pub(crate) fn save(&self) {
        let mut state = self.lock();
        if let Some(kernel) = &mut state.kernel {
            kernel.fresh_until = None;
        }
        state.read();
    }

    /// It was made anew.
    pub(crate) fn renew(&self) {
        self.lock().ledger.renew();
    }

    /// These ports are forwarded from now on; `table` is what is in force.
    pub(crate) fn follow(&self, decision: &Decision, table: Option<&VipTable>) {
        let mut state = self.lock();
        let state = &mut *state;
        state.decision = decision.clone();
        if let Some(table) = table {
            state.counted.clone_from(table.counted());
            state.ledger.keep(table.counted(), table.translated());
        }
        if !state.process.is_empty() {
            let wanted: BTreeSet<VipPort> = decision.ports().map(|port| port.key).collect();
            state.process.retain(|key, _| wanted.contains(key));
        }
    }

    /// Where what this process carries for a port is counted.
    pub(crate) fn counts(&self, key: VipPort) -> Arc<FlowCounts> {
        Arc::clone(self.lock().process.entry(key).or_default())
    }

    /// Writes counters. Where the kernel is asked it takes about three microseconds a port.
    pub fn expose(&self, out: &mut Exposition) {
        let mut state = self.lock();
        state.read();
        let kernel = state.translated();
        let process = state.carried();
        expose_counts(&kernel, &process, out);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes in what the kernel has counted, unless that is known.
    fn read(&mut self) {
        let Some(kernel) = &mut self.kernel else { return };
        let began = Instant::now();
        if kernel.fresh_until.is_some_and(|until| began < until) || self.counted.is_empty() {
            return;
        }
        match kernel.read() {
            Ok(counters) => self.ledger.read(&counters),
            // Another program may have deleted it; it is set again soon.
            Err(error) => tracing::debug!(%error, "the kernel's counters cannot be read"),
        }
        kernel.fresh_until = Some(Instant::now() + FRESH.max(began.elapsed() * PAUSE));
    }

    /// Ports that the kernel carries or has carried.
    fn translated(&self) -> Vec<(&PortDecision, Traffic)> {
        let counted = |port: &PortDecision| {
            self.kernel.is_some() && port.service.is_some() && self.counted.contains_key(&port.key)
        };
        let ports = self.decision.ports().filter(|port| counted(port) && is_held(port));
        let totals = ports.map(|port| (port, self.ledger.total(port.key)));
        let is_told = |port: &PortDecision, total: &Traffic| {
            matches!(port.way, Carriage::Translate(_)) || *total != Traffic::default()
        };
        totals.filter(|(port, total)| is_told(port, total)).collect()
    }

    /// Ports that this process carries or has carried.
    fn carried(&self) -> Vec<(&PortDecision, &FlowCounts)> {
        let ports = self.decision.ports().filter(|port| is_held(port));
        ports.filter_map(|port| Some((port, &**self.process.get(&port.key)?))).collect()
    }
}

/// Whether its Service has the port: of several that name it one does.
fn is_held(port: &PortDecision) -> bool {
    !matches!(port.way, Carriage::Not(Why::Taken))
}

impl KernelCounts {
    fn read(&mut self) -> io::Result<BTreeMap<VipPort, Traffic>> {
        let mut counters: BTreeMap<VipPort, Traffic> = BTreeMap::new();
        for suffix in ["4", "6"] {
            for name in COUNTED {
                let set = format!("{name}{suffix}");
                self.counts.each(TableFamily::Inet, (&self.table, &set), |element| {
                    let Some(key) = key(&element) else { return };
                    let traffic = counters.entry(key).or_default();
                    let CountedElement { packets, bytes, .. } = element;
                    match name {
                        "begun" => traffic.flows = packets,
                        "came" => traffic.came = Amount { packets, bytes },
                        _ => traffic.went = Amount { packets, bytes },
                    }
                })?;
            }
        }
        Ok(counters)
    }
}

fn key(element: &CountedElement) -> Option<VipPort> {
    let protocol = match element.protocol {
        conntrack::TCP => Protocol::Tcp,
        conntrack::UDP => Protocol::Udp,
        _ => return None,
    };
    Some(VipPort { address: element.at.ip(), protocol, port: element.at.port() })
}

impl FlowCounts {
    /// A connection, or a client of a UDP port, has come.
    pub(crate) fn begin(self: &Arc<Self>) -> OpenFlow {
        self.flows.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenFlow(Arc::clone(self))
    }

    /// Bytes went on; of TCP in no matter how many packets.
    pub(crate) fn pass(&self, direction: Direction, bytes: usize) {
        self.add(direction, 1, bytes);
    }

    /// Datagrams went on.
    pub(crate) fn pass_many(&self, direction: Direction, train: &Train<'_>) {
        self.add(direction, train.count() as u64, train.bytes.len());
    }

    fn add(&self, direction: Direction, packets: u64, bytes: usize) {
        let amounts = match direction {
            Direction::Came => &self.came,
            Direction::Went => &self.went,
        };
        amounts.packets.fetch_add(packets, Ordering::Relaxed);
        amounts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self, why: FlowFailure) {
        self.failures[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Flows that are not over.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// As [`FAILURES`].
    pub(crate) fn failed(&self) -> [u64; FAILURES.len()] {
        self.failures.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn traffic(&self) -> Traffic {
        let load = |it: &AtomicU64| it.load(Ordering::Relaxed);
        let amount = |it: &Amounts| Amount { packets: load(&it.packets), bytes: load(&it.bytes) };
        Traffic { flows: load(&self.flows), came: amount(&self.came), went: amount(&self.went) }
    }
}

impl Drop for OpenFlow {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

type Translated<'a> = [(&'a PortDecision, Traffic)];
type InProcess<'a> = [(&'a PortDecision, &'a FlowCounts)];

fn expose_counts(kernel: &Translated<'_>, process: &InProcess<'_>, out: &mut Exposition) {
    let rows = || {
        let kernel = kernel.iter().map(|(port, traffic)| (Row::new(port, KERNEL), *traffic));
        let process = process.iter();
        kernel.chain(process.map(|(port, it)| (Row::new(port, PROCESS), it.traffic())))
    };
    if rows().next().is_none() {
        return;
    }
    let mut series = out.family(&table::FORWARDED_FLOWS);
    for (Row { service, ip, port, protocol, by }, traffic) in rows() {
        series.put([&service, &ip, &port, &protocol, &by], traffic.flows);
    }
    let mut series = out.family(&table::FORWARDED_OPEN);
    for (decision, counts) in process {
        let Row { service, ip, port, protocol, .. } = Row::new(decision, PROCESS);
        series.put([&service, &ip, &port, &protocol], counts.open());
    }
    let ways = |traffic: Traffic| [("in", traffic.came), ("out", traffic.went)];
    let mut series = out.family(&table::FORWARDED_BYTES);
    for (Row { service, ip, port, protocol, by }, traffic) in rows() {
        for (way, amount) in ways(traffic) {
            series.put([&service, &ip, &port, &protocol, &by, &way], amount.bytes);
        }
    }
    let mut series = out.family(&table::FORWARDED_PACKETS);
    for (Row { service, ip, port, protocol, by }, traffic) in rows() {
        // A stream that is copied has pieces, and no packets.
        if by == KERNEL || protocol == Protocol::Udp {
            for (way, amount) in ways(traffic) {
                series.put([&service, &ip, &port, &protocol, &by, &way], amount.packets);
            }
        }
    }
    let mut series = out.family(&table::FORWARD_FAILURES);
    for (decision, counts) in process {
        let Row { service, ip, port, protocol, .. } = Row::new(decision, PROCESS);
        for ((_, cause), count) in FAILURES.iter().zip(counts.failed()) {
            if count > 0 {
                series.put([&service, &ip, &port, &protocol, cause], count);
            }
        }
    }
}

/// Values of labels.
struct Row {
    service: String,
    ip: IpAddr,
    port: u16,
    protocol: Protocol,
    by: &'static str,
}

impl Row {
    fn new(decision: &PortDecision, by: &'static str) -> Self {
        let VipPort { address: ip, port, protocol } = decision.key;
        let service = decision.service.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { service, ip, port, protocol, by }
    }
}
