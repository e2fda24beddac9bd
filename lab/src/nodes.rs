//! The nodes of a running laboratory: their processes, their wires, and what is done to them.
//!
//! Here, and only here, a node is killed, stopped, cut off and healed, so that what is drawn and
//! what is refused ("is not running") is true. What a node *answers for* is not known here: that
//! is asked of the nodes themselves ([`super::eyes`]).

use std::ffi::OsString;
use std::time::Instant;

use anyhow::Context;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use steelyard_host::netns::Namespace;

use super::child::Child;
use super::console::Console;
use super::order::{Order, WireSide};
use super::wire::{self, Faults};

/// All nodes, in the order of the topology.
#[derive(Debug)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    /// Where the LAN's bridge is.
    switch: Namespace,
    /// Parts made so far; each gets a number of its own.
    parts: u32,
    console: Console,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    /// Its name.
    pub(super) name: String,
    /// Whether its `steelyard up` runs.
    pub(super) life: Life,
    /// When it was last started or let go on: what it said before that is out of date.
    pub(super) awake: Instant,
    /// What is wrong with its wire.
    pub(super) faults: Faults,
    /// Its network namespace.
    namespace: String,
    /// Its port on the bridge.
    port: String,
    /// Of `steelyard up`.
    arguments: Vec<OsString>,
    up: Option<Child>,
}

/// What became of a node's `steelyard up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Life {
    /// It runs.
    Running,
    /// It was stopped (SIGSTOP): it holds everything and does nothing.
    Stopped,
    /// It was asked to leave, and hands over.
    Leaving,
    /// The same, and it is to come back.
    Returning,
    /// It left as asked.
    Left,
    /// It was killed.
    Killed,
    /// It ended by itself.
    Ended,
}

impl Life {
    /// In one word or two.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Running => "runs",
            Self::Stopped => "stopped",
            Self::Leaving | Self::Returning => "is leaving",
            Self::Left => "left",
            Self::Killed => "killed",
            Self::Ended => "ended by itself",
        }
    }

    /// Whether there is a process.
    const fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Stopped | Self::Leaving | Self::Returning)
    }
}

impl Node {
    /// A node that does not run yet.
    pub(super) fn new(
        name: &str,
        namespace: &Namespace,
        port: &str,
        arguments: Vec<OsString>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            life: Life::Left,
            awake: Instant::now(),
            faults: Faults::default(),
            namespace: namespace.name().to_owned(),
            port: port.to_owned(),
            arguments,
            up: None,
        }
    }

    /// Starts `steelyard up`.
    fn start(&mut self, console: &Console) -> anyhow::Result<()> {
        self.up = Some(Child::start(&self.name, &self.namespace, &self.arguments, console)?);
        self.runs();
        Ok(())
    }

    /// Whether there is nothing to heal.
    fn is_well(&self) -> bool {
        self.life == Life::Running && self.faults == Faults::default()
    }

    /// Lets it go on.
    fn wake(&mut self) {
        self.signal(Signal::CONT);
        self.runs();
    }

    fn runs(&mut self) {
        self.life = Life::Running;
        self.awake = Instant::now();
    }

    /// Its end as a sentence, once, when it has ended; starts it again when it is to come back.
    fn look(&mut self, console: &Console) -> Option<String> {
        let status = self.up.as_mut()?.has_ended()?;
        self.up = None;
        let (name, before) = (self.name.clone(), self.life);
        self.life = if before.is_leaving() { Life::Left } else { Life::Ended };
        if before == Life::Returning
            && let Err(error) = self.start(console)
        {
            return Some(format!("{name} does not start again: {error:#}"));
        }
        Some(match before {
            Life::Leaving | Life::Returning => format!("{name} has left"),
            _ => format!("{name} ended by itself ({status}): see what it printed"),
        })
    }

    fn signal(&self, signal: Signal) {
        if let Some(up) = &self.up {
            up.signal(signal);
        }
    }
}

impl Life {
    const fn is_leaving(self) -> bool {
        matches!(self, Self::Leaving | Self::Returning)
    }
}

