//! Ways from routes and from backends that lead on: where each ends, or why it must not be gone.

use steelyard_model::router_draft::{
    BackendShape, LinkTarget, ObjectLink, ServersOf, WayDraft, WayTarget,
};
use steelyard_model::routing::backend::{Backend, BackendNode, Edge, Internal, RefusalReason};
use steelyard_model::routing::filter::Use;
use steelyard_model::routing::id::BackendId;
use steelyard_model::{
    BackendRef, Diagnostic, Item, Missing, NamespacedName, Provenance, Severity,
};

use std::sync::Arc;

use super::super::elsewhere;
use super::super::sticky::cookie;
use super::servers::leaf_id;
use super::{Maker, NO_WAY, PROVIDER, described_id, field};
use crate::codes;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::Row;

impl Maker<'_, '_> {
    pub(super) fn shape(&mut self, id: &NamespacedName, shape: &BackendShape) -> Backend {
        let owner = id.to_string();
        match shape {
            BackendShape::Servers(_) => unreachable!("servers are a leaf, which is made as one"),
            BackendShape::Weighted { ways, sticky } => {
                let edges = self.edges(ways, &owner);
                let sticky = sticky.as_ref().map(|it| cookie(it, &described_id(id).traefik_name()));
                Backend::Weighted { edges, sticky }
            }
            BackendShape::Rendezvous { ways } => {
                Backend::Rendezvous { edges: self.edges(ways, &owner) }
            }
            BackendShape::Mirror { main, copies, body } => {
                let main = self.edge(main, &owner, 0);
                let copies = copies.iter().enumerate();
                let copies =
                    copies.map(|(at, (way, percent))| (self.edge(way, &owner, at + 1), *percent));
                Backend::Mirror { main, copies: copies.collect(), body: *body }
            }
            BackendShape::Failover { ways, statuses, replay } => {
                let [primary, fallback] = &**ways;
                let primary = self.edge(primary, &owner, 0);
                let fallback = Box::new(self.edge(fallback, &owner, 1));
                Backend::Failover { primary, fallback, statuses: statuses.clone(), replay: *replay }
            }
        }
    }

    pub(super) fn edges(&mut self, ways: &[WayDraft], owner: &str) -> Vec<Edge> {
        ways.iter().enumerate().map(|(at, way)| self.edge(way, owner, at)).collect()
    }

    /// A way that cannot be had leads to who refuses: the share of requests that it has goes to
    /// nobody else.
    pub(super) fn edge(&mut self, way: &WayDraft, owner: &str, at: usize) -> Edge {
        let owner = format!("{owner}/{at}");
        let so = std::mem::replace(&mut self.so, NO_WAY);
        let (uses, closed) = self.passed_on(way, &owner, false);
        let led = closed.map_or_else(|| self.way(way, &owner), Err);
        self.so = so;
        let (backend, uses) = match led {
            Ok(id) => (id, uses),
            Err(why) => {
                let id = BackendId::from(format!("{owner}#refused@{PROVIDER}"));
                let backend = Backend::Refused { status: 503, why, instead_of: None };
                self.describe(id.clone(), &way.place, backend);
                // What cannot be had would close the other ways too, and nobody passes here.
                (id, Vec::new())
            }
        };
        Edge { backend, weight: way.weight, uses }
    }

    /// What is passed on a way: what stands there, then what the service that it leads to says,
    /// which counts by itself whoever leads there. The name is by whom it counts; none is who goes
    /// there.
    pub(super) fn on_way(&mut self, way: &WayDraft) -> Vec<(ObjectLink, Option<String>)> {
        let own = way.filters.iter().map(|link| (link.clone(), None));
        let id = match &way.to {
            WayTarget::Backend(LinkTarget::Object(id)) => Some(id.clone()),
            WayTarget::Backend(LinkTarget::Provided(name)) => {
                elsewhere::object(Tag::TraefikService, name, self.kind, self.reads)
            }
            WayTarget::Servers(_) | WayTarget::Nowhere => None,
        };
        let row = id.and_then(|id| self.reads.row(&Cell::Object(Tag::TraefikService, id)));
        let theirs = match row.as_ref().map(Row::items) {
            Some([Item::Backend(draft), ..]) => {
                let owner = draft.object.id().to_string();
                draft.filters.iter().map(|link| (link.clone(), Some(owner.clone()))).collect()
            }
            _ => Vec::new(),
        };
        own.chain(theirs).collect()
    }

    /// The same, as it is used; and why who goes there is closed, if he is.
    pub(super) fn passed_on(
        &mut self,
        way: &WayDraft,
        owner: &str,
        is_of_route: bool,
    ) -> (Vec<Use>, Option<RefusalReason>) {
        let (mut uses, mut closed) = (Vec::new(), None);
        for (link, by) in self.on_way(way) {
            let (used, why) = self.passed_at(&[link], by.as_deref().unwrap_or(owner), is_of_route);
            uses.extend(used);
            closed = closed.or(why);
        }
        (uses, closed)
    }

    pub(super) fn describe(&mut self, id: BackendId, place: &Provenance, backend: Backend) {
        let node = BackendNode { id, place: Some(place.clone()), service: None, backend };
        self.routed.own.push(Arc::new(node));
    }

