//! Notices what other programs do to the kernel's packet filter.
//!
//! The kernel tells of each change and of the end of each transaction, with the netlink port of
//! whoever asked for it; so what we did ourselves is told apart. Reading costs what changed, never
//! what there is. What cannot be read is passed over. Message layout: linux/netfilter/nf_tables.h.

use std::collections::BTreeSet;
use std::io;

use crate::kernel_watch::{Doings, KernelWatch};
use crate::netlink::attributes;
use crate::notices::Notices;

/// Watches the packet filter of the namespace it was opened in.
#[derive(Debug)]
pub struct NftWatch {
    notices: Notices,
    /// The table, of any family, that is watched.
    table: Vec<u8>,
    /// Ports of netlink that we changed something through.
    own: BTreeSet<u32>,
    /// Those of them of which a transaction took force.
    taken: BTreeSet<u32>,
    /// A transaction whose end was not read yet touched the table.
    open: bool,
}

/// What others did since the last time.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Strangers {
    /// They changed something, somewhere.
    pub changed: bool,
    /// They changed the table that is watched; the programs, as far as they are known.
    pub touched: Option<BTreeSet<String>>,
    /// They changed more than could be followed: the table may be touched.
    pub lost: bool,
}

impl Doings for Strangers {
    fn merge(&mut self, later: Self) {
        self.changed |= later.changed;
        self.lost |= later.lost;
        if let Some(programs) = later.touched {
            self.touched.get_or_insert_default().extend(programs);
        }
    }

    fn touches(&self) -> bool {
        self.touched.is_some() || self.lost
    }

    fn is_lost(&self) -> bool {
        self.lost
    }
}

const SUBSYSTEM: u16 = 10;
const NEW_GENERATION: u16 = (SUBSYSTEM << 8) | 15;
/// In messages about tables, chains, rules, sets, elements and objects alike.
const TABLE_NAME: u16 = 1;
const GENERATION_BY: u16 = 3;
const FAMILY_HEADER: usize = 4;
/// `NFNLGRP_NFTABLES` as a mask.
const GROUP: u32 = 1 << 6;

impl NftWatch {
    /// Starts to watch tables called `table`. Must be called on a thread that runs a tokio
    /// runtime; wants CAP_NET_ADMIN.
    pub fn open(table: &str) -> io::Result<Self> {
        let notices = Notices::open(libc::NETLINK_NETFILTER, GROUP)?;
        let table = [table.as_bytes(), &[0]].concat();
        Ok(Self { notices, table, own: BTreeSet::new(), taken: BTreeSet::new(), open: false })
    }

    /// From now on it is anybody's again: the kernel gives ports away anew.
    pub fn is_anybodys(&mut self, port: u32) {
        self.own.remove(&port);
        self.taken.remove(&port);
    }

    /// Whether a transaction of ours took force that came through this port, as far as was read.
    pub fn has_taken(&self, port: u32) -> bool {
        self.taken.contains(&port)
    }
}

impl KernelWatch for NftWatch {
    type Doings = Strangers;

    const OF: &str = "nftables";

    fn is_own(&mut self, port: u32) {
        self.own.insert(port);
    }

    async fn readable(&self) -> io::Result<()> {
        self.notices.readable().await
    }

    fn read(&mut self) -> io::Result<Strangers> {
        let mut strangers = Strangers::default();
        let Self { notices, table, own, taken, open } = self;
        let lost = notices.read(|kind, port, body| {
            if own.contains(&port) {
                *open = false;
                if kind == NEW_GENERATION {
                    taken.insert(port);
                }
            } else {
                note(kind, body, table, open, &mut strangers);
            }
        })?;
        strangers.lost |= lost;
        strangers.changed |= lost;
        Ok(strangers)
    }
}

/// Takes note of what a stranger did.
fn note(kind: u16, body: &[u8], table: &[u8], open: &mut bool, strangers: &mut Strangers) {
    strangers.changed = true;
    let told = || attributes(body.get(FAMILY_HEADER..).unwrap_or_default());
    if kind == NEW_GENERATION {
        if std::mem::take(open) {
            let by = told().find(|it| it.kind == GENERATION_BY);
            let name = by.map(|it| String::from_utf8_lossy(it.value).into_owned());
            let name = name.map(|it| it.trim_end_matches('\0').to_owned());
            strangers.touched.get_or_insert_default().extend(name);
        }
    } else {
        let named = told().find(|it| it.kind == TABLE_NAME);
        *open |= named.is_some_and(|it| it.value == table);
    }
}

#[cfg(test)]
mod tests;
