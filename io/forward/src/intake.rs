//! Which vips this host takes packets for, at this moment.
//!
//! Rules for a vip are made ready beforehand, wherever it may come to be ours, and lie idle: only
//! packets to what is in these two sets (`live4`, `live6`) are touched. An address that another
//! machine has, or that nobody knows the owner of, is reached as if we were not here, from this
//! host too. So a takeover costs one message to the kernel, before the first announcement, and
//! losing a vip likewise.
//!
//! What is open is so for a while only, and renewed: after a kill nobody takes it out.
//!
//! Flows that began here stay here: `ct mark` knows them (`steelyard_forwarding::VipTable`). What
//! is handed over to another node is taken in for [`LINGER`] more: not every client knows yet.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use steelyard_host::nft_set::{Filling, SetChange, Sets, Stay, TableFamily, Value};
use steelyard_model::Family;

/// Says which vips are taken in. Its clones are the same; for any thread of the network namespace
/// that the forwarder is in. Where the kernel is not used it does nothing.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// None while there is no table.
    sets: Option<Sets>,
    table: String,
    /// Until when; none is until it is closed.
    live: BTreeMap<IpAddr, Option<Instant>>,
    /// For how long the kernel takes in what is open, unless it is told again.
    lease: Duration,
}

/// Well over the time that a client takes to ask again whose address it is.
const LINGER: Duration = Duration::from_secs(6);

/// Many times what a busy machine is late by.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

impl Default for State {
    fn default() -> Self {
        Self { sets: None, table: String::new(), live: BTreeMap::new(), lease: LEASE }
    }
}

impl Intake {
    pub(crate) fn new(lease: Duration) -> Self {
        Self { state: Arc::new(Mutex::new(State { lease, ..State::default() })) }
    }

    /// Tells the kernel again and again what is open, as long as this process lives: where it was
    /// killed, another machine may have the vip, and this one must not keep its packets for ever.
    pub(crate) async fn keep(self) {
        let lease = self.state.lock().unwrap_or_else(PoisonError::into_inner).lease;
        loop {
            tokio::time::sleep(lease / 4).await;
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.live.is_empty() {
                continue;
            }
            if let Err(error) = state.fill() {
                tracing::debug!(%error, "what is taken in is not told again");
            }
        }
    }

    /// From now on packets to these are taken in. In force before it returns, within a fraction of
    /// a millisecond.
    pub fn open(&self, vips: &[IpAddr]) {
        self.change(vips, Some(Stay::Open));
    }

    /// From now on packets to these are left to whoever has them.
    pub fn close(&self, vips: &[IpAddr]) {
        self.change(vips, None);
    }

    /// Another node has these now: they are closed soon.
    pub fn linger(&self, vips: &[IpAddr]) {
        self.change(vips, Some(Stay::For(LINGER)));
    }

    /// Vips that packets are taken in for, until that is said to be over.
    pub fn live(&self) -> Vec<IpAddr> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.live.iter().filter(|(_, until)| until.is_none()).map(|(vip, _)| *vip).collect()
    }

    /// Another process of this host takes in exactly these, and this one from now on.
    pub(crate) fn take_over(&self, vips: &[IpAddr]) {
        let gone: Vec<IpAddr> = self.live().into_iter().filter(|it| !vips.contains(it)).collect();
        self.close(&gone);
        self.open(vips);
    }

    /// There is a table of this name from now on. Returns the port of netlink that it writes
    /// through.
    pub(crate) fn begin(&self, table: &str) -> io::Result<Option<u32>> {
        let sets = Some(Sets::open()?);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sets = sets;
        state.table = table.to_owned();
        state.fill()?;
        Ok(state.sets.as_ref().and_then(Sets::port))
    }

    /// The table is about to go.
    pub(crate) fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sets = None;
    }

    /// What a table that is made anew has to hold, as a batch: what is open loses no packet.
    pub(crate) fn elements(&self, table: &str) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (vip, _) in state.live.iter().filter(|(_, until)| until.is_none()) {
            let set = set(Family::of(*vip));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "add element inet {table} {set} {{ {vip} }}");
        }
        text
    }

    fn change(&self, vips: &[IpAddr], stay: Option<Stay>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = state.change(vips, stay) {
            tracing::warn!(%error, "packets for {} go where they went before", named(vips));
        }
    }
}

impl State {
    fn change(&mut self, vips: &[IpAddr], stay: Option<Stay>) -> io::Result<()> {
        let now = Instant::now();
        self.live.retain(|_, until| until.is_none_or(|until| now < until));
        for vip in vips {
            match stay {
                None => drop(self.live.remove(vip)),
                Some(Stay::Open) => drop(self.live.insert(*vip, None)),
                Some(Stay::For(time)) => drop(self.live.insert(*vip, Some(now + time))),
            }
        }
        let Some(sets) = &mut self.sets else { return Ok(()) };
        let changes = FAMILIES.map(|family| {
            let same = vips.iter().filter(|vip| Family::of(**vip) == family);
            let leased = stay.map(|stay| match stay {
                Stay::Open => Stay::For(self.lease),
                stay @ Stay::For(_) => stay,
            });
            let elements = same.map(|vip| (*vip, leased)).collect();
            SetChange { family: TableFamily::Inet, table: &self.table, set: set(family), elements }
        });
        sets.change(&changes)
    }

    /// States all of it, whatever is there.
    fn fill(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.live.retain(|_, until| until.is_none_or(|until| now < until));
        let Some(sets) = &mut self.sets else { return Ok(()) };
        let fillings = FAMILIES.map(|family| {
            let same = self.live.iter().filter(|(vip, _)| Family::of(**vip) == family);
            let lease = self.lease;
            let left = |until: Option<Instant>| until.map_or(lease, |it| it - now);
            let elements = same.map(|(vip, until)| (*vip, Value::None, Some(left(*until))));
            let elements = elements.collect();
            Filling { family: TableFamily::Inet, table: &self.table, set: set(family), elements }
        });
        sets.fill(&fillings)
    }
}

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

fn set(family: Family) -> &'static str {
    match family {
        Family::V4 => "live4",
        Family::V6 => "live6",
    }
}

/// How many vips one line of the log names.
const NAMED: usize = 3;

/// The first few, and how many there are besides.
fn named(vips: &[IpAddr]) -> String {
    let first: Vec<String> = vips.iter().take(NAMED).map(ToString::to_string).collect();
    match vips.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_few_vips_however_many_there_are() {
        let vips: Vec<IpAddr> = (1..=200).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        assert_eq!(named(&vips[..2]), "10.0.0.1, 10.0.0.2");
        assert_eq!(named(&vips), "10.0.0.1, 10.0.0.2, 10.0.0.3 and 197 more");
    }
}
