//! What passed through each port since this process began, kept from what counters say that may
//! begin anew.
//!
//! Invariant: of a port that is counted all along, no total ever falls.

use std::collections::BTreeMap;

use steelyard_model::Sorted;

use crate::desired::VipPort;

/// What passed through a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections, and flows of UDP, that began.
    pub flows: u64,
    /// From clients.
    pub came: Amount,
    /// To clients.
    pub went: Amount,
}

/// How much that was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Packets, or datagrams.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Totals by port.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    totals: BTreeMap<VipPort, Entry>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    total: Traffic,
    /// As last read; nothing where counters began anew since.
    last: Traffic,
}

impl Ledger {
    /// Takes in what counters say, each since it began to count. A port that is not in there (it is
    /// not counted just now, or was overlooked) keeps its total.
    pub fn read(&mut self, counters: &BTreeMap<VipPort, Traffic>) {
        for (key, now) in counters {
            let Entry { total, last } = self.totals.entry(*key).or_default();
            *total = total.combine(now.combine(*last, since), |total, more| total + more);
            *last = *now;
        }
    }

    /// Counters have begun anew.
    pub fn renew(&mut self) {
        self.totals.values_mut().for_each(|entry| entry.last = Traffic::default());
    }

    /// Ports that are not `counted` are forgotten; of those that are not `translated` the kernel
    /// has lost how many flows began.
    pub fn keep<V>(&mut self, counted: &Sorted<VipPort, ()>, translated: &Sorted<VipPort, V>) {
        self.totals.retain(|key, _| counted.contains_key(key));
        for (_, entry) in self.totals.iter_mut().filter(|(key, _)| !translated.contains_key(key)) {
            entry.last.flows = 0;
        }
    }

    /// What passed through a port.
    pub fn total(&self, key: VipPort) -> Traffic {
        self.totals.get(&key).map(|entry| entry.total).unwrap_or_default()
    }
}

/// How much more a counter says than before. One that says less has begun anew.
fn since(now: u64, last: u64) -> u64 {
    now.checked_sub(last).unwrap_or(now)
}

impl Traffic {
    fn combine(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        let amount = |one: Amount, other: Amount| Amount {
            packets: of(one.packets, other.packets),
            bytes: of(one.bytes, other.bytes),
        };
        Self {
            flows: of(self.flows, other.flows),
            came: amount(self.came, other.came),
            went: amount(self.went, other.went),
        }
    }
}

#[cfg(test)]
mod tests {
    use steelyard_model::Protocol;

    use super::*;

    fn key(port: u16) -> VipPort {
        VipPort { address: [10, 0, 0, 1].into(), protocol: Protocol::Tcp, port }
    }

    /// Two readings of one port each, and whether counters began anew between them.
    #[test]
    fn totals_go_on_however_counters_begin_anew() {
        let traffic = |n: u64| Traffic {
            flows: n,
            came: Amount { packets: 2 * n, bytes: 3 * n },
            went: Amount { packets: 4 * n, bytes: 5 * n },
        };
        for (first, is_renewed, second, total) in [
            (0, false, 0, 0),
            (7, false, 7, 7),
            (7, false, 9, 9),
            // One that says less has begun anew, whoever did it.
            (7, false, 2, 9),
            (7, true, 2, 9),
            // It says as much or more, which alone could be either.
            (7, true, 7, 14),
            (7, true, 9, 16),
        ] {
            let mut ledger = Ledger::default();
            ledger.read(&BTreeMap::from([(key(80), traffic(first))]));
            // Of this one nothing is said any more.
            ledger.read(&BTreeMap::from([(key(81), traffic(first))]));
            if is_renewed {
                ledger.renew();
            }
            ledger.read(&BTreeMap::from([(key(80), traffic(second))]));
            assert_eq!(ledger.total(key(80)), traffic(total), "{first} {is_renewed} {second}");
            assert_eq!(ledger.total(key(81)), traffic(first));
            assert_eq!(ledger.total(key(82)), Traffic::default());
        }
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut ledger = Ledger::default();
        let some = Traffic { flows: 3, ..Traffic::default() };
        ledger.read(&BTreeMap::from([(key(80), some), (key(81), some)]));
        let counted = [(key(81), ())].into_iter().collect();
        ledger.keep(&counted, &counted);
        assert_eq!((ledger.total(key(80)).flows, ledger.total(key(81)).flows), (0, 3));
        // Of one that is translated no more flows are counted from nothing when it is again.
        ledger.keep::<()>(&counted, &Sorted::default());
        ledger.read(&BTreeMap::from([(key(81), some)]));
        assert_eq!(ledger.total(key(81)).flows, 6);
    }
}
