//! ServiceL2Status objects, which tell in the cluster for which Services this node answers: by what
//! the nodes agreed on, not by what a plan would have.
//!
//! They are written beside everything else, and nobody waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use steelyard_kube::{Connection, L2Reports};
use steelyard_model::NamespacedName;
use steelyard_statuses::{
    NODE_LABEL, Owner, Report, SERVICE_NAME_LABEL, SERVICE_NAMESPACE_LABEL, ServiceL2Status,
    reconcile,
};
use tokio::task::JoinHandle;

/// What this node answers for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// By Service, what is reported.
    pub(super) services: BTreeMap<NamespacedName, ServiceL2Status>,
    /// Of a Service with two addresses there may be two owners, and there is one report. Whoever
    /// gets another of them reports anew: the one before may have taken the report with it.
    pub(super) vips: BTreeSet<IpAddr>,
}

/// Between two attempts that fail.
const PAUSE: Duration = Duration::from_secs(5);

/// The reporter, and what was reported last.
pub(super) struct Reports {
    kept: L2Reports,
    author: Author,
    /// None before anything was.
    reported: Option<Answered>,
    /// What is being reported.
    writing: Option<(Answered, JoinHandle<Result<()>>)>,
    rests: Option<Instant>,
}

/// Who reports.
#[derive(Clone)]
struct Author {
    namespace: String,
    node: String,
    /// The pod with which reports go.
    pod: Owner,
}

impl Reports {
    pub(super) fn new(
        connection: &Arc<Connection>,
        namespace: &str,
        node: &str,
        pod: Owner,
    ) -> Self {
        let author = Author { namespace: namespace.to_owned(), node: node.to_owned(), pod };
        let kept = L2Reports::new(connection, namespace);
        let (reported, writing, rests) = Default::default();
        Self { kept, author, reported, writing, rests }
    }

    /// This is so now: begins to report it, unless it is reported, or something else is being.
    pub(super) async fn follow(&mut self, answered: Answered) {
        if let Some((written, task)) = self.writing.take_if(|(_, task)| task.is_finished()) {
            match task.await {
                Ok(Ok(())) => self.reported = Some(written),
                Ok(Err(error)) => {
                    tracing::warn!("ServiceL2Status objects are not as they should be: {error:#}");
                    self.rests = Some(Instant::now() + PAUSE);
                }
                Err(error) => tracing::error!(%error, "reporting broke off"),
            }
        }
        let is_busy = self.writing.is_some() || self.rests.is_some_and(|at| at > Instant::now());
        if is_busy || self.reported.as_ref() == Some(&answered) {
            return;
        }
        let (kept, author) = (self.kept.clone(), self.author.clone());
        let task = tokio::spawn(report(kept, author, answered.services.clone()));
        self.writing = Some((answered, task));
    }
}

async fn report(
    kept: L2Reports,
    author: Author,
    answered: BTreeMap<NamespacedName, ServiceL2Status>,
) -> Result<()> {
    let Some(found) = kept.all().await? else { return Ok(()) };
    let own = found.iter().filter(|it| it.labels.get(NODE_LABEL) == Some(&author.node));
    let services: BTreeSet<NamespacedName> =
        own.filter_map(about).chain(answered.keys().cloned()).collect();
    for service in services {
        let wanted = answered.get(&service).map(|status| {
            Report::about_service(&author.namespace, author.pod.clone(), status.clone())
        });
        for write in reconcile(&author.node, &service, &found, wanted) {
            kept.carry_out(write).await?;
        }
    }
    Ok(())
}

/// Which Service a report is about.
fn about(report: &Report<ServiceL2Status>) -> Option<NamespacedName> {
    let label = |key: &str| report.labels.get(key).map(String::as_str);
    let (namespace, name) = (label(SERVICE_NAMESPACE_LABEL)?, label(SERVICE_NAME_LABEL)?);
    Some(NamespacedName::new(namespace, name))
}
