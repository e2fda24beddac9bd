//! What `up` is told.

use std::path::PathBuf;

use clap::Args;

use crate::args::{ServeArgs, WorldArgs};
use crate::instance::{Conflict, SharingArgs};

/// `steelyard up`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct UpArgs {
    /// Files or folders (*.yaml, *.yml, *.json, recursively)
    #[arg(value_name = "PATH")]
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
    /// Be ready although a file could never be read to its end, so that what it would close is not
    /// known
    #[arg(long)]
    pub accept_broken_files: bool,
    /// The mark bit for packets to addresses served here
    /// [default: 0x2000]
    #[arg(long, value_name = "BIT", value_parser = mark)]
    pub fwmark: Option<u32>,
    /// Where what must outlive a kill is noted
    #[arg(long, value_name = "DIR", default_value = "/var/lib/steelyard")]
    pub state_dir: PathBuf,
    /// What to do where a foreign machine claims one of our addresses [default: defend]
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) vip_conflict: Option<Conflict>,
    #[command(flatten)]
    pub(crate) sharing: SharingArgs,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

const EXAMPLES: &str = "\
Examples:
  sudo steelyard up manifests/            real addresses, answered for on the LAN
  steelyard up manifests/                 without privileges: loopback ports, shown in a table
  sudo steelyard up manifests/ --interface eth0 --lock /var/lib/steelyard/steelyard.lock
  sudo steelyard up manifests/ --peer 10.1.1.12 --key-file cluster.key --lock-writer
                                          one of several machines with the same manifests
  sudo steelyard up manifests/ --entrypoints.web.address=:8000 --accesslog=true

Traefik's static options are taken as they come: --entrypoints.NAME.address=[HOST]:PORT,
--entrypoints.NAME.http.sanitizepath, --entrypoints.NAME.forwardedheaders.trustedips, --accesslog,
--accesslog.filepath, --accesslog.format and others (docs/gateway.md). SIGUSR1 opens the access log
again, SIGUSR2 has a new process of the same program take over (`steelyard upgrade --help`).

Exit status: 0 ended by a signal, 2 could not serve.";

fn mark(text: &str) -> Result<u32, String> {
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
