//! What the connection of a request meets before the request is looked at.

use std::net::IpAddr;

use serde::Serialize;
use steelyard_model::routing::id::{EntryPointId, TlsPolicyId};
use steelyard_model::routing::tls::{ClientAuthentication, TlsPolicy};
use steelyard_model::routing::world::RoutingMap;
use steelyard_route::{Met, RoutingTable};

/// What takes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Taken {
    /// Its requests are looked at.
    Requests,
    /// The same of those who show a certificate.
    Certified,
    /// A TCP route has it, and nobody looks at requests.
    Tcp,
    /// No handshake is held.
    Refused,
}

/// The same, told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionRow {
    pub(crate) taken: Taken,
    /// Terms of its handshake that a route names.
    options: Option<String>,
    /// What there is to say of it.
    why: Option<String>,
}

impl ConnectionRow {
    /// What a connection meets that is for `host`.
    pub(crate) fn of(
        routing: &RoutingMap,
        table: &RoutingTable,
        point: &EntryPointId,
        (host, is_tls): (&str, bool),
        client: IpAddr,
    ) -> Option<Self> {
        Some(match table.met(point, (host, is_tls), client)? {
            Met::Bytes(route) => {
                let why = format!("{} has it, by {}", route.id.traefik_name(), route.rule);
                Self { taken: Taken::Tcp, options: None, why: Some(why) }
            }
            Met::Disagreement => {
                let why = format!("routes of {host} ask for different TLS options");
                Self { taken: Taken::Refused, options: None, why: Some(why) }
            }
            Met::Requests(_) if !is_tls => {
                Self { taken: Taken::Requests, options: None, why: None }
            }
            Met::Requests(policy) => Self::held(routing, policy, host),
        })
    }

    /// By the terms of a handshake.
    fn held(routing: &RoutingMap, named: Option<&TlsPolicyId>, host: &str) -> Self {
        let options = named.map(ToString::to_string);
        let own = |id| routing.tls_policies.get(id);
        let policy = named.map_or_else(|| routing.default_policy(), own);
        let (taken, why) = match policy {
            None if named.is_some() => {
                let why = "the TLS options that its route names are not to be had".to_owned();
                (Taken::Refused, Some(why))
            }
            None => (Taken::Requests, None),
            Some(policy) => by(policy, routing, host),
        };
        Self { taken, options, why }
    }
}

fn by(policy: &TlsPolicy, routing: &RoutingMap, host: &str) -> (Taken, Option<String>) {
    let is_covered = || routing.certificates.values().any(|it| it.covers(host));
    if policy.is_strict && !is_covered() {
        let why = format!("no certificate is for {host}, and sniStrict wants one");
        return (Taken::Refused, Some(why));
    }
    let why = match &policy.clients {
        ClientAuthentication::RequireAny => "who shows no certificate has no connection",
        ClientAuthentication::RequireAndVerify(by) if by.reports => {
            "who shows no certificate that is believed is answered 400"
        }
        ClientAuthentication::RequireAndVerify(_) => {
            "who shows no certificate that is believed has no connection"
        }
        _ => return (Taken::Requests, None),
    };
    (Taken::Certified, Some(why.to_owned()))
}
