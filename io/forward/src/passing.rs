//! Packets of flows that began at a vip's former owner go back to it.
//!
//! After a planned change of owner the clients' packets come here, also those of flows that the
//! former owner has in its sockets or in its connection tracking. What belongs to no flow known
//! here is passed to it on the segment; it answers the client directly. New flows (a SYN) stay
//! here, and so do other protocols than TCP, in which old and new cannot be told apart.
//!
//! It is done in the kernel, by tables of two families. Nothing is passed but what is of no flow
//! here and begins none, and of vips that were handed to this node: so nothing is let through
//! that the former owner would not have let through, had it come there first.
//!
//! Not for takeovers: a dead owner has no flows. Each entry ends by itself after [`LONGEST`].

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use steelyard_host::nft_set::{Filling, Sets, TableFamily, Value};
use steelyard_host::nft_table::SmallTable;
use steelyard_model::Family;

mod tables;

/// A vip whose older flows are at another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The vip.
    pub vip: IpAddr,
    /// That node's address on the segment, of the same family.
    pub to: IpAddr,
    /// The interface to the segment, by number.
    pub link: u32,
}

/// Says which vips have flows at former owners. Its clones are the same; for any thread of the
/// network namespace that the forwarder is in. Where the kernel cannot pass packets it does
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Passing {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// None while there are no tables.
    sets: Option<Sets>,
    table: String,
    entries: BTreeMap<IpAddr, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    to: IpAddr,
    link: u32,
    until: Instant,
}

/// Flows that last longer break: who takes every packet that is not known here for one of a former
/// owner must not do so for ever.
const LONGEST: Duration = Duration::from_secs(3600);
impl Passing {
    /// From now on these are passed, and where they went before does not count. Takes effect
    /// before it returns, within a fraction of a millisecond.
    pub fn pass(&self, all: &[Pass]) {
        self.change(|entries| {
            let until = Instant::now() + LONGEST;
            let entry = |it: &Pass| (it.vip, Entry { to: it.to, link: it.link, until });
            entries.extend(all.iter().map(entry));
        });
    }

    /// From now on these are not passed.
    pub fn forget(&self, vips: &[IpAddr]) {
        self.change(|entries| entries.retain(|vip, _| !vips.contains(vip)));
    }

    /// All of it, for another process: vip, where to, by which interface, and for how many seconds
    /// yet.
    pub(crate) fn legacy(&self) -> Vec<(IpAddr, IpAddr, u32, u64)> {
        let now = Instant::now();
        let left = |it: &Entry| it.until.saturating_duration_since(now).as_secs();
        let state = self.lock();
        state.entries.iter().map(|(vip, it)| (*vip, it.to, it.link, left(it))).collect()
    }

    /// Goes on with what another process passed. There are no tables of this one yet.
    pub(crate) fn take_over(&self, all: &[(IpAddr, IpAddr, u32, u64)]) {
        let now = Instant::now();
        let entry = |(vip, to, link, left): &(IpAddr, IpAddr, u32, u64)| {
            let until = now + Duration::from_secs(*left).min(LONGEST);
            (*vip, Entry { to: *to, link: *link, until })
        };
        self.lock().entries.extend(all.iter().map(entry));
    }

    /// Whether anything is passed.
    pub fn is_busy(&self) -> bool {
        let now = Instant::now();
        self.lock().entries.values().any(|entry| now < entry.until)
    }

    /// Makes the tables, of this name, whatever is there.
    ///
    /// Returns the port of netlink that it writes through.
    pub(crate) fn begin(&self, table: &str) -> io::Result<Option<u32>> {
        let sets = Sets::open()?;
        let mut state = self.lock();
        state.sets = Some(sets);
        state.table = table.to_owned();
        let made = state.make();
        if made.is_err() {
            state.sets = None;
        }
        made?;
        Ok(state.sets.as_ref().and_then(Sets::port))
    }

    /// The tables are about to go.
    pub(crate) fn end(&self) {
        self.lock().sets = None;
    }

    /// Removes the tables.
    pub(crate) fn remove(&self) -> io::Result<()> {
        let mut state = self.lock();
        let Some(mut sets) = state.sets.take() else { return Ok(()) };
        sets.remove(&state.table, &FAMILIES.map(TableFamily::from))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<IpAddr, Entry>)) {
        let mut state = self.lock();
        change(&mut state.entries);
        if let Err(error) = state.write() {
            tracing::warn!(%error, "flows that began at a former owner may break");
        }
    }
}

impl State {
    /// Makes the tables anew, with all of it in them.
    fn make(&mut self) -> io::Result<()> {
        self.end_old();
        let chains = FAMILIES.map(|family| (family, tables::chains(family.into())));
        let tables = chains.each_ref().map(|(family, chains)| SmallTable {
            family: (*family).into(),
            name: &self.table,
            sets: &tables::SETS,
            chains,
        });
        let fillings = fillings(&self.table, &self.entries);
        let Some(sets) = &mut self.sets else { return Ok(()) };
        sets.make(&tables, &fillings)
    }

    /// States all of it: whatever was there before, and however often.
    fn write(&mut self) -> io::Result<()> {
        self.end_old();
        let fillings = fillings(&self.table, &self.entries);
        let Some(sets) = &mut self.sets else { return Ok(()) };
        sets.fill(&fillings)
    }

    fn end_old(&mut self) {
        let now = Instant::now();
        self.entries.retain(|_, entry| now < entry.until);
    }
}

/// What the sets are to hold.
fn fillings<'a>(table: &'a str, entries: &BTreeMap<IpAddr, Entry>) -> Vec<Filling<'a>> {
    let now = Instant::now();
    let mut fillings = Vec::new();
    for family in FAMILIES {
        let same = |(vip, entry): &(&IpAddr, &Entry)| {
            Family::of(**vip) == family && Family::of(entry.to) == family
        };
        let same = entries.iter().filter(same);
        let all = |value: fn(&Entry) -> Value| {
            let left = |entry: &Entry| Some(entry.until.saturating_duration_since(now));
            same.clone().map(|(vip, entry)| (*vip, value(entry), left(entry))).collect()
        };
        let filling = |set, elements| Filling { family: family.into(), table, set, elements };
        fillings.push(filling("passed", all(|_| Value::None)));
        fillings.push(filling("former", all(|entry| Value::Address(entry.to))));
        fillings.push(filling("link", all(|entry| Value::Link(entry.link))));
    }
    fillings
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
