//! Routes in ingress-nginx's manner: what an Ingress's own words make its requests pass, and paths
//! that are regular expressions, by hosts.

mod asked;
mod canary;
mod decided;
mod expressed;
mod forbidden;
mod hosts;
mod lines;
mod mirror;
mod pages;
mod roots;
mod settings;

use std::ops::RangeInclusive;
use std::sync::Arc;

use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::filter::nginx::NginxStep;
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::{FilterId, RouteId};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::times::RouteTimeouts;
use steelyard_model::{
    Diagnostic, NamespacedName, NginxReading, NginxSettings, OwnFilter, PassPhase, Provenance,
    RouteDraft,
};

use super::entry_points;
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::Cell;
use crate::tables::row::{Class, CommonTerms, ReadSet, Routed, Row};

pub(in crate::tables) use asked::{asked, asked_of_all};
pub(super) use canary::beside_canary;
pub(in crate::tables) use canary::rules_of_canaries;
pub(super) use decided::decide;
pub(in crate::tables) use expressed::is_of_path;
pub(super) use expressed::{express, expressed};
pub(in crate::tables) use forbidden::{forbidden, inspection, left_out, not_plain, suspicious};
pub(in crate::tables) use hosts::{hosts_of_clients, link_hosts};
pub(super) use hosts::{is_of_hosts, suffixed};
pub(super) use mirror::mirrored;
pub(super) use pages::pages;
pub(super) use roots::{nothing, roots};
pub(super) use settings::balanced;
pub(crate) use settings::for_nobody;
pub(in crate::tables) use settings::{common_terms, is_looked_at};

/// Says which names of hosts an Ingress does not get since others have them, and what of a canary
/// takes no request for want of others.
pub(super) fn tell_of_others(
    read: &ReadSet<'_>,
    options: &ResolveOptions,
    reads: &mut Reads<'_>,
    (routed, diagnostics): (&mut Routed, &mut Vec<Diagnostic>),
) {
    diagnostics.extend(hosts::names_of_others(read, reads));
    canary::alone(read, options, reads, (routed, diagnostics));
}

/// Hosts all of whose paths are expressions, by the word of an Ingress.
pub(in crate::tables) fn hosts_of_expressions<'s>(
    read: &ReadSet<'s>,
) -> impl Iterator<Item = &'s HostPattern> + use<'s> {
    let is_asked = read.reading.has_expressions;
    read.routes().iter().filter(move |_| is_asked).map(|it| it.rule.host())
}

/// What the requests of an Ingress's routes pass by its own words, and by the settings of all.
pub(super) struct Location {
    /// Of who says anything in words of ingress-nginx.
    common: Option<Arc<CommonTerms>>,
    /// It is in words of ingress-nginx alone, and has what all of these have.
    is_nginx: bool,
    passes: Vec<Passed>,
    /// What leads who asks in plain to TLS.
    to_tls: Use,
    /// Why nobody is served.
    pub(super) refusal: Option<RefusalReason>,
}

/// A filter that is passed.
struct Passed {
    phase: PassPhase,
    /// The route whose requests pass it; none is each.
    of: Option<RouteId>,
    usage: Use,
    /// It keeps some addresses out, and lets nobody in by that.
    is_denial: bool,
}

/// Where the parts of an Ingress's routes are joined.
pub(super) struct Joinery<'j, 'r> {
    pub(super) options: &'j ResolveOptions,
    pub(super) reads: &'j mut Reads<'r>,
    pub(super) routed: &'j mut Routed,
    pub(super) diagnostics: &'j mut Vec<Diagnostic>,
}

