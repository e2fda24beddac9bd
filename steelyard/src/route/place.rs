//! Where a request is asked, and what becomes of it there before any route is asked for: what the
//! gateway does, by the same functions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use steelyard_gateway::EntryTerms;
use steelyard_http::head::Slots;
use steelyard_http::{Reject, RequestHead, RequestSubject, Scheme, Vouching};
use steelyard_model::Protocol;
use steelyard_model::routing::entry_point::{EntryPoint, OWN, PLAIN, SECURE};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::route::{Manner, Route};
use steelyard_model::routing::subject::Subject as _;
use steelyard_model::routing::world::RoutingMap;
use steelyard_route::{RoutingTable, Ruling};

use super::asked::Asked;
use super::through::{Arrived, Through};

/// What a route answers over a handshake that did not ask for the certificate that it wants.
const UNASKED: &str = "421: the route wants certificates of clients, and another route that names \
                       the host, or names it more exactly, asks for none in its handshakes";

/// What requests are routed by.
pub(super) struct Way<'w> {
    pub(super) routing: &'w RoutingMap,
    pub(super) table: &'w RoutingTable,
    /// What holds at entry points, by name.
    pub(super) terms: &'w BTreeMap<String, Arc<EntryTerms>>,
}

/// An entry point, and why this one.
pub(super) struct Place<'w> {
    pub(super) point: &'w Arc<EntryPoint>,
    pub(super) by: ChosenBy,
}

/// Why a request is asked at an entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChosenBy {
    /// It is named.
    Name,
    /// It has the URL's port.
    Port,
    /// It is there for the URL's scheme.
    Scheme,
    /// It is the first that has a route for the request.
    Route,
}

impl ChosenBy {
    /// For scripts.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Port => "port",
            Self::Scheme => "scheme",
            Self::Route => "route",
        }
    }

    /// For people, where they may wonder.
    pub(super) fn told(self, port: u16) -> String {
        let why = match self {
            Self::Name | Self::Port => return String::new(),
            Self::Scheme => "this one is for the scheme",
            Self::Route => "this one has a route for it",
        };
        format!(" (none is at port {port}; {why}: --entrypoint names another)")
    }
}

