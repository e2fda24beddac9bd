//! What `check`, `plan` and `hosts` share: paths, or a cluster, in, world out.

mod cluster;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use steelyard_manifest::Source;
use steelyard_model::routing::entry_point::{PLAIN, SECURE};
use steelyard_model::{Diagnostic, Diagnostics};
use steelyard_pipeline::{ResolveOptions, World, codes};
use steelyard_sources::SourceRoots;
use steelyard_terminal::complain;

use crate::args::{Compat, WorldArgs};
use crate::dump::Lacking;
use crate::pipeline::Pipeline;
pub(crate) use cluster::ClusterInput;

/// Ports of the built-in entry points, unless moved.
pub(crate) const PORTS: (u16, u16) = (PLAIN.port, SECURE.port);

/// How the world is joined, by the command line.
pub(crate) fn resolve_options(args: &WorldArgs, ports: (u16, u16)) -> ResolveOptions {
    for name in args.fixed.idle() {
        complain(&format!("note: --{name} counts for `plan -o traefik` alone"));
    }
    let providers = args.fixed.providers();
    ResolveOptions {
        config_namespace: args.config_namespace.clone(),
        load_balancer_class: args.lb_class.clone(),
        entry_points: args.fixed.entry_points(ports),
        option_places: args.fixed.places(),
        exposure: args.fixed.exposure(),
        default_certificate: args
            .default_ssl_certificate
            .clone()
            .or_else(|| args.fixed.nginx_certificate()),
        nginx: args.fixed.nginx(),
        allow_cross_namespace: args.fixed.allows_cross_namespace(),
        crd: providers.crd,
        ingress: providers.ingress,
        as_traefik: args.compat == Some(Compat::Traefik),
        https: args.fixed.https(),
        times: args.fixed.forwarding_times(),
        bytes: args.fixed.bytes(),
        bytes_tls: args.fixed.bytes_tls(),
        reading: args.fixed.reading(),
        precedence: args.fixed.precedence(),
        ..ResolveOptions::default()
    }
}

/// Reads everything under `paths` once.
///
/// # Errors
/// When a path does not exist.
pub(crate) fn world(paths: &[PathBuf], args: &WorldArgs) -> Result<(World, Vec<Source>)> {
    let roots = SourceRoots { manifests: paths.to_vec(), dynamic: args.fixed.dynamic_files() };
    let sight = steelyard_sources::read(&roots).map_err(|error| args.fixed.unread(error))?;
    let sources = sight.into_sources();
    Ok((world_of(&sources, &roots, args), sources))
}

/// The same again, of what was read, by other options.
pub(crate) fn again(sources: &[Source], paths: &[PathBuf], args: &WorldArgs) -> World {
    let roots = SourceRoots { manifests: paths.to_vec(), dynamic: args.fixed.dynamic_files() };
    world_of(sources, &roots, args)
}

fn world_of(sources: &[Source], roots: &SourceRoots, args: &WorldArgs) -> World {
    let pipeline = Pipeline::new(resolve_options(args, PORTS));
    pipeline.with_dynamic(roots.dynamic_names()).update(sources)
}

/// What there is to judge.
pub(crate) struct Input {
    pub(crate) world: World,
    /// Where its objects are written.
    pub(crate) sources: Vec<Source>,
    pub(crate) lacks: Lacks,
}

/// What is not there to be judged by.
pub(crate) enum Lacks {
    OfADump(Lacking),
    Secrets,
    Nothing,
}

/// Reads everything under `paths`, or of a cluster, once.
///
/// # Errors
/// When a path does not exist, or the API server does not answer.
pub(crate) fn input(paths: &[PathBuf], cluster: &ClusterInput, args: &WorldArgs) -> Result<Input> {
    if !cluster.cluster {
        let (world, sources) = world(paths, args)?;
        let lacks = Lacks::OfADump(Lacking::of(&world));
        return Ok(Input { world, sources, lacks });
    }
    let read = cluster::read(cluster, resolve_options(args, PORTS))?;
    let lacks = if read.saw_secrets { Lacks::Nothing } else { Lacks::Secrets };
    // What stands in a cluster stands in no line.
    let sources = vec![Source::new("cluster", &b""[..])];
    Ok(Input { world: read.world, sources, lacks })
}

impl Lacks {
    /// Says what is lacking, instead of all that follows from it.
    pub(crate) fn tell(self, diagnostics: &mut Diagnostics) {
        match self {
            Self::OfADump(lacking) => lacking.tell(diagnostics),
            Self::Secrets => {
                let missing = |it: &&Diagnostic| it.code == codes::TLS_SECRET_MISSING;
                let gone: Vec<Diagnostic> = diagnostics.iter().filter(missing).cloned().collect();
                diagnostics.change(gone, None::<Diagnostic>);
            }
            Self::Nothing => {}
        }
    }
}

/// Exit status by what was found: 0 without errors, 1 with, 2 when a file could not be read, or
/// there was nothing to judge.
pub(crate) fn status(diagnostics: &Diagnostics, is_empty: bool) -> ExitCode {
    let has_errors = diagnostics.iter().any(Diagnostic::is_error);
    if is_empty && !has_errors {
        eprintln!("error: there is no Kubernetes object in the input");
        return ExitCode::from(2);
    }
    if diagnostics.iter().any(|found| found.code == steelyard_manifest::codes::FILE_UNREADABLE) {
        return ExitCode::from(2);
    }
    u8::from(has_errors).into()
}

/// The name of this node: as given, else the host's name.
pub(crate) fn node_name(args: &WorldArgs) -> String {
    args.node.clone().unwrap_or_else(host_name)
}

/// The host's name.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
