//! Who listens to a cluster, on the host of a client, as a role does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use steelyard_host::netns::Namespace;
use steelyard_kube::{Connection, Feed, Standing};
use steelyard_manifest::{ClusterFront, Extract, Object, Selection, Written};
use steelyard_tests::cluster::{self, Cluster};
use tokio::sync::mpsc;

/// How often it is noted how it stands.
const TICK: Duration = Duration::from_millis(20);

/// What was heard so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// By name.
    pub(crate) objects: BTreeMap<String, Value>,
    /// How many changes were sent on.
    pub(crate) changes: usize,
    /// Whether all there is was listed.
    pub(crate) is_complete: bool,
    /// How it stands with what is followed.
    pub(crate) standing: BTreeMap<Selection, Standing>,
}

/// An object as it is.
struct Seen {
    written: Written,
    value: Value,
}

/// Somebody who listens.
pub(crate) struct Ear {
    heard: Arc<Mutex<Heard>>,
    needs: Option<mpsc::UnboundedSender<BTreeSet<Selection>>>,
    thread: Option<JoinHandle<()>>,
}

impl Extract for Seen {
    type How = ();

    fn of(object: &Object, (): &()) -> Self {
        let value = object.read_lenient().value.unwrap_or_default();
        Self { written: Written::of(object), value }
    }

    fn written(&self) -> &Written {
        &self.written
    }

    fn moved(&self, written: &Written) -> Option<Self> {
        Some(Self { written: written.clone(), value: self.value.clone() })
    }
}

impl Ear {
    /// Listens to all of these from now on.
    pub(crate) fn start(
        cluster: &Cluster,
        kubeconfig: &Path,
        watches: Vec<Selection>,
    ) -> Result<Self> {
        let host = Namespace::existing(cluster.client().name())?;
        let (heard, kubeconfig) = (Arc::<Mutex<Heard>>::default(), kubeconfig.to_owned());
        let (needs, needed) = mpsc::unbounded_channel();
        let shared = heard.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            let listening = listen(&kubeconfig, watches, needed, &shared);
            let done = host.run(|| runtime.block_on(listening));
            if let Err(error) = done.context("no namespace").and_then(|it| it) {
                eprintln!("nobody listens: {error:#}");
            }
        });
        Ok(Self { heard, needs: Some(needs), thread: Some(thread) })
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at these by their name, and at no others.
    pub(crate) fn need(&self, watches: &[Selection]) {
        if let Some(needs) = &self.needs {
            let _ = needs.send(watches.iter().cloned().collect());
        }
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Heard) -> bool) -> Result<()> {
        cluster::until(what, || holds(&self.heard())).with_context(|| {
            let Heard { objects, standing, .. } = self.heard();
            format!("{standing:#?} {:?}", objects.keys())
        })
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.needs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(
    kubeconfig: &Path,
    watches: Vec<Selection>,
    mut needed: mpsc::UnboundedReceiver<BTreeSet<Selection>>,
    shared: &Mutex<Heard>,
) -> Result<()> {
    let connection = Arc::new(Connection::open(Some(kubeconfig), None).await?);
    let mut front = ClusterFront::<Seen>::new(watches.clone(), ());
    let mut feed = Feed::start(&connection, watches);
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            events = feed.next() => front.hear(events),
            needed = needed.recv() => match needed {
                Some(needed) => feed.need(&needed),
                None => return Ok(()),
            },
            _ = tick.tick() => {}
        }
        let mut heard = shared.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, seen) in front.changes().objects {
            heard.changes += 1;
            let name = key.reference.to_string();
            match seen {
                Some(seen) => _ = heard.objects.insert(name, seen.value.clone()),
                None => _ = heard.objects.remove(&name),
            }
        }
        (heard.is_complete, heard.standing) = (front.is_complete(), feed.standing());
    }
}
