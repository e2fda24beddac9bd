//! The command line: what can be asked of the binary. What a command is told stands beside it;
//! what several are told, in [`crate::args`].

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};
use clap_complete::Shell;

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
    Up(crate::up::UpArgs),
    /// Run the built-in homelab on this machine, its Deployments played by echo servers
    Demo(crate::demo::DemoArgs),
    /// The homelab as real hosts: a client and three nodes in network namespaces (needs root)
    Lab(steelyard_lab::LabArgs),
    /// Give Services of a cluster their addresses, and report what is decided
    Controller(crate::controller::ControllerArgs),
    /// Answer on the LAN for the addresses of a cluster's Services, from each of its nodes
    Speaker(crate::speaker::SpeakerArgs),
    /// Serve the routes of a cluster, in a pod
    Gateway(crate::gateway::GatewayArgs),
    /// Say what is wrong with manifests, where, and how to mend it
    Check(crate::check::CheckArgs),
    /// Say what would come of manifests: addresses, announcements, routes
    Plan(crate::plan::PlanArgs),
    /// Say which route a request takes, and why no other one does
    Route(crate::route::RouteArgs),
    /// Say why an object is treated as it is
    Explain(crate::explain::ExplainArgs),
    /// Print /etc/hosts lines for every host name in the routes
    Hosts(crate::hosts::HostsArgs),
    /// Show what a running instance does
    Get(crate::get::GetArgs),
    /// Spread addresses anew over the machines that share them
    Rebalance(crate::rebalance::RebalanceArgs),
    /// Have a new process take the place of the one that runs, unnoticed
    Upgrade(crate::upgrade::UpgradeArgs),
    /// Make the key that several machines share
    Key(crate::key::KeyArgs),
    /// Judge objects before a cluster takes them, as its validating webhook
    Webhook(crate::webhook::WebhookArgs),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// One replica that answers with what it was asked; `lab` runs these
    #[command(hide = true)]
    Echo(steelyard_lab::echo::EchoArgs),
}

const COMPLETION_EXAMPLES: &str = "\
Examples:
  steelyard completions bash > /etc/bash_completion.d/steelyard
  steelyard completions zsh > \"${fpath[1]}/_steelyard\"";
