//! Running a laboratory: build, start, wait until it serves, tell, wait for the end, take down.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use steelyard_host::netns::Namespace;
use steelyard_model::Protocol;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::build::Built;
use super::child::{Child, say};
use super::draw::{self, Look};
use super::state::{self, Claim, HostEntry, Role, State};
use super::topology::{Machine, Pod, Topology, node_count};
use super::world::World;
use super::{LabArgs, tools};
use crate::play::{self, Cast, HOMELAB, Place};
use crate::text::wants_color;

/// Admin address of the serving node, in its namespace.
const ADMIN: &str = "127.0.0.1:9180";
/// How long everything may take to come up.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long `up` may take to finish its requests.
const STOP_PATIENCE: Duration = Duration::from_secs(12);
const PAUSE: Duration = Duration::from_millis(25);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// A laboratory that stands. Dropping it takes it down, in the order of the fields.
struct Laboratory {
    up: Child,
    echoes: Vec<Child>,
    built: Built,
    topology: Topology,
    world: World,
    claim: Claim,
    state: State,
}

/// Signals that end it.
struct Ends([Signal; 3]);

/// Runs it in the foreground.
pub(super) fn run(args: &LabArgs) -> anyhow::Result<ExitCode> {
    tools::require_programs()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // First of all: from here on a signal means an orderly end.
        let mut ends = Ends::new()?;
        let mut laboratory = tokio::select! {
            biased;
            started = Laboratory::start(args) => started?,
            () = ends.any() => return Ok(ExitCode::SUCCESS),
        };
        let (topology, world) = (&laboratory.topology, &laboratory.world);
        let program = std::env::args().next().unwrap_or_else(|| "steelyard".to_owned());
        let look = Look { color: wants_color(), program: &program };
        say(&draw::laboratory(topology, world, look));
        say("\n  Ctrl-C ends it and removes everything.\n\n");
        laboratory.claim.publish(&laboratory.state)?;
        tokio::select! {
            () = ends.any() => {}
            // Pulling the plug is what a laboratory is for: everything else stays.
            sentence = laboratory.up.ended() => {
                say(&format!("{sentence}; nothing is served now. Ctrl-C ends the laboratory\n"));
                ends.any().await;
            }
        }
        laboratory.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Starts it in the background, and returns when it serves.
pub(super) fn detach(args: &LabArgs) -> anyhow::Result<ExitCode> {
    tools::require_programs()?;
    if state::is_claimed(&args.name) {
        bail!(
            "a laboratory named {:?} is running; end it with `sudo steelyard lab down`",
            args.name
        );
    }
    let (path, log) = state::create_log(&args.name)?;
    let mut process = Command::new(std::env::current_exe()?);
    process.args(std::env::args_os().skip(1).filter(|arg| arg != "--detach"));
    process.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    std::os::unix::process::CommandExt::process_group(&mut process, 0);
    // The log is removed with the laboratory: what it said is read from the open file.
    let mut said = std::fs::File::open(&path)?;
    let mut process = process.spawn().context("cannot start in the background")?;
    loop {
        let ended = process.try_wait()?;
        let ready = State::attach(&args.name).is_ok();
        let mut text = String::new();
        said.read_to_string(&mut text)?;
        say(&text);
        match ended {
            Some(status) => bail!("the laboratory did not start: {status}"),
            None if ready => return Ok(ExitCode::SUCCESS),
            None => std::thread::sleep(PAUSE),
        }
    }
}

impl Laboratory {
    async fn start(args: &LabArgs) -> anyhow::Result<Self> {
        let claim = Claim::take(&args.name)?;
        let given = manifests(args, claim.folder())?;
        let lock = claim.folder().join("steelyard.lock");
        let world = World::read(std::slice::from_ref(&given), &lock)?;
        let cast = Cast { nodes: node_count(&world.snapshot), most: args.replicas };
        for workload in play::curtailed(&world.snapshot, cast) {
            say(&format!(
                "{}: only {} of {} replicas are played (--replicas)\n",
                workload.object, cast.most, workload.replicas
            ));
        }
        let topology =
            Topology::new(&world.snapshot, play::replicas(&world.snapshot, cast), &args.subnet)?;
        let generated = claim.folder().join("generated");
        write_slices(&generated, &world, &topology)?;
        let built = Built::new(&args.name, &topology)?;
        let echoes = start_echoes(&topology, &built).await?;
        let paths = vec![given, generated];
        let up = up_arguments(&paths, &lock, &topology, &args.up);
        let mut up = Child::start(&topology.nodes[0].name, built.nodes[0].name(), &up)?;
        wait_until_ready(&built.nodes[0], &mut up).await?;
        let world = World::read(&paths, &lock)?;
        let state = published(paths, lock, &topology, &built)?;
        Ok(Self { up, echoes, built, topology, world, claim, state })
    }

    async fn stop(self) {
        say("ending\n");
        self.up.stop(STOP_PATIENCE).await;
        for echo in self.echoes {
            echo.stop(STOP_PATIENCE).await;
        }
        drop(self.built);
        drop(self.claim);
    }
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// What `up` shall read: the user's own files, so that edits are live, else copies.
fn manifests(args: &LabArgs, folder: &Path) -> anyhow::Result<PathBuf> {
    match &args.path {
        Some(path) if path.as_os_str() != "-" => {
            std::path::absolute(path).with_context(|| path.display().to_string())
        }
        given => {
            let folder = folder.join("manifests");
            std::fs::create_dir_all(&folder)?;
            if given.is_some() {
                let mut text = Vec::new();
                std::io::stdin().read_to_end(&mut text).context("cannot read standard input")?;
                std::fs::write(folder.join("stdin.yaml"), text)?;
            } else {
                for (name, text) in HOMELAB {
                    std::fs::write(folder.join(name), text)?;
                }
            }
            Ok(folder)
        }
    }
}

/// What a cluster would have written about the replicas.
fn write_slices(folder: &Path, world: &World, topology: &Topology) -> anyhow::Result<()> {
    let place = |pod: &Pod| Place {
        replica: pod.replica.clone(),
        node: Some(topology.nodes[pod.node].name.as_str().into()),
        ports: pod.replica.ports.iter().map(|&port| (port, sockets(pod, port.1))).collect(),
    };
    let places: Vec<Place> = topology.pods.iter().map(place).collect();
    std::fs::create_dir_all(folder)?;
    let text = play::print(&play::slices(&world.snapshot, &places));
    std::fs::write(folder.join("endpoint-slices.yaml"), text)?;
    Ok(())
}

fn sockets(pod: &Pod, port: u16) -> Vec<SocketAddr> {
    pod.addresses.iter().map(|&address| SocketAddr::new(address, port)).collect()
}

async fn start_echoes(topology: &Topology, built: &Built) -> anyhow::Result<Vec<Child>> {
    let mut echoes = Vec::new();
    for (pod, namespace) in topology.pods.iter().zip(&built.pods) {
        let (replica, mut arguments) = (&pod.replica, vec!["echo".to_owned()]);
        arguments.extend(["--name".to_owned(), replica.workload.name.to_string()]);
        arguments.extend(["--replica".to_owned(), replica.index.to_string()]);
        for &(protocol, port) in &replica.ports {
            let option = if protocol == Protocol::Udp { "--udp" } else { "--tcp" };
            for socket in sockets(pod, port) {
                arguments.extend([option.to_owned(), socket.to_string()]);
            }
        }
        echoes.push(Child::start(&pod.name, namespace.name(), &arguments)?);
    }
    for (pod, (namespace, echo)) in
        topology.pods.iter().zip(built.pods.iter().zip(echoes.iter_mut()))
    {
        let tcp = pod.replica.ports.iter().filter(|(protocol, _)| *protocol == Protocol::Tcp);
        for socket in tcp.flat_map(|&(_, port)| sockets(pod, port)) {
            let listens = || TcpStream::connect_timeout(&socket, PROBE_TIMEOUT).is_ok();
            wait_inside(namespace, echo, listens).await?;
        }
    }
    Ok(echoes)
}

/// Waits until the node is configured, listening and announcing what it should.
async fn wait_until_ready(node: &Namespace, up: &mut Child) -> anyhow::Result<()> {
    wait_inside(node, up, || is_ready().unwrap_or(false)).await
}

fn is_ready() -> std::io::Result<bool> {
    let address: SocketAddr = ADMIN.parse().expect("an address and a port");
    let mut stream = TcpStream::connect_timeout(&address, PROBE_TIMEOUT)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// Waits until `holds` inside a namespace, while the process that shall bring it about lives.
async fn wait_inside(
    namespace: &Namespace,
    process: &mut Child,
    holds: impl Fn() -> bool + Sync,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_PATIENCE;
    while !namespace.run(&holds)? {
        if Instant::now() > deadline {
            bail!("not ready after {} s: see what it printed above", START_PATIENCE.as_secs());
        }
        tokio::select! {
            sentence = process.ended() => bail!("{sentence}"),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    Ok(())
}

fn up_arguments(
    paths: &[PathBuf],
    lock: &Path,
    topology: &Topology,
    more: &[OsString],
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["up".into()];
    arguments.extend(paths.iter().map(OsString::from));
    arguments.extend(["--node".into(), OsString::from(&topology.nodes[0].name)]);
    arguments.extend(["--lock".into(), OsString::from(lock)]);
    arguments.extend(["--state-dir".into(), OsString::from(lock.with_file_name("state"))]);
    arguments.extend(["--admin", ADMIN, "--ip-forward"].map(OsString::from));
    arguments.extend(more.iter().cloned());
    arguments
}

fn published(
    paths: Vec<PathBuf>,
    lock: PathBuf,
    topology: &Topology,
    built: &Built,
) -> anyhow::Result<State> {
    let machine = |machine: &Machine, namespace: &Namespace, role| HostEntry {
        name: machine.name.clone(),
        namespace: namespace.name().to_owned(),
        role,
        mac: Some(machine.mac.clone()),
        addresses: machine.addresses.iter().map(|net| net.addr()).collect::<Vec<IpAddr>>(),
    };
    let pod = |(pod, namespace): (&Pod, &Namespace)| HostEntry {
        name: pod.name.clone(),
        namespace: namespace.name().to_owned(),
        role: Role::Pod,
        mac: None,
        addresses: pod.addresses.clone(),
    };
    let mut hosts = vec![machine(&topology.client, &built.client, Role::Client)];
    let nodes = topology.nodes.iter().zip(&built.nodes);
    hosts.extend(nodes.map(|(node, namespace)| machine(node, namespace, Role::Node)));
    hosts.extend(topology.pods.iter().zip(&built.pods).map(pod));
    Ok(State { pid: i32::try_from(std::process::id())?, paths, lock, hosts })
}
