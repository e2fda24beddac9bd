//! Measurements beside the peers. `cargo xtask bench NAME` builds this in release mode and runs it.
//!
//! These machines are noisy: programs that are compared run side by side in one interleaved run,
//! and what is quoted are medians and ratios.

mod balance;
mod cpu;
mod failover;
mod filters;
mod gateway;
mod health;
mod heartbeat;
mod interrupt;
mod kubernetes;
mod load;
mod memory;
mod page;
mod peer;
mod plan;
mod results;
mod routing;
mod streams;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "steelyard-bench")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// CPU per proxied request, beside nginx and HAProxy
    Gateway {
        /// The release binary to measure
        #[arg(long)]
        binary: PathBuf,
        /// Interleaved rounds
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Seconds of load per run
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
        /// Only these; the rows of others stay as they were measured before
        #[arg(long, value_enum)]
        only: Vec<gateway::Workload>,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// What TLS adds, beside nginx and HAProxy
    Tls {
        /// The release binary to measure
        #[arg(long)]
        binary: PathBuf,
        /// Interleaved rounds
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Seconds of load per run
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// Addresses for thousands of Services
    Plan {
        /// The release binary to measure
        #[arg(long)]
        binary: PathBuf,
        /// Rounds over all cases
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// What many routes cost, in Kubernetes' language and in Traefik's own
    Routing {
        /// The release binary to measure
        #[arg(long)]
        binary: PathBuf,
        /// Rounds of everything
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// How long a client gets no answer when a node goes, beside keepalived; as root
    Failover {
        /// The release binary to measure
        #[arg(long)]
        binary: PathBuf,
        /// Rounds of each act, for each that is compared
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// Laboratories at once
        #[arg(long, default_value_t = 5)]
        labs: u32,
        /// Only these acts; the rows of others stay as they were measured before
        #[arg(long, value_enum)]
        only: Vec<failover::Act>,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// What it takes to serve a cluster with a real API server; as root
    Kubernetes {
        /// The release binary to measure
        #[arg(long)]
        binary: PathBuf,
        /// Rounds of what is compared
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Only these acts; the rows of others stay as they were measured before
        #[arg(long, value_enum)]
        only: Vec<kubernetes::Act>,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// Many certificates, in this process; prints one line of JSON
    Certificates,
    /// What it takes to ask a thousand endpoints whether they are well, and retries in an outage
    Health {
        /// Not measured: the gateway runs in this process
        #[arg(long)]
        binary: Option<PathBuf>,
        /// Rounds
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Seconds of each measurement
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// Connections and datagrams as they come, beside HAProxy and nginx
    Streams {
        /// The release binary to measure
        #[arg(long)]
        binary: PathBuf,
        /// Interleaved rounds
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Seconds of load per run
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// The gateway that `streams` measures, until it is ended
    StreamsGateway {
        /// Where it listens
        address: SocketAddr,
    },
    /// What it costs to choose among a thousand endpoints
    Balance {
        /// Nobody's: the choice is measured by itself
        #[arg(long)]
        binary: Option<PathBuf>,
        /// Rounds over all algorithms
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// What filters cost: alone, and on sockets
    Filters {
        /// The release binary to measure
        #[arg(long)]
        binary: PathBuf,
        /// Rounds over all filters
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Seconds of load per run
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
        /// Where to write the rows
        #[arg(long)]
        output: PathBuf,
    },
    /// Idle cost of heartbeats; prints the rows
    Heartbeat,
    /// One case of `plan`, once; prints one line of JSON
    PlanCase {
        /// Which
        case: plan::Case,
    },
    /// One case of `routing`, once; prints a number
    RoutingCase {
        /// Which
        case: routing::Case,
    },
    /// Load generator and backend in one thread; prints one line of JSON
    Load(LoadArgs),
    /// A connection over TLS for each request; prints one line of JSON
    Handshakes {
        /// What to ask
        #[arg(long)]
        target: SocketAddr,
        /// Host to ask for
        #[arg(long)]
        host: String,
        /// Which
        #[arg(long, value_enum)]
        which: load::handshakes::Handshakes,
        /// How long
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
}

/// `load`.
#[derive(clap::Args)]
struct LoadArgs {
    /// What to ask
    #[arg(long)]
    target: SocketAddr,
    /// Also serve answers here
    #[arg(long)]
    backend: Option<SocketAddr>,
    /// Open connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Path to ask for: /s answers 128 bytes, /m 16 KiB, /l 1 MiB
    #[arg(long, default_value = "/s")]
    path: String,
    /// Host to ask for
    #[arg(long, default_value = "app.example.com")]
    host: String,
    /// A new connection for each request
    #[arg(long)]
    new_connections: bool,
    /// Ask for so many numbered hosts at random
    #[arg(long)]
    hosts: Option<u32>,
    /// Requests in a second, instead of as many as are answered
    #[arg(long)]
    rate: Option<f64>,
}

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Gateway { binary, rounds, seconds, only, output } => {
            gateway::run(&gateway::Options { binary, rounds, seconds, only, output })
                .and_then(|()| page())
        }
        Command::Tls { binary, rounds, seconds, output } => {
            let only = Vec::new();
            gateway::secure::run(&gateway::Options { binary, rounds, seconds, only, output })
                .and_then(|()| page())
        }
        Command::Certificates => gateway::certificates::measure().and_then(|found| {
            println!("{}", serde_json::to_string(&found)?);
            Ok(())
        }),
        Command::Plan { binary, rounds, output } => {
            plan::run(&plan::Options { binary, rounds, output }).and_then(|()| page())
        }
        Command::Routing { binary, rounds, output } => {
            routing::run(&routing::Options { binary, rounds, output }).and_then(|()| page())
        }
        Command::Failover { binary, rounds, labs, only, output } => {
            let options = failover::Options { binary, rounds, labs, only };
            failover(&options, &output)
        }
        Command::Kubernetes { binary, rounds, only, output } => {
            kubernetes::run(&kubernetes::Options { binary, rounds, only, output })
                .and_then(|()| page())
        }
        Command::Streams { binary, rounds, seconds, output } => {
            streams::run(&streams::Options { binary, rounds, seconds, output })
                .and_then(|()| page())
        }
        Command::Health { binary: _, rounds, seconds, output } => {
            health::run(&health::Options { rounds, seconds, output }).and_then(|()| page())
        }
        Command::StreamsGateway { address } => streams::serve(address),
        Command::Balance { rounds, output, .. } => {
            balance::run(&balance::Options { rounds, output }).and_then(|()| page())
        }
        Command::Filters { binary, rounds, seconds, output } => {
            let options = gateway::Options { binary, rounds, seconds, only: Vec::new(), output };
            filters::run(&options).and_then(|()| page())
        }
        Command::Heartbeat => {
            heartbeat::rows().iter().for_each(|row| println!("{row}"));
            Ok(())
        }
        Command::PlanCase { case } => plan_case(case),
        Command::RoutingCase { case } => case.run().map(|number| println!("{number}")),
        Command::Load(args) => load(args),
        Command::Handshakes { target, host, which, seconds } => {
            load::handshakes::run(target, &host, which, seconds).and_then(|report| {
                println!("{}", serde_json::to_string(&report)?);
                Ok(())
            })
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the page from all that was measured.
fn page() -> anyhow::Result<()> {
    page::write(Path::new("bench/results"), Path::new("docs/performance.md"))
}

/// What was measured is written also where something is missing; the page says what.
fn failover(options: &failover::Options, output: &Path) -> anyhow::Result<()> {
    let (mut rows, notes) = failover::run(options)?;
    if !options.only.is_empty() {
        let begins: Vec<String> =
            options.only.iter().map(|act| format!("{}, ", act.name())).collect();
        results::replace(output, &begins, rows, notes)?;
        return page();
    }
    rows.extend(heartbeat::rows());
    results::write_with_notes(output, rows, notes)?;
    page()
}

fn plan_case(case: plan::Case) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(&case.run()?)?);
    Ok(())
}

fn load(args: LoadArgs) -> anyhow::Result<()> {
    let report = load::run(&load::Options {
        target: args.target,
        backend: args.backend,
        connections: args.connections,
        duration: Duration::from_secs_f64(args.seconds),
        path: args.path,
        host: args.host,
        new_connections: args.new_connections,
        hosts: args.hosts,
        rate: args.rate,
    })?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