    /// Where a way leads; `owner` is what it is named after.
    pub(super) fn way(&mut self, way: &WayDraft, owner: &str) -> Result<BackendId, RefusalReason> {
        match &way.to {
            WayTarget::Nowhere => Err(RefusalReason::Reference(way.place.clone())),
            WayTarget::Servers(servers) => {
                let id = match &servers.backend {
                    ServersOf::Service(BackendRef { service, port, .. }) => {
                        leaf_id(service, port, owner)
                    }
                    ServersOf::Written { .. } => owner.into(),
                };
                self.servers(servers, id)
            }
            WayTarget::Backend(LinkTarget::Object(id)) => self.described(id, &way.place),
            WayTarget::Backend(LinkTarget::Provided(name)) => {
                self.may_name_provided(name, &way.place)?;
                match elsewhere::object(Tag::TraefikService, name, self.kind, self.reads) {
                    Some(id) => self.described(&id, &way.place),
                    None => self.provided(name, &way.place),
                }
            }
        }
    }

    /// The backend that a TraefikService describes.
    fn described(
        &mut self,
        id: &NamespacedName,
        place: &Provenance,
    ) -> Result<BackendId, RefusalReason> {
        self.may_name(id, place)?;
        if self.reads.row(&Cell::Object(Tag::TraefikService, id.clone())).is_some() {
            return Ok(described_id(id));
        }
        let place = if elsewhere::is_of_file(&place.object.id()) {
            place.clone()
        } else {
            field(place, "name")
        };
        Err(self.absent("TraefikService", id, &place, self.so))
    }

    /// What another provider has.
    pub(super) fn provided(
        &mut self,
        name: &str,
        place: &Provenance,
    ) -> Result<BackendId, RefusalReason> {
        self.may_name_provided(name, place)?;
        match Internal::NAMED.into_iter().find(|it| it.name() == name) {
            Some(service) if self.options.exposure.has(service) => Ok(service.into()),
            Some(service) => Err(self.not_exposed(service, place)),
            None => {
                let help = "name a Service or a TraefikService";
                Err(self.unprovided(name, &field(place, "name"), self.so, help))
            }
        }
    }

    /// Says of a service of the program itself that it is there only where it is asked for.
    fn not_exposed(&mut self, service: Internal, place: &Provenance) -> RefusalReason {
        let name = service.name();
        let message = format!("`{name}` is not there unless it is asked for: {}", self.so);
        let help = format!("start with --{}", service.option());
        let code = codes::OWN_SERVICE_OFF;
        let place = field(place, "name");
        self.diagnostics.push(Diagnostic::at(Severity::Warning, code, &place, message, help));
        RefusalReason::Reference(place)
    }

    /// Says that no other provider has what is named.
    pub(super) fn unprovided(
        &mut self,
        name: &str,
        place: &Provenance,
        so: &str,
        help: &str,
    ) -> RefusalReason {
        let message = format!("nobody here provides `{name}`: {so}");
        let code = codes::REFERENCE_MISSING;
        self.diagnostics.push(Diagnostic::at(Severity::Error, code, place, message, help));
        RefusalReason::Reference(place.clone())
    }

    pub(super) fn absent(
        &mut self,
        kind: &'static str,
        id: &NamespacedName,
        place: &Provenance,
        so: &str,
    ) -> RefusalReason {
        let NamespacedName { namespace, name } = id;
        let missing = Missing::named(kind, name).within(namespace).sought();
        let say =
            |no: &str| format!("there is {no} {kind} `{name}` in namespace {namespace}: {so}");
        let (message, help, missing) = match elsewhere::is_of_file(id) {
            true => (
                format!(
                    "no file of dynamic configuration has `{name}` among what is {namespace}: {so}"
                ),
                format!("add it below `{namespace}` in such a file, or name another"),
                missing,
            ),
            false => (
                say("no"),
                format!("add the {kind} to namespace {namespace}, or name another"),
                missing.if_invalid(say("no valid")),
            ),
        };
        let code = codes::REFERENCE_MISSING;
        let found = Diagnostic::at(Severity::Error, code, place, message, help);
        self.diagnostics.push(found.missing(missing));
        RefusalReason::Reference(place.clone())
    }

    /// Whether an object may name what another provider has.
    pub(super) fn may_name_provided(
        &mut self,
        name: &str,
        place: &Provenance,
    ) -> Result<(), RefusalReason> {
        let own = &place.object.namespace;
        // Ingresses, and Services that say how Ingresses ask them, are another provider's.
        let provider = match &*place.object.kind {
            "Ingress" | "Service" => &self.options.ingress,
            _ => &self.options.crd,
        };
        if elsewhere::is_of_file(&place.object.id()) || provider.lets_provided(own) {
            return Ok(());
        }
        let message = format!(
            "`{name}` is another provider's, and objects of namespace {own} may not name such: {}",
            self.so
        );
        let help = format!(
            "add {own} to --providers.kubernetescrd.crossprovidernamespaces, or name an object"
        );
        let code = codes::CROSS_NAMESPACE;
        self.diagnostics.push(Diagnostic::at(Severity::Error, code, place, message, help));
        Err(RefusalReason::Restriction(place.clone()))
    }

    /// Whether an object may name one of this name: one of another namespace only where that is
    /// allowed, since whoever may write here may not write there.
    pub(super) fn may_name(
        &mut self,
        id: &NamespacedName,
        place: &Provenance,
    ) -> Result<(), RefusalReason> {
        let own = &place.object.namespace;
        if elsewhere::is_of_file(id) || elsewhere::is_of_file(&place.object.id()) {
            return Ok(());
        }
        if self.options.allow_cross_namespace || id.namespace == *own {
            return Ok(());
        }
        let NamespacedName { namespace, name } = id;
        let message = format!(
            "`{name}` is in namespace {namespace}, and objects of namespace {own} may not name it: {}",
            self.so
        );
        let help = format!(
            "move it to {own}, or start with --providers.kubernetescrd.allowcrossnamespace=true"
        );
        let code = codes::CROSS_NAMESPACE;
        self.diagnostics.push(Diagnostic::at(Severity::Error, code, place, message, help));
        Err(RefusalReason::Restriction(place.clone()))
    }
}
