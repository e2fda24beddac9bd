//! Passing packets of older flows on, and nothing else: for who leaves it to others (kube-proxy) to
//! carry packets for vips.

use std::io;

use steelyard_host::kernel_watch::Doings;
use steelyard_host::name::{self, Name};
use steelyard_host::nft_watch::NftWatch;

use crate::lookout::Lookout;
use crate::owner::claimed;
use crate::passing::Passing;
use crate::told::Told;

/// The tables, as long as this lives.
#[derive(Debug)]
pub struct Passer {
    passing: Passing,
    table: String,
    lookout: Lookout<NftWatch>,
    told: Told,
    _claim: Name,
}

/// Why packets are not passed on.
#[derive(Debug, thiserror::Error)]
pub enum NoPasser {
    /// Another process has the tables.
    #[error("another steelyard of this host has the nftables table {0}")]
    Taken(String),
    /// The kernel does not take them.
    #[error("the kernel's packet filter cannot be set: {0}")]
    Refused(#[from] io::Error),
}

impl Passer {
    /// Makes the tables, whatever an earlier process left. On a thread that runs a tokio runtime;
    /// wants CAP_NET_ADMIN.
    pub fn start(table: &str) -> Result<Self, NoPasser> {
        let claim = name::take(&claimed(table));
        let claim = claim.map_err(|name::Taken| NoPasser::Taken(table.to_owned()))?;
        let (passing, lookout) = (Passing::default(), Lookout::new(NftWatch::open(table)));
        let (table, told) = (table.to_owned(), Told::default());
        let mut passer = Self { passing, table, lookout, told, _claim: claim };
        passer.make()?;
        Ok(passer)
    }

    /// Which vips have flows at former owners.
    pub fn passing(&self) -> Passing {
        self.passing.clone()
    }

    /// What was set on this host, for people.
    pub fn change(&self) -> String {
        format!("nftables: table ip {0}, ip6 {0}", self.table)
    }

    /// Sets the tables again where others changed them.
    pub fn repair(&mut self) {
        let seen = self.lookout.take();
        if let Some(programs) = &seen.touched {
            let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
            self.told.tell(&programs.join(", "), "nftables tables");
        }
        if seen.touches()
            && let Err(error) = self.make()
        {
            tracing::warn!(%error, "flows that began at a former owner may break");
        }
    }

    fn make(&mut self) -> io::Result<()> {
        let port = self.passing.begin(&self.table)?;
        port.into_iter().for_each(|port| self.lookout.is_own(port));
        self.lookout.read_after_own();
        Ok(())
    }
}

impl Drop for Passer {
    fn drop(&mut self) {
        if let Err(error) = self.passing.remove() {
            tracing::error!(%error, "what was set on this host could not be undone");
        }
    }
}
