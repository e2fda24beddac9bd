//! `steelyard demo`: the homelab on this machine, without privileges.
//!
//! Its Deployments are played by echo servers on free loopback ports; one table says what to open.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use steelyard_dialects::{LowerOptions, lower};
use steelyard_host::private;
use steelyard_lab::authority::CertificateAuthority;
use steelyard_lab::echo;
use steelyard_lab::play::{self, Cast, Place, Replica};
use steelyard_manifest::{ReadLimits, Sight, Source, load as read};
use steelyard_model::routing::entry_point::{PLAIN, SECURE};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::rule::Rule;
use steelyard_model::{
    ClassReadings, FieldPath, Item, NamespacedName, ObjectRef, Protocol, Provenance, RouteDraft,
    RouteSet, TlsSecret,
};
use steelyard_pipeline::GatewayServices;
use steelyard_plan::Author;
use steelyard_terminal::{Cell, Style, Table, is_abandoned, put, wants_color};

use crate::args::{ServeArgs, WorldArgs};
use crate::entry_points::StaticOptions;
use crate::instance::{Duties, Instance, Settings, Signals, runtime};
use crate::legacy::Inheritance;
use crate::pipeline::Pipeline;
use crate::privileges::Privileges;
use crate::{load, logging};

/// Ports tried first, since people know them.
const WEB: u16 = 8080;
const WEBSECURE: u16 = 8443;
/// Of the demo's CA.
const CA_NAME: &str = "steelyard demo";
const CA_FILE: &str = "ca.crt";
/// How often another port is tried when somebody was faster.
const ATTEMPTS: usize = 20;
/// How often it is looked whether anybody still reads.
const LOOK: Duration = Duration::from_millis(200);
const CAST: Cast = Cast { nodes: 1, most: 5 };

/// `steelyard demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Port of the entry point `web` [default: 8080, or a free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// Runs the command.
///
/// # Errors
/// When not even a free port is to be had.
pub fn run(args: DemoArgs, fixed: StaticOptions) -> Result<ExitCode> {
    let mut serve = args.serve;
    serve.show.follow(&fixed);
    // The table is the message.
    serve.show.log_level.get_or_insert_with(|| "warn".to_owned());
    logging::start(serve.show.style(), serve.show.level())?;
    let known = |port| {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        free.map_or_else(|_| free_port(), |_| Ok(port))
    };
    let web = args.port.map_or_else(|| known(WEB), Ok)?;
    let state = Scratch::new()?;
    let settings = Settings {
        duties: Duties::ALL,
        author: Author::Here,
        awaited: None,
        standings: None,
        gateway: GatewayServices::Inferred,
        is_shadow: false,
        ignore_exclude_lb: false,
        listeners: None,
        linger: Duration::ZERO,
        lock: None,
        privileges: Privileges::None { why: "demo needs none".to_owned() },
        interfaces: Vec::new(),
        fwmark: 0,
        ip_forward: false,
        state_dir: state.0.clone(),
        conflict: crate::instance::Conflict::default(),
        serve,
        world: WorldArgs { fixed, ..WorldArgs::default() },
        ports: (web, known(WEBSECURE)?),
        sharing: None,
        inheritance: Inheritance::default(),
        accepts_broken: false,
        is_demo: true,
    };
    runtime()?.block_on(play(settings, args.port.is_none()))
}

