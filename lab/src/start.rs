//! Bringing a laboratory up: manifests, hosts, replicas, and `steelyard up` on every node.

use std::ffi::OsString;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use steelyard_host::netns::Namespace;
use steelyard_model::Protocol;

use super::LabArgs;
use super::build::Built;
use super::certified::{self, Certified};
use super::child::Child;
use super::console::Console;
use super::desk::{self, Pending};
use super::eyes::{ADMIN, Eyes};
use super::nodes::{Node, Nodes};
use super::state::{Claim, HostEntry, Role, State};
use super::topology::{Machine, Pod, Topology, node_count};
use super::view::View;
use super::world::{Reader, World};
use crate::play::{self, Cast, HOMELAB, Place};

/// How long everything may take to come up.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long owners may take to be found once every node is ready.
const SETTLE_PATIENCE: Duration = Duration::from_secs(5);
/// How long an echo server may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(25);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// A laboratory that stands. Dropping it takes it down, in the order of the fields.
pub(super) struct Laboratory {
    /// What is done to the nodes.
    pub(super) nodes: Nodes,
    /// What they say.
    pub(super) eyes: Eyes,
    /// What other terminals want.
    pub(super) requests: tokio::sync::mpsc::Receiver<Pending>,
    echoes: Vec<Child>,
    built: Built,
    /// Who is where.
    pub(super) topology: Topology,
    /// What the manifests came to.
    pub(super) world: World,
    /// How it is named on a command line.
    pub(super) named: String,
    certified: Certified,
    claim: Claim,
    state: State,
    read: Reader,
}

impl Laboratory {
    /// Builds and starts everything, and waits until it serves.
    pub(super) async fn start(
        args: &LabArgs,
        read: Reader,
        console: &Console,
    ) -> anyhow::Result<Self> {
        let claim = Claim::take(&args.name)?;
        let given = manifests(args, claim.folder())?;
        let lock = claim.folder().join("steelyard.lock");
        let world = World::read(read, std::slice::from_ref(&given), &lock)?;
        let count = node_count(&world.snapshot, args.nodes)?;
        let cast = Cast { nodes: count, most: args.replicas };
        for workload in play::curtailed(&world.snapshot, cast) {
            console.say(&format!(
                "{}: only {} of {} replicas are played (--replicas)\n",
                workload.object, cast.most, workload.replicas
            ));
        }
        let replicas = play::replicas(&world.snapshot, cast);
        let topology = Topology::new(&world.snapshot, count, replicas, &args.subnet)?;
        let generated = claim.folder().join("generated");
        write_slices(&generated, &world, &topology)?;
        let certified = Certified::new(&world, claim.folder(), &generated)?;
        let built = Built::new(&args.name, &topology)?;
        let echoes = start_echoes(&topology, &built, console).await?;
        let paths = vec![given, generated];
        let ups = ups(&paths, &lock, &topology, &args.up)?;
        let hosts = topology.nodes.iter().zip(&built.nodes).zip(built.ports.iter().zip(ups));
        let nodes = hosts.map(|((it, host), (port, up))| Node::new(&it.name, host, port, up));
        let nodes = Nodes::start(nodes.collect(), built.switch(), console)?;
        let eyes = Eyes::open(&built.nodes)?;
        let requests = desk::listen(claim.folder())?;
        let state = published(paths, lock, &topology, &built, &claim)?;
        let named = super::named(&args.name);
        let mut laboratory = Self {
            nodes,
            eyes,
            requests,
            echoes,
            built,
            topology,
            world,
            named,
            certified,
            claim,
            state,
            read,
        };
        laboratory.settle(console).await?;
        laboratory.read_again();
        Ok(laboratory)
    }

    /// Follows edits of the manifests; what cannot be read leaves things as they are.
    pub(super) fn read_again(&mut self) {
        if let Ok(world) = World::read(self.read, &self.state.paths, &self.state.lock) {
            if let Err(error) = self.certified.follow(&world) {
                tracing::warn!("no certificate for the hosts as they are now: {error:#}");
            }
            self.world = world;
        }
    }

    /// Lets other commands attach.
    pub(super) fn publish(&self) -> anyhow::Result<()> {
        self.claim.publish(&self.state)
    }

