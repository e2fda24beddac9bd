//! `steelyard route`: which route a request would take, and why the others would not have it.

mod asked;

use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use steelyard_http::head::Slots;
use steelyard_http::{ForwardedPolicy, RequestHead, RequestSubject, Scheme, Vouching};
use steelyard_model::Snapshot;
use steelyard_model::routing::backend::Backend;
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::rank::Ladder;
use steelyard_model::routing::route::{Destination, Route};
use steelyard_plan::{Plan, RouteRow};
use steelyard_route::{Defeat, RoutingTable, Ruling, WonBy};
use steelyard_terminal::{OutputFormat, Style, put, wants_color};

use crate::args::WorldArgs;
use crate::entry_points::StaticOptions;
use crate::{load, planning};
use asked::Asked;

/// Losers that are shown as text; all are in JSON.
const SHOWN: usize = 20;

/// `steelyard route`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RouteArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The request: [METHOD ]URL
    #[arg(short, long, value_name = "REQUEST")]
    request: String,
    /// A header of it: `name: value`
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The client's address
    #[arg(long, value_name = "IP", default_value = "192.0.2.1")]
    client_ip: IpAddr,
    /// Where it is asked [default: the entry point of the URL's port, or scheme]
    #[arg(long, value_name = "NAME")]
    entrypoint: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
    #[command(flatten)]
    world: WorldArgs,
}

const EXAMPLES: &str = "\
Examples:
  steelyard route manifests/ --request https://app.example.com/api
  steelyard route manifests/ -r 'POST http://app.example.com/login' -H 'X-Canary: always'

Exit status: 0 routed, 1 no route, 2 unreadable input or usage.";

/// Runs the command.
///
/// # Errors
/// When a path cannot be read, or the request is none.
pub fn run(mut args: RouteArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    let asked = Asked::parse(&args.request, &args.headers)?;
    let (world, _) = load::world(&args.paths, &args.world)?;
    let held = planning::held(None)?;
    let (snapshot, plan) = planning::of(world, &held, &planning::facts(&args.world));
    let point = entry_point(&snapshot, &asked, args.entrypoint.as_deref())?;
    let mut slots = Slots::default();
    let mut head = match RequestHead::parse(asked.text.as_bytes(), &mut slots) {
        Ok(Some(head)) => head,
        Ok(None) => bail!("{:?} is no whole request", args.request),
        Err(reject) => bail!("such a request is answered {} and goes to nobody", reject.status()),
    };
    let scheme = if asked.is_tls { Scheme::Https } else { Scheme::Http };
    let nobody = Arc::<ForwardedPolicy>::default();
    head.settle(&Vouching::new(nobody, args.client_ip).over(scheme));
    let subject = RequestSubject::new(&head, args.client_ip);
    let listeners: Vec<_> = snapshot.routing.listeners.values().cloned().collect();
    let routes: Vec<_> = snapshot.routing.routes.values().cloned().collect();
    let table = RoutingTable::compile(&listeners, &routes);
    let ruling = table.ruling(&point.id, asked.is_tls, &subject);
    let found = Found { snapshot: &snapshot, plan: &plan, point, asked: &asked, ruling };
    match args.output {
        OutputFormat::Json => put(&format!("{:#}\n", found.json()))?,
        OutputFormat::Text => put(&found.text(wants_color()))?,
    }
    let is_routed = found.ruling.served_by().is_some();
    Ok(if is_routed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Where the request is asked: as told, else by the port of its URL, else by its scheme.
fn entry_point<'s>(
    snapshot: &'s Snapshot,
    asked: &Asked,
    name: Option<&str>,
) -> Result<&'s Arc<EntryPoint>> {
    let all = || snapshot.routing.entry_points.values();
    let known = || all().map(|it| it.id.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = name {
        let found = all().find(|it| it.id.as_str() == name);
        return match found {
            Some(found) => Ok(found),
            None => bail!("there is no entry point {name:?}, but {}", known()),
        };
    }
    let by_port = all().find(|it| it.port == asked.port);
    let found = by_port.or_else(|| all().find(|it| it.is_secure == asked.is_tls));
    match found {
        Some(found) => Ok(found),
        None => bail!("no entry point is for port {}: name one of {}", asked.port, known()),
    }
}

/// What was found.
struct Found<'f> {
    snapshot: &'f Snapshot,
    plan: &'f Plan,
    point: &'f Arc<EntryPoint>,
    asked: &'f Asked,
    ruling: Ruling<'f>,
}

