//! Who is asked who may pass: by an Ingress (`auth-url`), and where it says nothing of that by the
//! ConfigMap (`global-auth-url`).

use steelyard_dialects::nginx;
use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{AskedAuth, AskedManner};
use steelyard_model::{
    Diagnostic, NamespacedName, NginxSettings, OwnFilter, PassPhase, Provenance, RouteDraft,
    Severity,
};

use super::{Joinery, Passed, id, lines, settings};
use crate::codes;
use crate::tables::routes::routers;
use crate::tables::row::ReadSet;

/// What asks about the requests of an Ingress by what is said for all, where it does not say itself
/// who is asked, nor that nobody is; else why its routes are closed.
pub(super) fn of_all(
    settings: Option<&NginxSettings>,
    read: &ReadSet<'_>,
    at: &mut Joinery<'_, '_>,
) -> Result<Vec<OwnFilter>, RefusalReason> {
    let is_wanted = |it: &&NginxSettings| read.routes().iter().any(|draft| !is_open(draft, it));
    let asks = settings.filter(is_wanted).and_then(|it| it.asks.as_ref());
    let is_said = read.reading.passes.iter().any(|it| it.phase == PassPhase::Asked);
    let is_free = is_said || read.nginx().is_some_and(|it| it.asks_nobody);
    // What nobody else takes is asked about by nobody, as with ingress-nginx.
    let is_nobodys = read.set.object.id() == settings::nobodys();
    let Some(asks) = asks.filter(|_| !is_free && !is_nobodys) else { return Ok(Vec::new()) };
    nginx::asks(asks, read.set.object.id(), read.routes()).map_err(|help| {
        let place = Provenance::new(&read.set.object, "spec.rules");
        let message = "nobody can be asked about its requests by `global-auth-url` of \
                       ingress-nginx's ConfigMap: the routes answer 503";
        let code = codes::FILTER_UNUSABLE;
        at.diagnostics.push(Diagnostic::at(Severity::Error, code, &place, message, help));
        RefusalReason::Restriction(asks.place.clone())
    })
}

/// Whether nobody is asked about the requests of a route, by its own path (`no-auth-locations`).
pub(super) fn is_open(draft: &RouteDraft, settings: &NginxSettings) -> bool {
    let path = draft.written();
    settings.unasked_paths.iter().any(|open| path.starts_with(&**open))
}

/// A filter of an Ingress's own, or of one that asks for all, with the backend that it asks and
/// what it tells there; else why the routes are closed. `place` is where it is written.
pub(super) fn defined(
    own: &OwnFilter,
    place: &Provenance,
    (read, settings): (&ReadSet<'_>, Option<&NginxSettings>),
    at: &mut Joinery<'_, '_>,
) -> Result<Passed, RefusalReason> {
    let (id, mut own) = (id(read, &own.name), own.clone());
    if let Filter::ForwardAuth(auth) = &mut own.filter {
        tell(auth, read, settings, at).map_err(RefusalReason::Restriction)?;
        let (asks, said) = ((&mut **auth, &id, place), (&mut *at.reads, &mut *at.diagnostics));
        if routers::ask_at(asks, at.options, said, at.routed).is_none() {
            return Err(RefusalReason::Filter(place.clone()));
        }
    }
    settings::settle(&mut own.filter, (read, settings));
    at.routed.filters.extend(settings::nodes(&id, &own));
    Ok(Passed::new(&own, id))
}

/// Lines that who is asked is told (`auth-proxy-set-headers`).
fn tell(
    auth: &mut AskedAuth,
    read: &ReadSet<'_>,
    settings: Option<&NginxSettings>,
    at: &mut Joinery<'_, '_>,
) -> Result<(), Provenance> {
    let named = read.nginx().and_then(|it| it.asked_headers.as_ref());
    let (Some((id, place)), AskedManner::Nginx(asking)) = (named, &mut auth.manner) else {
        return Ok(());
    };
    let is_let = settings.is_some_and(|it| it.allows_cross_namespace);
    match lines::of_requests(id, (read, is_let), at.reads) {
        Ok(lines) => asking.lines = lines,
        Err(why) => {
            at.diagnostics.push(lines::unusable(id, place, why));
            return Err(place.clone());
        }
    }
    Ok(())
}

/// The Services that its filters ask.
pub(in crate::tables) fn asked(read: &ReadSet<'_>) -> impl Iterator<Item = NamespacedName> {
    let mirror = read.nginx().and_then(|it| it.mirror.as_deref());
    let mirror = mirror.and_then(|it| it.address.service()).map(|(service, _)| service);
    services(&read.reading.passes).chain(mirror)
}

/// The Services that are asked about all that say nothing of it.
pub(in crate::tables) fn asked_of_all(
    settings: &NginxSettings,
) -> impl Iterator<Item = NamespacedName> + use<> {
    let nobody = || NamespacedName::new("nobody", "nobody");
    let asks = settings.asks.as_ref().and_then(|it| nginx::asks(it, nobody(), &[]).ok());
    services(&asks.unwrap_or_default()).collect::<Vec<_>>().into_iter()
}

fn services(passes: &[OwnFilter]) -> impl Iterator<Item = NamespacedName> {
    let urls = passes.iter().flat_map(|it| it.filter.asked());
    urls.filter_map(AskedUrl::service).map(|(service, _)| service)
}
