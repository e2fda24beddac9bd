//! Edit by edit equals from scratch: the decision, the table, and the text that changes it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use steelyard_model::{Family, NamespacedName, Protocol, Sorted};

use super::*;
use crate::carry::Carriage;
use crate::desired::{Forwarded, ForwardedPort, Listening, Served};
use crate::facts::Spot;
use crate::{TableFrame, VipTable, Why, decide};

/// One edit of what is asked for or known.
#[derive(Clone, Debug)]
enum Edit {
    Serve(usize, Option<Served>),
    Forward(usize, Option<Forwarded>),
    Place(IpAddr, Option<Spot>),
    Arrives(IpAddr, Option<String>),
    Dies(IpAddr, bool),
    Forwards(Family, bool),
    Kernel(bool),
}

/// Vips, and endpoints: some are both, so that there are circles.
const ADDRESSES: [&str; 7] =
    ["10.0.0.1", "10.0.0.2", "fd00::1", "10.244.0.2", "10.244.0.3", "127.0.0.1", "fd44::2"];

fn address() -> impl Strategy<Value = IpAddr> {
    (0..ADDRESSES.len()).prop_map(|at| ADDRESSES[at].parse().unwrap())
}

fn vip() -> impl Strategy<Value = IpAddr> {
    (0..4usize).prop_map(|at| ADDRESSES[at].parse().unwrap())
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)]
}

fn served() -> impl Strategy<Value = Served> {
    let listening = (protocol(), 80u16..82).prop_map(|(protocol, port)| Listening {
        protocol,
        port,
        at: port * 2,
    });
    (vip(), prop::collection::vec(listening, 0..3))
        .prop_map(|(address, listening)| Served { address, listening })
}

fn forwarded() -> impl Strategy<Value = Forwarded> {
    let endpoints = prop::collection::vec(address(), 0..4);
    let port = (protocol(), 80u16..82, endpoints).prop_map(|(protocol, port, endpoints)| {
        let endpoints = endpoints.into_iter().map(|at| (at, 8080).into()).collect();
        ForwardedPort { protocol, port, endpoints }
    });
    let ports = prop::collection::vec(port, 0..3);
    (vip(), prop::bool::weighted(0.1), ports).prop_map(|(address, is_closed, ports)| Forwarded {
        address,
        service: NamespacedName::new("default", "web"),
        is_closed,
        ports,
    })
}

fn spot() -> impl Strategy<Value = Spot> {
    let place =
        prop_oneof![Just(Whereabouts::Here), Just(Whereabouts::PodLink), Just(Whereabouts::OffBox)];
    (place, any::<bool>()).prop_map(|(place, lasts)| Spot {
        place,
        link: None,
        source: lasts.then(|| "fd02::1".parse().unwrap()),
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (0..4usize, prop::option::of(served())).prop_map(|(at, it)| Edit::Serve(at, it)),
        8 => (0..4usize, prop::option::of(forwarded())).prop_map(|(at, it)| Edit::Forward(at, it)),
        3 => (address(), prop::option::of(spot())).prop_map(|(at, it)| Edit::Place(at, it)),
        2 => (vip(), any::<bool>())
            .prop_map(|(at, is)| Edit::Arrives(at, is.then(|| "eth0".to_owned()))),
        2 => (address(), any::<bool>()).prop_map(|(at, is)| Edit::Dies(at, is)),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(v4, is)| Edit::Forwards(if v4 { Family::V4 } else { Family::V6 }, is)),
        1 => any::<bool>().prop_map(Edit::Kernel),
    ]
}

fn put<K: Ord + Clone, V: Clone>(all: &mut Sorted<K, V>, key: K, value: Option<V>) {
    all.change([(key, value)]);
}

fn take_in(edit: Edit, desired: &mut Desired, facts: &mut HostFacts) {
    let place = |at| (NamespacedName::new("default", "web"), at);
    match edit {
        Edit::Serve(at, it) => put(&mut desired.served, place(at), it),
        Edit::Forward(at, it) => put(&mut desired.forwarded, place(at), it),
        Edit::Place(at, it) => put(&mut facts.places, at, it),
        Edit::Arrives(at, it) => put(&mut facts.arrivals, at, it),
        Edit::Dies(at, true) => _ = facts.dead.insert((at, 8080).into()),
        Edit::Dies(at, false) => _ = facts.dead.remove(&(at, 8080).into()),
        Edit::Forwards(family, true) => _ = facts.no_forwarding.remove(&family),
        Edit::Forwards(family, false) => {
            facts.no_forwarding.insert(family, Why::ForwardingOff(family));
        }
        Edit::Kernel(is) => facts.no_kernel = (!is).then_some(Why::NftMissing),
    }
}

