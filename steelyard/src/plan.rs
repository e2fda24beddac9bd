//! `steelyard plan`: what would come of manifests.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use steelyard_manifest::{DynamicPlaces, Object, ReadLimits, Source, load_dynamic, load_unnamed};
use steelyard_model::{Diagnostic, ProviderOptions, Severity};
use steelyard_plan::{Facts, Plan};
use steelyard_sources::SourceRoots;

use crate::args::WorldArgs;
use crate::entry_points::StaticOptions;
use crate::load::{ClusterInput, Input};
use crate::report::report;
use crate::{load, lock_file, planning, text};

/// `steelyard plan`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct PlanArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(conflicts_with = "cluster", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) input: ClusterInput,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: PlanFormat,
    /// Which Service has which address already; a missing file says nothing
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Write what comes of it back to the lock file
    #[arg(long, requires = "lock")]
    pub write_lock: bool,
    /// Compare two paths: what NEW moves where OLD is in force
    #[arg(long, conflicts_with = "write_lock")]
    pub diff: bool,
    /// Choose owners in MetalLB's order
    #[arg(long)]
    pub compat_election: bool,
    /// Let nodes labelled node.kubernetes.io/exclude-from-external-load-balancers announce too
    #[arg(long)]
    pub ignore_exclude_lb: bool,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people: aligned, coloured on a terminal
    #[default]
    Text,
    /// For programs: stable shapes
    Json,
    /// What Traefik's providers make of the same objects: its dynamic configuration, as JSON
    Traefik,
}

const EXAMPLES: &str = "\
Examples:
  steelyard plan manifests/
  steelyard plan manifests/ --lock steelyard.lock --write-lock
  steelyard plan --cluster                what would come of the objects of a cluster
  steelyard plan manifests/ -o json | jq '.services[] | {name, addresses}'
  steelyard plan manifests/ -o traefik    the same objects as Traefik's dynamic configuration
  steelyard plan --diff old/ new/         what an edit would move: for a check in CI
  git archive main manifests | tar x -C /tmp && steelyard plan --diff /tmp/manifests manifests

Exit status: 0 no errors, 1 errors, 2 unreadable input, no object in it, or usage. With --diff: 3
when a Service that stays would lose an address or its announcement, else 1 when NEW has errors,
else 0.";

/// Runs the command.
///
/// # Errors
/// When a path or the lock file cannot be read, or the lock cannot be written.
pub fn run(mut args: PlanArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    let held = planning::held(args.lock.as_deref())?;
    let Input { world, sources, lacks } = load::input(&args.paths, &args.input, &args.world)?;
    let is_empty = world.is_empty();
    let known = world.known.clone();
    let (_, mut plan) = planning::of(world, &held, &facts_of(&args));
    lacks.tell(&mut plan.diagnostics);
    known.advise(&mut plan.diagnostics);
    if let Some(lock) = args.lock.as_deref().filter(|_| args.write_lock && !is_empty) {
        lock_file::write(lock, &plan.held)?;
    }
    match args.output {
        PlanFormat::Traefik => {
            steelyard_terminal::put(&dynamic(&sources, &args)?)?;
        }
        PlanFormat::Json => {
            steelyard_terminal::put(&(serde_json::to_string_pretty(&plan)? + "\n"))?
        }
        PlanFormat::Text if is_empty && plan.diagnostics.is_empty() && !sources.is_empty() => {}
        PlanFormat::Text => steelyard_terminal::put(&page(&plan, &sources))?,
    }
    Ok(load::status(&plan.diagnostics, is_empty))
}

/// The objects as Traefik's dynamic configuration.
fn dynamic(sources: &[Source], args: &PlanArgs) -> Result<String> {
    if args.input.cluster {
        bail!("-o traefik reads files: kubectl get … -o yaml | steelyard plan - -o traefik");
    }
    let limits = ReadLimits::default();
    let dynamic = args.world.fixed.dynamic_files();
    let roots = SourceRoots { dynamic, ..SourceRoots::default() };
    let places = DynamicPlaces(roots.dynamic_names());
    let read = |it: &Source| match places.holds(&it.name) {
        true => load_dynamic(it, &limits).objects,
        false => load_unnamed(it, &limits),
    };
    let objects: Vec<_> = sources.iter().flat_map(read).collect();
    let options = args.world.fixed.providers();
    for note in untaken(&objects, &options.ingress) {
        steelyard_terminal::complain(&note);
    }
    let made = steelyard_dynamic::dynamic(&objects, &options);
    Ok(serde_json::to_string_pretty(&made)? + "\n")
}

/// The controller of IngressClasses that are Traefik's.
const CONTROLLER: &str = "traefik.io/ingress-controller";

/// Of which Ingresses Traefik's providers do not see whose they are, by their class: that is said
/// by an IngressClass, where such are looked up.
fn untaken(objects: &[Object], options: &ProviderOptions) -> Vec<String> {
    let is_blind = options.disable_cluster_scope_resources || options.disable_ingress_class_lookup;
    let of = |kind: &'static str| objects.iter().filter(move |it| &*it.reference.kind == kind);
    let named = of("Ingress").filter_map(|it| {
        let written: Value = it.read_lenient().value?;
        Some(written["spec"]["ingressClassName"].as_str()?.to_owned())
    });
    let is_traefiks = |it: &Object| {
        let written: Option<Value> = it.read_lenient().value;
        written.is_some_and(|it| it["spec"]["controller"] == CONTROLLER)
    };
    // That of class nginx looks them up in any case.
    let is_seen = |name: &String| {
        let mut classes = of("IngressClass").filter(|it| *it.reference.name == **name);
        classes.any(|it| !(is_blind && is_traefiks(it)))
    };
    let classes: BTreeSet<String> = named.filter(|name| !is_seen(name)).collect();
    classes.iter().map(|class| untaken_class(class, is_blind)).collect()
}

fn untaken_class(class: &str, is_blind: bool) -> String {
    match (class, is_blind) {
        ("", _) => "note: Traefik takes no Ingress whose ingressClassName is empty; leave it out"
            .to_owned(),
        (class, true) => format!(
            "note: Traefik takes no Ingress of class `{class}` here: by its options it looks up no \
             IngressClass; name the class in the annotation `kubernetes.io/ingress.class` instead"
        ),
        (class, false) => format!(
            "note: Traefik takes no Ingress of class `{class}` here: there is no IngressClass of \
             that name, whose `spec.controller` would say whose they are; add it to the objects"
        ),
    }
}

/// What is known of this node, as the options of `plan` change it.
pub(crate) fn facts_of(args: &PlanArgs) -> Facts {
    Facts {
        compat_election: args.compat_election,
        ignore_exclude_lb: args.ignore_exclude_lb,
        ..planning::facts(&args.world)
    }
}

fn page(plan: &Plan, sources: &[Source]) -> String {
    let color = steelyard_terminal::wants_color();
    let found: Vec<Diagnostic> = plan.diagnostics.iter().cloned().collect();
    text::plan(plan, color) + &report(&found, sources, Severity::Info, color)
}
