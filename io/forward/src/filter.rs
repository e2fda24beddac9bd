//! The kernel's packet filter: our writes to it, and what others do to it.
//!
//! Nobody but us has business in our tables. So any change of theirs that is not ours (a saved
//! ruleset that is restored, a flushed map, chain or table) means that they are not as we left
//! them, whatever is in them now.

use std::sync::Arc;

use steelyard_firewall::Ruleset;
use steelyard_host::kernel_watch::Doings;
use steelyard_host::nft::{Nft, NftError};
use steelyard_host::nft_watch::NftWatch;
use steelyard_host::xtables::{self, Legacy};

use crate::lookout::Lookout;
use crate::told::Told;

#[derive(Debug)]
pub(crate) struct Filter {
    nft: Nft,
    /// Where it sees nothing, everything is looked at each time.
    lookout: Lookout<NftWatch>,
    /// The tables of others, as last listed.
    walls: Arc<Ruleset>,
    /// Others may have changed something since.
    is_stale: bool,
    table: String,
    told: Told,
}

impl Filter {
    pub(crate) fn open(table: &str) -> Result<Self, NftError> {
        let nft = Nft::find()?;
        let (walls, told) = (Arc::default(), Told::default());
        let lookout = Lookout::new(NftWatch::open(table));
        Ok(Self { nft, lookout, walls, is_stale: true, table: table.to_owned(), told })
    }

    /// Runs a batch of ours. It is over when the kernel says that it is in force, which is long
    /// before the program ends: that waits until no core can see what was there before.
    pub(crate) async fn run(&mut self, batch: &str) -> Result<(), NftError> {
        let run = self.nft.begin(batch)?;
        let port = run.port();
        port.into_iter().for_each(|port| self.is_own(port));
        let mut end = Box::pin(run.end());
        let is_taken = |watch: &NftWatch| port.is_some_and(|port| watch.has_taken(port));
        let outcome = tokio::select! {
            outcome = &mut end => outcome.map(drop),
            () = self.lookout.until_own(is_taken) => {
                tokio::spawn(end);
                Ok(())
            }
        };
        self.lookout.read_after_own();
        if let (Some(port), Some(watch)) = (port, self.lookout.watch()) {
            watch.is_anybodys(port);
        }
        outcome
    }

    /// What comes through this port of netlink is ours from now on.
    pub(crate) fn is_own(&mut self, port: u32) {
        self.lookout.is_own(port);
    }

    /// Waits until others did something; whether they did it to our tables.
    pub(crate) async fn stirred(&mut self) -> bool {
        self.lookout.stirred().await
    }

    /// Whether our tables may not be as we left them. Asked again it says what happened since.
    pub(crate) fn is_touched(&mut self) -> bool {
        let seen = self.lookout.take();
        if let Some(programs) = &seen.touched {
            let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
            self.told.tell(&programs.join(", "), "nftables tables");
        }
        let is_blind = self.lookout.watch().is_none();
        self.is_stale |= seen.changed || is_blind;
        seen.touches() || is_blind
    }

    /// The tables of others, and whether some of them could not be read. As they were, where they
    /// cannot be listed.
    pub(crate) async fn walls(&mut self) -> (Arc<Ruleset>, bool) {
        if self.is_stale {
            match self.nft.ruleset().await {
                Ok(listed) => {
                    self.walls = Arc::new(Ruleset::parse(&listed).without(&self.table));
                    self.is_stale = false;
                }
                Err(error) => tracing::warn!(%error, "cannot list the firewall's rules"),
            }
        }
        let walls = Arc::clone(&self.walls);
        // Of these nobody tells when they change.
        match xtables::read().await {
            Legacy::None => (walls, false),
            Legacy::Unread => (walls, true),
            Legacy::Translated(text) => {
                let mut all = Ruleset::clone(&walls);
                all.merge(Ruleset::parse_legacy(&text));
                (Arc::new(all), false)
            }
        }
    }
}
