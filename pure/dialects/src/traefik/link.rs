//! Objects that are named by others: in their own namespace, in another, or of another provider
//! (`name@provider`).

use std::sync::Arc;

use steelyard_manifest::kinds::traefik as raw;
use steelyard_model::router_draft::{LinkTarget, ObjectLink};
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::{FieldPath, NamespacedName, Severity};

use super::Reader;
use crate::codes;

/// A link, or why there is none.
pub(super) type Linked = Result<ObjectLink, RefusalReason>;

impl Reader<'_, '_> {
    /// What a reference names.
    pub(super) fn link(&mut self, written: &raw::Reference, path: &FieldPath) -> Linked {
        let name = written.name.as_deref().unwrap_or_default();
        let to = self.target(name, written.namespace.as_deref(), path)?;
        Ok(ObjectLink { to, place: self.findings.place(path) })
    }

    /// What a name, and perhaps a namespace, stand for.
    pub(super) fn target(
        &mut self,
        name: &str,
        namespace: Option<&str>,
        path: &FieldPath,
    ) -> Result<LinkTarget, RefusalReason> {
        if name.is_empty() {
            return Err(self.leads_nowhere(path, "no name is given", "name an object"));
        }
        if name.contains('@') {
            return Ok(LinkTarget::Provided(name.into()));
        }
        let own = &self.findings.object().namespace;
        let namespace =
            namespace.filter(|it| !it.is_empty()).map_or_else(|| own.clone(), Arc::from);
        Ok(LinkTarget::Object(NamespacedName::new(namespace, name)))
    }

    /// Says that a part of a route leads to nothing.
    pub(super) fn leads_nowhere(
        &mut self,
        path: &FieldPath,
        why: &str,
        help: &str,
    ) -> RefusalReason {
        let message = format!("{why}: the route answers 503");
        self.findings.say(Severity::Error, codes::INVALID_VALUE, path, message, help);
        RefusalReason::Reference(self.findings.place(path))
    }
}
