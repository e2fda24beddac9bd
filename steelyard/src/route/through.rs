//! A request on its way through routes that lead to others: each of these is asked what its
//! parents' filters have made of the request, as in the gateway.

use std::net::IpAddr;

use serde_json::{Value, json};
use steelyard_http::edits::RequestChanges;
use steelyard_http::{Reject, RequestEdits, RequestHead, RequestSubject, RequestView};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::route::Destination;
use steelyard_model::routing::world::RoutingMap;
use steelyard_route::{RoutingTable, Ruling, Winner};

use super::passing::Passing;

/// A request at an entry point.
#[derive(Clone, Copy)]
pub(crate) struct Arrived<'a, 'h, 'b> {
    pub(crate) point: &'a EntryPointId,
    pub(crate) is_tls: bool,
    /// As it came.
    pub(crate) head: &'a RequestHead<'h, 'b>,
    /// As filters see it.
    pub(crate) within: &'a RequestHead<'h, 'b>,
    /// Who asks.
    pub(crate) client: IpAddr,
}

/// What becomes of it.
pub(crate) struct Through<'t> {
    pub(crate) ruling: Ruling<'t>,
    /// What it has become behind each route that leads to others.
    made: Vec<RequestChanges>,
    /// Filters of such routes that do not let it in, or ask somebody else: what is behind them is
    /// told as if they did, and changed nothing.
    assumed: Vec<String>,
    /// What it has become is no request that is routed.
    pub(crate) rejected: Option<Reject>,
}

impl<'t> Through<'t> {
    pub(crate) fn of(
        routing: &RoutingMap,
        table: &'t RoutingTable,
        arrived: Arrived<'_, '_, '_>,
    ) -> Self {
        let Arrived { point, is_tls, .. } = arrived;
        let (mut made, mut assumed) = (Vec::new(), Vec::new());
        loop {
            let (subjects, rejected) = subjects(arrived, &made);
            let ruling = table.ruling_through(point, is_tls, &subjects);
            let led = ruling
                .winners
                .get(..=made.len())
                .filter(|led| rejected.is_none() && led.last().is_some_and(leads_on));
            let Some(led) = led else {
                return Self { ruling, made, assumed, rejected };
            };
            let passing = Passing::of(routing, (point, is_tls), led);
            let let_in = passing.let_in(routing, arrived.within, (arrived.client, is_tls));
            made.push(let_in.0);
            assumed = let_in.1;
        }
    }

    /// The request as it came, and as it is behind each of the routes that it is led through.
    pub(crate) fn subjects<'a, 'h, 'b>(
        &'a self,
        arrived: Arrived<'a, 'h, 'b>,
    ) -> Vec<RequestSubject<'a, 'h, 'b>> {
        subjects(arrived, &self.made).0
    }

    /// What is to be told of it, where filters change something on the way.
    pub(crate) fn rows(&self, within: &dyn RequestView) -> Vec<Value> {
        let led = self.ruling.winners.iter().zip(&self.made);
        let changed = led.filter(|(_, made)| **made != RequestChanges::default());
        let row = |(won, made): (&Winner<'_>, &RequestChanges)| {
            let edits = RequestEdits::seen(within, made);
            let query = edits.query().map(|it| format!("?{it}")).unwrap_or_default();
            let headers = made
                .lines
                .added()
                .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)));
            json!({
                "behind": won.route.id.traefik_name(),
                "request": format!("{} {}{}{query}", edits.method(), edits.authority(), edits.path()),
                "headers": headers.collect::<Vec<_>>(),
            })
        };
        changed.map(row).collect()
    }

    /// Filters of which it is assumed that they let the request in, and change nothing.
    pub(crate) fn assumed(&self) -> &[String] {
        &self.assumed
    }
}

fn leads_on(won: &Winner<'_>) -> bool {
    matches!(won.route.to, Destination::Routes(_))
}

fn subjects<'a, 'h, 'b>(
    arrived: Arrived<'a, 'h, 'b>,
    made: &'a [RequestChanges],
) -> (Vec<RequestSubject<'a, 'h, 'b>>, Option<Reject>) {
    let Arrived { head, within, client, .. } = arrived;
    let mut all = vec![RequestSubject::new(head, client)];
    for changes in made {
        match RequestSubject::changed(within, changes, client) {
            Ok(subject) => all.push(subject),
            Err(reject) => return (all, Some(reject)),
        }
    }
    (all, None)
}
