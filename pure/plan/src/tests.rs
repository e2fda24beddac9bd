//! Manifests through the real loader, dialects and join, planned.

use steelyard_model::{Diagnostic, Holdings};
use steelyard_pipeline::{ResolveOptions, resolve};
use steelyard_testbed::manifests::{file, items, node, service, slice};

use crate::{AnnouncementRow, Facts, Layer2Row, Plan, plan};

mod announce;
mod bgp;
mod circles;
mod json;
mod nearby;
mod node;
mod occupants;
mod overshadowed;
mod rounds;

/// A pool of ten addresses that is announced everywhere.
const POOL: &str = "
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: pool, namespace: metallb-system}
spec: {addresses: [192.168.1.240-192.168.1.249]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all, namespace: metallb-system}
";

fn facts(node: &str) -> Facts {
    Facts { node: node.into(), ..Facts::default() }
}

fn planned(yaml: &str, facts: &Facts) -> Plan {
    plan(&resolve(&items(yaml), &ResolveOptions::default()), &Holdings::default(), facts)
}

fn layer2(plan: &Plan) -> Vec<&Layer2Row> {
    let of_lan = plan.announcements.values().filter_map(|row| match row {
        AnnouncementRow::Layer2(row) => Some(row),
        AnnouncementRow::Bgp(_) => None,
    });
    of_lan.collect()
}

/// `address service owner[ then standbys][ on interfaces]` of each announcement.
fn announcements(plan: &Plan) -> Vec<String> {
    let line = |row: &Layer2Row| {
        let mut line = format!("{} {} ", row.address, row.service);
        line += row.owner.as_deref().unwrap_or("nobody");
        if !row.standbys.is_empty() {
            line += &format!(" then {}", row.standbys.join(" "));
        }
        if !row.interfaces.is_empty() {
            line += &format!(" on {}", row.interfaces.join(" "));
        }
        line
    };
    layer2(plan).into_iter().map(line).collect()
}

/// Codes of what is said about `service`.
fn codes(plan: &Plan, service: &str) -> Vec<&'static str> {
    let about = |it: &&steelyard_model::Diagnostic| {
        it.object.as_ref().is_some_and(|object| object.id().to_string() == service)
    };
    plan.diagnostics.iter().filter(about).map(|it| it.code.as_str()).collect()
}
