//! What stands beside an Ingress that is judged: what its words come to hangs on other Ingresses,
//! on their classes and namespaces, and on the controller's ConfigMap.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Result;
use steelyard_kube::Feed;
use steelyard_manifest::{Object, Role, Sight};
use steelyard_model::Diagnostic;
use steelyard_pipeline::{GatewayServices, ResolveOptions};
use steelyard_sources::SourceRoots;
use steelyard_webhook::Beside;

use crate::args::WorldArgs;
use crate::cluster::{all_of, named};
use crate::load::{ClusterInput, PORTS, resolve_options};
use crate::pipeline::Pipeline;

/// All Ingresses that there are, as they are known. Services and Secrets are not looked at: that
/// one is missing refuses nothing, since it may come later.
pub(super) struct StandingIngresses {
    pipeline: Mutex<Pipeline>,
    /// Where objects are written, of which there is a cluster otherwise.
    files: SourceRoots,
}

impl StandingIngresses {
    /// Of what is under `paths`, or of a cluster that is to be followed.
    ///
    /// # Errors
    /// When a path does not exist.
    pub(super) fn new(paths: &[PathBuf], world: &WorldArgs) -> Result<Self> {
        let options = ResolveOptions {
            gateway: GatewayServices::Nobody,
            reads_endpoints: false,
            ..resolve_options(world, PORTS)
        };
        let pipeline = match paths {
            [] => Pipeline::of_cluster(options, all_of(Role::Judge)),
            _ => Pipeline::new(options),
        };
        let this = Self { pipeline: Mutex::new(pipeline), files: SourceRoots::of(paths) };
        this.look()?;
        Ok(this)
    }

    /// Follows the cluster, for ever; files are looked at as somebody asks.
    ///
    /// # Errors
    /// When it is not told where the API server is.
    pub(super) async fn follow(&self, input: &ClusterInput) -> Result<()> {
        if !input.cluster {
            return std::future::pending().await;
        }
        let mut feed = Feed::start(&input.connect().await?, all_of(Role::Judge));
        loop {
            let events = feed.next().await;
            let needed = {
                let mut pipeline = self.pipeline();
                pipeline.hear(events);
                pipeline.is_known().then(|| pipeline.follow(&Sight::default(), Instant::now()).0)
            };
            if let Some(world) = needed {
                let needed = world.needed.iter().filter_map(|it| named(Role::Judge, it));
                feed.need(&needed.collect());
            }
        }
    }

    /// What is written counts as it is now.
    fn look(&self) -> Result<()> {
        if !self.files.manifests.is_empty() {
            let sources = steelyard_sources::read(&self.files)?.into_sources();
            self.pipeline().update(&sources);
        }
        Ok(())
    }

    /// It is whole whatever became of who had it: what is heard comes again.
    fn pipeline(&self) -> MutexGuard<'_, Pipeline> {
        self.pipeline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beside for StandingIngresses {
    fn judged(&self, object: &Object) -> Option<Vec<Diagnostic>> {
        self.look().ok()?;
        let pipeline = self.pipeline();
        let trial = pipeline.is_known().then(|| pipeline.tried(object))?;
        trial.is_in_words_of_nginx.then_some(trial.said)
    }
}
