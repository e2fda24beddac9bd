//! `steelyard up`: every role in one process, fed by a folder of manifests.
//!
//! This page says what it has (all), and takes in files as they change; the rest is what all roles
//! have ([`crate::instance`]).

mod args;
mod live;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use steelyard_host::memory;
use steelyard_manifest::Sight;
use steelyard_pipeline::GatewayServices;
use steelyard_sources::{FolderWatch, SourceRoots};
use steelyard_upgrade::{Caller, notify};

use crate::args::LogStyle;
use crate::entry_points::StaticOptions;
use crate::instance::{Duties, Instance, News, Settings, Signals, Wish, runtime};
use crate::legacy::Inheritance;
use crate::privileges::Privileges;
use crate::tell::summary;
use crate::upgrade::{Ending, Heir, Origin, Upgrades};
use crate::{load, logging};

pub use args::UpArgs;
use live::Live;

/// How often counters on the terminal and looked-up names are refreshed.
const TICK: Duration = Duration::from_secs(1);
/// The mark bit unless another is named.
const FWMARK: u32 = 0x2000;

/// Runs the command.
///
/// # Errors
/// When something that `up` cannot do without is not to be had.
pub fn run(mut args: UpArgs, fixed: StaticOptions) -> Result<ExitCode> {
    args.serve.show.follow(&fixed);
    args.world.fixed = fixed;
    memory::keep_little();
    let origin = Origin::look();
    let paths = args.paths.clone();
    let settings = settings(args)?;
    let live = Live::start(&settings.serve)?;
    if live.is_none() {
        logging::start(settings.serve.show.style(), settings.serve.show.level())?;
    }
    runtime()?.block_on(serve(&paths, settings, live, origin))
}

fn settings(args: UpArgs) -> Result<Settings> {
    let privileges = if args.unprivileged {
        Privileges::None { why: "--unprivileged was given".to_owned() }
    } else {
        Privileges::detect()
    };
    let ports = if privileges.is_full() { load::PORTS } else { (8080, 8443) };
    if let (Privileges::None { why }, Some(option)) = (&privileges, needs_privileges(&args)) {
        anyhow::bail!("{option} has an effect only where addresses are answered for: {why}");
    }
    let author = args.sharing.author();
    let conflict = args.vip_conflict.unwrap_or_default();
    let sharing = args.sharing.read(conflict)?;
    if let (Some(_), Privileges::None { why }) = (&sharing, &privileges) {
        anyhow::bail!("addresses are shared only by those who can answer for them: {why}");
    }
    Ok(Settings {
        duties: Duties::ALL,
        author,
        awaited: None,
        standings: None,
        gateway: GatewayServices::Inferred,
        is_shadow: false,
        ignore_exclude_lb: false,
        listeners: None,
        linger: args.world.fixed.accepts_on().unwrap_or_default(),
        lock: Some(args.lock.unwrap_or_else(|| lock_beside(&args.paths))),
        privileges,
        interfaces: args.interface,
        fwmark: args.fwmark.unwrap_or(FWMARK),
        ip_forward: args.ip_forward,
        state_dir: args.state_dir,
        conflict,
        serve: args.serve,
        world: args.world,
        ports,
        sharing,
        inheritance: Inheritance::default(),
        accepts_broken: args.accept_broken_files,
        is_demo: false,
    })
}

/// An option that was given and that nothing comes of without privileges.
fn needs_privileges(args: &UpArgs) -> Option<&'static str> {
    let given = [
        (!args.interface.is_empty(), "--interface"),
        (args.ip_forward, "--ip-forward"),
        (args.fwmark.is_some(), "--fwmark"),
        (args.vip_conflict.is_some(), "--vip-conflict"),
    ];
    given.into_iter().find(|(is_given, _)| *is_given).map(|(_, option)| option)
}

/// `steelyard.lock` in the first folder, or beside the first file.
fn lock_beside(paths: &[PathBuf]) -> PathBuf {
    let here = Path::new(".");
    let first = paths.first().map_or(here, PathBuf::as_path);
    let folder = if first.is_dir() { first } else { first.parent().unwrap_or(here) };
    folder.join("steelyard.lock")
}

/// Something the main loop answers to.
enum Event {
    Sources(Option<Sight>),
    News(News),
    Tick,
    /// Something is to be drawn.
    Draw,
    Asked(Wish),
    Upgrade(Caller),
}

