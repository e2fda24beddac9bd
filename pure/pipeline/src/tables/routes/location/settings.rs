//! What is so for all locations: ingress-nginx's ConfigMap and flags.

use std::sync::Arc;

use steelyard_dialects::nginx::settings;
use steelyard_model::routing::filter::nginx::{NginxSecure, NginxSibling, NginxStep};
use steelyard_model::routing::filter::{Filter, FilterNode};
use steelyard_model::routing::id::FilterId;
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{HostPattern, PathPattern, PathShape};
use steelyard_model::routing::rank::{
    HostSpecificity, KUBERNETES_INGRESS, Ladder, PathSpecificity, Rank, Specificity,
};
use steelyard_model::routing::rule::Rule;
use steelyard_model::{
    BackendRef, BalanceDraft, ClassName, ClassReading, ClassReadings, Diagnostic, Item, Labels,
    NamespacedName, NginxOptions, NginxReading, NginxSettings, ObjectRef, OwnFilter, PassPhase,
    PortRef, Provenance, RouteDraft, RouteSet,
};

use super::lines;
use crate::options::ResolveOptions;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{Class, CommonTerms, ReadSet, Row};

/// Leads who asks in plain to TLS.
pub(super) const SECURE: &str = "secure";
/// Says that nothing is there.
pub(super) const NOTHING: &str = "nothing";
/// Lead to the host beside the one that is asked for.
pub(super) const TO_BARE: &str = "to-bare";
pub(super) const TO_WWW: &str = "to-www";

