//! A plan as text: what would happen, and why.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use steelyard_model::routing::pattern::{HostPattern, PathShape};
use steelyard_model::routing::route::{Route, RouteKind};
use steelyard_model::routing::rule::Rule;
use steelyard_model::routing::world::{RouteEnd, RoutingMap};
use steelyard_model::{Endpoint, NamespacedName};
use steelyard_plan::{AnnouncementRow, BgpRow, Explanation, Layer2Row, Plan, ServiceRow};

use steelyard_terminal::{Cell, Style, Table};

use crate::lack::{Lack, Lacks, Want};

/// All sections that have something to say; diagnostics are printed apart.
pub fn plan(plan: &Plan, color: bool) -> String {
    let mut out = String::new();
    let mut section = |name: &str, table: Table| {
        if !table.is_empty() {
            out += &Style::Heading.paint(name, color);
            let _ = write!(out, "\n{}\n", table.render(2, color));
        }
    };
    section("ADDRESSES", addresses(plan));
    section("ANNOUNCEMENTS", layer2(plan));
    section("ROUTES TO ROUTERS", bgp(plan));
    section("POOLS", pools(plan));
    section("ROUTES", routes(plan, plan.routes.routing()));
    out
}

/// Services and their addresses.
pub(crate) fn addresses(plan: &Plan) -> Table {
    let mut table = Table::new(&["SERVICE", "ADDRESS", "SERVED BY", "WHY"]);
    for (id, row) in plan.services.iter() {
        // The column before says already that it is pending.
        let why = plan.explain(id).first().map(Explanation::in_short);
        let served_by = row.served_by.map_or("", |by| match by {
            steelyard_model::ServedBy::Gateway => "gateway",
            steelyard_model::ServedBy::Forward => "forward",
        });
        let why = why.unwrap_or_default();
        table.row([id.to_string().into(), address(&row), served_by.into(), why.into()]);
    }
    table
}

fn address(row: &ServiceRow<'_>) -> Cell {
    if row.addresses.is_empty() {
        return Cell::new("pending", Style::Bad);
    }
    let addresses: Vec<String> = row.addresses.iter().map(ToString::to_string).collect();
    Cell::new(addresses.join(", "), Style::Good)
}

fn layer2(plan: &Plan) -> Table {
    let header = ["ADDRESS", "SERVICE", "OWNER", "STANDBYS", "INTERFACES / WHY NOBODY"];
    let mut table = Table::new(&header);
    let of_lan = plan.announcements.values().filter_map(|row| match row {
        AnnouncementRow::Layer2(row) => Some(row),
        AnnouncementRow::Bgp(_) => None,
    });
    for Layer2Row { address, service, owner, standbys, interfaces, .. } in of_lan {
        let interfaces = match (owner, interfaces.is_empty()) {
            (None, _) => Cell::new(why_nobody(plan, (service, *address)), Style::Careful),
            (_, true) => Cell::new("by subnet", Style::Faint),
            (_, false) => interfaces.join(", ").into(),
        };
        let owner = match owner {
            Some(owner) => owner.to_string().into(),
            None => Cell::new("nobody", Style::Careful),
        };
        table.row([
            address.to_string().into(),
            service.to_string().into(),
            owner,
            standbys.join(", ").into(),
            interfaces,
        ]);
    }
    table
}

/// Why nobody announces an address of a Service, in short.
fn why_nobody(plan: &Plan, (service, vip): (&NamespacedName, IpAddr)) -> String {
    let mut said = plan.explain(service).into_iter();
    let hindrance = said.find(|it| match it {
        Explanation::Withheld { address, .. } => *address == vip,
        Explanation::Hindered { .. } => true,
        _ => false,
    });
    hindrance.map(|it| it.in_short()).unwrap_or_default()
}

fn bgp(plan: &Plan) -> Table {
    let mut table =
        Table::new(&["PREFIX", "SERVICE", "NODES", "PEERS", "LOCAL PREF", "COMMUNITIES"]);
    let routed = plan.announcements.values().filter_map(|row| match row {
        AnnouncementRow::Bgp(row) => Some(row),
        AnnouncementRow::Layer2(_) => None,
    });
    let names = |names: &[String]| match names {
        [] => Cell::new("nobody", Style::Careful),
        names => names.join(", ").into(),
    };
    for BgpRow { address, service, nodes, peers, local_pref, communities, .. } in routed {
        let local_pref = if *local_pref == 0 { "-".to_owned() } else { local_pref.to_string() };
        let communities = if communities.is_empty() { "-".into() } else { communities.join(", ") };
        table.row([
            address.clone().into(),
            service.to_string().into(),
            names(nodes),
            names(peers),
            local_pref.into(),
            communities.into(),
        ]);
    }
    table
}