async fn serve(
    paths: &[PathBuf],
    mut settings: Settings,
    live: Option<Live>,
    origin: Origin,
) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let (heir, inheritance) = Heir::hear().await?;
    settings.inheritance = inheritance;
    let dynamic = settings.world.fixed.dynamic_files();
    let roots = SourceRoots { manifests: paths.to_vec(), dynamic };
    let watched = steelyard_sources::watch(&roots);
    let (sight, watch) = watched.map_err(|error| settings.world.fixed.unread(error))?;
    if sight.sources.is_empty() {
        let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        let paths = paths.join(", ");
        tracing::warn!("{paths} has no manifests (*.yaml, *.yml, *.json): waiting for some");
    }
    let usual = Duration::from_secs(settings.serve.drain);
    let drain = settings.world.fixed.grace().unwrap_or(usual);
    let mut running = Instance::start(settings).await?;
    let outcome = follow(&mut running, (sight, watch), &mut signals, live, (heir, origin)).await;
    let ending = outcome.as_ref().copied().unwrap_or(Ending::Asked("cannot go on"));
    let drain_limit = drain.as_secs();
    match ending {
        Ending::Asked(why) => {
            notify("STOPPING=1");
            tracing::info!("{why}: finishing requests for up to {drain_limit} s");
            running.stop(drain, signals.again()).await;
        }
        Ending::Replaced => {
            tracing::info!("finishing what is under way here for up to {drain_limit} s");
            running.leave(drain, signals.again()).await;
        }
    }
    outcome.map(|_| ExitCode::SUCCESS)
}

/// The main loop: takes what comes until it is told to end, and says why.
async fn follow(
    running: &mut Instance,
    (sight, mut watch): (Sight, FolderWatch),
    signals: &mut Signals,
    mut live: Option<Live>,
    (mut heir, origin): (Heir, Origin),
) -> Result<Ending> {
    running.take(sight).await?;
    heir.take_over(running).await?;
    let state = running.settings().state_dir.clone();
    let mut upgrades = Upgrades::new(origin, &state, heir.sockets());
    memory::give_back();
    let mut edited: Option<Instant> = None;
    let mut told = String::new();
    let mut tick = tokio::time::interval(TICK);
    loop {
        let due = async {
            match &live {
                Some(live) => live.due().await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            () = due => Event::Draw,
            sight = watch.changed() => Event::Sources(sight),
            news = running.news() => Event::News(news),
            _ = tick.tick() => Event::Tick,
            wish = signals.next() => Event::Asked(wish),
            caller = upgrades.next() => Event::Upgrade(caller),
        };
        match event {
            Event::Sources(Some(sight)) => {
                running.take(sight).await?;
                edited = Some(Instant::now());
            }
            Event::Sources(None) => {
                return Ok(Ending::Asked("the watch of the manifests ended"));
            }
            Event::News(news) => running.hear(news).await,
            Event::Tick => {
                running.tick().await;
                // Not between edits: it takes longer than one of them.
                if edited.take_if(|last| last.elapsed() > TICK).is_some() {
                    memory::give_back();
                }
            }
            Event::Draw => {}
            Event::Asked(Wish::Reopen) => running.reopen_logs(),
            Event::Asked(Wish::Stop(why)) => return Ok(Ending::Asked(why)),
            Event::Asked(Wish::Upgrade) => {
                if let Some(ending) = upgrades.run(running, signals, None).await {
                    return Ok(ending);
                }
                running.show();
            }
            Event::Upgrade(caller) => {
                if let Some(ending) = upgrades.run(running, signals, Some(caller)).await {
                    return Ok(ending);
                }
                running.show();
            }
        }
        match &mut live {
            Some(live) => live.draw(running),
            None => print_changed(loopback(running), &mut told),
        }
    }
}

/// What a terminal that shows logs is told: nothing where things are reached at their addresses.
fn loopback(running: &Instance) -> String {
    let is_text = running.settings().serve.show.style() == LogStyle::Text;
    let is_shown = is_text && !running.answers();
    let current = running.current().filter(|_| is_shown);
    current.map_or_else(String::new, |current| summary::loopback(current))
}

/// Prints `now` unless it was the last that was `told`.
fn print_changed(now: String, told: &mut String) {
    if now != *told {
        steelyard_terminal::show(&format!("\n{now}\n"));
        *told = now;
    }
}
