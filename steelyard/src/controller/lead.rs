//! What a replica does before it decides as the leader.
//!
//! Whoever led before may have written what no watch has told yet, and an address must not be
//! given twice: so all Services are listed once more, after that one ceased to write. That list is
//! what there is ([`Census`]): whatever a watch told before may be of a history that is no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use steelyard_kube::{AskFailure, Connection, NewSecret, list, rivals};
use steelyard_manifest::{ClusterEvent, Key, Role, Selection, watched};
use steelyard_statuses::{CONTROLLER, Rivals};
use tokio::sync::mpsc::Sender;

use crate::key;

/// The Secret with the key that speakers share.
const SECRET: &str = "steelyard-membership";
/// What in it is the key.
const KEY: &str = "key";
/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// What there is to know before anything is decided.
pub(super) struct Prepared {
    /// As the leader of this term.
    pub(super) term: u64,
    pub(super) rivals: Rivals,
}

/// Which Services there are: those that are listed while a term begins, and what becomes of them
/// meanwhile. A watch may be ahead of the list: what came since is not gone, what went stays so.
#[derive(Default)]
pub(super) struct Census {
    present: BTreeSet<Key>,
    gone: BTreeSet<Box<str>>,
}

impl Census {
    /// This was heard meanwhile.
    pub(super) fn hear(&mut self, events: &[ClusterEvent]) {
        for event in events {
            match event {
                ClusterEvent::Written(object) if is_service(&object.key()) => {
                    self.present.insert(object.key());
                }
                ClusterEvent::Gone { key, uid } if is_service(key) => {
                    self.present.remove(key);
                    self.gone.insert(uid.clone());
                }
                _ => {}
            }
        }
    }

    /// Takes a page of the list in, and out of it what is gone since.
    pub(super) fn see(&mut self, page: &mut Vec<ClusterEvent>) {
        page.retain(|event| match event {
            ClusterEvent::Written(object) => !self.gone.contains(&*object.origin.uid()),
            _ => false,
        });
        self.hear(page);
    }

    /// There are no others.
    pub(super) fn close(&mut self) -> ClusterEvent {
        let Self { present, .. } = std::mem::take(self);
        ClusterEvent::Listed { watch: services(), present }
    }
}

fn is_service(key: &Key) -> bool {
    let Selection { kind, .. } = services();
    *key.reference.kind == *kind.kind && *key.group == *kind.group
}

fn services() -> Selection {
    let services = watched(Role::Controller).iter().find(|it| it.kind == "Service");
    Selection::all(services.expect("the controller reads Services"))
}

/// Asks for it, as often as it takes. All Services are told as they are, before this ends.
pub(super) async fn prepare(
    connection: Arc<Connection>,
    namespace: String,
    term: u64,
    writes: bool,
    tell: Sender<Vec<ClusterEvent>>,
) -> Prepared {
    let mut said = String::new();
    loop {
        match attempt(&connection, &namespace, term, writes, &tell).await {
            Ok(prepared) => return prepared,
            Err(error) => {
                let now = error.to_string();
                if now != said {
                    tracing::warn!("nothing is decided before it is known what is there: {now}");
                    said = now;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn attempt(
    connection: &Connection,
    namespace: &str,
    term: u64,
    writes: bool,
    tell: &Sender<Vec<ClusterEvent>>,
) -> Result<Prepared> {
    let rivals = rivals(connection).await?;
    if writes {
        make_key(connection, namespace).await?;
    }
    list(connection, &services(), tell).await?;
    Ok(Prepared { term, rivals })
}

/// Makes the key that seals what speakers tell each other, once: it is changed by hand only.
async fn make_key(connection: &Connection, namespace: &str) -> Result<(), AskFailure> {
    let labels = BTreeMap::from([("app.kubernetes.io/managed-by", CONTROLLER)]);
    let secret = NewSecret { namespace, name: SECRET, labels };
    let content = || key::fresh_file().map(|file| BTreeMap::from([(KEY, file)]));
    match secret.make(connection, content).await? {
        Ok(true) => tracing::info!("the Secret {namespace}/{SECRET} was made"),
        Ok(false) => {}
        Err(error) => tracing::error!("no key for the Secret {namespace}/{SECRET}: {error:#}"),
    }
    Ok(())
}
