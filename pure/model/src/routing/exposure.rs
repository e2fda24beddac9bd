//! Which services of the program itself there are, and where they are without a route of a user's:
//! Traefik's `api`, `ping` and `metrics.prometheus`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::routing::backend::Internal;
use crate::routing::id::{BackendId, EntryPointId};

/// What of the program itself is shown. By default nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Services that routes may lead to, besides `noop@internal`.
    pub services: BTreeSet<Internal>,
    /// Routes that are there by themselves.
    pub routes: Vec<ExposedRoute>,
}

/// A route to a service of the program itself that nobody has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedRoute {
    /// `api` of `api@internal`.
    pub name: Arc<str>,
    /// Where it is.
    pub entry_point: EntryPointId,
    /// What paths begin with, byte for byte.
    pub prefix: Arc<str>,
    /// What answers.
    pub service: Internal,
    /// [`crate::routing::rank::Rank::number`].
    pub number: i64,
}

impl Exposure {
    /// Whether routes may lead to a service.
    pub fn has(&self, service: Internal) -> bool {
        service == Internal::Noop || self.services.contains(&service)
    }
}

impl Internal {
    /// Those that routes may name.
    pub const NAMED: [Self; 5] =
        [Self::Api, Self::Dashboard, Self::Ping, Self::Prometheus, Self::Noop];

    /// Its name, as routes have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api@internal",
            Self::Dashboard => "dashboard@internal",
            Self::Ping => "ping@internal",
            Self::Prometheus => "prometheus@internal",
            Self::Noop => "noop@internal",
            Self::Challenge => "acme-http@internal",
        }
    }

    /// The static option without which it is not there.
    pub fn option(self) -> &'static str {
        match self {
            Self::Api | Self::Dashboard => "api",
            Self::Ping => "ping",
            Self::Prometheus => "metrics.prometheus",
            Self::Noop | Self::Challenge => "",
        }
    }
}

impl From<Internal> for BackendId {
    fn from(service: Internal) -> Self {
        service.name().into()
    }
}
