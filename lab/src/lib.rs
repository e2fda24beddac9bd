//! `steelyard lab`: a homelab's network on one machine, in network namespaces.
//!
//! A client, a router and the nodes on one LAN, a visitor behind the router, every replica of the
//! manifests' workloads played by an echo server in a namespace of its own, and `steelyard up` on
//! every node, sharing the addresses: what is seen is the real thing, ARP and all. Nothing is set
//! in the namespace it was started in, and nothing is left behind; what a killed laboratory left
//! is removed by the next one.
//!
//! It is not a cluster: there is no Kubernetes, and replicas do not follow edits of the manifests
//! (routes, Services and pools do).
//!
//! How it hangs together: [`topology`] (pure) says who is where, [`build`] makes the namespaces,
//! [`start`] the processes; [`serve`] then goes round: it carries out [`order`]s of other
//! terminals on [`nodes`] and [`wire`]s, joins that with what [`eyes`] see into a [`view`], and
//! [`draw`]s it. [`watch`] is the client's side, and knows none of that. Programs drive it by its
//! commands: `lab --detach`, `lab show -o json`, `lab kill …`, `lab watch -o json`, `lab exec`;
//! steelyard-tests' `Lab` wraps them for tests and measurements.

mod addressed;
mod arp;
mod attach;
pub mod authority;
mod build;
mod certified;
mod child;
mod console;
mod desk;
mod draw;
pub mod echo;
mod eyes;
mod nodes;
mod order;
pub mod play;
mod serve;
mod show;
mod start;
mod state;
mod subnet;
mod tools;
mod topology;
mod view;
pub mod watch;
mod wire;
mod world;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ipnet::IpNet;

pub use self::order::{Order, WireSide};
pub use self::world::Reader;
use steelyard_terminal::OutputFormat;

/// `steelyard lab`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct LabArgs {
    /// Manifests to serve: a file, a folder, or `-` [default: the built-in homelab]
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Name of the laboratory; several can run side by side
    #[arg(long, value_name = "NAME", default_value = NAME, env = "STEELYARD_LAB")]
    #[arg(value_parser = lab_name)]
    pub name: String,
    /// Nodes [default: those of the manifests, else 3]
    #[arg(long, value_name = "N")]
    pub nodes: Option<usize>,
    /// Subnet of the LAN, one per family [default: what fits around the pools]
    #[arg(long, value_name = "CIDR")]
    pub subnet: Vec<IpNet>,
    /// Most replicas of one workload to play
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub replicas: u32,
    /// Run in the background: `steelyard lab down` ends it
    #[arg(long)]
    pub detach: bool,
    /// What `--detach` starts.
    #[arg(long, hide = true)]
    pub background: bool,
    /// Further options for `steelyard up` on every node
    #[arg(last = true, value_name = "OPTION")]
    pub up: Vec<OsString>,
    /// What to do with the running laboratory.
    #[command(subcommand)]
    pub command: Option<LabCommand>,
}

/// What can be done with a running laboratory, from another terminal.
#[derive(Subcommand, Debug)]
pub enum LabCommand {
    /// Run curl on the client; host names of the routes lead to the gateway's address
    #[command(after_help = "Example:\n  sudo steelyard lab curl http://test.homelab.local/")]
    Curl {
        /// A URL, and whatever else curl understands
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Ask from the client who answers for each address
    Arp,
    /// Send a request every few milliseconds, and tell how long there was no answer
    Watch(watch::WatchArgs),
    /// Draw it once more: its hosts, and who answers for what
    Show {
        /// Text for people, or JSON for programs
        #[arg(long, short, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
        output: OutputFormat,
    },
    /// What is done to nodes.
    #[command(flatten)]
    Order(Order),
    /// Run a command on a host: `client`, `router`, `visitor`, a node or a pod
    #[command(after_help = "Example:\n  sudo steelyard lab exec client ping -c 1 10.1.1.100")]
    Exec {
        /// The host, as drawn
        host: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// End it and remove everything, also what a killed one left
    Down,
    /// Runs a command in a namespace, to die with the laboratory.
    #[command(hide = true)]
    Inside {
        /// Network namespace.
        namespace: String,
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

/// Name of the laboratory unless another is given.
const NAME: &str = "lab";

const EXAMPLES: &str = "\
Examples:
  sudo steelyard lab                      the built-in homelab; Ctrl-C ends it
  sudo steelyard lab examples/first-service
  sudo steelyard lab curl http://test.homelab.local     from another terminal; https:// too,
                                          by a CA of the laboratory's own
  sudo steelyard lab arp
  sudo steelyard lab exec client ping -c 1 10.1.1.100
  sudo steelyard lab watch                requests every 10 ms; then, from a third terminal,
  sudo steelyard lab kill worker-1        pull the plug and see how long nobody answered
  sudo steelyard lab heal

Edits of the manifests are live, as with `up`.";

/// Runs the subcommand; `read` is how the nodes read manifests.
pub fn run(args: LabArgs, read: Reader) -> anyhow::Result<ExitCode> {
    tools::require_root()?;
    match &args.command {
        Some(_) if args.path.is_some() => {
            anyhow::bail!(
                "give either a path, to start a laboratory, or a command for a running one"
            )
        }
        Some(LabCommand::Curl { args: curl }) => attach::curl(&args.name, read, curl),
        Some(LabCommand::Arp) => arp::run(&args.name, read),
        Some(LabCommand::Exec { host, command }) => attach::exec(&args.name, host, command),
        Some(LabCommand::Down) => attach::down(&args.name),
        Some(LabCommand::Watch(watch)) => watch::run(&args.name, read, watch),
        Some(LabCommand::Show { output }) => show::run(&args.name, *output),
        Some(LabCommand::Inside { namespace, command }) => child::inside(namespace, command),
        Some(LabCommand::Order(order)) => desk::give(&args.name, order),
        None => {
            args.path.as_deref().map_or(Ok(()), require_manifests)?;
            if args.detach { serve::detach(&args) } else { serve::run(&args, read) }
        }
    }
}

/// What is no file may be a misspelt command.
fn require_manifests(path: &Path) -> anyhow::Result<()> {
    let is_there = path.as_os_str() == "-" || path.exists();
    anyhow::ensure!(
        is_there,
        "{} is neither a file nor a folder, nor a command; `steelyard lab --help` lists those",
        path.display()
    );
    Ok(())
}

/// How the laboratory of this name is told from others on a command line.
fn named(lab: &str) -> String {
    if lab == NAME { String::new() } else { format!(" --name {lab}") }
}

/// Names of laboratories are parts of names of namespaces, split at `-`.
fn lab_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !text.is_empty() && text.len() <= 32 && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("wants up to 32 lower-case letters and digits".to_owned())
    }
}
