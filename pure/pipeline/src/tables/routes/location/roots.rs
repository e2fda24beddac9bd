//! What a host has at `/` where no rule has that: ingress-nginx serves it by the words of the
//! oldest Ingress of the host, which lead elsewhere or ask who is there as anywhere, and says then
//! that nothing is there, unless there is a default backend.

use std::sync::Arc;

use steelyard_model::routing::filter::Use;
use steelyard_model::routing::id::ListenerId;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::{PathSpecificity, Rank};
use steelyard_model::{BackendRef, NginxOptions, PortRef, RouteDraft};

use super::hosts::{hosts, narrowness, rule};
use super::{of_filter, settings, suffixed};
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::{Class, ReadSet, Row};

/// Drafts of them.
pub(in crate::tables::routes) fn roots(
    read: &ReadSet<'_>,
    listeners: &[ListenerId],
    options: &NginxOptions,
    reads: &mut Reads<'_>,
) -> Vec<RouteDraft> {
    let Some(first) = read.routes().first().filter(|_| read.class == Class::Nginx) else {
        return Vec::new();
    };
    let has_own = read.routes().iter().any(|it| it.rank.specific.is_fallback);
    let mut found = Vec::new();
    for host in hosts(read).into_iter().filter(|host| !has_own && **host != HostPattern::Any) {
        let oldest = Cell::Oldest(Arc::new(Cell::Locations(host.clone())));
        let is_oldest = match reads.row(&oldest) {
            Some(Row::Oldest(oldest)) => *oldest == *read.set.object,
            _ => false,
        };
        if is_oldest && !has_root(host, listeners, reads) {
            found.push(root(host, first, options));
        }
    }
    found
}

/// Whether a rule has it, in whose words ever.
fn has_root(host: &HostPattern, listeners: &[ListenerId], reads: &mut Reads<'_>) -> bool {
    let host = Matcher::Host(host.clone());
    let forms = [PathPattern::decoded, PathPattern::normal];
    let rules = forms.map(|form| Arc::new(rule(&host, form(PathShape::elements("/")))));
    let slots = rules.iter().flat_map(|rule| listeners.iter().map(|at| (at.clone(), rule.clone())));
    let slots: Vec<Cell> = slots.map(|slot| Cell::Slot(Arc::new(slot))).collect();
    slots.iter().any(|slot| reads.any(slot))
}

fn root(host: &HostPattern, first: &RouteDraft, options: &NginxOptions) -> RouteDraft {
    let (place, backend) = (first.place.clone(), options.default_backend.clone());
    let (name, host) = (host, Matcher::Host(host.clone()));
    let mut specific = first.rank.specific.clone();
    specific.host = narrowness(&host);
    specific.path = PathSpecificity::Length(std::cmp::Reverse(1));
    let path = PathPattern::decoded(PathShape::elements("/"));
    RouteDraft {
        id: suffixed(&first.id, &format!("nothing/{name}")),
        rule: Arc::new(rule(&host, path)),
        rank: Rank { specific, index: u32::MAX, ..first.rank.clone() },
        path: None,
        is_open: false,
        backend: backend.map(|service| BackendRef {
            service,
            port: PortRef::First,
            place: place.clone(),
        }),
        place,
    }
}

/// What says that nothing is there.
pub(in crate::tables::routes) fn nothing() -> Use {
    of_filter(&settings::id(settings::NOTHING))
}