/// Why a route serves, as scripts have it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DecisionRow {
    kind: &'static str,
    ladder: &'static str,
    /// What the ladders bid, where both have routes that match: its own first.
    bids: Option<[i64; 2]>,
    why: String,
}

impl Found<'_> {
    fn row(&self, route: &Route) -> Option<RouteRow> {
        let name = route.id.traefik_name();
        self.plan.routes.rows().find(|it| it.name == name)
    }

    /// Why nobody is asked behind a route, if nobody is.
    fn refusal(&self, route: &Route) -> Option<String> {
        let Destination::Backend(id) = &route.to else { return None };
        match &self.snapshot.routing.backends.get(id)?.backend {
            Backend::Refused { status, why, .. } => Some(format!("{status}: {why}")),
            Backend::Answer(answer) => Some(format!("{}", answer.status)),
            _ => None,
        }
    }

    fn json(&self) -> serde_json::Value {
        let winners = self.ruling.winners.iter().map(|won| {
            json!({ "route": self.row(won.route), "decision": decision(won.route, &won.by),
                    "answers": self.refusal(won.route) })
        });
        let losers = self.ruling.losers.iter().map(|lost| {
            let kind = match &lost.why {
                Defeat::Matcher(_) => "matcher",
                Defeat::Order => "order",
                Defeat::Ladder => "ladder",
                Defeat::Unreached => "unreached",
            };
            let rule = lost.route.rule.to_string();
            json!({ "name": lost.route.id.traefik_name(), "rule": rule, "kind": kind,
                    "source": lost.route.place.object.to_string(), "why": lost.why.to_string() })
        });
        json!({
            "request": self.asked.shown, "entryPoint": self.point.id.as_str(),
            "tls": self.asked.is_tls, "routed": self.ruling.served_by().is_some(),
            "winners": winners.collect::<Vec<_>>(), "losers": losers.collect::<Vec<_>>(),
        })
    }

    fn text(&self, color: bool) -> String {
        let mut out = Style::Heading.paint(&self.asked.shown, color);
        let _ = writeln!(out, " at {}", self.point.id);
        if self.ruling.served_by().is_none() {
            let _ = writeln!(out, "{}", Style::Bad.paint("no route serves it: 404", color));
        }
        for won in &self.ruling.winners {
            let name = Style::Good.paint(&won.route.id.traefik_name(), color);
            let _ = writeln!(out, "→ {name} ({})", won.route.place.object);
            let _ = writeln!(out, "  rule      {}", won.route.rule);
            let _ = writeln!(out, "  because   {}", won.by);
            let Some(row) = self.row(won.route) else { continue };
            for filter in &row.filters {
                let _ = writeln!(out, "  filter    {} ({})", filter.name, filter.kind);
            }
            match self.refusal(won.route) {
                Some(why) => {
                    let _ = writeln!(out, "  answers   {}", Style::Bad.paint(&why, color));
                }
                None => row.backends.iter().for_each(|to| {
                    let endpoints = match to.endpoints.as_slice() {
                        [] => "no endpoint is ready: 503".to_owned(),
                        some => some.join(", "),
                    };
                    let _ = writeln!(out, "  backend   {} ×{}: {endpoints}", to.service, to.weight);
                }),
            }
        }
        for lost in self.ruling.losers.iter().take(SHOWN) {
            let name = lost.route.id.traefik_name();
            let _ = writeln!(out, "✗ {name}: {}", lost.why);
            let _ = writeln!(out, "  {}", Style::Faint.paint(&lost.route.rule.to_string(), color));
        }
        let more = self.ruling.losers.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(out, "and {more} more: -o json has them");
        }
        out
    }
}

fn decision(route: &Route, by: &WonBy) -> DecisionRow {
    let ladder = match route.rank.ladder {
        Ladder::Specific => "specific",
        Ladder::Priority => "priority",
    };
    let bids = match by {
        WonBy::Bid { own, other, .. } => Some([own.number, other.number]),
        WonBy::Alone | WonBy::Order(_) => None,
    };
    DecisionRow { kind: by.word(), ladder, bids, why: by.to_string() }
}
