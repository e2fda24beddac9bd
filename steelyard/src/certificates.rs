//! What is told of certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use steelyard_gateway::Lacking;
use steelyard_model::routing::id::CertificateId;
use steelyard_model::{Diagnostic, Diagnostics, Snapshot};
use steelyard_pipeline::WrittenPlaces;
use steelyard_tls::Unstapled;

/// A row of each.
pub(crate) fn rows(snapshot: &Snapshot) -> Vec<Value> {
    let all = snapshot.routing.certificates.values();
    all.map(|it| {
        let names: Vec<String> = it.names.iter().map(ToString::to_string).collect();
        let (since, until) = it.validity;
        json!({
            "name": it.id.to_string(), "hosts": names, "addresses": it.addresses,
            "subject": it.subject, "serial": it.serial, "key": format!("{:?}", it.algorithm),
            "notBefore": since, "notAfter": until, "isDefault": it.is_default,
        })
    })
    .collect()
}

/// What there is to say of them and of their names, and of who is believed, as of now, and of hosts
/// for which no handshake is held.
pub(crate) fn findings(snapshot: &Snapshot) -> impl Iterator<Item = Diagnostic> {
    of_the_day(snapshot).chain(steelyard_tls::disagreements(&snapshot.routing))
}

/// The same without those, of which time changes nothing.
fn of_the_day(snapshot: &Snapshot) -> impl Iterator<Item = Diagnostic> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let routing = &snapshot.routing;
    let lapsing = routing.certificates.values().filter_map(move |it| steelyard_tls::lapse(it, now));
    let origins = routing.transports.values().filter_map(|it| it.tls.as_ref());
    let mut told = BTreeSet::new();
    let of_origins = origins
        .flat_map(move |tls| steelyard_tls::lapse_of_origin(tls, now))
        .filter(move |found| told.insert((found.object.clone(), found.message.clone())));
    let unasked = routing.certificates.values().filter(|it| steelyard_tls::must_staple(it));
    let unasked = unasked.filter_map(|it| {
        steelyard_tls::question(it).err().and_then(|why| steelyard_tls::unstapled(it, why))
    });
    lapsing.chain(of_origins).chain(steelyard_tls::coverage(routing)).chain(unasked)
}

/// What there is to say of all that today, in its place; `asked` is what came of asking the signers
/// of certificates.
pub(crate) fn today(
    snapshot: &Snapshot,
    places: &WrittenPlaces,
    asked: &BTreeMap<CertificateId, Lacking>,
) -> Diagnostics {
    let mut today = lasting(snapshot, places, asked);
    today.extend(disputes(snapshot, places).iter().cloned());
    today
}

/// The part of it that time changes, or signers.
pub(crate) fn lasting(
    snapshot: &Snapshot,
    places: &WrittenPlaces,
    asked: &BTreeMap<CertificateId, Lacking>,
) -> Diagnostics {
    let mut today: Diagnostics = of_the_day(snapshot).collect();
    today.extend(lacking(snapshot, asked));
    places.place(&mut today);
    today
}

/// The part that only edits change: hosts for which no handshake is held.
pub(crate) fn disputes(snapshot: &Snapshot, places: &WrittenPlaces) -> Diagnostics {
    let mut disputes: Diagnostics =
        steelyard_tls::disagreements(&snapshot.routing).into_iter().collect();
    places.place(&mut disputes);
    disputes
}

/// What came of asking their signers, where somebody has to be told.
fn lacking(snapshot: &Snapshot, asked: &BTreeMap<CertificateId, Lacking>) -> Vec<Diagnostic> {
    let said = |(id, lacking): (&CertificateId, &Lacking)| {
        let certificate = snapshot.routing.certificates.get(id)?;
        match lacking {
            Lacking::Revoked => steelyard_tls::revoked(certificate),
            // That is said already, of what is written alone.
            Lacking::Answer(Unstapled::NoIssuer | Unstapled::NoResponder) => None,
            Lacking::Answer(why) => steelyard_tls::unstapled(certificate, *why),
        }
    };
    asked.iter().filter_map(said).collect()
}
