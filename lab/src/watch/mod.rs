//! `lab watch`: a request every few milliseconds, and how long there was no answer.
//!
//! Its client ([`tick`]) is also that of the measurements.

mod meter;
mod owner;
mod tell;
mod ticker;

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use steelyard_host::netns::Namespace;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use self::meter::Meter;
use self::owner::Owners;
use self::tell::{Move, Teller};
pub use self::ticker::{Fate, Outcome, Pace, Target, tick};
use super::addressed::{self, addressed};
use super::state::{Role, State};
use super::world::{Reader, World};
use steelyard_terminal::OutputFormat;

/// Between two looks at the line that goes on changing.
const REFRESH: Duration = Duration::from_millis(100);
/// A change of owner and an outage this close belong together.
const TOGETHER: Duration = Duration::from_millis(1_000);

/// What `lab watch` is told.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    /// What to ask for [default: the first address that answers]
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Who asks: on the LAN, or behind the router
    #[arg(long, value_enum, default_value_t, value_name = "HOST")]
    from: From,
    /// Milliseconds between two requests
    #[arg(long, value_name = "MS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=60_000))]
    every: u64,
    /// Milliseconds after which a request is given up: as failed without a connection, else as late
    #[arg(long, value_name = "MS", default_value_t = 500,
          value_parser = clap::value_parser!(u64).range(1..=60_000))]
    deadline: u64,
    /// Seconds after which it ends by itself [default: at Ctrl-C]
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Text for people, or a line of JSON for each thing that happens
    #[arg(long, short, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    output: OutputFormat,
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum From {
    /// The host on the LAN
    #[default]
    Client,
    /// The host in another subnet, through the router and its ARP cache
    Visitor,
}

const EXAMPLES: &str = "\
Examples:
  sudo steelyard lab watch                              then, elsewhere: lab kill worker-1
  sudo steelyard lab watch http://test.homelab.local/
  sudo steelyard lab watch --from visitor -o json | tee outages.jsonl

An outage lasts from the start of the first request without an answer to the next answer.
A request without one \"failed\" when it had no connection (refused, or not there by the deadline),
is \"broken\" when its connection was reset, closed early or answered 5xx, and \"late\" when it had
a connection and no answer by the deadline.";

impl From {
    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Visitor => "visitor",
        }
    }

    /// Who asks, and whose neighbour the address is.
    const fn roles(self) -> (Role, Role) {
        match self {
            Self::Client => (Role::Client, Role::Client),
            Self::Visitor => (Role::Visitor, Role::Router),
        }
    }
}

/// Runs the subcommand.
pub(super) fn run(lab: &str, read: Reader, args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let state = State::attach(lab)?;
    let world = World::read(read, &state.paths, &state.lock)?;
    let target = target(args.url.as_deref(), &state, &world)?;
    let (asks, neighbour) = args.from.roles();
    let asks = Namespace::existing(&state.first(asks)?.namespace)?;
    let neighbour = state.first(neighbour)?.namespace.clone();
    let owners = Owners::follow(state, neighbour, target.address.ip());
    let pace = Pace {
        every: Duration::from_millis(args.every),
        deadline: Duration::from_millis(args.deadline),
    };
    let teller = Teller::new(args.output);
    teller.begin(&target, pace, args.from.name());
    let limit = args.seconds.map(Duration::from_secs);
    // Every socket is made on the thread that is inside.
    asks.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(watch(target, pace, limit, &owners, &teller))
    })??;
    Ok(ExitCode::SUCCESS)
}

/// What to ask for: a URL, or the first address that answers.
fn target(url: Option<&str>, state: &State, world: &World) -> anyhow::Result<Target> {
    let own: Vec<IpAddr> = state.first(Role::Node)?.addresses.clone();
    let first = own.first().copied().context("the state file names no addresses")?;
    let url =
        match url {
            Some(url) => url.to_owned(),
            None => world.urls(first).into_iter().next().context(
                "no Service of the laboratory answers requests: give it one, or name a URL",
            )?,
        };
    if url.starts_with("https://") {
        bail!("{url}: `lab watch` speaks plain HTTP; give an http:// URL");
    }
    let path = addressed::path(&url).to_owned();
    if let Some((host, port)) = addressed(url.as_ref()) {
        let Some(vip) = world.vips_of(&host, &own).first().copied() else {
            bail!("no route names the host {host}: give an address, or a host of a route");
        };
        return Ok(Target { address: SocketAddr::new(vip, port), host, path });
    }
    let authority = addressed::authority(&url);
    let address = authority.parse().or_else(|_| {
        let plain = authority.trim_start_matches('[').trim_end_matches(']');
        plain.parse().map(|ip: IpAddr| SocketAddr::new(ip, 80))
    });
    let Ok(address) = address else {
        bail!("{url}: no URL with a host name or an address; for example http://10.1.1.100/");
    };
    Ok(Target { address, host: authority.to_owned(), path })
}

/// Asks until a signal or `limit`, tells what happens, and at the end everything.
async fn watch(
    target: Target,
    pace: Pace,
    limit: Option<Duration>,
    owners: &Owners,
    teller: &Teller,
) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let started = Instant::now();
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let mut refresh = tokio::time::interval(REFRESH);
    let mut seen = Seen { meter: Meter::default(), owner: None, moved: None };
    let end = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let ticking = ticker::tick(target, pace, sender);
    tokio::pin!(end, ticking);
    loop {
        tokio::select! {
            // What is known already counts before the end.
            biased;
            Some(outcome) = outcomes.recv() => {
                for outage in seen.meter.take(outcome) {
                    seen.outage(&outage, owners, teller);
                }
            }
            () = &mut end => break,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = refresh.tick() => seen.refresh(owners, teller, pace),
            () = &mut ticking => {}
        }
    }
    let open = seen.meter.open_since().map(|since| since.elapsed());
    teller.end(seen.meter.totals(), open, started.elapsed());
    Ok(())
}

/// What was seen so far.
struct Seen {
    meter: Meter,
    owner: Option<String>,
    /// A change of owner that no outage is known for yet.
    moved: Option<(Instant, Move)>,
}

impl Seen {
    fn outage(&mut self, outage: &meter::Outage, owners: &Owners, teller: &Teller) {
        let ago = outage.to.elapsed();
        let to = SystemTime::now().checked_sub(ago).unwrap_or_else(SystemTime::now);
        let who = Move { before: owners.at(outage.from), after: owners.now() };
        self.owner.clone_from(&who.after);
        self.moved = None;
        teller.outage(outage, to, &who);
    }

    fn refresh(&mut self, owners: &Owners, teller: &Teller, pace: Pace) {
        let now = owners.now();
        if now != self.owner {
            let who = Move { before: self.owner.take(), after: now.clone() };
            if who.before.is_some() {
                self.moved = Some((Instant::now(), who));
            }
            self.owner = now;
        }
        if self.meter.open_since().is_none()
            && let Some((_, who)) =
                self.moved.take_if(|(since, _)| since.elapsed() > pace.deadline + TOGETHER)
        {
            teller.moved(&who);
        }
        let open = self.meter.open_since().map(|since| since.elapsed());
        teller.status(self.meter.totals(), self.owner.as_deref(), open);
    }
}
