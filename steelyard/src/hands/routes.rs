//! What the gateway routes requests by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use steelyard_gateway::{Gateway, Lacking};
use steelyard_model::routing::id::CertificateId;
use steelyard_model::routing::world::RoutingMap;

use super::{Applied, Doing, Hand};
use crate::mind::Decided;
use crate::own::Own;

/// The gateway's routes, and what it was told last.
pub(crate) struct Routes {
    gateway: Arc<Gateway>,
    /// Shows what is in force on entry points.
    own: Arc<Own>,
    told: Option<RoutingMap>,
    silent: Arc<BTreeSet<SocketAddr>>,
    lacking: Arc<BTreeMap<CertificateId, Lacking>>,
}

impl Routes {
    pub(crate) fn new(gateway: Arc<Gateway>, own: Arc<Own>) -> Self {
        Self { gateway, own, told: None, silent: Arc::default(), lacking: Arc::default() }
    }

    /// Endpoints that requests got no connection to, where they are others than last time.
    pub(crate) fn fell_silent(&mut self) -> Option<Arc<BTreeSet<SocketAddr>>> {
        let silent = self.gateway.silent();
        if silent == *self.silent {
            return None;
        }
        self.silent = Arc::new(silent);
        Some(Arc::clone(&self.silent))
    }

    /// Certificates that are not shown as they ask to be, as was last seen.
    pub(crate) fn lacking(&self) -> &BTreeMap<CertificateId, Lacking> {
        &self.lacking
    }

    /// Certificates that are not shown as they ask to be, where they are others than last time.
    pub(crate) fn fell_short(&mut self) -> Option<Arc<BTreeMap<CertificateId, Lacking>>> {
        let lacking = self.gateway.lacking();
        if lacking == *self.lacking {
            return None;
        }
        self.lacking = Arc::new(lacking);
        Some(Arc::clone(&self.lacking))
    }
}

impl Hand for Routes {
    fn apply<'a>(
        &'a mut self,
        decided: &'a Arc<Decided>,
        _: &'a mut Applied,
    ) -> Doing<'a, Result<()>> {
        let routing = decided.plan.routes.routing();
        if self.told.as_ref() != Some(routing) {
            self.gateway.apply(routing, decided.generation);
            self.told = Some(routing.clone());
        }
        self.own.show(decided);
        Box::pin(std::future::ready(Ok(())))
    }
}
