//! Carries out what `pure/statuses` wants to be written.
//!
//! Each write names the version that it was decided on, and is made only while this replica leads,
//! which is asked at the last moment; so who slept, or was deposed, overwrites nothing. Writes wait
//! in a line for one of a few hands ([`line`]), and none is tried twice here: what became of one is
//! told, and decided upon.

mod body;
mod line;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use serde::de::IgnoredAny;
use steelyard_manifest::{ClusterObject, RawObject, Role, STATES, watched};
use steelyard_model::NamespacedName;
use steelyard_statuses::{EventWrite, StatusChange, StatusKind, StatusWrite, WriteOutcome};
use tokio::sync::{Notify, mpsc};

use self::line::{Line, Work};
use crate::ask::{AskFailure, Content, ask};
use crate::connection::Connection;

/// How long the answer to an event is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until something is looked for again whose kind is not there.
const ABSENT: Duration = Duration::from_secs(30);

/// Whether this replica leads, now.
pub type Leads = Arc<dyn Fn() -> bool + Send + Sync>;

/// Who writes. Its clones are the same.
#[derive(Clone)]
pub struct Writer(Arc<Desk>);

struct Desk {
    connection: Arc<Connection>,
    /// The field manager.
    manager: &'static str,
    leads: Leads,
    /// How long an answer is waited for.
    patience: Duration,
    line: Mutex<Line>,
    /// A hand has ended.
    ended: Notify,
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
        let (line, ended) = (Mutex::default(), Notify::new());
        let desk = Desk { connection, manager, leads, patience, line, ended, tell };
        (Self(Arc::new(desk)), told)
    }

    /// Has it written; what becomes of it is told.
    pub fn write(&self, write: StatusWrite) {
        let begins = self.0.line().put(write);
        self.begin(begins);
    }

    /// Has an event written; nobody is told what becomes of it, and where too many wait it is not
    /// written.
    pub fn tell(&self, event: EventWrite) {
        let begins = self.0.line().put_event(event);
        self.begin(begins);
    }

    fn begin(&self, begins: bool) {
        if begins {
            tokio::spawn(Arc::clone(&self.0).work());
        }
    }

    /// Waits until nothing is being written any more; events that wait are not written.
    pub async fn settle(&self) {
        loop {
            let ended = self.0.ended.notified();
            if self.0.line().end() {
                return;
            }
            ended.await;
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("manager", &self.0.manager).finish_non_exhaustive()
    }
}

impl Desk {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One hand: it writes for as long as something waits.
    async fn work(self: Arc<Self>) {
        loop {
            let next = self.line().next();
            match next {
                Some(Work::Status(write)) => self.carry_out(write).await,
                Some(Work::Event(event)) => {
                    self.carry_out_event(event).await;
                    self.line().end_event();
                }
                None => return self.ended.notify_waiters(),
            }
        }
    }

    async fn carry_out(&self, write: StatusWrite) {
        let (outcome, object) = match self.ask(&write).await {
            None => (WriteOutcome::Deposed, None),
            Some(Ok(object)) => (WriteOutcome::Written, understood(write.kind, object)),
            Some(Err(error)) => (failed(&write, &error), None),
        };
        let StatusWrite { kind, id, .. } = write;
        let _ = self.tell.send(CarriedOut { kind, id, outcome, object });
    }

    /// None where this replica does not lead.
    async fn ask(&self, write: &StatusWrite) -> Option<Result<RawObject, AskFailure>> {
        let (content, body) = body::of(write);
        let path = path(write, self.manager);
        if !(self.leads)() {
            return None;
        }
        let content = Some((content, &body));
        Some(ask(&self.connection, Method::PATCH, &path, content, self.patience).await)
    }

    async fn carry_out_event(&self, event: EventWrite) {
        let body = body::of_event(&event, self.manager);
        let path = format!(
            "{}/events/{}?fieldManager={}&force=true",
            all("", "v1", &event.object.namespace),
            event.name,
            self.manager
        );
        if !(self.leads)() {
            return;
        }
        let content = Some((Content::Apply, &body));
        let asked = ask::<IgnoredAny>(&self.connection, Method::PATCH, &path, content, PATIENCE);
        if let Err(error) = asked.await {
            tracing::debug!(object = %event.object, "an event was not written: {error}");
        }
    }
}

/// Where it is written.
fn path(write: &StatusWrite, manager: &str) -> String {
    let StatusWrite { kind, id, change, .. } = write;
    let all = all(kind.group(), kind.version(), &id.namespace);
    let mut path = format!("{all}/{}/{}", kind.plural(), id.name);
    if !matches!(change, StatusChange::Establish { .. }) {
        path += "/status";
    }
    path += &format!("?fieldManager={manager}");
    if is_forced(change) {
        path += "&force=true";
    }
    path
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
