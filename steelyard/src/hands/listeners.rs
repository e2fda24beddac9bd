//! The gateway's listeners: opened and closed until they are where entry points are to be reached.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use steelyard_forward::{Forwarder, Listening};
use steelyard_gateway::{Bind, Binding, Gateway, Sockets, adopt_sockets, open_sockets};
use steelyard_host::inherited::Inherited;
use steelyard_lending::{Borrower, LentListener};
use steelyard_model::Protocol;
use steelyard_model::routing::entry_point::BuiltIn;

use super::history::History;
use super::{Applied, Doing, Hand, Listener, Listeners, binds};
use crate::entry_points::StaticOptions;
use crate::mind::{Decided, is_gateway};

/// Where entry points are, unless an option says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// On loopback, where nothing is answered for.
    Loopback,
    /// At every address of this host, by which others lead to them.
    Host,
    /// At the gateway's vips; where it has no Service, at every address of this host.
    Vips,
}

/// The listeners, and those that failed.
pub(crate) struct EntryPoints {
    gateway: Arc<Gateway>,
    /// Knows which vips packets can be led to another port for; none where no packets are led.
    forwarder: Option<Arc<Forwarder>>,
    fixed: StaticOptions,
    /// The ports of `web` and `websecure` unless moved.
    ports: (u16, u16),
    site: Site,
    /// Has listeners that another process opened, besides; none where nobody lends.
    borrower: Option<Borrower>,
    /// Sockets that the process opened that this one takes over from, or systemd.
    inherited: Inherited,
    /// What of it is served.
    served: BTreeMap<Bind, LentListener>,
    history: History,
    opened: Arc<Listeners>,
    /// Those that failed last time, and why: told once.
    failing: BTreeMap<Bind, String>,
}

impl EntryPoints {
    pub(crate) fn new(
        (gateway, forwarder): (Arc<Gateway>, Option<Arc<Forwarder>>),
        (fixed, ports): (StaticOptions, (u16, u16)),
        site: Site,
        (borrower, inherited): (Option<Borrower>, Inherited),
        history: History,
    ) -> Self {
        let (served, opened, failing) = Default::default();
        Self {
            gateway,
            forwarder,
            fixed,
            ports,
            site,
            borrower,
            inherited,
            served,
            history,
            opened,
            failing,
        }
    }

    /// Has a built-in entry point listen on another port, from the next time on.
    pub(crate) fn move_to(&mut self, point: BuiltIn, port: u16) {
        let (web, websecure) = &mut self.ports;
        *(if point.is_secure { websecure } else { web }) = port;
    }

    /// Where they are wanted.
    async fn wanted(&self, decided: &Decided) -> Vec<Bind> {
        let Decided { snapshot, .. } = decided;
        let asked = || binds::asked_for(snapshot.routing.entry_points.values(), &self.fixed);
        match self.site {
            Site::Loopback => return binds::on_loopback(&self.fixed, self.ports, asked()),
            Site::Host => return binds::on_host(&self.fixed, self.ports, asked()),
            Site::Vips => {}
        }
        // Where the gateway has a Service, nothing listens but its address: not while it has none,
        // nor where that turned out to be the machine's own.
        if snapshot.services.values().any(|it| is_gateway(it)) {
            let mut binds = binds::at_vips(decided, self.forwarder.as_deref()).await;
            binds.extend(binds::of_own(&self.fixed, self.ports, &binds));
            return binds;
        }
        if snapshot.routing.routes.is_empty() {
            Vec::new()
        } else {
            binds::on_host(&self.fixed, self.ports, asked())
        }
    }

