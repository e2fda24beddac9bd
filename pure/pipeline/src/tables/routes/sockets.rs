//! The entry points that there are: those of the options, with what ingress-nginx's ConfigMap says
//! of them, and those that its ConfigMaps of ports open.

use std::sync::Arc;

use steelyard_model::routing::belief::NginxBelief;
use steelyard_model::routing::entry_point::{EntryPoint, NginxSocket};
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::nginx::{NginxStep, NginxStrays};
use steelyard_model::{Diagnostic, NginxSettings, Provenance, Severity};

use super::entry_points::EntryPoints;
use super::streams;
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
    let terms = match reads.row(&Cell::NginxSettings) {
        Some(Row::NginxSettings(terms)) => Some(terms),
        _ => None,
    };
    let settings = terms.as_ref().map(|terms| &terms.settings);
    let serving = EntryPoints::new(&options.entry_points).of_unnamed();
    let points = options.entry_points.iter().map(|point| {
        let settings = settings.filter(|_| serving.contains(&&point.id));
        let strays = settings.and_then(|settings| strays(settings, options));
        let nginx = settings.map(|settings| socket(settings, strays, point, diagnostics));
        let nginx = nginx.map(Arc::new);
        Arc::new(EntryPoint { nginx, ..point.clone() })
    });
    let mut sockets = Sockets { points: points.collect(), ..Sockets::default() };
    if let (Some(settings), Some(Row::Streams(all))) = (settings, reads.row(&Cell::Streams)) {
        sockets.streams = streams::free(&all, options, diagnostics);
        for draft in &sockets.streams {
            let point = streams::entry_point(draft, settings);
            let plain = point.plain_listener();
            let own = point.listeners().into_iter().filter(|it| it.id == plain);
            sockets.listeners.extend(own.map(Arc::new));
            sockets.points.push(Arc::new(point));
        }
    }
    Row::Sockets(Arc::new(sockets))
}

/// What nobody takes is answered as ingress-nginx does where it is said whose Ingresses are read
/// that name no class: then there is nobody else.
fn strays(settings: &NginxSettings, options: &ResolveOptions) -> Option<Arc<NginxStrays>> {
    options.nginx.takes_unnamed?;
    let site = settings.passes.iter().find_map(|own| match &own.filter {
        Filter::Nginx(step) => match &**step {
            NginxStep::Site(site) => Some(site.clone()),
            _ => None,
        },
        _ => None,
    })?;
    Some(Arc::new(NginxStrays { site, health: options.nginx.health.as_str().into() }))
}

fn socket(
    settings: &NginxSettings,
    strays: Option<Arc<NginxStrays>>,
    point: &EntryPoint,
    diagnostics: &mut Vec<Diagnostic>,
) -> NginxSocket {
    let belief = believed(&settings.belief, point, diagnostics);
    NginxSocket { belief, log: settings.logs.0.clone().map(Arc::new), answers: None, strays }
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
    let NginxBelief { forwarded, proxied, list, keeps_underscores } = belief;
    if let Some(forwarded) = forwarded.as_ref().filter(|_| point.own_belief.forwarded) {
        overruled(&forwarded.place, "forwardedHeaders");
    }
    if let Some(proxied) = proxied.as_ref().filter(|_| point.own_belief.proxied) {
        overruled(&proxied.place, "proxyProtocol");
    }
    NginxBelief {
        forwarded: forwarded.clone().filter(|_| !point.own_belief.forwarded),
        proxied: proxied.clone().filter(|_| !point.own_belief.proxied),
        list: list.clone(),
        keeps_underscores: *keeps_underscores,
    }
}
