//! `steelyard check`: what is wrong with manifests.

mod nginx;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, ValueEnum};
use steelyard_model::routing::route::Route;
use steelyard_model::routing::world::RoutingMap;
use steelyard_model::{Diagnostic, Holdings, Severity};
use steelyard_pipeline::codes::ENTRY_POINT_CLOSED;
use steelyard_plan::{PluginClosure, closed_by_plugins};
use steelyard_terminal::OutputFormat;

use crate::args::{Level, WorldArgs};
use crate::entry_points::StaticOptions;
use crate::load::{ClusterInput, Input};
use crate::report::report;
use crate::{load, planning};

/// From so many findings on it is said how to see the errors alone.
const MANY: usize = 20;
const HINT: &str = "the errors alone: --severity error\n";

/// `steelyard check`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(conflicts_with = "cluster", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) input: ClusterInput,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: OutputFormat,
    /// Show what is at least this bad
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub severity: Level,
    /// Say how what was written for another program is served here, object by object
    #[arg(long = "as", value_enum, value_name = "PROGRAM", conflicts_with = "cluster")]
    came_from: Option<Program>,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

/// What manifests were written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    /// ingress-nginx: Ingresses, its ConfigMap, and flags of its Deployment
    Nginx,
}

const EXAMPLES: &str = "\
Examples:
  steelyard check manifests/
  steelyard check manifests/ --severity error
  steelyard check manifests/ -o json | jq '.diagnostics[].code'
  kustomize build overlays/home | steelyard check -
  helm template charts/web | steelyard check -
  steelyard check --configfile=traefik.yml what Traefik's static file and the files it names come to
  steelyard check manifests/ --as nginx   what an installation of ingress-nginx comes to here
  steelyard check --cluster               the objects of a cluster, with the rights you have there

A cluster's objects, all that counts of them (without MetalLB: up to namespaces):
  kubectl get services,endpointslices,ingresses,ingressclasses,nodes,namespaces,networkpolicies,\
ipaddresspools,l2advertisements,bgpadvertisements,bgppeers,bfdprofiles,communities -A -o yaml | steelyard check -
Where Traefik's own kinds are in use, name these as well:
  ingressroutes,ingressroutetcps,ingressrouteudps,traefikservices,\
tlsoptions,tlsstores,serverstransports,serverstransporttcps,middlewares,middlewaretcps

Exit status: 0 no errors, 1 errors, 2 unreadable input, no object in it, or usage.";

/// Says of an entry point that is closed how many routes that costs.
fn count_closed(found: &mut Diagnostic, routing: &RoutingMap) {
    let Some(object) = found.object.as_ref().filter(|_| found.code == ENTRY_POINT_CLOSED) else {
        return;
    };
    let is_there = |route: &&Arc<Route>| {
        let points = routing.entry_points_of(route);
        route.kind.is_of_requests() && points.iter().any(|it| *it.as_str() == *object.name)
    };
    let count = routing.routes.values().filter(is_there).count();
    found.message.push_str(&format!(" ({count} of them)"));
}

/// What plugins close, as lines: who migrates reads that first.
fn said(plugins: &BTreeMap<Arc<str>, PluginClosure>) -> String {
    let line = |(name, closed): (&Arc<str>, &PluginClosure)| {
        let count = closed.routes.len();
        let routes = if count == 1 { "1 route" } else { &format!("{count} routes") };
        let mut points = closed.entry_points.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>();
        points.sort();
        let all = match points.is_empty() {
            true => String::new(),
            false => format!(", all there is on entry point {}", points.join(", ")),
        };
        format!("plugin `{name}` is never run here, and closes {routes}{all}\n")
    };
    let lines: String = plugins.iter().map(line).collect();
    if lines.is_empty() { lines } else { lines + "\n" }
}

/// The same as numbers.
fn counted(plugins: &BTreeMap<Arc<str>, PluginClosure>) -> BTreeMap<&str, usize> {
    plugins.iter().map(|(name, closed)| (&**name, closed.routes.len())).collect()
}

/// Runs the command.
///
/// # Errors
/// When a path cannot be read.
pub fn run(mut args: CheckArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    let Input { mut world, sources, lacks } = load::input(&args.paths, &args.input, &args.world)?;
    let is_of_nginx = args.came_from == Some(Program::Nginx);
    if is_of_nginx && args.world.fixed.follow_nginx(nginx::flags(&sources)) {
        world = load::again(&sources, &args.paths, &args.world);
    }
    let is_empty = world.is_empty();
    let known = world.known.clone();
    let (snapshot, plan) = planning::of(world, &Holdings::default(), &planning::facts(&args.world));
    let plugins = closed_by_plugins(&snapshot.routing);
    let mut diagnostics = plan.diagnostics;
    lacks.tell(&mut diagnostics);
    known.advise(&mut diagnostics);
    let least = args.severity.into();
    let mut found: Vec<Diagnostic> = diagnostics.iter().cloned().collect();
    found.iter_mut().for_each(|it| count_closed(it, &snapshot.routing));
    if is_of_nginx {
        steelyard_terminal::put(&nginx::report(&sources, &found, &args.world.fixed.nginx()))?;
        return Ok(load::status(&diagnostics, is_empty));
    }
    match args.output {
        OutputFormat::Json => {
            let shown: Vec<&Diagnostic> =
                found.iter().filter(|found| found.severity <= least).collect();
            steelyard_terminal::put(&format!(
                "{:#}\n",
                serde_json::json!({ "diagnostics": shown, "plugins": counted(&plugins) })
            ))?
        }
        OutputFormat::Text if is_empty && found.is_empty() && !sources.is_empty() => {}
        OutputFormat::Text => {
            let report = report(&found, &sources, least, steelyard_terminal::wants_color());
            let is_lost = found.len() >= MANY && least > Severity::Error;
            let hint = if is_lost && found.iter().any(Diagnostic::is_error) { HINT } else { "" };
            steelyard_terminal::put(&(said(&plugins) + &report + hint))?;
        }
    }
    Ok(load::status(&diagnostics, is_empty))
}