impl Location {
    /// Puts the filters of an Ingress's own into what is routed, with the backends that they ask.
    pub(super) fn new(read: &ReadSet<'_>, at: &mut Joinery<'_, '_>) -> Self {
        expressed::tell_of_unasked(read, at.reads, at.diagnostics);
        let common = read.speaks_nginx().then(|| common(at.reads));
        let is_nginx = read.class == Class::Nginx;
        let written = common.as_ref().map(|it| &it.settings);
        let settings = written.filter(|_| is_nginx);
        let own = &read.reading.passes;
        let without = read.nginx().map(|it| it.without.as_slice()).unwrap_or_default();
        let is_own = |name: &str| own.iter().any(|it| *it.name == *name) || without.contains(&name);
        let of_all = settings.iter().flat_map(|it| &it.passes);
        let of_all = of_all.filter(|it| !is_own(&it.name));
        let mut passes: Vec<Passed> = Vec::new();
        for it in of_all {
            match placed(it, read, at.routed) {
                Some(placed) => passes.extend(placed),
                None => passes.push(Passed::new(it, settings::id(&it.name))),
            }
        }
        let refusal = settings.and_then(|it| it.refusal.clone());
        let mut refusal = refusal.map(RefusalReason::Restriction);
        let asks = asked::of_all(settings, read, at).unwrap_or_else(|why| {
            refusal = refusal.take().or(Some(why));
            Vec::new()
        });
        let place = &Provenance::new(&read.set.object, "metadata.annotations");
        let place_of_all = settings.and_then(|it| Some(&it.asks.as_ref()?.place));
        let of_all = asks.iter().map(|it| (it, place_of_all.unwrap_or(place)));
        for (own, place) in own.iter().map(|it| (it, place)).chain(of_all) {
            match asked::defined(own, place, (read, written), at) {
                Ok(passed) => passes.push(passed),
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        let told = written.map(|it| lines::told(read, it, at.reads, at.diagnostics));
        match told.unwrap_or(Ok(None)) {
            Ok(None) => {}
            Ok(Some(own)) => match placed(&own, read, at.routed) {
                Some(placed) => passes.extend(placed),
                None => {
                    let id = id(read, &own.name);
                    let filter = own.filter.clone();
                    at.routed.filters.push(Arc::new(FilterNode {
                        id: id.clone(),
                        place: None,
                        filter,
                    }));
                    passes.push(Passed::new(&own, id));
                }
            },
            Err(why) => refusal = refusal.or(Some(RefusalReason::Restriction(why))),
        }
        passes.sort_by_key(|it| it.phase);
        let to_tls = to_tls(read, common.as_deref(), at.routed);
        Self { common, is_nginx, passes, to_tls, refusal }
    }

    /// What the requests of a route pass: who asks in plain is led to TLS once redirections of the
    /// location have had their say, and is asked for a password once limits have let him in.
    /// Certificate challenges are answered to everybody, unless addresses keep him out. `pages`
    /// stand around all that may fail. The 503 of one that is closed comes before redirections of
    /// the place, and before anybody is asked for anything, in words of ingress-nginx.
    pub(super) fn uses(
        &self,
        read: &ReadSet<'_>,
        draft: &RouteDraft,
        (pages, password, is_denied): (Option<Use>, Option<Use>, bool),
        (reads, routed): (&mut Reads<'_>, &mut Routed),
    ) -> Vec<Use> {
        let of = |phases: RangeInclusive<PassPhase>| {
            let is_of_it = |it: &&Passed| it.of.as_ref().is_none_or(|of| *of == draft.id);
            let passes = self.passes.iter().filter(is_of_it);
            passes.filter(move |it| phases.contains(&it.phase))
        };
        let usage = |it: &Passed| it.usage.clone();
        if is_denied && self.is_nginx {
            return of(PassPhase::Around..=PassPhase::Before).map(usage).collect();
        }
        let to_tls = self.is_led(read, draft, reads).then(|| self.to_tls.clone());
        let at = |phase: PassPhase| of(phase..=phase);
        let denials = |it: &Passed| (it.usage.clone(), it.is_denial);
        let mut access: Vec<(Use, bool)> = at(PassPhase::Access).map(denials).collect();
        if !self.is_unasked(draft) {
            access.extend(password.map(|it| (it, false)));
            access.extend(at(PassPhase::Asked).map(denials));
        }
        let access = match read.reading.satisfies_any && access.len() > 1 {
            true => vec![any_of(read, draft, access, routed)],
            false => access.into_iter().map(|(usage, _)| usage).collect(),
        };
        at(PassPhase::Around)
            .map(usage)
            .chain(pages)
            .chain(of(PassPhase::Before..=PassPhase::Return).map(usage))
            .chain(to_tls)
            .chain(at(PassPhase::Limit).map(usage))
            .chain(access)
            .chain(at(PassPhase::Content).map(usage))
            .collect()
    }

    /// How long what may take.
    pub(super) fn timeouts(&self, read: &ReadSet<'_>) -> Option<Box<RouteTimeouts>> {
        let own = read.nginx().map(|it| it.timeouts).unwrap_or_default();
        let of_all = self.settings().map(|it| it.timeouts).unwrap_or_default();
        let timeouts = own.or(&of_all);
        (timeouts != RouteTimeouts::default()).then(|| Box::new(timeouts))
    }

    /// Whether Services are asked at their own address.
    pub(super) fn asks_services(&self, read: &ReadSet<'_>) -> bool {
        let said = read.nginx().and_then(|it| it.asks_services);
        said.unwrap_or_else(|| self.settings().is_some_and(|it| it.asks_services))
    }

    /// Whether nobody is asked, and no password, for the requests of a route, by its own path.
    fn is_unasked(&self, draft: &RouteDraft) -> bool {
        self.settings().map_or_else(
            || entry_points::is_of_challenges(draft),
            |settings| asked::is_open(draft, settings),
        )
    }

    /// What is so for all that are in words of ingress-nginx alone, if it is such.
    fn settings(&self) -> Option<&NginxSettings> {
        self.common.as_ref().filter(|_| self.is_nginx).map(|it| &it.settings)
    }

    /// What all answers for a host have, whichever route takes its requests.
    fn around(&self) -> impl Iterator<Item = Use> {
        let around = self.passes.iter().filter(|it| it.phase == PassPhase::Around);
        around.filter(|it| it.of.is_none()).map(|it| it.usage.clone())
    }

    /// Whether who asks in plain is led to TLS: by itself where an Ingress asks for TLS that has a
    /// rule for the host.
    fn is_led(&self, read: &ReadSet<'_>, draft: &RouteDraft, reads: &mut Reads<'_>) -> bool {
        let Some(settings) = self.settings() else { return entry_points::is_led(read, draft) };
        let path = draft.written();
        if settings.open_paths.iter().any(|open| path.starts_with(&**open)) {
            return false;
        }
        if read.reading.always_redirects || settings.always_redirects {
            return true;
        }
        let asks = read.reading.redirects.unwrap_or(settings.redirects);
        asks && reads.any(&Cell::SecureHosts(draft.rule.host().clone()))
    }
}

impl Passed {
    fn new(own: &OwnFilter, id: FilterId) -> Self {
        let is_denial =
            matches!(&own.filter, Filter::Nginx(it) if matches!(**it, NginxStep::Deny(_)));
        Self { phase: own.phase, of: own.of.clone(), usage: of_filter(&id), is_denial }
    }
}

/// A filter whose words hang on the location, for each of those of an Ingress; none where they do
/// not.
fn placed(own: &OwnFilter, read: &ReadSet<'_>, routed: &mut Routed) -> Option<Vec<Passed>> {
    let Filter::Nginx(step) = &own.filter else { return None };
    if !step.is_of_place() {
        return None;
    }
    let object = read.set.object.id();
    let of = |(index, draft): (usize, &RouteDraft)| {
        let step = step.placed(&|word| draft.says(&object, word));
        let (id, place) = (id(read, &format!("{}/{index}", own.name)), None);
        let filter = Filter::Nginx(step.into());
        routed.filters.push(Arc::new(FilterNode { id: id.clone(), place, filter }));
        Passed { of: Some(draft.id.clone()), ..Passed::new(own, id) }
    };
    Some(read.routes().iter().enumerate().map(of).collect())
}

/// What leads who asks in plain to TLS.
fn to_tls(read: &ReadSet<'_>, common: Option<&CommonTerms>, routed: &mut Routed) -> Use {
    let Some(common) = common.filter(|_| read.class == Class::Nginx) else {
        return of_filter(&entry_points::TO_TLS.into());
    };
    let is_own = |it: &&NginxReading| it.keeps_slash.is_some() || it.says_port.is_some();
    let Some(own) = read.nginx().filter(is_own) else {
        return of_filter(&settings::id(settings::SECURE));
    };
    let node = settings::secure(&common.settings, Some(own), &common.sockets);
    let node = FilterNode { id: id(read, "secure"), ..node };
    let usage = of_filter(&node.id);
    routed.filters.push(Arc::new(node));
    usage
}

fn of_filter(id: &FilterId) -> Use {
    Use { state: id.as_str().into(), filter: id.clone() }
}

fn common(reads: &mut Reads<'_>) -> Arc<CommonTerms> {
    match reads.row(&Cell::NginxSettings) {
        Some(Row::NginxSettings(terms)) => terms,
        other => panic!("{other:?} is no settings"),
    }
}

fn id(read: &ReadSet<'_>, name: &str) -> FilterId {
    let NamespacedName { namespace, name: object } = read.set.object.id();
    format!("{namespace}/{object}#{name}@ingress").into()
}

/// One of several ways to pass (`satisfy: any`). Who is only not kept out by his address has not
/// passed by that, and who passes otherwise is let in whatever it is, as nginx has it.
fn any_of(
    read: &ReadSet<'_>,
    draft: &RouteDraft,
    access: Vec<(Use, bool)>,
    routed: &mut Routed,
) -> Use {
    let members: Vec<FilterId> =
        access.into_iter().filter(|(_, is_denial)| !is_denial).map(|(it, _)| it.filter).collect();
    let index = read.routes().iter().position(|it| it.id == draft.id).unwrap_or_default();
    let id = id(read, &format!("satisfy/{index}"));
    let (place, filter) = (None, Filter::AnyOf(members));
    routed.filters.push(Arc::new(FilterNode { id: id.clone(), place, filter }));
    of_filter(&id)
}
