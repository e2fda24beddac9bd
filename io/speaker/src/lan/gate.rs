//! What the speaker wants of whoever handles packets: those for a vip are this host's exactly while
//! the vip is.
//!
//! Announced here, packets to it are taken in; of a vip that another host has, or of which nobody
//! knows who does, this host wants nothing: its own clients reach whoever has it. Where no other
//! host can have it, since no network that this one is on holds it, what comes is this host's.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

/// Handles packets. Called on the speaker's thread: before the first frame that says that a vip is
/// here, and once no frame says so any more. It must return at once, with what it was told in
/// force.
pub trait Gate: Debug + Send + Sync {
    /// From now on packets for these are taken in.
    fn open(&self, vips: &[IpAddr]);
    /// From now on packets for these are left to whoever has them.
    fn close(&self, vips: &[IpAddr]);
    /// Another node that shares these has them from now on. Not every client knows it yet.
    fn hand_over(&self, vips: &[IpAddr]);
}

/// The gate, and what it was told last.
#[derive(Debug)]
pub(crate) struct Keeper {
    gate: Arc<dyn Gate>,
    open: BTreeSet<IpAddr>,
    /// How it stood with each interface when that was decided, by number.
    seen: Vec<(u32, u64)>,
    /// Whether something else may have become different.
    pub(crate) stale: bool,
}

impl Keeper {
    pub(crate) fn new(gate: Arc<dyn Gate>) -> Self {
        Self { gate, open: BTreeSet::new(), seen: Vec::new(), stale: true }
    }

    /// Whether anything may be different; takes note of what is `seen` now.
    pub(crate) fn notices(&mut self, seen: Vec<(u32, u64)>) -> bool {
        let is_news = self.stale || self.seen != seen;
        (self.seen, self.stale) = (seen, false);
        is_news
    }

    /// From now on exactly these are open; `is_elsewhere` says which of the others another node
    /// has.
    pub(crate) fn keep(&mut self, open: BTreeSet<IpAddr>, is_elsewhere: impl Fn(IpAddr) -> bool) {
        let come: Vec<IpAddr> = open.difference(&self.open).copied().collect();
        let gone = self.open.difference(&open).copied();
        let (given, lost): (Vec<_>, Vec<_>) = gone.partition(|vip| is_elsewhere(*vip));
        self.open = open;
        if !lost.is_empty() {
            self.gate.close(&lost);
        }
        if !given.is_empty() {
            self.gate.hand_over(&given);
        }
        if !come.is_empty() {
            self.gate.open(&come);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<String>>);

    impl Told {
        fn note(&self, what: &str, vips: &[IpAddr]) {
            let vips: Vec<String> = vips.iter().map(ToString::to_string).collect();
            self.0.lock().unwrap().push(format!("{what} {}", vips.join(" ")));
        }
    }

    impl Gate for Told {
        fn open(&self, vips: &[IpAddr]) {
            self.note("open", vips);
        }

        fn close(&self, vips: &[IpAddr]) {
            self.note("close", vips);
        }

        fn hand_over(&self, vips: &[IpAddr]) {
            self.note("hand over", vips);
        }
    }

    #[test]
    fn only_what_differs_is_told() {
        let told = Arc::new(Told::default());
        let mut keeper = Keeper::new(told.clone());
        let vips = |last: &[u8]| last.iter().map(|it| IpAddr::from([10, 0, 0, *it])).collect();
        let second = IpAddr::from([10, 0, 0, 2]);
        for open in [&[1, 2, 3][..], &[1, 2, 3], &[3, 4], &[]] {
            keeper.keep(vips(open), |vip| vip == second);
        }
        let said = std::mem::take(&mut *told.0.lock().unwrap());
        assert_eq!(
            said,
            [
                "open 10.0.0.1 10.0.0.2 10.0.0.3",
                "close 10.0.0.1",
                "hand over 10.0.0.2",
                "open 10.0.0.4",
                "close 10.0.0.3 10.0.0.4",
            ]
        );
        assert!(keeper.notices(vec![]), "at first");
        assert!(!keeper.notices(vec![]));
        assert!(keeper.notices(vec![(1, 1)]));
        keeper.stale = true;
        assert!(keeper.notices(vec![(1, 1)]));
    }
}
