//! The command line: what can be asked of the binary, and how it says so.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use steelyard_admin::AdminClient;
use steelyard_model::Severity;

use crate::entry_points::StaticOptions;

/// The whole command line.
#[derive(Parser)]
#[command(
    name = "steelyard",
    version,
    about = "The load balancer for bare metal",
    styles = STYLES,
    max_term_width = 100,
    long_about = "The load balancer for bare metal: addresses for Services, their announcement on \
                  the LAN, L4 forwarding and an L7 gateway, from the manifests you already have.",
    after_help = EXAMPLES,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Cyan.on_default().bold())
    .usage(AnsiColor::Cyan.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Yellow.on_default());

const EXAMPLES: &str = "\
Examples:
  steelyard demo                          a homelab on this machine, no privileges needed
  steelyard check manifests/              what is wrong with these manifests, and how to mend it
  steelyard plan manifests/ --lock steelyard.lock
                                          which addresses, announcements and routes come of them
  sudo steelyard up manifests/            serve them, and follow every edit
  steelyard get services                  what the running instance does
  kubectl get … -o yaml | steelyard check -
                                          the same of a cluster's objects: see `check --help`";

/// One command each.
#[derive(Subcommand)]
pub enum Command {
    /// Serve a folder of manifests on this machine, and follow every edit
    #[command(after_help = UP_EXAMPLES)]
    Up(UpArgs),
    /// Run the built-in homelab on this machine, its Deployments played by echo servers
    Demo(DemoArgs),
    /// The homelab as real hosts: a client and three nodes in network namespaces (needs root)
    Lab(crate::lab::LabArgs),
    /// Say what is wrong with manifests, where, and how to mend it
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Say what would come of manifests: addresses, announcements, routes
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArgs),
    /// Say why an object is treated as it is
    Explain(crate::explain::ExplainArgs),
    /// Print /etc/hosts lines for every host name in the routes
    #[command(after_help = HOSTS_EXAMPLES)]
    Hosts(HostsArgs),
    /// Show what a running instance does
    Get(crate::get::GetArgs),
    /// Spread addresses anew over the machines that share them
    Rebalance(crate::rebalance::RebalanceArgs),
    /// Make the key that several machines share
    Key(crate::key::KeyArgs),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// One replica that answers with what it was asked; `lab` runs these
    #[command(hide = true)]
    Echo(crate::echo::EchoArgs),
}

const UP_EXAMPLES: &str = "\
Examples:
  sudo steelyard up manifests/            real addresses, answered for on the LAN
  steelyard up manifests/                 without privileges: loopback ports, shown in a table
  sudo steelyard up manifests/ --interface eth0 --lock /var/lib/steelyard/steelyard.lock
  sudo steelyard up manifests/ --peer 10.1.1.12 --key-file cluster.key --lock-writer
                                          one of several machines with the same manifests
  sudo steelyard up manifests/ --entrypoints.web.address=:8000 --accesslog=true

Traefik's static options are taken as they come: --entrypoints.NAME.address=[HOST]:PORT,
--entrypoints.NAME.http.sanitizepath, --accesslog, --accesslog.filepath, --accesslog.format.
SIGUSR1 opens the access log again.

Exit status: 0 ended by a signal, 2 could not serve.";

const CHECK_EXAMPLES: &str = "\
Examples:
  steelyard check manifests/
  steelyard check manifests/ --severity error
  steelyard check manifests/ -o json | jq '.diagnostics[].code'
  kustomize build overlays/home | steelyard check -
  helm template charts/web | steelyard check -

A cluster's objects, all that counts of them (without MetalLB: up to namespaces):
  kubectl get services,endpointslices,ingresses,ingressclasses,nodes,namespaces,networkpolicies,\
ipaddresspools,l2advertisements,bgpadvertisements,bgppeers,bfdprofiles,communities -A -o yaml | steelyard check -

Exit status: 0 no errors, 1 errors, 2 unreadable input, no object in it, or usage.";

const PLAN_EXAMPLES: &str = "\
Examples:
  steelyard plan manifests/
  steelyard plan manifests/ --lock steelyard.lock --write-lock
  steelyard plan manifests/ -o json | jq '.services[] | {name, addresses}'
  steelyard plan --diff old/ new/         what an edit would move: for a check in CI
  git archive main manifests | tar x -C /tmp && steelyard plan --diff /tmp/manifests manifests

Exit status: 0 no errors, 1 errors, 2 unreadable input, no object in it, or usage. With --diff: 3
when a Service that stays would lose an address or its announcement, else 1 when NEW has errors,
else 0.";

