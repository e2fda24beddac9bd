//! What a replica does before it decides as the leader.
//!
//! Whoever led before may have written what no watch has told yet, and an address must not be
//! given twice: so all Services are listed once more, after that one ceased to write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use steelyard_kube::{AskFailure, Connection, NewSecret, list, rivals};
use steelyard_manifest::{ClusterEvent, Role, Selection, watched};
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
    let services = watched(Role::Controller).iter().find(|it| it.kind == "Service");
    let services = services.expect("the controller reads Services");
    list(connection, &Selection::all(services), tell).await?;
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
