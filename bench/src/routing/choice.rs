//! Which route a request takes: what the choice alone costs.
//!
//! Requests are drawn at random and written down first, as they would have been read from a socket
//! a moment ago; of the routes themselves nothing is warm but what was asked for by chance.

use std::fmt::Write;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use steelyard::pipeline::Pipeline;
use steelyard_model::routing::pattern::PathForm;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::subject::Subject;
use steelyard_route::{EntryTable, RoutingTable};

use super::files;
use crate::plan::worlds::{ingress, ingress_route};

const HOSTS: usize = 100_000;
const HOSTLESS: usize = 1_000;
/// Requests that are drawn before the clock runs, how often that is done, and how often where all
/// routes are asked.
const DRAWN: usize = 64;
const DRAWS: usize = 4_000;
const FEW_DRAWS: usize = 4;

/// A request.
#[derive(Clone, Default)]
struct Asked {
    host: String,
    path: String,
    tenant: String,
}

impl Subject for Asked {
    fn host(&self) -> &str {
        &self.host
    }

    fn path(&self, _: PathForm) -> &str {
        &self.path
    }

    fn method(&self) -> &str {
        "GET"
    }

    fn any_header(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        name == TENANT && test(self.tenant.as_bytes())
    }

    fn any_query(&self, _: &str, _: &mut dyn FnMut(&str) -> bool) -> bool {
        false
    }

    fn client_ip(&self) -> Option<IpAddr> {
        None
    }

    fn server_name(&self) -> Option<&str> {
        None
    }

    fn offers(&self, _: &str) -> bool {
        false
    }
}

const TENANT: &str = "x-tenant";

/// A choice among hosts of one Ingress each, in nanoseconds.
pub(super) fn among_hosts(is_scanned: bool) -> Result<f64> {
    let world = World::of(HOSTS, |n| ingress(n, &format!("app-{n:06}.example"), "/"))?;
    let draw = |n: usize, asked: &mut Asked| {
        asked.host.clear();
        asked.path.clear();
        let _ = write!(asked.host, "app-{n:06}.example");
        asked.path.push_str("/api/users");
    };
    world.measure(is_scanned, draw)
}

/// A choice among rules for every host, in nanoseconds: by a prefix, by an expression and by a
/// header line, a third of them each.
pub(super) fn without_host(is_scanned: bool) -> Result<f64> {
    let rule = |n: usize| match n % 3 {
        0 => format!("PathPrefix(`/app-{n:04}`)"),
        1 => format!("PathRegexp(`^/api/v1/app-{n:04}/[0-9]+$`)"),
        _ => format!("Header(`X-Tenant`, `tenant-{n:04}`) && Method(`GET`)"),
    };
    let world = World::of(HOSTLESS, |n| ingress_route(n, &rule(n)))?;
    let draw = |n: usize, asked: &mut Asked| {
        asked.host.clear();
        asked.path.clear();
        asked.tenant.clear();
        asked.host.push_str("any.example");
        let _ = match n % 3 {
            0 => write!(asked.path, "/app-{n:04}/index.html"),
            1 => write!(asked.path, "/api/v1/app-{n:04}/42"),
            _ => write!(asked.path, "/").and_then(|()| write!(asked.tenant, "tenant-{n:04}")),
        };
    };
    world.measure(is_scanned, draw)
}

/// Routes, ready for requests.
struct World {
    table: RoutingTable,
    /// In Traefik's order.
    in_order: Vec<Arc<Route>>,
}

impl World {
    fn of(count: usize, written: impl Fn(usize) -> String) -> Result<Self> {
        let mut pipeline = Pipeline::default();
        let snapshot = pipeline.update(&files(count, written)).snapshot;
        let listeners: Vec<_> = snapshot.routing.listeners.values().cloned().collect();
        let mut in_order: Vec<_> = snapshot.routing.routes.values().cloned().collect();
        ensure!(in_order.len() == count, "{} routes", in_order.len());
        in_order.sort_by_key(|route| std::cmp::Reverse(route.rank.number));
        Ok(Self { table: RoutingTable::compile(&listeners, &in_order), in_order })
    }

    /// Nanoseconds of a choice.
    fn measure(&self, is_scanned: bool, draw: impl Fn(usize, &mut Asked)) -> Result<f64> {
        let table = self.table.entry_point(&"web".into()).context("routes are at `web`")?;
        if is_scanned {
            let all = &self.in_order;
            let scan = |asked: &Asked| all.iter().any(|route| black_box(route).rule.holds(asked));
            return self.timed(FEW_DRAWS, draw, scan);
        }
        self.timed(DRAWS, draw, |asked| chosen(table, asked))
    }

    fn timed(
        &self,
        draws: usize,
        draw: impl Fn(usize, &mut Asked),
        choose: impl Fn(&Asked) -> bool,
    ) -> Result<f64> {
        let mut asked = vec![Asked::default(); DRAWN];
        let (mut took, mut found, mut state) = (Duration::ZERO, 0, 1);
        for _ in 0..draws {
            asked.iter_mut().for_each(|one| draw(next(&mut state) % self.in_order.len(), one));
            let start = Instant::now();
            found += asked.iter().filter(|one| choose(one)).count();
            took += start.elapsed();
        }
        ensure!(found == draws * DRAWN, "{found} of {} found a route", draws * DRAWN);
        Ok(took.as_nanos() as f64 / found as f64)
    }
}

fn chosen(table: &EntryTable<Route>, asked: &Asked) -> bool {
    black_box(table.choose(false, asked)).is_some()
}

/// Numbers as if at random (Knuth's MMIX generator, its upper half).
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap_or_default()
}