impl Nodes {
    /// Starts all of them; `switch` is where their ports are.
    pub(super) fn start(
        nodes: Vec<Node>,
        switch: &Namespace,
        console: &Console,
    ) -> anyhow::Result<Self> {
        let switch = Namespace::existing(switch.name())?;
        let mut nodes = Self { nodes, switch, parts: 0, console: console.clone() };
        for node in &mut nodes.nodes {
            node.start(console)?;
        }
        Ok(nodes)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// What ended since the last look, as sentences.
    pub(super) fn look(&mut self) -> Vec<String> {
        let console = &self.console;
        self.nodes.iter_mut().filter_map(|node| node.look(console)).collect()
    }

    /// Kills all of them: what is theirs goes with their namespaces.
    pub(super) async fn end(&mut self) {
        for up in self.nodes.iter_mut().filter_map(|node| node.up.as_mut()) {
            up.kill().await;
        }
    }

    /// Carries an order out; what was done, or why not, as a sentence.
    pub(super) async fn take(&mut self, order: &Order) -> anyhow::Result<String> {
        match order {
            Order::Kill { node } => self.kill(node).await,
            Order::Stop { node } => self.stop(node),
            Order::Cont { node } => self.cont(node),
            Order::Leave { node } => self.leave(node),
            Order::Cut { nodes, one_way, heartbeats } => {
                self.cut(nodes, Cut::new(*one_way, *heartbeats))
            }
            Order::Loss { node, percent } => self.lose(node, *percent),
            Order::Partition { nodes } => self.partition(nodes),
            Order::Heal { nodes } => self.heal(nodes),
        }
    }

    async fn kill(&mut self, name: &str) -> anyhow::Result<String> {
        let node = self.alive(name)?;
        if let Some(mut up) = node.up.take() {
            up.kill().await;
        }
        node.life = Life::Killed;
        Ok(format!("{name} is killed"))
    }

    fn stop(&mut self, name: &str) -> anyhow::Result<String> {
        let node = self.alive(name)?;
        anyhow::ensure!(
            node.life != Life::Stopped,
            "{name} is stopped already; `lab cont {name}` lets it go on"
        );
        node.signal(Signal::STOP);
        node.life = Life::Stopped;
        Ok(format!("{name} is stopped; `lab cont {name}` lets it go on"))
    }

    fn cont(&mut self, name: &str) -> anyhow::Result<String> {
        let node = self.alive(name)?;
        anyhow::ensure!(node.life == Life::Stopped, "{name} is not stopped, it {}", is(node.life));
        node.wake();
        Ok(format!("{name} goes on"))
    }

    fn leave(&mut self, name: &str) -> anyhow::Result<String> {
        let node = self.alive(name)?;
        anyhow::ensure!(!node.life.is_leaving(), "{name} is leaving already");
        anyhow::ensure!(
            node.life != Life::Stopped,
            "{name} is stopped, and does nothing; `lab cont {name}` lets it go on"
        );
        node.signal(Signal::TERM);
        node.life = Life::Leaving;
        Ok(format!("{name} hands over and leaves"))
    }

    fn cut(&mut self, names: &[String], cut: Cut) -> anyhow::Result<String> {
        for name in names {
            let is_cut = cut.of(&mut self.node(name)?.faults).into_iter().all(|it| *it);
            anyhow::ensure!(!is_cut, "{name} is cut so already; `lab heal {name}` mends it");
        }
        for name in names {
            cut.of(&mut self.node(name)?.faults).into_iter().for_each(|it| *it = true);
        }
        self.rewire()?;
        Ok(format!("{} {} {}", names.join(", "), are(names.len()), cut.words()))
    }

    fn lose(&mut self, name: &str, percent: u8) -> anyhow::Result<String> {
        self.node(name)?.faults.loss = percent;
        self.rewire()?;
        Ok(format!("{name} loses {percent} % of its frames, in and out"))
    }

    fn partition(&mut self, names: &[String]) -> anyhow::Result<String> {
        for name in names {
            self.node(name)?;
        }
        self.parts += 1;
        let part = self.parts;
        for name in names {
            self.node(name)?.faults.part = part;
        }
        self.rewire()?;
        Ok(format!("{} {} apart from all others", names.join(", "), are(names.len())))
    }

    fn heal(&mut self, names: &[String]) -> anyhow::Result<String> {
        let all: Vec<String> = self.nodes.iter().map(|node| node.name.clone()).collect();
        let names = if names.is_empty() { &all[..] } else { names };
        for name in names {
            self.node(name)?;
        }
        if self.nodes.iter().filter(|node| names.contains(&node.name)).all(Node::is_well) {
            return Ok(format!("nothing was wrong with {}", names.join(", ")));
        }
        for name in names {
            let console = self.console.clone();
            let node = self.node(name)?;
            node.faults = Faults::default();
            match node.life {
                Life::Running | Life::Returning => {}
                Life::Leaving => node.life = Life::Returning,
                Life::Stopped => node.wake(),
                Life::Left | Life::Killed | Life::Ended => node.start(&console)?,
            }
        }
        self.rewire()?;
        Ok(format!("{} {} healed", names.join(", "), are(names.len())))
    }

    /// Brings the bridge to the nodes' faults.
    fn rewire(&self) -> anyhow::Result<()> {
        let wires: Vec<(&str, &Faults)> =
            self.nodes.iter().map(|node| (node.port.as_str(), &node.faults)).collect();
        wire::set(&self.switch, &wires)
    }

    fn node(&mut self, name: &str) -> anyhow::Result<&mut Node> {
        let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let sentence = format!("there is no node {name:?}; there are {}", names.join(", "));
        self.nodes.iter_mut().find(|node| node.name == name).context(sentence)
    }

    /// A node that has a process.
    fn alive(&mut self, name: &str) -> anyhow::Result<&mut Node> {
        let node = self.node(name)?;
        let life = is(node.life);
        anyhow::ensure!(node.life.is_alive(), "{name} {life}; `lab heal {name}` starts it again");
        Ok(node)
    }
}

/// What of a wire is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Everything,
    One(WireSide),
    /// Of one direction, or of both.
    Heartbeats(Option<WireSide>),
}

