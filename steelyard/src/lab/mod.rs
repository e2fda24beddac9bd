//! `steelyard lab`: a homelab's network on one machine, in network namespaces.
//!
//! A client and the nodes on one LAN, every replica of the manifests' workloads played by an echo
//! server in a namespace of its own, and `steelyard up` serving on the first node: what is seen
//! is the real thing, ARP and all. Nothing is set in the namespace it was started in, and nothing
//! is left behind; what a killed laboratory left is removed by the next one.
//!
//! It is not a cluster: there is no Kubernetes, and replicas do not follow edits of the manifests
//! (routes, Services and pools do).

mod addressed;
mod arp;
mod attach;
mod build;
mod child;
mod draw;
mod serve;
mod state;
mod subnet;
mod tools;
mod topology;
mod world;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ipnet::IpNet;

/// `steelyard lab`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct LabArgs {
    /// Manifests to serve: a file, a folder, or `-` [default: the built-in homelab]
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Name of the laboratory; several can run side by side
    #[arg(long, value_name = "NAME", default_value = "lab", env = "STEELYARD_LAB")]
    #[arg(value_parser = lab_name)]
    pub name: String,
    /// Subnet of the LAN, one per family [default: what fits around the pools]
    #[arg(long, value_name = "CIDR")]
    pub subnet: Vec<IpNet>,
    /// Most replicas of one workload to play
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub replicas: u32,
    /// Run in the background: `steelyard lab down` ends it
    #[arg(long)]
    pub detach: bool,
    /// Further options for `steelyard up` on the serving node
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
    /// Run a command on a host: `client`, a node or a pod
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

const EXAMPLES: &str = "\
Examples:
  sudo steelyard lab                      the built-in homelab; Ctrl-C ends it
  sudo steelyard lab examples/first-service
  sudo steelyard lab curl http://test.homelab.local     from another terminal
  sudo steelyard lab arp
  sudo steelyard lab exec client ping -c 1 10.1.1.100

Edits of the manifests are live, as with `up`.";

/// Runs the subcommand.
pub fn run(args: LabArgs) -> anyhow::Result<ExitCode> {
    tools::require_root()?;
    match &args.command {
        Some(_) if args.path.is_some() => {
            anyhow::bail!(
                "give either a path, to start a laboratory, or a command for a running one"
            )
        }
        Some(LabCommand::Curl { args: curl }) => attach::curl(&args.name, curl),
        Some(LabCommand::Arp) => arp::run(&args.name),
        Some(LabCommand::Exec { host, command }) => attach::exec(&args.name, host, command),
        Some(LabCommand::Down) => attach::down(&args.name),
        Some(LabCommand::Inside { namespace, command }) => child::inside(namespace, command),
        None if args.detach => serve::detach(&args),
        None => serve::run(&args),
    }
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
