//! Carries out what `pure/statuses` wants to be written.
//!
//! Each write names the version that it was decided on, and is made only while this replica leads,
//! which is asked at the last moment; so who slept, or was deposed, overwrites nothing. Writes do
//! not wait for each other, but so many at a time, and none is tried twice here: what became of one
//! is told, and decided upon.

mod body;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde::de::IgnoredAny;
use steelyard_manifest::{ClusterObject, RawObject, Role, STATES, watched};
use steelyard_model::NamespacedName;
use steelyard_statuses::{EventWrite, StatusChange, StatusKind, StatusWrite, WriteOutcome};
use tokio::sync::{Semaphore, mpsc};

use crate::ask::{AskFailure, Content, ask};
use crate::connection::Connection;

/// Writes at a time.
const MOST: usize = 32;
/// Events at a time: they wait in one line with what else is to be written, these at its end.
const MOST_EVENTS: usize = 4;
/// Events that wait, at most; others are not told.
const LONGEST_QUEUE: usize = 1_000;
/// How long the answer to an event is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until something is looked for again whose kind is not there.
const ABSENT: Duration = Duration::from_secs(30);

/// Whether this replica leads, now.
pub type Leads = Arc<dyn Fn() -> bool + Send + Sync>;

/// Who writes.
#[derive(Clone)]
pub struct Writer {
    connection: Arc<Connection>,
    /// The field manager.
    manager: &'static str,
    leads: Leads,
    /// How long an answer is waited for.
    patience: Duration,
    places: Arc<Semaphore>,
    event_places: Arc<Semaphore>,
    event_queue: Arc<Semaphore>,
    tell: mpsc::UnboundedSender<CarriedOut>,
}

/// What became of a write.
#[derive(Debug)]
pub struct CarriedOut {
    /// The kind of the object.
    pub kind: StatusKind,
    /// Which.
    pub id: NamespacedName,
    /// What became of it.
    pub outcome: WriteOutcome,
    /// The object as it is now, where it was written.
    pub object: Option<Box<ClusterObject>>,
}

impl Writer {
    /// One that writes as `manager` while `leads`; and where it is told what became of its writes.
    ///
    /// Each is given up after `patience`. What is under way when a leader is deposed must have
    /// ended when the next one begins: so it is no longer than others wait after that.
    pub fn new(
        connection: Arc<Connection>,
        manager: &'static str,
        leads: Leads,
        patience: Duration,
    ) -> (Self, mpsc::UnboundedReceiver<CarriedOut>) {
        let (tell, told) = mpsc::unbounded_channel();
        let [places, event_places, event_queue] =
            [MOST, MOST_EVENTS, LONGEST_QUEUE].map(|it| Arc::new(Semaphore::new(it)));
        let this =
            Self { connection, manager, leads, patience, places, event_places, event_queue, tell };
        (this, told)
    }

    /// Begins to write; what becomes of it is told.
    pub fn write(&self, write: StatusWrite) {
        let this = self.clone();
        tokio::spawn(async move {
            let (kind, id) = (write.kind, write.id.clone());
            let (outcome, object) = this.carry_out(write).await;
            let _ = this.tell.send(CarriedOut { kind, id, outcome, object });
        });
    }

    async fn carry_out(&self, write: StatusWrite) -> (WriteOutcome, Option<Box<ClusterObject>>) {
        let _place = self.places.acquire().await;
        let kind = write.kind;
        let (content, body) = body::of(&write);
        let mut path = format!(
            "{}/{}/{}",
            all(write.kind.group(), write.kind.version(), &write.id.namespace),
            write.kind.plural(),
            write.id.name
        );
        if !matches!(write.change, StatusChange::Establish { .. }) {
            path += "/status";
        }
        path += &format!("?fieldManager={}", self.manager);
        if is_forced(&write.change) {
            path += "&force=true";
        }
        if !(self.leads)() {
            return (WriteOutcome::Deposed, None);
        }
        let asked =
            ask(&self.connection, Method::PATCH, &path, Some((content, &body)), self.patience)
                .await;
        match asked {
            Ok(object) => (WriteOutcome::Written, understood(kind, object)),
            Err(error) => (failed(&write, &error), None),
        }
    }

    /// Begins to write an event; nobody is told what becomes of it, and where too many wait it is
    /// not written.
    pub fn tell(&self, event: EventWrite) {
        let Ok(queued) = Arc::clone(&self.event_queue).try_acquire_owned() else { return };
        let this = self.clone();
        tokio::spawn(async move {
            let _queued = queued;
            let Ok(_few) = this.event_places.acquire().await else { return };
            let _place = this.places.acquire().await;
            let body = body::of_event(&event, this.manager);
            let path = format!(
                "{}/events/{}?fieldManager={}&force=true",
                all("", "v1", &event.object.namespace),
                event.name,
                this.manager
            );
            if !(this.leads)() {
                return;
            }
            let content = Some((Content::Apply, &body));
            let asked =
                ask::<IgnoredAny>(&this.connection, Method::PATCH, &path, content, PATIENCE);
            if let Err(error) = asked.await {
                tracing::debug!(object = %event.object, "an event was not written: {error}");
            }
        });
    }

    /// Waits until nothing is being written any more; events that wait are not written.
    pub async fn settle(&self) {
        self.event_places.close();
        let all = u32::try_from(MOST).unwrap_or(u32::MAX);
        let _all = self.places.acquire_many(all).await;
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("manager", &self.manager).finish_non_exhaustive()
    }
}

/// The object that was sent back.
fn understood(kind: StatusKind, object: RawObject) -> Option<Box<ClusterObject>> {
    let mut all = watched(Role::Controller).iter().chain([&STATES]);
    let kind = all.find(|it| it.kind == kind.name() && it.group == kind.group())?;
    ClusterObject::new(object, kind).ok().map(Box::new)
}

/// Where objects of a group lie that are in a namespace.
fn all(group: &str, version: &str, namespace: &str) -> String {
    match group {
        "" => format!("/api/{version}/namespaces/{namespace}"),
        _ => format!("/apis/{group}/{version}/namespaces/{namespace}"),
    }
}

fn is_forced(change: &StatusChange) -> bool {
    match change {
        StatusChange::Addresses { by_force, .. } | StatusChange::Counts { by_force, .. } => {
            *by_force
        }
        StatusChange::State(_) | StatusChange::Establish { .. } => true,
        StatusChange::NoAddresses => false,
    }
}

fn failed(write: &StatusWrite, error: &AskFailure) -> WriteOutcome {
    let object = format!("{}/{}", write.kind.name(), write.id);
    match error {
        AskFailure::Refused { code: 404, .. } if write.revision.is_some() => WriteOutcome::Gone,
        AskFailure::Refused { code: 404, .. } => WriteOutcome::Failed(Some(ABSENT)),
        AskFailure::Refused { code: 409, message, .. } => {
            tracing::debug!(object, "changed since it was decided upon: {message}");
            WriteOutcome::Conflict
        }
        AskFailure::Refused { after, .. } => {
            tracing::warn!(object, "its status cannot be written: {error}");
            WriteOutcome::Failed(*after)
        }
        AskFailure::TooLate(_) | AskFailure::Unreachable(_) => {
            tracing::warn!(object, "its status cannot be written: {error}");
            WriteOutcome::Failed(None)
        }
    }
}
