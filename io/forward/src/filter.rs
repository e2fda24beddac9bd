//! The kernel's packet filter: our writes to it, and what others do to it.
//!
//! Nobody but us has business in our tables. So any change of theirs that is not ours (a saved
//! ruleset that is restored, a flushed map, chain or table) means that they are not as we left
//! them, whatever is in them now.

use std::sync::Arc;

use steelyard_firewall::Ruleset;
use steelyard_host::nft::{Nft, NftError};
use steelyard_host::nft_watch::{NftWatch, Strangers};
use steelyard_host::xtables::{self, Legacy};

use crate::told::Told;

#[derive(Debug)]
pub(crate) struct Filter {
    nft: Nft,
    /// None where the kernel does not tell: then everything is looked at each time.
    watch: Option<NftWatch>,
    /// What others did and was not seen to yet.
    seen: Strangers,
    /// The tables of others, as last listed; none when they changed something.
    walls: Option<Arc<Ruleset>>,
    table: String,
    told: Told,
}

impl Filter {
    pub(crate) fn open(table: &str) -> Result<Self, NftError> {
        let nft = Nft::find()?;
        let watch = NftWatch::open(table)
            .inspect_err(|error| tracing::debug!(%error, "changes to nftables are noticed late"))
            .ok();
        let seen = Strangers::default();
        let (walls, table, told) = (None, table.to_owned(), Told::default());
        Ok(Self { nft, watch, seen, walls, table, told })
    }

    /// Runs a batch of ours.
    pub(crate) async fn run(&mut self, batch: &str) -> Result<(), NftError> {
        let mut port = None;
        let outcome = self.nft.run(batch, |it| port = Some(it)).await;
        if let (Some(port), Some(watch)) = (port, &mut self.watch) {
            watch.is_own(port);
            self.read();
        }
        if let (Some(port), Some(watch)) = (port, &mut self.watch) {
            watch.is_anybodys(port);
        }
        outcome
    }

    /// What comes through this port of netlink is ours from now on.
    pub(crate) fn is_own(&mut self, port: u32) {
        self.watch.iter_mut().for_each(|watch| watch.is_own(port));
    }

    /// Waits until others did something; whether they did it to our tables. What they did is
    /// kept, so nothing is lost when the wait is given up.
    pub(crate) async fn stirred(&mut self) -> bool {
        loop {
            let readable = match &self.watch {
                Some(watch) => watch.readable().await,
                None => std::future::pending().await,
            };
            if let Err(error) = readable {
                tracing::warn!(%error, "changes to nftables are noticed late");
                self.watch = None;
                continue;
            }
            let before = std::mem::take(&mut self.seen);
            self.read();
            let news = std::mem::replace(&mut self.seen, before);
            let (changed, ours) = (news.changed, news.touched.is_some() || news.lost);
            self.seen.merge(news);
            if changed {
                return ours;
            }
        }
    }

    /// Whether our tables may not be as we left them. Asked again it says what happened since.
    pub(crate) fn is_touched(&mut self) -> bool {
        self.read();
        let seen = std::mem::take(&mut self.seen);
        if let Some(programs) = &seen.touched {
            let programs: Vec<&str> = programs.iter().map(String::as_str).collect();
            self.told.tell(&programs.join(", "), "nftables tables");
        }
        self.watch.is_none() || seen.lost || seen.touched.is_some()
    }

    /// The tables of others, and whether some of them could not be read.
    pub(crate) async fn walls(&mut self) -> Result<(Arc<Ruleset>, bool), NftError> {
        self.read();
        let walls = match self.walls.clone().filter(|_| self.watch.is_some()) {
            Some(walls) => walls,
            None => {
                let ruleset = Ruleset::parse(&self.nft.ruleset().await?);
                Arc::new(ruleset.without(&self.table))
            }
        };
        self.walls = Some(Arc::clone(&walls));
        // Of these nobody tells when they change.
        match xtables::read().await {
            Legacy::None => Ok((walls, false)),
            Legacy::Unread => Ok((walls, true)),
            Legacy::Translated(text) => {
                let mut all = Ruleset::clone(&walls);
                all.merge(Ruleset::parse_legacy(&text));
                Ok((Arc::new(all), false))
            }
        }
    }

    fn read(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        match watch.read() {
            Ok(strangers) => {
                if strangers.changed {
                    self.walls = None;
                }
                self.seen.merge(strangers);
            }
            Err(error) => {
                tracing::warn!(%error, "changes to nftables are noticed late");
                self.watch = None;
            }
        }
    }
}