impl Cut {
    const fn new(one_way: Option<WireSide>, heartbeats: bool) -> Self {
        match (one_way, heartbeats) {
            (way, true) => Self::Heartbeats(way),
            (Some(way), false) => Self::One(way),
            (None, false) => Self::Everything,
        }
    }

    /// What of a wire is wrong then.
    fn of(self, faults: &mut Faults) -> Vec<&mut bool> {
        match self {
            Self::Everything => vec![&mut faults.unplugged],
            Self::One(WireSide::In) => vec![&mut faults.deaf],
            Self::One(WireSide::Out) => vec![&mut faults.mute],
            Self::Heartbeats(Some(WireSide::In)) => vec![&mut faults.unbeaten],
            Self::Heartbeats(Some(WireSide::Out)) => vec![&mut faults.heartless],
            Self::Heartbeats(None) => vec![&mut faults.unbeaten, &mut faults.heartless],
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Everything => "cut off",
            Self::One(WireSide::In) => "deaf: nothing gets in",
            Self::One(WireSide::Out) => "mute: nothing gets out",
            Self::Heartbeats(None) => "without heartbeats; all else passes",
            Self::Heartbeats(Some(WireSide::In)) => "deaf to heartbeats; all else passes",
            Self::Heartbeats(Some(WireSide::Out)) => "mute of heartbeats; all else passes",
        }
    }
}

/// As part of a sentence.
fn is(life: Life) -> String {
    match life {
        Life::Stopped | Life::Killed => format!("is {}", life.words()),
        Life::Left => "has left".to_owned(),
        Life::Ended => "has ended".to_owned(),
        Life::Running | Life::Leaving | Life::Returning => life.words().to_owned(),
    }
}

const fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