impl Way<'_> {
    /// The head of a request, as the gateway has it at an entry point, and who asks.
    pub(super) fn head<'b>(
        &self,
        asked: &'b Asked,
        slots: &'b mut Slots<'b>,
        point: &EntryPointId,
        client: IpAddr,
    ) -> Result<Result<(RequestHead<'b, 'b>, IpAddr), Reject>> {
        let mut head = match RequestHead::parse(asked.text.as_bytes(), slots) {
            Ok(Some(head)) => head,
            Ok(None) => bail!("{:?} is no whole request", asked.shown),
            Err(reject) => return Ok(Err(reject)),
        };
        let terms = self.terms.get(point.as_str()).cloned().unwrap_or_default();
        let scheme = if asked.is_tls { Scheme::Https } else { Scheme::Http };
        let vouching = Vouching::new(terms.forwarded.clone(), client).over(scheme);
        Ok(match head.begin(&vouching, terms.semicolons) {
            Ok(client) => Ok((head, client)),
            Err(reject) => Err(reject),
        })
    }

    /// Why the request is answered on its way to the routes that take it, if it is.
    pub(super) fn rejects(
        &self,
        through: &Through<'_>,
        arrived: Arrived<'_, '_, '_>,
    ) -> Option<String> {
        let subjects = through.subjects(arrived);
        let Arrived { point, is_tls, .. } = arrived;
        let rejected = self.misread(point, is_tls, &subjects, &through.ruling);
        let rejected = rejected.or(through.rejected).map(|it| format!("{}: {it}", it.status()));
        rejected.or_else(|| {
            let route = through.ruling.winners.first().filter(|_| is_tls)?.route;
            let host = subjects.first()?.host();
            self.is_unasked(point, host, route).then(|| UNASKED.to_owned())
        })
    }

    /// Whether a route wants certificates of clients, and handshakes for `host` are held by what
    /// another route says of it.
    fn is_unasked(&self, point: &EntryPointId, host: &str, route: &Route) -> bool {
        if route.tls_policy.is_none() {
            return false;
        }
        let wanted = route.own_terms();
        let policy = match wanted {
            Some(wanted) => self.routing.tls_policies.get(wanted),
            None => self.routing.default_policy(),
        };
        let policy = policy.map(|it| &**it);
        let table = self.table.entry_point(point);
        table.is_none_or(|it| it.is_unasked(host, wanted, policy))
    }

    /// Why its path is read in several ways, if it is.
    fn misread(
        &self,
        point: &EntryPointId,
        is_tls: bool,
        subjects: &[RequestSubject<'_, '_, '_>],
        ruling: &Ruling<'_>,
    ) -> Option<Reject> {
        let is_rooted = |route: &&Arc<Route>| route.manner == Manner::Nginx;
        let is_like =
            |one: &&Arc<Route>, other: &&Arc<Route>| self.routing.serves_alike(one, other);
        let first = |it: &RequestSubject<'_, '_, '_>| {
            Some(self.table.entry_point(point)?.choose(is_tls, it)?.candidate)
        };
        let (asked, behind) = subjects.split_first()?;
        let mut steps = ruling.winners.iter().zip(behind).map(|(won, subject)| {
            let parent = &won.route.id;
            let child =
                |it: &RequestSubject<'_, '_, '_>| Some(self.table.child(parent, it)?.candidate);
            subject.sole(child, is_rooted, is_like).err()
        });
        asked.sole(first, is_rooted, is_like).err().or_else(|| steps.find_map(|it| it))
    }

    /// Whether an entry point has a route for a request.
    fn serves(&self, asked: &Asked, point: &EntryPoint, client: IpAddr) -> bool {
        let mut slots = Slots::default();
        let Ok(Ok((head, client))) = self.head(asked, &mut slots, &point.id, client) else {
            return false;
        };
        let subject = RequestSubject::new(&head, client);
        let table = self.table.entry_point(&point.id);
        table.is_some_and(|it| it.choose(asked.is_tls, &subject).is_some())
    }
}

/// Where a request is asked: as named, else at the port of its URL, else where its scheme is usual,
/// else where there is a route for it.
pub(super) fn chosen<'w>(
    way: &Way<'w>,
    asked: &Asked,
    name: Option<&str>,
    client: IpAddr,
) -> Result<Place<'w>> {
    let all = || way.routing.entry_points.values();
    let known = || all().map(|it| it.id.as_str()).collect::<Vec<_>>().join(", ");
    let place = |by| move |point| Place { point, by };
    if let Some(name) = name {
        let is_it = |it: &&Arc<EntryPoint>| it.id.as_str().eq_ignore_ascii_case(name);
        let found = all().find(is_it).map(place(ChosenBy::Name));
        return found.ok_or_else(|| anyhow!("there is no entry point {name:?}, but {}", known()));
    }
    let for_requests = || all().filter(|it| it.protocol == Protocol::Tcp);
    let usual = if asked.is_tls { SECURE.name } else { PLAIN.name };
    let is_for_scheme =
        |it: &&Arc<EntryPoint>| it.is_secure == asked.is_tls && it.id.as_str() != OWN;
    let serving = || for_requests().filter(|it| way.serves(asked, it, client));
    let found = for_requests().find(|it| it.port == asked.port).map(place(ChosenBy::Port));
    found
        .or_else(|| {
            let usual = for_requests().find(|it| it.id.as_str() == usual);
            usual.map(place(ChosenBy::Scheme))
        })
        .or_else(|| serving().find(is_for_scheme).map(place(ChosenBy::Route)))
        .or_else(|| serving().next().map(place(ChosenBy::Route)))
        .or_else(|| for_requests().find(is_for_scheme).map(place(ChosenBy::Scheme)))
        .ok_or_else(|| {
            anyhow!("no entry point is for port {}: name one of {}", asked.port, known())
        })
}
