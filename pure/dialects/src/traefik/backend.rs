//! TraefikService: backends that share requests, copy them, or stand in for each other.

use steelyard_manifest::kinds::traefik as raw;
use steelyard_model::router_draft::{BackendDraft, BackendShape, WayDraft};
use steelyard_model::routing::backend::CopiedBody;
use steelyard_model::routing::route::RouteKind;
use steelyard_model::{FieldPath, Item};

use super::Reader;
use crate::codes;
use crate::findings::Findings;

/// Reads a TraefikService.
pub(crate) fn lower(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Routed<raw::TraefikServiceSpec> = findings.read()?;
    let object = findings.object().clone();
    let shape = Reader { findings }.shape(&raw.spec.unwrap_or_default())?;
    let kind = RouteKind::Http;
    Some(Item::Backend(Box::new(BackendDraft { object, kind, shape, filters: Vec::new() })))
}

impl Reader<'_, '_> {
    fn shape(&mut self, spec: &raw::TraefikServiceSpec) -> Option<BackendShape> {
        let path = FieldPath::from("spec");
        let there = [
            ("weighted", spec.weighted.is_some()),
            ("mirroring", spec.mirroring.is_some()),
            ("highestRandomWeight", spec.highest_random_weight.is_some()),
            ("failover", spec.failover.is_some()),
        ];
        let mut there = there.iter().filter(|(_, is)| *is).map(|(name, _)| path.key(name));
        match (there.next(), there.next()) {
            (Some(first), Some(second)) => self.findings.exclusive(&second, &first),
            (None, _) => {
                let help = "add one of weighted, mirroring, highestRandomWeight and failover";
                self.findings.missing(&path.key("weighted"), help);
            }
            _ => {}
        }
        if let Some(weighted) = &spec.weighted {
            return Some(self.weighted(weighted, &path.key("weighted")));
        }
        if let Some(mirroring) = &spec.mirroring {
            return Some(self.mirror(mirroring, &path.key("mirroring")));
        }
        if let Some(rendezvous) = &spec.highest_random_weight {
            let path = path.key("highestRandomWeight").key("services");
            return Some(BackendShape::Rendezvous {
                ways: self.ways(rendezvous.services.as_ref(), &path),
            });
        }
        self.failover(spec.failover.as_ref()?, &path.key("failover"))
    }

    fn weighted(&mut self, written: &raw::Weighted, path: &FieldPath) -> BackendShape {
        let ways = self.ways(written.services.as_ref(), &path.key("services"));
        let cookie = written.sticky.as_ref().and_then(|sticky| sticky.cookie.as_ref());
        let sticky = cookie.map(|cookie| self.cookie(cookie, &path.key("sticky")));
        BackendShape::Weighted { ways, sticky }
    }

    fn mirror(&mut self, written: &raw::LoadBalancer, path: &FieldPath) -> BackendShape {
        let main = Box::new(self.way(written, path));
        let mirrors = written.mirrors.iter().flatten().enumerate();
        let copies = mirrors.map(|(index, mirror)| {
            let path = path.key("mirrors").index(index);
            let percent = self.findings.within(&path.key("percent"), mirror.percent, 0..=100);
            (self.way(mirror, &path), percent.unwrap_or_default())
        });
        let copies = copies.collect();
        let body = match (written.mirror_body, written.max_body_size) {
            (Some(false), _) => CopiedBody::Without,
            (_, size) => CopiedBody::UpTo(size.and_then(|size| u64::try_from(size).ok())),
        };
        BackendShape::Mirror { main, copies, body }
    }

    fn failover(&mut self, written: &raw::Failover, path: &FieldPath) -> Option<BackendShape> {
        let mut one = |name: &str, written: Option<&raw::LoadBalancer>| -> Option<WayDraft> {
            let path = path.key(name);
            if written.is_none() {
                self.findings.missing(&path, "name the Service");
            }
            Some(self.way(written?, &path))
        };
        let ways =
            [one("service", written.service.as_ref()), one("fallback", written.fallback.as_ref())];
        let [Some(first), Some(second)] = ways else { return None };
        let errors = written.errors.as_ref();
        let statuses = errors.and_then(|errors| errors.status.as_ref());
        let path = path.key("errors");
        Some(BackendShape::Failover {
            ways: Box::new([first, second]),
            statuses: self.statuses(statuses, &path.key("status")),
            replay: errors
                .and_then(|errors| errors.max_request_body_bytes)
                .and_then(|most| u64::try_from(most).ok()),
        })
    }

    /// Ranges of statuses: `500-599`, `404`.
    pub(super) fn statuses(
        &mut self,
        written: Option<&Vec<String>>,
        path: &FieldPath,
    ) -> Vec<(u16, u16)> {
        let mut ranges = Vec::new();
        for (index, text) in written.into_iter().flatten().enumerate() {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let status =
                |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
            match (status(first), status(last)) {
                (Some(first), Some(last)) if first <= last => ranges.push((first, last)),
                _ => {
                    let message = format!("`{text}` is no range of statuses");
                    let help = "write 503, or 500-599";
                    self.findings.invalid(codes::INVALID_VALUE, &path.index(index), message, help);
                }
            }
        }
        ranges
    }
}
