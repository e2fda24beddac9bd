//! By which certificates clients are let in to a host (`auth-tls-secret`): the oldest Ingress that
//! says it for the host says it for all of its routes, whoever they are of.

use std::sync::Arc;

use steelyard_model::routing::filter::nginx::{NginxClients, NginxStep, WantedClients};
use steelyard_model::routing::filter::{Filter, FilterNode, Use};
use steelyard_model::routing::id::{FilterId, TlsPolicyId};
use steelyard_model::routing::pattern::HostPattern;
use steelyard_model::routing::route::Route;
use steelyard_model::routing::tls::{Authorities, ClientAuthentication, TlsPolicy};
use steelyard_model::{
    ClientsDraft, Diagnostic, Missing, NamespacedName, ObjectRef, Secret, Severity,
};
use steelyard_tls::authorities;

use super::age;
use super::password::lets_namespace;
use crate::codes;
use crate::tables::Reads;
use crate::tables::cell::{Cell, Tag};
use crate::tables::row::{Class, ReadSet, Routed, Row};

/// Lists of certificates that were taken back.
const TAKEN_BACK: &str = "ca.crl";

/// Holds a route of `host` to what is said for it, if anybody does: handshakes by its terms, and
/// requests before all else; who was not led to TLS, by `to_tls`, is let in nowhere then, unless
/// nobody is asked there (`is_open`).
pub(super) fn guard(
    route: &mut Route,
    host: &HostPattern,
    (read, to_tls, is_open): (&ReadSet<'_>, &Use, bool),
    reads: &mut Reads<'_>,
) {
    let keys = reads.keys(&Cell::Clients(host.clone()));
    let rows: Vec<Row> = keys.iter().filter_map(|key| reads.row(key)).collect();
    let said = rows.iter().map(Row::set).filter(|it| is_of_nginx(it) == is_of_nginx(read));
    let Some(oldest) = said.min_by(|a, b| age(a.set).cmp(&age(b.set))) else { return };
    let Some(asked) = oldest.reading.clients.as_deref() else { return };
    let owner = oldest.set.object.id();
    let usage = |name: &str| {
        let id = id(&owner, name);
        Use { state: id.as_str().into(), filter: id }
    };
    let NginxClients { wanted, name, .. } = &asked.clients;
    if !is_open && (*wanted == WantedClients::Signed || name.is_some()) {
        let behind = route.uses.iter().position(|it| it == to_tls).map_or(0, |at| at + 1);
        route.uses.insert(behind, usage("only-tls"));
    }
    route.uses.insert(0, usage("auth-tls"));
    // Where nobody is asked, handshakes are those of all other names.
    if *wanted != WantedClients::Unasked {
        route.tls_policy = Some(id(&owner, "auth-tls").as_str().into());
    }
}

/// Whether ingress-nginx's words count there.
fn is_of_nginx(read: &ReadSet<'_>) -> bool {
    read.class != Class::Traefik
}

fn id(owner: &NamespacedName, name: &str) -> FilterId {
    let NamespacedName { namespace, name: object } = owner;
    format!("{namespace}/{object}#{name}@ingress").into()
}

/// Puts what an Ingress says of clients into `routed`.
pub(super) fn define(
    read: &ReadSet<'_>,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
    routed: &mut Routed,
) {
    let Some(draft) = read.reading.clients.as_deref() else { return };
    let owner = read.set.object.id();
    let terms = TlsPolicyId::from(id(&owner, "auth-tls").as_str());
    let signers = signers(draft, read, reads).map_err(|(why, missing)| {
        diagnostics.push(unusable(draft, why, missing));
    });
    let clients = match &signers {
        Ok((pem, revoked)) if draft.clients.wanted != WantedClients::Unasked => {
            let (pem, revoked, depth) = (pem.clone(), revoked.clone(), Some(draft.depth));
            let by = Authorities { pem, reports: true, depth, revoked };
            ClientAuthentication::VerifyIfGiven(by)
        }
        _ => ClientAuthentication::Nothing,
    };
    let judged =
        NginxClients { terms: signers.is_ok().then(|| terms.clone()), ..draft.clients.clone() };
    let node = |name: &str, step: NginxStep| {
        let filter = Filter::Nginx(Arc::new(step));
        Arc::new(FilterNode { id: id(&owner, name), place: Some(draft.place.clone()), filter })
    };
    routed.filters.push(node("auth-tls", NginxStep::Clients(judged)));
    routed.filters.push(node("only-tls", NginxStep::OnlyTls));
    let place = Some(draft.place.clone());
    let usual = match reads.row(&Cell::NginxSettings) {
        Some(Row::NginxSettings(of_all)) => of_all.settings.handshakes.clone(),
        _ => None,
    };
    let usual = usual.map_or_else(TlsPolicy::plain, |it| (*it.policy).clone());
    routed.policies.push(Arc::new(TlsPolicy { id: terms, place, clients, ..usual }));
}

type Signers = (Arc<str>, Option<Arc<str>>);

/// Who signs the certificates of clients, and which of them were taken back, as PEM; else why that
/// is not known.
fn signers(
    draft: &ClientsDraft,
    read: &ReadSet<'_>,
    reads: &mut Reads<'_>,
) -> Result<Signers, (String, Option<NamespacedName>)> {
    let own = draft.secret.as_ref().filter(|id| lets_namespace(read, id, reads));
    let Some(id) = own else {
        let why = "it names no Secret of the same namespace, as NAMESPACE/NAME".to_owned();
        return Err((why, None));
    };
    let row = reads.row(&Cell::Object(Tag::Secret, id.clone()));
    let Some(secret) = row.as_ref().and_then(Row::secret) else {
        return Err((format!("there is no Secret {id}"), Some(id.clone())));
    };
    let read = authorities(secret).map_err(|why| why.to_string());
    let pem = read.and_then(|pem| pem.ok_or_else(|| "it has no `ca.crt`".to_owned()));
    let both = pem.and_then(|pem| Ok((pem, revoked(secret)?)));
    both.map_err(|why| (format!("Secret {id}: {why}"), None))
}

/// None where nothing is said of it.
fn revoked(secret: &Secret) -> Result<Option<Arc<str>>, String> {
    let bad = || format!("its `{TAKEN_BACK}` has no list of certificates that were taken back");
    if secret.unreadable.contains(TAKEN_BACK) {
        return Err(bad());
    }
    let Some(written) = secret.data.get(TAKEN_BACK).filter(|it| !it.0.is_empty()) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&written.0).map_err(|_| bad())?;
    if !text.contains("-----BEGIN X509 CRL-----") {
        return Err(bad());
    }
    Ok(Some(text.into()))
}

fn unusable(draft: &ClientsDraft, why: String, missing: Option<NamespacedName>) -> Diagnostic {
    let message = format!("nobody can be let in by a certificate, so all are answered 403: {why}");
    let help = "name a Secret of the same namespace that has, as `ca.crt`, who signs them";
    let code = codes::TLS_AUTHORITIES;
    let found = Diagnostic::at(Severity::Error, code, &draft.place, message, help);
    let secret =
        draft.secret.as_ref().map(|it| ObjectRef::new("Secret", &*it.namespace, &*it.name));
    let found = match &secret {
        Some(secret) => found.beside(secret),
        None => found,
    };
    match missing {
        Some(NamespacedName { namespace, name }) => {
            found.missing(Missing::named("Secret", &name).within(&namespace).sought())
        }
        None => found,
    }
}