/// A state folder for as long as the demo runs; others on the machine cannot look or write there.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let made = private::fresh_folder(&std::env::temp_dir(), "steelyard-demo");
        Ok(Self(made.context("cannot make a temporary folder")?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn play(settings: Settings, any_port: bool) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let sources = homelab();
    let snapshot = Pipeline::new(load::resolve_options(&settings.world, load::PORTS))
        .update(&sources)
        .snapshot;
    let mut places = Vec::new();
    let mut servers = Vec::new();
    for replica in play::replicas(&snapshot, CAST) {
        let (place, server) = start(replica).await?;
        places.push(place);
        servers.push(server);
    }
    let drain = Duration::from_secs(settings.serve.drain);
    let state_dir = settings.state_dir.clone();
    let mut running = Instance::start(settings).await?;
    let slices = play::slices(&snapshot, &places);
    let slices = slices.into_iter().map(|it| Item::EndpointSlice(Arc::new(it)));
    let twins = localhost_twins(&sources);
    let (authority, secret) = believed(&twins)?;
    running.set_own(slices.chain(twins).chain([secret]).collect());
    running.take(Sight::complete(sources)).await?;
    for _ in 0..ATTEMPTS {
        if any_port && running.port_of(PLAIN).is_none() {
            running.move_to(PLAIN, free_port()?).await;
        }
        if running.port_of(SECURE).is_none() {
            running.move_to(SECURE, free_port()?).await;
        }
    }
    let Some(port) = running.port_of(PLAIN) else { bail!("the entry point `web` cannot listen") };
    let file = state_dir.join(CA_FILE);
    std::fs::write(&file, authority.pem()).context("cannot write the demo's CA")?;
    let told = put(&format!("{}\n", welcome(&running, port, &file)));
    if told.is_ok() {
        let why = tokio::select! {
            why = signals.stop() => why,
            () = abandoned() => "nobody reads what it prints",
        };
        tracing::info!("{why}");
    }
    running.stop(drain, signals.again()).await;
    drop(servers);
    told?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until standard output is a pipe that nobody reads: the table was all there is to see.
async fn abandoned() {
    while !is_abandoned() {
        tokio::time::sleep(LOOK).await;
    }
}

/// The built-in manifests.
fn homelab() -> Vec<Source> {
    play::HOMELAB.iter().map(|(name, text)| Source::new(*name, text.as_bytes())).collect()
}

/// The Secret that all twins name.
fn twins_secret() -> NamespacedName {
    NamespacedName::new("steelyard-demo", "localhost")
}

/// A CA of the demo's own, and a certificate for the hosts of all twins.
fn believed(twins: &[Item]) -> Result<(CertificateAuthority, Item)> {
    let routes = twins.iter().filter_map(|item| match item {
        Item::Routes(set) => Some(&set.routes),
        _ => None,
    });
    let hosts = routes.flatten().filter_map(|draft| match draft.rule.host() {
        HostPattern::Exact(host) => Some(host.to_string()),
        _ => None,
    });
    let hosts: BTreeSet<String> = hosts.chain(["localhost".to_owned()]).collect();
    let authority = CertificateAuthority::new(CA_NAME)?;
    let secret = authority.secret(&twins_secret(), hosts.into_iter().collect())?;
    Ok((authority, Item::Secret(Box::new(secret))))
}

/// For each route to `x.local` one to `x.localhost`, which browsers look up by themselves
/// (RFC 6761 §6.3).
fn localhost_twins(sources: &[Source]) -> Vec<Item> {
    let (limits, options) = (ReadLimits::default(), LowerOptions::default());
    let objects = sources.iter().flat_map(|source| read(source, &limits).objects);
    let items = objects.flat_map(|object| lower(&object, &options).items);
    items.filter_map(localhost_twin).collect()
}

fn localhost_twin(item: Item) -> Option<Item> {
    let Item::Routes(set) = item else { return None };
    let routes = set.routes.iter().filter_map(|draft| {
        let HostPattern::Exact(host) = draft.rule.host() else { return None };
        let name = format!("{}.localhost", host.strip_suffix(".local")?);
        let host = Rule::One(Matcher::Host(HostPattern::Exact(name.into())));
        let path = draft.rule.path().cloned();
        let conditions = [host].into_iter().chain(path.map(|path| Rule::One(Matcher::Path(path))));
        let rule = Rule::All(conditions.collect());
        Some(RouteDraft {
            id: format!("{}#localhost", draft.id).into(),
            rule: rule.into(),
            ..draft.clone()
        })
    });
    let routes = routes.collect();
    let object = ObjectRef {
        name: format!("{}#localhost", set.object.name).into(),
        ..(*set.object).clone()
    };
    let (object, readings) = (Arc::new(object), ClassReadings::default());
    let place = Provenance::new(&object, FieldPath::root());
    let tls_secrets =
        vec![TlsSecret { secret: twins_secret(), hosts: Vec::new(), place: place.clone() }];
    let tls = Some(place);
    Some(Item::Routes(Box::new(RouteSet { object, routes, readings, tls_secrets, tls, ..*set })))
}

/// A port that nobody listened on a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Plays `replica` on free loopback ports.
async fn start(replica: Replica) -> Result<(Place, echo::Echo)> {
    let who = echo::Identity { name: replica.workload.name.to_string(), replica: replica.index };
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let of = |wanted| replica.ports.iter().filter(move |(protocol, _)| *protocol == wanted);
    let tcp = vec![free; of(Protocol::Tcp).count()];
    let udp = vec![free; of(Protocol::Udp).count()];
    let server = echo::Echo::start(&who, &tcp, &udp).await.context("no free loopback port")?;
    let answers = of(Protocol::Tcp).zip(&server.tcp).chain(of(Protocol::Udp).zip(&server.udp));
    let ports: BTreeMap<_, _> = answers.map(|(port, address)| (*port, vec![*address])).collect();
    Ok((Place { replica, node: None, ports }, server))
}

/// What to open, and what is behind it.
fn welcome(running: &Instance, port: u16, authority: &Path) -> String {
    let color = wants_color();
    let mut table = Table::new(&["OPEN", "BACKEND", "REPLICAS"]);
    let decided = running.decided();
    for route in decided.iter().flat_map(|it| it.plan.routes.in_order()) {
        let Some(url) = url(route, port) else { continue };
        for end in decided.iter().flat_map(|it| it.snapshot.routing.ends(route)) {
            let Some((service, number)) = &end.node.service else { continue };
            let endpoints = end.endpoints.into_iter().flat_map(|set| &set.endpoints);
            let ready = endpoints.filter(|(endpoint, _)| endpoint.is_ready()).count();
            table.row([
                Cell::new(&url, Style::Good),
                format!("{service}:{number}").into(),
                ready.to_string().into(),
            ]);
        }
    }
    let heading = Style::Heading.paint("A homelab, its Deployments played by echo servers", color);
    let admin = Style::Good.paint(&format!("http://{}/", running.admin_address()), color);
    let mut secure = String::new();
    let mut urls = decided.iter().flat_map(|it| it.plan.routes.in_order()).filter_map(|it| {
        let url = url(it, running.port_of(SECURE)?)?;
        let is_named = !matches!(it.rule.host(), HostPattern::Any);
        is_named.then(|| url.replacen("http:", "https:", 1))
    });
    if let Some(url) = urls.next() {
        let command = format!("curl --cacert {} {url}", authority.display());
        let command = Style::Good.paint(&command, color);
        secure = format!("Over TLS, by a CA that lives as long as this runs: {command}\n");
    }
    format!(
        "{heading}\n\n{}\n{secure}The same, live, with addresses and diagnostics: {admin}\n\
         Each URL opens in a browser, and with curl. Ctrl-C ends it.",
        table.render(2, color)
    )
}

/// The address of `route` that a browser can look up by itself.
fn url(route: &Route, port: u16) -> Option<String> {
    if !route.kind.is_of_requests() {
        return None;
    }
    let host = match route.rule.host() {
        HostPattern::Exact(host) if host.ends_with(".localhost") => host.as_ref(),
        HostPattern::Any => "localhost",
        HostPattern::Exact(_) | HostPattern::Label(_) | HostPattern::Labels(_) => return None,
    };
    let path = route.rule.path().map_or_else(|| "/".into(), |path| path.shape.to_string());
    Some(format!("http://{host}:{port}{path}"))
}