    /// How things are.
    pub(super) fn view(&self) -> View {
        View::new(self.nodes.iter(), &self.eyes.seen())
    }

    /// Ends everything.
    pub(super) async fn end(mut self) {
        self.nodes.end().await;
        for echo in self.echoes {
            echo.stop(STOP_PATIENCE).await;
        }
        drop(self.built);
        drop(self.claim);
    }

    /// Waits until every node is ready, then for a while until every address has one owner.
    async fn settle(&mut self, console: &Console) -> anyhow::Result<()> {
        let mut deadline = Instant::now() + START_PATIENCE;
        let mut were_ready = false;
        loop {
            if let Some(sentence) = self.nodes.look().pop() {
                bail!("{sentence}");
            }
            let view = self.view();
            let answering: Vec<IpAddr> =
                match World::read(self.read, &self.state.paths, &self.state.lock) {
                    Ok(world) => world.answering().collect(),
                    Err(_) => Vec::new(),
                };
            if view.is_settled(&answering) {
                return Ok(());
            }
            if view.is_settled(&[]) && !were_ready {
                (were_ready, deadline) = (true, Instant::now() + SETTLE_PATIENCE);
            }
            if Instant::now() > deadline {
                break;
            }
            tokio::time::sleep(PAUSE * 2).await;
        }
        if !were_ready {
            bail!("not ready after {} s: see what it printed above", START_PATIENCE.as_secs());
        }
        console.say("not every address has an owner yet\n");
        Ok(())
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

async fn start_echoes(
    topology: &Topology,
    built: &Built,
    console: &Console,
) -> anyhow::Result<Vec<Child>> {
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
        echoes.push(Child::start(&pod.name, namespace.name(), &arguments, console)?);
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

/// Arguments of `up` on each node: the same manifests and lock, the others as peers, and one
/// that writes the lock.
fn ups(
    paths: &[PathBuf],
    lock: &Path,
    topology: &Topology,
    more: &[OsString],
) -> anyhow::Result<Vec<Vec<OsString>>> {
    let key = lock.with_file_name("key");
    make_key(&key)?;
    let of = |(index, node): (usize, &Machine)| {
        let mut up: Vec<OsString> = vec!["up".into()];
        up.extend(paths.iter().map(OsString::from));
        up.extend(["--node".into(), OsString::from(&node.name)]);
        up.extend(["--lock".into(), OsString::from(lock)]);
        let state = lock.with_file_name("nodes").join(&node.name);
        up.extend(["--state-dir".into(), OsString::from(state)]);
        let certificate = certified::secret().to_string();
        up.extend(["--default-ssl-certificate".into(), OsString::from(certificate)]);
        up.extend(["--admin", ADMIN, "--ip-forward", "--key-file"].map(OsString::from));
        up.push(OsString::from(&key));
        for peer in topology.nodes.iter().filter(|peer| peer.name != node.name) {
            up.extend(["--peer".into(), OsString::from(peer.addresses[0].addr().to_string())]);
        }
        up.extend((index == 0).then(|| OsString::from("--lock-writer")));
        up.extend(more.iter().cloned());
        up
    };
    Ok(topology.nodes.iter().enumerate().map(of).collect())
}

/// The key that all nodes have.
fn make_key(file: &Path) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("cannot find this program's file")?;
    let output = Command::new(program).arg("key").arg(file).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "cannot make a key: {said}");
    Ok(())
}

fn published(
    paths: Vec<PathBuf>,
    lock: PathBuf,
    topology: &Topology,
    built: &Built,
    claim: &Claim,
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
    let mut hosts = vec![
        machine(&topology.client, &built.client, Role::Client),
        machine(&topology.router, &built.router, Role::Router),
        machine(&topology.visitor, &built.visitor, Role::Visitor),
    ];
    let nodes = topology.nodes.iter().zip(&built.nodes);
    hosts.extend(nodes.map(|(node, namespace)| machine(node, namespace, Role::Node)));
    hosts.extend(topology.pods.iter().zip(&built.pods).map(pod));
    let folder = claim.folder().to_owned();
    Ok(State { pid: i32::try_from(std::process::id())?, folder, paths, lock, hosts })
}
