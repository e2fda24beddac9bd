//! The hand that shows what is so: in the admin API, on its page, in the metrics.
//!
//! It is shown again when one of the things moves that nobody decides: what the speaker tells, what
//! other machines do, endpoints that fall silent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use steelyard_admin::{Lazy, Published, View};
use steelyard_gateway::Lacking;
use steelyard_kube::Gap;
use steelyard_model::routing::id::CertificateId;
use steelyard_speaker::{Sharing, VipStatus};
use tokio::sync::watch;

use super::current::Current;
use super::moment::Moment;
use super::note;
use super::unready::Unready;
use crate::hands::descriptors::Crowded;
use crate::hands::history::{self, History};
use crate::hands::ipvs::LooseArp;
use crate::hands::lock::LockStanding;
use crate::hands::{Applied, Doing, Hand};
use crate::mind::Decided;
use crate::privileges::Privileges;

/// Where it is shown, and whence it is known.
pub(crate) struct Board {
    published: Arc<Published>,
    sources: BoardSources,
    started: u64,
    current: Option<Arc<Current>>,
    crowded: Vec<Crowded>,
    silent: Arc<BTreeSet<SocketAddr>>,
    lacking: Arc<BTreeMap<CertificateId, Lacking>>,
    plight: Option<Unready>,
    loose_arp: Option<LooseArp>,
    gaps: Vec<Gap>,
}

/// What it shows besides decisions and what came of them.
pub(crate) struct BoardSources {
    pub(crate) privileges: Privileges,
    /// Whether it is ready although a file could never be read.
    pub(crate) accepts_broken: bool,
    pub(crate) history: History,
    pub(crate) lock: LockStanding,
    /// How vips stand; none where nothing is answered for.
    pub(crate) status: Option<watch::Receiver<Arc<[VipStatus]>>>,
    /// Where several machines settle who has which.
    pub(crate) sharing: Option<watch::Receiver<Arc<Sharing>>>,
}

impl Board {
    pub(crate) fn new(published: Arc<Published>, sources: BoardSources) -> Self {
        let (current, crowded, silent, lacking, plight, loose_arp, gaps) = Default::default();
        let started = history::now();
        Self {
            published,
            sources,
            started,
            current,
            crowded,
            silent,
            lacking,
            plight,
            loose_arp,
            gaps,
        }
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Option<&Arc<Current>> {
        self.current.as_ref()
    }

    /// These parts have no place for more connections.
    pub(crate) fn set_crowded(&mut self, crowded: &[Crowded]) {
        self.crowded = crowded.to_vec();
    }

    /// It is not ready, for this reason; or for none but what is shown anyway.
    pub(crate) fn set_plight(&mut self, plight: Option<Unready>) {
        if matches!(plight, Some(Unready::Ending)) {
            self.published.end();
        }
        self.plight = plight;
    }

    /// Whether the kernel answers for vips, whichever node is to; whether that is news.
    pub(crate) fn set_loose_arp(&mut self, found: Option<LooseArp>) -> bool {
        let is_news = found != self.loose_arp;
        self.loose_arp = found;
        is_news
    }

    /// This of the cluster is not known as it is now; whether that is news.
    pub(crate) fn set_gaps(&mut self, gaps: Vec<Gap>) -> bool {
        let is_news = gaps != self.gaps;
        self.gaps = gaps;
        is_news
    }

    /// These endpoints take no connections from the gateway.
    pub(crate) fn set_silent(&mut self, silent: Arc<BTreeSet<SocketAddr>>) {
        self.silent = silent;
    }

    /// These certificates are not shown as they ask to be.
    pub(crate) fn set_lacking(&mut self, lacking: Arc<BTreeMap<CertificateId, Lacking>>) {
        self.lacking = lacking;
    }

    /// Tells everyone what is in force now. It costs a few pointers: nothing is made before
    /// somebody asks.
    pub(crate) fn show(&self) {
        let Some(current) = &self.current else { return self.show_plight() };
        let BoardSources { privileges, accepts_broken, history, lock, status, sharing } =
            &self.sources;
        let moment = Arc::new(Moment {
            current: Arc::clone(current),
            plight: self.plight.clone(),
            loose_arp: self.loose_arp.clone(),
            gaps: self.gaps.clone(),
            is_waiting: lock.is_waiting(),
            lock_trouble: lock.trouble(),
            crowded: self.crowded.clone(),
            privileges: privileges.clone(),
            accepts_broken: *accepts_broken,
            started: self.started,
            stands: status.as_ref().map(|it| Arc::clone(&it.borrow())),
            sharing: sharing.as_ref().map(|it| Arc::clone(&it.borrow())),
            events: history.all(),
            silent: Arc::clone(&self.silent),
            lacking: Arc::clone(&self.lacking),
        });
        self.published.publish(moment.view());
    }
}

impl Board {
    /// Tells why nothing is in force yet.
    fn show_plight(&self) {
        let Some(plight) = &self.plight else { return };
        let (nothing, gaps) = (|| json!([]).into(), self.gaps.clone());
        self.published.publish(View {
            generation: 0,
            unready: vec![plight.to_string()].into(),
            notes: Lazy::new(move || {
                note::of_gaps(&gaps).iter().map(ToString::to_string).collect()
            }),
            overview: json!({}).into(),
            services: nothing(),
            announcements: nothing(),
            routes: nothing(),
            peers: nothing(),
            members: nothing(),
            certificates: nothing(),
            events: nothing(),
            diagnostics: nothing(),
            gauges: String::new().into(),
        });
    }
}

impl Hand for Board {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        applied: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        let known = self.current.as_ref().filter(|it| Arc::ptr_eq(&it.decided, decided));
        if known.is_none_or(|known| known.applied != *applied) {
            let took = known.map_or_else(|| decided.seen.elapsed(), |known| known.took);
            let (decided, applied) = (Arc::clone(decided), applied.clone());
            self.current = Some(Arc::new(Current { decided, applied, took }));
            self.show();
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