const HOSTS_EXAMPLES: &str = "\
Examples:
  steelyard hosts manifests/ | sudo tee -a /etc/hosts";

const COMPLETION_EXAMPLES: &str = "\
Examples:
  steelyard completions bash > /etc/bash_completion.d/steelyard
  steelyard completions zsh > \"${fpath[1]}/_steelyard\"";

/// Where the running instance is.
#[derive(Args, Clone, Debug)]
pub(crate) struct AdminArgs {
    /// Where the running instance's admin API listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9180", env = "STEELYARD_ADMIN")]
    admin: String,
    /// The bearer token that it wants
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

impl AdminArgs {
    /// Who asks it.
    pub(crate) fn client(&self) -> AdminClient {
        AdminClient { address: self.admin.clone(), token_file: self.admin_token_file.clone() }
    }
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people: aligned, coloured on a terminal
    #[default]
    Text,
    /// For programs: stable shapes
    Json,
}

/// How bad findings are at least that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// What keeps something from being used
    Error,
    /// And what is likely not as meant
    Warning,
    /// And what is worth knowing
    #[default]
    Info,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warning => Self::Warning,
            Level::Info => Self::Info,
        }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line each
    #[default]
    Text,
    /// One JSON object each
    Json,
}

/// `steelyard check`.
#[derive(Args)]
pub struct CheckArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
    /// Show what is at least this bad
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub severity: Level,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

/// `steelyard plan`.
#[derive(Args)]
pub struct PlanArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
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

/// `steelyard hosts`.
#[derive(Args)]
pub struct HostsArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Which Service has which address already
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

/// What changes how manifests are understood.
#[derive(Args, Clone, Default)]
pub(crate) struct WorldArgs {
    /// Read metallb.io objects from this namespace only
    #[arg(long, value_name = "NS")]
    pub(crate) config_namespace: Option<String>,
    /// Serve Services of this load balancer class only
    #[arg(long, value_name = "CLASS")]
    pub(crate) lb_class: Option<String>,
    /// Name of this node [default: the host's name]
    #[arg(long, value_name = "NAME",
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) node: Option<String>,
    /// Traefik's static options; taken from the command line before the rest is read.
    #[arg(skip)]
    pub(crate) fixed: StaticOptions,
}

/// `steelyard up`.
#[derive(Args)]
pub struct UpArgs {
    /// Files or folders (*.yaml, *.yml, *.json, recursively)
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Which Service has which address [default: steelyard.lock beside the manifests]
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Answer on these interfaces only [default: those whose subnet holds the address]
    #[arg(long, value_name = "NAME")]
    pub interface: Vec<String>,
    /// Do not answer for addresses: serve on loopback ports, as without privileges
    #[arg(long)]
    pub unprivileged: bool,
    /// Let this machine forward packets, so that other machines' endpoints are reached in the
    /// kernel
    #[arg(long)]
    pub ip_forward: bool,
    /// The mark bit for packets to addresses served here
    /// [default: 0x2000]
    #[arg(long, value_name = "BIT", value_parser = parse_mark)]
    pub fwmark: Option<u32>,
    /// Where what must outlive a kill is noted
    #[arg(long, value_name = "DIR", default_value = "/var/lib/steelyard")]
    pub state_dir: PathBuf,
    /// What to do where a foreign machine claims one of our addresses [default: defend]
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) vip_conflict: Option<crate::up::Conflict>,
    #[command(flatten)]
    pub(crate) sharing: crate::up::SharingArgs,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

/// `steelyard demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Port of the entry point `web` [default: 8080, or a free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// What `up` and `demo` share.
#[derive(Args, Clone)]
pub(crate) struct ServeArgs {
    /// Where the admin page and API listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9180", env = "STEELYARD_ADMIN",
          value_parser = parse_listen)]
    pub(crate) admin: std::net::SocketAddr,
    /// Bearer token that the admin API wants when it is not on loopback
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// Threads that serve requests [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// Say on error pages which rules were nearest
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) error_details: bool,
    /// How long requests may finish after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) drain: u64,
    /// How logs are written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// What is logged: error, warn, info, debug, or per part (info,steelyard_gateway=debug)
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "STEELYARD_LOG")]
    pub(crate) log_level: String,
}

fn parse_listen(text: &str) -> Result<std::net::SocketAddr, String> {
    text.parse()
        .map_err(|_| "write 127.0.0.1:9180 or [::1]:9180; port 0 is any free one".to_owned())
}

fn parse_mark(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    match parsed {
        Ok(bit) if bit.is_power_of_two() => Ok(bit),
        Ok(_) => Err("wants exactly one bit, e.g. 0x2000".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