/// The settings, and the filters that all pass.
pub(in crate::tables) fn common_terms(
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Row {
    let (written, all) = lines_of_all(reads, &options.nginx);
    let is_written = written.is_some();
    let is_said = is_written || !options.nginx.usual.is_empty();
    let object = written.unwrap_or_else(|| settings_object(&options.nginx));
    let mut settings = settings(is_said.then_some((&object, &all)), diagnostics);
    // Options of Traefik's provider say nothing of handshakes.
    settings.handshakes = settings.handshakes.filter(|_| is_written);
    settings.passes.extend(tells(&settings, reads, diagnostics));
    diagnostics.extend(lines::unsaid(&settings, &object, reads));
    let secure_port = |it: &&steelyard_model::routing::entry_point::EntryPoint| it.is_secure;
    let secure = options.entry_points.iter().find(secure_port).map(|it| it.port);
    let plain = options.entry_points.iter().filter(|it| !it.is_secure);
    let sockets = secure.map(|port| plain.map(|it| (it.port, port)).collect());
    let sockets: Vec<(u16, u16)> = sockets.unwrap_or_default();
    let led = [(TO_BARE, NginxSibling::Bare), (TO_WWW, NginxSibling::Www)];
    let led = led.map(|(name, to)| {
        let step = NginxStep::ToHost(to, settings.redirect_status);
        FilterNode { id: id(name), place: None, filter: Filter::Nginx(step.into()) }
    });
    let filters = settings.passes.iter().flat_map(|it| nodes(&id(&it.name), it));
    let filters = filters.chain(led.into_iter().map(Arc::new));
    let nothing = Filter::Nginx(NginxStep::Nothing.into());
    let nothing = FilterNode { id: id(NOTHING), place: None, filter: nothing };
    let secure = secure_node(&settings, &sockets);
    let filters = filters.chain([secure, nothing].map(Arc::new)).collect();
    Row::NginxSettings(Arc::new(CommonTerms { settings, filters, sockets }))
}

/// The lines of the ConfigMap, if it is there, and what counts where it says nothing.
pub(super) fn lines_of_all(
    reads: &mut Reads<'_>,
    options: &NginxOptions,
) -> (Option<Arc<ObjectRef>>, Labels) {
    let row = reads.row(&Cell::Object(Tag::ConfigMap, options.settings.clone()));
    let mut all = options.usual.clone();
    let Some([Item::ConfigMap { object, data }, ..]) = row.as_ref().map(Row::items) else {
        return (None, all);
    };
    all.extend(data.iter().map(|(key, value)| (key.clone(), value.clone())));
    (Some(object.clone()), all)
}

/// The ConfigMap, be it there or not.
fn settings_object(options: &NginxOptions) -> Arc<ObjectRef> {
    let NamespacedName { namespace, name } = options.settings.clone();
    Arc::new(ObjectRef::new("ConfigMap", namespace, name))
}

/// What tells backends what the ConfigMap says that is named for that.
fn tells(
    settings: &NginxSettings,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<OwnFilter> {
    let (id, place) = settings.told.as_ref()?;
    let mut say = |why| diagnostics.push(lines::untold(id, place, why));
    let lines = lines::of_all(id, reads, &mut say);
    let filter = Filter::Nginx(NginxStep::Tell(lines).into());
    Some(OwnFilter::new(PassPhase::Content, "tell", filter))
}

fn secure_node(settings: &NginxSettings, sockets: &[(u16, u16)]) -> FilterNode {
    secure(settings, None, sockets)
}

/// The name of a filter that all pass.
pub(super) fn id(name: &str) -> FilterId {
    format!("nginx-{name}@internal").into()
}

/// What leads to TLS; `own` says otherwise.
pub(super) fn secure(
    settings: &NginxSettings,
    own: Option<&NginxReading>,
    sockets: &[(u16, u16)],
) -> FilterNode {
    let says = own.and_then(|it| it.says_port).unwrap_or(settings.says_port);
    let secure = sockets.first().map_or(443, |(_, port)| *port);
    let to = NginxSecure {
        status: settings.redirect_status,
        keeps_slash: own.and_then(|it| it.keeps_slash).unwrap_or(settings.keeps_slash),
        beside: sockets.to_vec(),
        port: says.then_some(secure),
    };
    let filter = Filter::Nginx(NginxStep::Secure(to).into());
    FilterNode { id: id(SECURE), place: None, filter }
}

/// A filter; one that some are spared stands within another.
pub(super) fn nodes(id: &FilterId, own: &OwnFilter) -> Vec<Arc<FilterNode>> {
    let node = |id: FilterId, filter| Arc::new(FilterNode { id, place: None, filter });
    let Some(spares) = &own.spares else { return vec![node(id.clone(), own.filter.clone())] };
    let (name, provider) = id.as_str().rsplit_once('@').unwrap_or((id.as_str(), "nginx"));
    let inner = FilterId::from(format!("{name}/inner@{provider}"));
    let others = spares.clone().negated();
    vec![node(inner.clone(), own.filter.clone()), node(id.clone(), Filter::When(others, inner))]
}

/// What is said for all of a filter that an Ingress's own words make: with which status limits
/// refuse, and how redirections are written.
pub(super) fn settle(
    filter: &mut Filter,
    (read, settings): (&ReadSet<'_>, Option<&NginxSettings>),
) {
    let own = read.nginx().and_then(|it| it.leads_relatively);
    let of_all = || settings.is_some_and(|it| it.leads_relatively);
    match (filter, settings.map(|it| it.limited)) {
        (Filter::RateLimit(limit), Some((often, _))) => limit.status = often,
        (Filter::InFlight(limit), Some((_, at_once))) => {
            limit.status = at_once;
            let of_all = settings.and_then(|it| it.counted.clone());
            limit.of = of_all.unwrap_or_else(|| limit.of.clone());
        }
        (Filter::Retry(rule), _) if settings.is_some_and(|it| it.repeats_all) => {
            rule.is_for_all_methods = true;
        }
        (Filter::Nginx(step), _) if own.unwrap_or_else(of_all) => {
            Arc::make_mut(step).lead_relatively();
        }
        _ => {}
    }
}

/// What an Ingress's own words come to where the ConfigMap says how endpoints are chosen and it
/// does not; none where that changes nothing.
pub(in crate::tables::routes) fn balanced(
    read: &ReadSet<'_>,
    reads: &mut Reads<'_>,
) -> Option<ClassReading> {
    let is_own = read.nginx().is_some_and(|it| it.without.contains(&"load-balance"));
    if read.class != Class::Nginx || is_own {
        return None;
    }
    let algorithm = super::common(reads).settings.algorithm.clone()?;
    let own = read.reading.balance.as_deref();
    if own.is_some_and(|it| it.algorithm.is_some()) {
        return None;
    }
    let cookie = own.and_then(|it| it.cookie.clone());
    let balance = Some(Box::new(BalanceDraft { algorithm: Some(algorithm), cookie }));
    Some(ClassReading { balance, ..read.reading.clone() })
}

/// Whether an Ingress is where ingress-nginx is told to look.
pub(in crate::tables) fn is_looked_at(
    set: &RouteSet,
    reads: &mut Reads<'_>,
    options: &NginxOptions,
) -> bool {
    let namespace = &*set.object.namespace;
    let is_own = set.object.id() == nobodys();
    let has_default = || set.routes.iter().any(|it| it.rank.specific.is_fallback);
    let is_for_all = |it: &RouteDraft| *it.rule.host() == HostPattern::Any;
    let catches_all = || has_default() || set.routes.iter().any(is_for_all);
    if is_own {
        return true;
    }
    if options.disables_catch_all && catches_all() {
        return false;
    }
    if options.namespace.as_ref().is_some_and(|only| only != namespace) {
        return false;
    }
    if options.selector.is_empty() {
        return true;
    }
    let Some(Row::Namespaces(all)) = reads.row(&Cell::Namespaces) else { return false };
    let labels = all.get(namespace);
    let has = |(key, value): &(String, String)| labels.is_some_and(|it| it.get(key) == Some(value));
    options.selector.iter().all(has)
}

pub(super) fn nobodys() -> NamespacedName {
    NamespacedName::new("~nginx", "default-backend")
}

/// Routes for what nobody else takes, if somebody is to answer for that.
pub(crate) fn for_nobody(options: &NginxOptions) -> Option<(NamespacedName, Item)> {
    let service = options.default_backend.clone()?;
    let id = nobodys();
    let object = Arc::new(ObjectRef::new("Ingress", &*id.namespace, &*id.name));
    let place = Provenance::new(&object, "spec.defaultBackend");
    let everything = PathPattern::normal(PathShape::elements("/"));
    let path = PathSpecificity::Length(std::cmp::Reverse(0));
    let specific = Specificity::new(HostSpecificity::Any, path);
    let draft = RouteDraft {
        id: format!("{id}/0@ingress").into(),
        place: place.clone(),
        rule: Arc::new(Rule::All(vec![Rule::One(Matcher::Path(everything))])),
        rank: Rank {
            ladder: Ladder::Specific,
            number: i64::from(i32::MIN),
            specific: Specificity { is_fallback: true, ..specific },
            provider: KUBERNETES_INGRESS,
            // After any default backend that an Ingress has.
            created: None,
            object: "~".into(),
            index: u32::MAX,
        },
        path: None,
        is_open: false,
        backend: Some(BackendRef { service, port: PortRef::First, place: place.clone() }),
    };
    let set = RouteSet {
        object,
        created: None,
        class: Some(ClassName { name: options.class.clone(), place }),
        is_labelled: true,
        routes: vec![draft],
        refusal: None,
        readings: ClassReadings::default(),
        tls_secrets: Vec::new(),
        tls: None,
    };
    Some((id, Item::Routes(Box::new(set))))
}
