//! The entry points that there are: those of the options, with what ingress-nginx's ConfigMap says
//! of whose word about clients is taken there.

use std::sync::Arc;

use steelyard_model::routing::belief::NginxBelief;
use steelyard_model::routing::entry_point::EntryPoint;
use steelyard_model::{Diagnostic, Provenance, Severity};

use super::entry_points::EntryPoints;
use crate::codes;
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::{Row, Sockets};

/// All of them.
pub(in crate::tables) fn all(
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Row {
    let belief = match reads.row(&Cell::NginxSettings) {
        Some(Row::NginxSettings(terms)) => Some(terms.settings.belief.clone()),
        _ => None,
    };
    let belief = belief.filter(|it| *it != NginxBelief::default());
    let serving = EntryPoints::new(&options.entry_points).of_unnamed();
    let points = options.entry_points.iter().map(|point| {
        let belief = belief.as_ref().filter(|_| serving.contains(&&point.id));
        let nginx = belief.map(|it| Arc::new(believed(it, point, diagnostics)));
        Arc::new(EntryPoint { nginx, ..point.clone() })
    });
    Row::Sockets(Arc::new(Sockets { points: points.collect() }))
}

/// What of it counts at an entry point: its own options come first.
fn believed(
    belief: &NginxBelief,
    point: &EntryPoint,
    diagnostics: &mut Vec<Diagnostic>,
) -> NginxBelief {
    let mut overruled = |place: &Provenance, what: &str| {
        let name = &point.id;
        let message = format!(
            "the entry point `{name}` has `{what}` of its own: this counts for nothing there"
        );
        let help = format!("say it in one place: remove this, or --entrypoints.{name}.{what}.*");
        let code = codes::BELIEF_OVERRULED;
        diagnostics.push(Diagnostic::at(Severity::Warning, code, place, message, help));
    };
    let NginxBelief { forwarded, proxied } = belief;
    if let Some(forwarded) = forwarded.as_ref().filter(|_| point.own_belief.forwarded) {
        overruled(&forwarded.place, "forwardedHeaders");
    }
    if let Some(proxied) = proxied.as_ref().filter(|_| point.own_belief.proxied) {
        overruled(&proxied.place, "proxyProtocol");
    }
    NginxBelief {
        forwarded: forwarded.clone().filter(|_| !point.own_belief.forwarded),
        proxied: proxied.clone().filter(|_| !point.own_belief.proxied),
    }
}
