//! What heartbeats cost while nothing happens: the real machines of a whole segment in this
//! process, over virtual time, with every datagram sealed, carried and opened.
//!
//! It is the machines' own cost: sockets and the kernel come on top. Bytes are UDP payload, sent
//! by a node; a multicast counts once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use steelyard_membership::{Config, Input, Key, Keyring, Output, OwnerCandidate, Segment};

use crate::cpu;
use crate::results::{Row, median};

const NODES: [usize; 2] = [3, 50];
const VIPS: [u16; 2] = [1, 1000];
/// Until everybody knows everybody, and every vip has its owner and standbys.
const SETTLE: Duration = Duration::from_secs(30);
/// Virtual time of one round.
const ROUND: Duration = Duration::from_secs(5);
const ROUNDS: u32 = 5;
/// How long a datagram is on its way.
const WAY: Duration = Duration::from_micros(200);
/// Of a core, in µs a second: one per cent.
const CPU: f64 = 10_000.0;
/// Of a link, in KiB a second: one per cent of 100 Mbit/s.
const LINK: f64 = 122.0;
/// A heartbeat each 100 ms to ten others: that is what an owner among many speaks to.
const DATAGRAMS: f64 = 100.0;

/// For each number of nodes and vips: CPU and bytes of one node in one second, with default
/// timing, once all is settled.
pub(crate) fn rows() -> Vec<Row> {
    let sizes = NODES.into_iter().flat_map(|nodes| VIPS.map(|vips| (nodes, vips)));
    sizes.flat_map(|(nodes, vips)| measure(nodes, vips)).collect()
}

fn measure(nodes: usize, vips: u16) -> [Row; 3] {
    let mut lan = Lan::new(nodes, vips);
    lan.run_for(SETTLE);
    let owned = lan.machines.iter().flat_map(Segment::vips).filter(|it| it.role == "owner").count();
    assert_eq!(owned, usize::from(vips), "after the settle time every vip has one owner");
    let count = f64::from(u32::try_from(nodes).expect("few nodes"));
    let per_second = 1.0 / (count * ROUND.as_secs_f64());
    let (mut micros, mut datagrams, mut kibibytes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        (lan.datagrams, lan.bytes) = (0, 0);
        let before = cpu_time();
        lan.run_for(ROUND);
        micros.push((cpu_time() - before).as_secs_f64() * 1e6 * per_second);
        datagrams.push(f64::from(lan.datagrams) * per_second);
        kibibytes.push(f64::from(lan.bytes) / 1024.0 * per_second);
    }
    let plural = if vips == 1 { "vip" } else { "vips" };
    let name = |what| format!("heartbeats of {nodes} nodes, {vips} {plural}: {what}");
    let row =
        |what, unit, values, goal| Row::alone(&name(what), unit, median(values), goal, ROUNDS);
    [
        row("CPU of a node", "µs/s", micros, CPU),
        row("sent by a node", "KiB/s", kibibytes, LINK),
        row("datagrams sent by a node", "1/s", datagrams, DATAGRAMS),
    ]
}

fn cpu_time() -> Duration {
    cpu::of_this_thread().expect("Linux tells each thread what it used")
}

/// A segment on which nothing is lost.
struct Lan {
    now: Instant,
    machines: Vec<Segment>,
    /// When each machine is to be asked again.
    due: Vec<Option<Instant>>,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    count: u64,
    datagrams: u32,
    bytes: u32,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive { from: usize, to: usize, bytes: Vec<u8> },
    Wake(usize),
}

impl Lan {
    fn new(nodes: usize, vips: u16) -> Self {
        let now = Instant::now();
        let names: Vec<String> = (0..nodes).map(|n| format!("node-{n}")).collect();
        let candidate = |name: &String| OwnerCandidate { name: name.as_str().into(), score: 0 };
        let candidates: Arc<[OwnerCandidate]> = names.iter().map(candidate).collect();
        let first = u32::from(Ipv4Addr::new(10, 0, 4, 0));
        let vip = |n: u16| IpAddr::from(Ipv4Addr::from(first + u32::from(n)));
        let vips: BTreeMap<_, _> = (0..vips).map(|n| (vip(n), candidates.clone())).collect();
        let keys = Keyring::new(Key::new([1; 32]));
        let machine = |(n, name): (usize, &String)| {
            let seed = u64::try_from(n + 1).expect("64 bits");
            let mut config = Config { seed, ..Config::new(name, keys.clone()) };
            config.salt[..8].copy_from_slice(&seed.to_be_bytes());
            let mut machine = Segment::new(now, &config);
            machine.handle(now, Input::Vips(&vips));
            machine
        };
        let machines: Vec<Segment> = names.iter().enumerate().map(machine).collect();
        let due = vec![None; nodes];
        let events = BinaryHeap::new();
        let mut lan = Self { now, machines, due, events, count: 0, datagrams: 0, bytes: 0 };
        (0..nodes).for_each(|n| lan.settle(n));
        lan
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.events.peek().is_some_and(|Reverse((at, _, _))| *at <= end) {
            let Some(Reverse((at, _, event))) = self.events.pop() else { break };
            self.now = at;
            match event {
                Event::Arrive { from, to, bytes } => {
                    let input = Input::Datagram { from: address(from), bytes: &bytes };
                    self.machines[to].handle(at, input);
                    self.settle(to);
                }
                Event::Wake(n) => {
                    self.due[n] = None;
                    self.settle(n);
                }
            }
        }
        self.now = end;
    }

    /// Does what a machine wants done; nobody answers its probes.
    fn settle(&mut self, n: usize) {
        while let Some(output) = self.machines[n].poll(self.now) {
            match output {
                Output::Send { to, bytes } => {
                    self.sent(&bytes);
                    self.put(WAY, Event::Arrive { from: n, to: number(to), bytes });
                }
                Output::Multicast(bytes) => {
                    self.sent(&bytes);
                    for to in (0..self.machines.len()).filter(|to| *to != n) {
                        self.put(WAY, Event::Arrive { from: n, to, bytes: bytes.clone() });
                    }
                }
                _ => {}
            }
        }
        let due = self.machines[n].deadline();
        if let Some(at) = due.filter(|at| self.due[n].is_none_or(|known| *at < known)) {
            self.due[n] = due;
            self.put(at.saturating_duration_since(self.now), Event::Wake(n));
        }
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.datagrams += 1;
        self.bytes += u32::try_from(bytes.len()).expect("a datagram is short");
    }

    fn put(&mut self, wait: Duration, event: Event) {
        self.count += 1;
        self.events.push(Reverse((self.now + wait, self.count, event)));
    }
}

fn address(n: usize) -> SocketAddr {
    let n = u8::try_from(n + 1).expect("fewer than 255 nodes");
    SocketAddr::from(([10, 0, 0, n], 9181))
}

fn number(address: SocketAddr) -> usize {
    match address.ip() {
        IpAddr::V4(it) => usize::from(it.octets()[3]) - 1,
        IpAddr::V6(_) => unreachable!("addresses here are IPv4"),
    }
}