fn pools(plan: &Plan) -> Table {
    let mut table = Table::new(&["POOL", "IPV4 USED", "FREE", "IPV6 USED", "FREE"]);
    let free = |used: u64, free: u64| match (used, free) {
        (0, 0) => "-".into(),
        (_, 0) => Cell::new("0", Style::Careful),
        (_, 9_223_372_036_854_775_807..) => "many".into(),
        (_, free) => Cell::from(free.to_string()),
    };
    let used = |used: u64, free: u64| match (used, free) {
        (0, 0) => "-".to_owned(),
        (used, _) => used.to_string(),
    };
    for pool in &plan.pools {
        let status = pool.status;
        table.row([
            pool.pool.name.to_string().into(),
            used(status.assigned_ipv4, status.available_ipv4).into(),
            free(status.assigned_ipv4, status.available_ipv4),
            used(status.assigned_ipv6, status.available_ipv6).into(),
            free(status.assigned_ipv6, status.available_ipv6),
        ]);
    }
    table
}

/// Routes in the order they are tried.
pub(crate) fn routes(plan: &Plan, routing: &RoutingMap) -> Table {
    let mut table = Table::new(&["HOST", "PATH", "BACKEND", "ENDPOINTS", "FROM"]);
    let silent = BTreeSet::new();
    let lacks = Lacks::new(plan, routing, &silent);
    for route in plan.routes.in_order() {
        let host = match route.kind.is_of_requests() {
            true => Some(route.rule.host()),
            false => route.rule.server_name(),
        };
        let host: Cell = match host.unwrap_or(&HostPattern::Any) {
            HostPattern::Any => Cell::new("any", Style::Faint),
            host => host.to_string().into(),
        };
        let path: Cell = match route.kind {
            RouteKind::Http | RouteKind::Grpc => path(&route.rule).into(),
            RouteKind::Tcp => Cell::new("(TCP)", Style::Faint),
            RouteKind::Udp => Cell::new("(UDP)", Style::Faint),
        };
        let (backend, endpoints) = target(routing, &lacks, route);
        table.row([host, path, backend, endpoints, route.place.to_string().into()]);
    }
    table
}

/// `/api/*` below and at a path, `=/login` for exactly one.
fn path(rule: &Rule) -> String {
    match rule.path().map(|path| &path.shape) {
        Some(PathShape::Exact(path)) => format!("={path}"),
        Some(PathShape::Elements(prefix)) => format!("{prefix}/*"),
        Some(PathShape::Bytes(prefix)) => format!("{prefix}*"),
        Some(PathShape::Regex(expression)) => format!("~{}", expression.source()),
        None => "/*".to_owned(),
    }
}

fn target(routing: &RoutingMap, lacks: &Lacks<'_>, route: &Route) -> (Cell, Cell) {
    let ends = routing.ends(route);
    let names: Vec<String> = ends.iter().filter_map(name).collect();
    let backend = names.join(", ");
    if let Some(lack @ Lack { want: Want::Idle(_), .. }) = lacks.of(route) {
        return (backend.into(), Cell::new(lack.to_string(), Style::Bad));
    }
    let ready = endpoints(&ends).filter(|endpoint| endpoint.is_ready()).count();
    let total = endpoints(&ends).count();
    let endpoints = match (ready, total) {
        (0, 0) if ends.iter().any(|end| end.answers_itself()) => "-".into(),
        (0, 0) => Cell::new("none", Style::Careful),
        (0, _) => Cell::new(format!("none of {total} ready"), Style::Bad),
        (ready, total) if ready == total => Cell::new(format!("{ready} ready"), Style::Good),
        (ready, total) => Cell::new(format!("{ready} of {total} ready"), Style::Careful),
    };
    (backend.into(), endpoints)
}

fn endpoints<'r>(ends: &'r [RouteEnd<'r>]) -> impl Iterator<Item = &'r Endpoint> {
    let sets = ends.iter().filter_map(|end| end.endpoints);
    sets.flat_map(|set| &set.endpoints).map(|(endpoint, _)| endpoint)
}

fn name(end: &RouteEnd<'_>) -> Option<String> {
    end.node.service.as_ref().map(|(service, port)| format!("{service}:{port}"))
}
