//! Requests that were not answered with success, and why, as rows; and of one of them what routes
//! have to do with it.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use steelyard_gateway::{FailedRequest, Gateway};
use steelyard_http::head::Slots;
use steelyard_http::{ForwardedPolicy, RequestHead, RequestSubject, Scheme, Vouching};
use steelyard_route::RoutingTable;

use crate::mind::Decided;
use crate::route::passing::Passing;
use crate::route::ruled::{Ruled, left_out};
use crate::route::through::{Arrived, Through};

/// The last ones, the newest first; none without a gateway.
pub(crate) fn requests(gateway: Option<&Gateway>) -> Value {
    let all = gateway.map(Gateway::failed_requests).unwrap_or_default();
    all.iter().map(row).collect()
}

/// One of them by its name, with what becomes of such a request by the routes that are in force
/// now: which ladder decides, why others do not serve it, what it passes, and which of these
/// answered.
pub(crate) fn explained(
    gateway: Option<&Gateway>,
    decided: Option<&Decided>,
    id: &str,
) -> Option<Value> {
    let all = gateway?.failed_requests();
    let it = all.iter().find(|it| it.id.to_string() == id)?;
    let mut row = row(it);
    row["ruling"] = decided.and_then(|decided| ruling(it, decided)).into();
    Some(row)
}

/// None of what could not be understood.
fn ruling(it: &FailedRequest, decided: &Decided) -> Option<Value> {
    let text = format!("{} {} HTTP/1.1\r\nHost: {}\r\n\r\n", it.method, it.path, it.host);
    let mut slots = Slots::default();
    let mut head = RequestHead::parse(text.as_bytes(), &mut slots).ok()??;
    let scheme = if it.is_tls { Scheme::Https } else { Scheme::Http };
    let nobody = Arc::<ForwardedPolicy>::default();
    head.settle(&Vouching::new(nobody, it.client).over(scheme));
    let (snapshot, plan) = (&decided.snapshot, &decided.plan);
    let listeners: Vec<_> = snapshot.routing.listeners.values().cloned().collect();
    let routes: Vec<_> = snapshot.routing.routes.values().cloned().collect();
    let table = RoutingTable::compile(&listeners, &routes);
    let (point, is_tls) = ((&*it.entry_point).into(), it.is_tls);
    let subject = RequestSubject::new(&head, it.client);
    let client = it.client;
    let arrived = Arrived { point: &point, is_tls, head: &head, within: &head, client };
    let through = Through::of(&snapshot.routing, &table, arrived);
    let winners = &through.ruling.winners;
    let passing = Passing::of(&snapshot.routing, (&point, is_tls), winners);
    let answer = it.frame.and_then(|at| passing.said(at, it.status));
    let taken = winners.last().map(|won| won.route.id.traefik_name());
    let is_other = it.router.is_some() && taken.as_deref() != it.router.as_deref();
    let ruled = Ruled {
        snapshot,
        plan,
        point: &point,
        is_tls,
        through,
        within: &head,
        connection: None,
        rejected: None,
        left_out: left_out(snapshot, &subject),
        is_remembered: true,
    };
    let mut told = ruled.json(&passing, answer.as_ref());
    if is_other {
        told["note"] = json!(OTHER);
    }
    Some(told)
}

/// Said where such a request is another route's by what is known of it.
const OTHER: &str = "another route took it: by header lines or its query, which are not kept, or \
                     since routes were others then";

fn row(it: &FailedRequest) -> Value {
    let since = it.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "id": it.id.to_string(),
        "time": since.as_millis() as f64 / 1000.0,
        "status": it.status,
        "method": it.method,
        "host": it.host,
        "path": it.path,
        "client": it.client.to_string(),
        "entryPoint": *it.entry_point,
        "tls": it.is_tls,
        "router": it.router.as_deref(),
        "service": it.service.as_deref(),
        "endpoint": it.endpoint.as_deref(),
        "retries": it.retries,
        "durationMs": it.duration.as_micros() as f64 / 1000.0,
        "why": why(it),
    })
}

/// Who answered so, and what is known beside it.
fn why(it: &FailedRequest) -> Vec<String> {
    let first = match (it.reason, &it.endpoint) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(endpoint)) => format!("the endpoint {endpoint} answered so"),
        (None, None) => "a filter answered so".to_owned(),
    };
    std::iter::once(first).chain(it.details.iter().cloned()).collect()
}
