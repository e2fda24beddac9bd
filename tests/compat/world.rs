//! A folder of manifests that changes step by step, planned after each step with the lock of the
//! step before.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use steelyard_dialects::{LowerOptions, lower};
use steelyard_manifest::{Object, ReadLimits, Source, load, lock};
use steelyard_model::{Holdings, ObjectRef};
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_plan::{Facts, Plan, plan};

use super::Case;

/// The objects there are, and what Services hold.
#[derive(Default)]
pub(crate) struct World {
    objects: BTreeMap<ObjectRef, Object>,
    held: Holdings,
    pub(crate) class: Option<String>,
    pub(crate) facts: Facts,
}

impl World {
    /// A world under a case's `settings`.
    pub(crate) fn new(settings: &Value) -> Self {
        let class = settings["lb_class"].as_str().filter(|class| !class.is_empty());
        let facts = Facts {
            node: "node-1".into(),
            ignore_exclude_lb: settings["ignore_exclude_lb"].as_bool() == Some(true),
            compat_election: true,
            ..Facts::default()
        };
        Self { class: class.map(str::to_owned), facts, ..Self::default() }
    }

    /// What a step changes: first its deletions, then its manifest.
    pub(crate) fn step(&mut self, case: &Case, step: &Value) {
        for named in step["delete"].as_array().into_iter().flatten() {
            self.delete(named);
        }
        if let Some(manifest) = step["apply"].as_str() {
            self.apply(&case.manifest(manifest));
        }
    }

    /// Creates or replaces all objects of a manifest.
    pub(crate) fn apply(&mut self, manifest: &str) {
        let source = Source::new("case.yaml", manifest.as_bytes());
        let loaded = load(&source, &ReadLimits::default());
        assert!(!loaded.broken, "{:?}", loaded.diagnostics);
        for object in loaded.objects {
            self.objects.insert((*object.reference).clone(), object);
        }
    }

    /// Takes an object out, named as a step's `delete` does.
    fn delete(&mut self, named: &Value) {
        let field = |key: &str| named[key].as_str().unwrap_or_default();
        self.objects.remove(&ObjectRef::new(field("kind"), field("namespace"), field("name")));
    }

    /// Plans, and keeps what Services hold now as `--lock FILE --write-lock` does.
    pub(crate) fn plan(&mut self) -> Value {
        let plan = self.planned();
        self.held = lock::parse("steelyard.lock", &lock::print(&plan.held)).expect("own lock");
        serde_json::to_value(&plan).expect("a plan is JSON")
    }

    /// Plans; nothing is kept.
    pub(crate) fn planned(&self) -> Plan {
        let options = LowerOptions::default();
        let lowered = self.objects.values().flat_map(|object| lower(object, &options).items);
        let items: Vec<_> = lowered.map(Arc::new).collect();
        let options =
            ResolveOptions { load_balancer_class: self.class.clone(), ..ResolveOptions::default() };
        plan(&resolve(&items, &options), &self.held, &self.facts)
    }
}
