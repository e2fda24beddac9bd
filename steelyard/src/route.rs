//! `steelyard route`: which route a request would take, and why the others would not have it.

mod asked;
mod connected;
pub(crate) mod passing;
mod place;
pub(crate) mod ruled;
pub(crate) mod through;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use steelyard_http::head::Slots;
use steelyard_http::{Reject, RequestSubject, Semicolons};
use steelyard_model::routing::subject::Subject;
use steelyard_route::RoutingTable;
use steelyard_terminal::{OutputFormat, Style, put, wants_color};

use crate::args::WorldArgs;
use crate::entry_points::StaticOptions;
use crate::{load, planning};
use asked::Asked;
use connected::{ConnectionRow, Taken};
use passing::Passing;
use place::{Way, chosen};
use ruled::{Ruled, unanswered, words};
use through::{Arrived, Through};

/// `steelyard route`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RouteArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(value_name = "PATH")]
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
    /// Where it is asked [default: the entry point of the URL's port, else `web` or `websecure` by
    /// its scheme, else the first that has a route for it]
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

Exit status: 0 routed, 1 no route or no connection, 2 unreadable input or usage.";

/// Tells of a request that is none: it is answered before anybody looks for a route.
fn unheard(args: &RouteArgs, asked: &Asked, reject: &Reject) -> Result<ExitCode> {
    let why = format!("{}: {reject}", reject.status());
    let found = json!({ "request": asked.shown, "routed": false, "rejected": why });
    match args.output {
        OutputFormat::Json => put(&format!("{found:#}\n"))?,
        OutputFormat::Text => put(&format!("{}\n", unanswered(&why, wants_color())))?,
    }
    Ok(ExitCode::from(1))
}

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
    let listeners: Vec<_> = snapshot.routing.listeners.values().cloned().collect();
    let routes: Vec<_> = snapshot.routing.routes.values().cloned().collect();
    let table = RoutingTable::compile(&listeners, &routes);
    let terms = args.world.fixed.terms();
    let way = Way { routing: &snapshot.routing, table: &table, terms: &terms };
    let place = chosen(&way, &asked, args.entrypoint.as_deref(), args.client_ip)?;
    let point = &place.point.id;
    let mut slots = Slots::default();
    let (head, client) = match way.head(&asked, &mut slots, point, args.client_ip)? {
        Ok(heard) => heard,
        Err(reject) => return unheard(&args, &asked, &reject),
    };
    let mut slots = Slots::default();
    // Filters see its query as endpoints do.
    let mut within = match way.head(&asked, &mut slots, point, args.client_ip)? {
        Ok((within, _)) => within,
        Err(reject) => return unheard(&args, &asked, &reject),
    };
    within.semicolons = Semicolons::default();
    let is_tls = asked.is_tls;
    let arrived = Arrived { point, is_tls, head: &head, within: &within, client };
    let through = Through::of(&snapshot.routing, &table, arrived);
    let rejected = way.rejects(&through, arrived);
    let subject = RequestSubject::new(&head, client);
    let named = (subject.host(), asked.is_tls);
    let connection = ConnectionRow::of(&snapshot.routing, &table, point, named, args.client_ip);
    let left_out = ruled::left_out(&snapshot, &subject);
    let passing = Passing::of(&snapshot.routing, (point, is_tls), &through.ruling.winners);
    let answer = passing.answer(&snapshot.routing, &within, (client, is_tls));
    let is_looked_at = |it: &ConnectionRow| matches!(it.taken, Taken::Requests | Taken::Certified);
    let is_met = connection.as_ref().is_none_or(is_looked_at);
    let is_routed = rejected.is_none() && through.ruling.served_by().is_some() && is_met;
    let found = Ruled {
        snapshot: &snapshot,
        plan: &plan,
        point,
        is_tls,
        through,
        within: &within,
        connection,
        rejected,
        left_out,
        is_remembered: false,
    };
    let mut found = found.json(&passing, answer.as_ref());
    match args.output {
        OutputFormat::Json => {
            found["request"] = json!(asked.shown);
            found["entryPointBy"] = json!(place.by.word());
            put(&format!("{found:#}\n"))?;
        }
        OutputFormat::Text => {
            let head = Style::Heading.paint(&asked.shown, wants_color());
            let by = place.by.told(asked.port);
            put(&format!("{head} at {point}{by}\n{}", words(&found, wants_color())))?;
        }
    }
    Ok(if is_routed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
