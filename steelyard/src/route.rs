//! `steelyard route`: which route a request would take, and why the others would not have it.

mod asked;
mod connected;
pub(crate) mod passing;
pub(crate) mod ruled;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use steelyard_http::head::Slots;
use steelyard_http::{ForwardedPolicy, RequestHead, RequestSubject, Scheme, Vouching};
use steelyard_model::Snapshot;
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::routing::subject::Subject;
use steelyard_route::RoutingTable;
use steelyard_terminal::{OutputFormat, Style, put, wants_color};

use crate::args::WorldArgs;
use crate::entry_points::StaticOptions;
use crate::{load, planning};
use asked::Asked;
use connected::{ConnectionRow, Taken};
use passing::Passing;
use ruled::{Ruled, words};

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

Exit status: 0 routed, 1 no route or no connection, 2 unreadable input or usage.";

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
    let passing = Passing::of(&snapshot.routing, (&point.id, asked.is_tls), &ruling);
    let answer = passing.answer(&snapshot.routing, &head, (args.client_ip, asked.is_tls));
    let named = (subject.host(), asked.is_tls);
    let connection = ConnectionRow::of(&snapshot.routing, &table, &point.id, named, args.client_ip);
    let is_looked_at = |it: &ConnectionRow| matches!(it.taken, Taken::Requests | Taken::Certified);
    let is_routed = ruling.served_by().is_some() && connection.as_ref().is_none_or(is_looked_at);
    let found = Ruled {
        snapshot: &snapshot,
        plan: &plan,
        point: &point.id,
        is_tls: asked.is_tls,
        ruling,
        connection,
        is_remembered: false,
    };
    let mut found = found.json(&passing, answer.as_ref());
    match args.output {
        OutputFormat::Json => {
            found["request"] = json!(asked.shown);
            put(&format!("{found:#}\n"))?;
        }
        OutputFormat::Text => {
            let head = Style::Heading.paint(&asked.shown, wants_color());
            put(&format!("{head} at {}\n{}", point.id, words(&found, wants_color())))?;
        }
    }
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
