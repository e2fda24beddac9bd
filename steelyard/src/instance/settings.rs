//! What an instance is told at its start.

use std::path::PathBuf;
use std::time::Duration;

use steelyard_kube::Standings;
use steelyard_manifest::Selection;
use steelyard_pipeline::GatewayServices;
use steelyard_plan::Author;

use super::sharing::{Conflict, Sharing};
use crate::args::{ServeArgs, WorldArgs};
use crate::legacy::Inheritance;
use crate::privileges::Privileges;

/// What an [`super::Instance`] is told at start.
pub(crate) struct Settings {
    pub(crate) duties: Duties,
    /// Who decides who has which address.
    pub(crate) author: Author,
    /// What of a cluster has to be known before anything can be decided; none where objects come
    /// from files.
    pub(crate) awaited: Option<Vec<Selection>>,
    /// How it stands with what is read of the cluster.
    pub(crate) standings: Option<Standings>,
    /// Which Services are the gateway's.
    pub(crate) gateway: GatewayServices,
    /// Nothing is announced: another load balancer is there.
    pub(crate) is_shadow: bool,
    /// Nodes that are labelled as excluded from load balancers take part all the same.
    pub(crate) ignore_exclude_lb: bool,
    /// Where assignments are kept; none keeps them in memory only.
    pub(crate) lock: Option<PathBuf>,
    pub(crate) privileges: Privileges,
    /// Interfaces to answer on; empty is by subnet.
    pub(crate) interfaces: Vec<String>,
    pub(crate) fwmark: u32,
    pub(crate) ip_forward: bool,
    pub(crate) state_dir: PathBuf,
    /// What to do where a foreign machine claims one of our addresses.
    pub(crate) conflict: Conflict,
    /// With which machines addresses are shared; none serves all of them here.
    pub(crate) sharing: Option<Sharing>,
    pub(crate) serve: ServeArgs,
    pub(crate) world: WorldArgs,
    /// Ports of `web` and `websecure` unless moved.
    pub(crate) ports: (u16, u16),
    /// Listeners that one process opens and another one serves: where they meet, and who the other
    /// one is.
    pub(crate) listeners: Option<Meeting>,
    /// How long it goes on as before once it was asked to end, and says it is not ready: until
    /// others know.
    pub(crate) linger: Duration,
    /// What another process gives that this one takes over from, or systemd.
    pub(crate) inheritance: Inheritance,
    /// Files that could never be read to their end do not keep it from being ready.
    pub(crate) accepts_broken: bool,
    /// Let the admin page have a free port where its own is taken.
    pub(crate) is_demo: bool,
}

/// Where listeners are lent.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    /// A Unix socket.
    pub(crate) path: PathBuf,
    /// The user that the other process is.
    pub(crate) other: u32,
}

/// What a role is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Duties {
    /// It answers requests, by routes.
    pub(crate) routes: bool,
    /// It carries packets for vips.
    pub(crate) carries: bool,
    /// Others carry them, whose flows outlive it: it passes packets of those that began at another
    /// node on to that.
    pub(crate) passes: bool,
    /// It answers for vips, as far as it may.
    pub(crate) announces: bool,
}

impl Duties {
    /// All there are.
    pub(crate) const ALL: Self =
        Self { routes: true, carries: true, passes: false, announces: true };
}
