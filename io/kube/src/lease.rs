//! Drives `pure/lease` on a Lease of the cluster: this replica's part in the election.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http::Method;
use serde_json::{Value, json};
use steelyard_lease::{
    Election, ElectionInput, ElectionOutput, ElectionTiming, LeaseRecord, SeenLease,
};
use tokio::sync::watch;

use crate::ask::{AskFailure, Content, ask};
use crate::connection::Connection;
use crate::time::rfc3339;

/// Which Lease it is about, and who takes part.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// This replica, by a name that no other has, nor had before it.
    pub identity: String,
    /// How long what lasts.
    pub timing: ElectionTiming,
}

/// This replica's part. Its clones are the same.
#[derive(Clone, Debug)]
pub struct Leadership {
    part: Arc<Mutex<Part>>,
    changed: watch::Receiver<u64>,
    /// Somebody wants it to be looked at.
    wake: Arc<tokio::sync::Notify>,
}

#[derive(Debug)]
struct Part {
    election: Election,
    /// Counts how often this replica began to lead.
    term: u64,
}

/// Where the Lease is, for whoever writes it.
#[derive(Debug)]
struct Place {
    options: LeaseOptions,
    /// Those of its namespace.
    all: String,
    one: String,
    patience: Duration,
}

impl Leadership {
    /// Takes part from now on, in a task of its own.
    pub fn start(connection: Arc<Connection>, options: LeaseOptions) -> Self {
        let election = Election::new(options.identity.clone(), options.timing, Instant::now());
        let part = Arc::new(Mutex::new(Part { election, term: 0 }));
        let (tell, changed) = watch::channel(0);
        let wake = Arc::new(tokio::sync::Notify::new());
        let leadership = Self { part, changed, wake };
        tokio::spawn(leadership.clone().drive(connection, Place::new(options), tell));
        leadership
    }

    /// Whether this replica leads at `now`. Cheap: asked before each write.
    pub fn leads(&self, now: Instant) -> bool {
        self.part().election.leads(now)
    }

    /// In which term it leads at `now`, counted from 1; none where it does not. While another one
    /// may have led in between, it is another term.
    pub fn term(&self, now: Instant) -> Option<u64> {
        let part = self.part();
        part.election.leads(now).then_some(part.term)
    }

    /// Who holds the lease, as it was last seen.
    pub fn holder(&self) -> Option<String> {
        self.part().election.holder().map(str::to_owned)
    }

    /// Waits until this replica may have become the leader, or ceased to be it.
    pub async fn changed(&mut self) {
        if self.changed.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Leads no more, and lets go of the lease, for as long as that takes at most. What was begun
    /// as a leader must have ended.
    pub async fn leave(mut self, patience: Duration) {
        self.part().election.leave();
        self.wake.notify_one();
        let gone = async {
            while !self.part().election.is_gone() {
                self.changed().await;
            }
        };
        let _ = tokio::time::timeout(patience, gone).await;
    }

    fn part(&self) -> MutexGuard<'_, Part> {
        self.part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn drive(self, connection: Arc<Connection>, place: Place, tell: watch::Sender<u64>) {
        let mut trouble = None;
        let mut stood = (false, None);
        loop {
            let question = self.part().election.poll(Instant::now());
            let now = (self.leads(Instant::now()), self.holder());
            if now != stood || self.part().election.is_gone() {
                tell.send_modify(|count| *count += 1);
                stood = now;
            }
            if let Some(question) = question {
                let answer = place.answer(&connection, question, &mut trouble).await;
                self.part().handle(Instant::now(), answer);
                continue;
            }
            if self.part().election.is_gone() {
                return;
            }
            let due = self.part().election.deadline();
            let wait =
                due.map_or(place.patience, |due| due.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wake.notified() => {}
            }
        }
    }
}

impl Part {
    fn handle(&mut self, now: Instant, answer: ElectionInput) {
        let led = self.election.leads(now);
        self.election.handle(now, answer);
        if !led && self.election.leads(now) {
            self.term += 1;
        }
    }
}

impl Place {
    fn new(options: LeaseOptions) -> Self {
        let all = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", options.namespace);
        let one = format!("{all}/{}", options.name);
        // Answers that come later than that come too late to lead by them.
        let patience = options.timing.deadline / 2;
        Self { options, all, one, patience }
    }

    /// Carries a question out. What is the matter is said once.
    async fn answer(
        &self,
        connection: &Connection,
        question: ElectionOutput,
        trouble: &mut Option<String>,
    ) -> ElectionInput {
        let is_read = question == ElectionOutput::Read;
        let answer = match question {
            ElectionOutput::Read => {
                ask(connection, Method::GET, &self.one, None, self.patience).await
            }
            ElectionOutput::Write { version: None, .. } => {
                let body = self.body(question);
                let content = Some((Content::Json, &body));
                ask(connection, Method::POST, &self.all, content, self.patience).await
            }
            ElectionOutput::Write { .. } => {
                let body = self.body(question);
                let content = Some((Content::Json, &body));
                ask(connection, Method::PUT, &self.one, content, self.patience).await
            }
        };
        let answer = match answer {
            Ok(lease) => match seen(&lease) {
                Some(lease) if is_read => Ok(ElectionInput::Read(Some(lease))),
                Some(lease) => Ok(ElectionInput::Written(lease)),
                None => Err("what the API server sent is no Lease".to_owned()),
            },
            Err(error) => match error.code() {
                Some(404) if is_read => Ok(ElectionInput::Read(None)),
                Some(404 | 409) => Ok(ElectionInput::Conflict),
                _ => Err(error.to_string()),
            },
        };
        let said = answer.as_ref().err().cloned();
        if let Some(said) = said.as_ref().filter(|_| trouble.is_none()) {
            tracing::warn!(lease = self.one, "the lease cannot be read or written: {said}");
        }
        *trouble = said;
        answer.unwrap_or(ElectionInput::Failed)
    }

    fn body(&self, question: ElectionOutput) -> Value {
        let ElectionOutput::Write { holder, duration, transitions, acquired, version } = question
        else {
            return Value::Null;
        };
        let now = rfc3339(SystemTime::now(), 6);
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "namespace": self.options.namespace,
                "name": self.options.name,
                "resourceVersion": version,
            },
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": duration.as_secs().max(1),
                "leaseTransitions": transitions,
                "acquireTime": acquired.filter(|it| !it.is_empty()).unwrap_or_else(|| now.clone()),
                "renewTime": now,
            },
        })
    }
}

/// A Lease as it was sent.
fn seen(lease: &Value) -> Option<SeenLease> {
    let spec = &lease["spec"];
    let text = |key: &str| spec[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| spec[key].as_u64().unwrap_or_default();
    let record = LeaseRecord {
        holder: text("holderIdentity"),
        duration: Duration::from_secs(number("leaseDurationSeconds")),
        transitions: u32::try_from(number("leaseTransitions")).unwrap_or(u32::MAX),
        times: (text("acquireTime"), text("renewTime")),
    };
    Some(SeenLease { record, version: lease["metadata"]["resourceVersion"].as_str()?.to_owned() })
}

/// Whether the API server says that there is no such thing.
pub(crate) fn is_absent(error: &AskFailure) -> bool {
    error.code() == Some(404)
}