/// Sets, maps and chains as a batch leaves them: enough of nft to tell whether two batches come to
/// the same. (On the real kernel: io/forward/tests/changes.rs.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Nft {
    elements: BTreeMap<String, BTreeMap<String, String>>,
    chains: BTreeMap<String, Vec<String>>,
}

impl Nft {
    fn run(&mut self, batch: &str) {
        for line in batch.lines() {
            let words: Vec<&str> = line.splitn(5, ' ').collect();
            let [verb, what, "inet", _, rest] = words[..] else { panic!("{line}") };
            match (verb, what) {
                (_, "element") => self.change_elements(verb, rest),
                ("add", "chain") => _ = self.chains.entry(rest.to_owned()).or_default(),
                ("flush", "chain") => self.chains.get_mut(rest).unwrap().clear(),
                ("delete", "chain") => {
                    let to = format!("goto {rest}");
                    let ports = self.elements.iter().filter(|it| it.0.starts_with("ports"));
                    let mut led = ports.flat_map(|(_, elements)| elements.values());
                    assert!(led.all(|it| *it != to), "{rest} is led to");
                    assert_eq!(self.chains.remove(rest).unwrap(), Vec::<String>::new());
                }
                ("add", "rule") => {
                    let (chain, rule) = rest.split_once(' ').unwrap();
                    self.chains.get_mut(chain).unwrap().push(rule.to_owned());
                }
                _ => panic!("{line}"),
            }
        }
    }

    fn change_elements(&mut self, verb: &str, rest: &str) {
        let (set, list) = rest.split_once(" { ").unwrap();
        let elements = self.elements.entry(set.to_owned()).or_default();
        for element in list.strip_suffix(" }").unwrap().split(", ") {
            let (key, value) = element.split_once(" : ").unwrap_or((element, ""));
            let before = match verb {
                "add" => elements.insert(key.to_owned(), value.to_owned()),
                _ => elements.remove(key),
            };
            assert_eq!(before.is_some(), verb == "delete", "{verb} {set} {element}");
        }
        if elements.is_empty() {
            self.elements.remove(set);
        }
    }
}

fn table(
    before: Option<(&VipTable, &Decision)>,
    decision: &Decision,
    facts: &HostFacts,
) -> VipTable {
    let delivered = decision.ports().filter_map(|port| match port.way {
        Carriage::Deliver(at) => Some((port.key, at)),
        Carriage::InProcess(..) if facts.no_kernel.is_none() => Some((port.key, port.key.port)),
        _ => None,
    });
    let (listening, busy) = (delivered.collect(), ["10.0.0.9".parse().unwrap()].into());
    match before {
        Some((table, before)) => table.after(before, decision, listening, &busy),
        None => VipTable::new(decision, listening, &busy),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn a_change_comes_to_what_deciding_from_scratch_does(
        edits in prop::collection::vec(prop::collection::vec(edit(), 1..4), 1..12)
    ) {
        let (mut desired, mut facts) = (Desired::default(), HostFacts::default());
        let (mut decider, mut known) = (Decider::default(), VipTable::default());
        let mut kernel = Nft::default();
        let frame = TableFrame { table: "t".to_owned(), mark: 1, leads: true, counts: true };
        for batch in edits {
            batch.into_iter().for_each(|edit| take_in(edit, &mut desired, &mut facts));
            let before = decider.decision().clone();
            let kept = decider.take(&desired, &facts).clone();
            let scratch = decide(&desired, &facts);
            prop_assert_eq!(&kept, &scratch);
            let now = table(Some((&known, &before)), &kept, &facts);
            let anew = table(None, &scratch, &facts);
            prop_assert_eq!(&now, &anew);
            kernel.run(&now.change(&known, &frame));
            let mut made = Nft::default();
            made.run(&anew.change(&VipTable::default(), &frame));
            prop_assert_eq!(&kernel, &made);
            known = now;
        }
    }
}