    async fn open(&mut self, decided: &Decided) -> Arc<Listeners> {
        let mut wanted = self.wanted(decided).await;
        let loans = self.loans();
        if self.served.iter().any(|(bind, loan)| loans.get(bind).is_some_and(|it| it != loan)) {
            // Others in the place of those that are served: these have to end first.
            let stay = |bind: &Bind| self.served.get(bind) == loans.get(bind);
            let stay = wanted.iter().chain(loans.keys().filter(|bind| stay(bind))).cloned();
            self.gateway.listen(&stay.collect::<Vec<_>>());
        }
        wanted.extend(loans.keys().cloned());
        let listeners = binds::listen(&self.gateway, &wanted, |bind, count| {
            let Some(loan) = loans.get(bind) else { return open(&self.inherited, bind, count) };
            loan.listeners().map(|(address, all)| (address, Sockets::Tcp(all)))
        });
        self.served = loans;
        if *self.opened != listeners {
            self.opened = Arc::new(listeners);
        }
        Arc::clone(&self.opened)
    }

    /// What is lent, from now on: routes are known.
    fn loans(&self) -> BTreeMap<Bind, LentListener> {
        let Some(borrower) = &self.borrower else { return BTreeMap::new() };
        borrower.begin();
        let loans = borrower.loans();
        loans.iter().map(|(place, loan)| (binds::lent(place), loan.clone())).collect()
    }

    /// Notes those that fail, once each.
    fn tell_failures(&mut self, listeners: &[Listener]) {
        let failed = listeners.iter().filter_map(|(bind, outcome)| {
            outcome.as_ref().err().map(|error| (bind.clone(), error.clone()))
        });
        let failed: BTreeMap<Bind, String> = failed.collect();
        for (bind, error) in failed.iter().filter(|(bind, _)| !self.failing.contains_key(bind)) {
            let object = format!("EntryPoint/{}", bind.entry_point);
            let message = format!(
                "cannot listen on {}: {error}; `ss -ltnp` shows who does: bind that to one address",
                bind.address
            );
            self.history.note(false, "ListenFailed", &object, &message);
        }
        self.failing = failed;
    }
}

impl Hand for EntryPoints {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        applied: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        Box::pin(async {
            let Some(opened) = applied.opened.take() else {
                applied.opened = Some(self.open(decided).await);
                return Ok(());
            };
            // The forwarder had the port until now, where a Service became the gateway's.
            let failed = opened.iter().any(|(_, outcome)| outcome.is_err());
            let opened = if failed { self.open(decided).await } else { opened };
            self.tell_failures(&opened);
            applied.opened = Some(opened);
            Ok(())
        })
    }
}

/// Sockets that are there already, or new ones.
fn open(
    inherited: &Inherited,
    bind: &Bind,
    count: usize,
) -> std::io::Result<(SocketAddr, Sockets)> {
    let mut given = inherited.take(&bind.key());
    if given.is_empty() && bind.binding == Binding::Host {
        given = inherited.take_bound(bind.protocol == Protocol::Udp, bind.address);
    }
    if given.is_empty() { open_sockets(bind, count) } else { adopt_sockets(bind, given) }
}

/// The port that a built-in entry point listens on; none while it cannot listen on each address it
/// should: somebody else has the port there.
pub(crate) fn port_of(point: BuiltIn, listeners: &[Listener]) -> Option<u16> {
    let its = listeners.iter().filter(|(bind, _)| bind.entry_point == point.name);
    let ports: Option<Vec<SocketAddr>> =
        its.map(|(bind, at)| Some(binds::reached(bind, *at.as_ref().ok()?))).collect();
    ports?.first().map(SocketAddr::port)
}

/// The ports at vips that somebody listens at, by vip.
pub(crate) fn at_vips(listeners: &[Listener]) -> BTreeMap<IpAddr, Vec<Listening>> {
    let mut ours: BTreeMap<IpAddr, Vec<Listening>> = BTreeMap::new();
    for (bind, outcome) in listeners.iter().filter(|it| it.0.binding != Binding::Host) {
        let Ok(socket) = outcome else { continue };
        let (protocol, port, at) = (bind.protocol, bind.address.port(), socket.port());
        ours.entry(bind.address.ip()).or_default().push(Listening { protocol, port, at });
    }
    ours
}
