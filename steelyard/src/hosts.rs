//! `steelyard hosts`: /etc/hosts lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use steelyard_dialects::codes::{PATH_REGEX, PATH_UNREACHABLE};
use steelyard_manifest::codes::FILE_UNREADABLE;
use steelyard_manifest::render;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::Route;
use steelyard_model::{Diagnostic, ObjectRef, ServedBy, Snapshot};
use steelyard_plan::Plan;
use steelyard_route::hosts_named;
use steelyard_tls::HeldHandshakes;

use crate::args::WorldArgs;
use crate::entry_points::StaticOptions;
use crate::{load, planning};

/// Where names point to when no Service is the gateway's: the entry points listen on this host.
const THIS_HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// `steelyard hosts`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct HostsArgs {
    /// Files, folders (*.yaml, *.yml, *.json, recursively) or `-` for standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Which Service has which address already
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

const EXAMPLES: &str = "\
Examples:
  steelyard hosts manifests/ | sudo tee -a /etc/hosts";

/// Runs the command.
///
/// # Errors
/// When a path or the lock file cannot be read.
pub fn run(mut args: HostsArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.world.fixed = fixed;
    let held = planning::held(args.lock.as_deref())?;
    let (world, sources) = load::world(&args.paths, &args.world)?;
    let (snapshot, plan) = planning::of(world, &held, &planning::facts(&args.world));
    let hosts = Hosts::of(&snapshot, &plan);
    steelyard_terminal::put(&hosts.lines())?;
    // Standard output is for /etc/hosts alone.
    for remark in hosts.remarks() {
        steelyard_terminal::complain(&remark);
    }
    let unreadable = plan.diagnostics.iter().filter(|found| found.code == FILE_UNREADABLE);
    let unreadable: Vec<Diagnostic> = unreadable.cloned().collect();
    steelyard_terminal::note(&render::text(&unreadable, &sources, false));
    Ok(if unreadable.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The names of routes, and where they are reached.
#[derive(Debug, Default)]
struct Hosts {
    addresses: Vec<IpAddr>,
    names: BTreeSet<Arc<str>>,
    /// Suffixes of which every name is routed.
    wildcards: BTreeSet<Arc<str>>,
    /// Whether there are routes for every host, which have no name.
    is_for_all: bool,
    /// Names that nobody reaches, and why.
    unreached: BTreeMap<String, Unreachable>,
}

/// Why nobody reaches a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreachable {
    /// No request has its path.
    Unasked,
    /// The gateway's Service has no address.
    Pending,
    /// Handshakes for it are refused, and it is served over TLS alone.
    Unheld,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unasked => "no request has its path",
            Self::Pending => "the gateway's Service has no address",
            Self::Unheld => "no handshake is held for it",
        })
    }
}

impl Hosts {
    fn of(snapshot: &Snapshot, plan: &Plan) -> Self {
        let gateways = snapshot
            .services
            .values()
            .filter(|it| it.served_by == ServedBy::Gateway && it.service.is_load_balancer());
        let rows = gateways.filter_map(|it| plan.services.get(&it.service.id));
        let (mut hosts, mut has_gateway) = (Self::default(), false);
        for row in rows {
            has_gateway = true;
            hosts.addresses.extend(row.addresses);
        }
        if !has_gateway {
            hosts.addresses.push(THIS_HOST);
        }
        let (hindrances, held) = (Hindrances::of(plan), HeldHandshakes::new(&snapshot.routing));
        for route in snapshot.routing.routes.values() {
            let pending = hosts.addresses.is_empty().then_some(Unreachable::Pending);
            let hindrance = hindrances.on(route).or(pending);
            let named = hosts_named(route).unwrap_or_else(|| vec![HostPattern::Any]);
            for host in named {
                let unheld = || held.none_for_host(route, &host).then_some(Unreachable::Unheld);
                let hindrance = hindrance.or_else(unheld);
                hosts.add(host, hindrance);
            }
        }
        // A name that some other route is reached by is there.
        let Self { names, wildcards, unreached, .. } = &mut hosts;
        unreached.retain(|name, _| {
            let suffix = name.strip_prefix("*.");
            !names.contains(&**name) && suffix.is_none_or(|it| !wildcards.contains(it))
        });
        hosts
    }

    fn add(&mut self, host: HostPattern, hindrance: Option<Unreachable>) {
        if let Some(why) = hindrance {
            let name = match host {
                HostPattern::Any => "any host".to_owned(),
                host => host.to_string(),
            };
            self.unreached.insert(name, why);
            return;
        }
        match host {
            HostPattern::Exact(host) => drop(self.names.insert(host)),
            HostPattern::Label(suffix) | HostPattern::Labels(suffix) => {
                self.wildcards.insert(suffix);
            }
            HostPattern::Any => self.is_for_all = true,
        }
    }

    /// `/etc/hosts` lines: for every address the host names that are served there.
    fn lines(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(|name| &**name).collect();
        let names = names.join(" ");
        let addresses = self.addresses.iter().filter(|_| !names.is_empty());
        let named = addresses.map(|address| format!("{address} {names}\n"));
        let wildcards = self
            .wildcards
            .iter()
            .map(|suffix| format!("# *.{suffix}: /etc/hosts knows no wildcards; name each host\n"));
        named.chain(wildcards).collect()
    }

    /// What the lines do not say.
    fn remarks(&self) -> Vec<String> {
        let left_out = self.unreached.iter();
        let mut said: Vec<String> =
            left_out.map(|(name, why)| format!("left out: {name}: {why}")).collect();
        if self.lines().is_empty() {
            said.push(match self.is_for_all {
                true => "there is nothing to write: the routes are for every host".to_owned(),
                false if said.is_empty() => {
                    "there is nothing to write: no route names a host".to_owned()
                }
                false => "there is nothing to write: nobody reaches the routes".to_owned(),
            });
        }
        said
    }
}

/// What keeps everybody from routes, by the object that asks for them, and where in it.
struct Hindrances<'a>(BTreeMap<&'a ObjectRef, Vec<(&'a str, Unreachable)>>);

impl<'a> Hindrances<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut found = Self(BTreeMap::new());
        for it in &plan.diagnostics {
            let place = match it.code {
                PATH_UNREACHABLE | PATH_REGEX => (&*it.path.0, Unreachable::Unasked),
                _ => continue,
            };
            if let Some(object) = &it.object {
                found.0.entry(object).or_default().push(place);
            }
        }
        found
    }

    fn on(&self, route: &Route) -> Option<Unreachable> {
        let found = self.0.get(&*route.place.object)?.iter();
        let is_its =
            |it: &&(&str, Unreachable)| it.0.is_empty() || it.0.starts_with(&*route.place.field.0);
        found.copied().find(|it| is_its(&it)).map(|it| it.1)
    }
}
