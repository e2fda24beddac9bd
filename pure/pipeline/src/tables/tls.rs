//! Certificates, from the Secrets that Ingresses name in `spec.tls`, and what is wrong with them.
//! What cannot be used costs nothing else: its hosts are shown the default certificate.

use std::sync::Arc;

use steelyard_model::routing::tls::Certificate;
use steelyard_model::{Diagnostic, Item, Missing, NamespacedName, RouteSet, Severity, TlsSecret};
use steelyard_tls::{Unfit, certificate};

use super::Reads;
use super::cell::{Cell, Tag};
use super::row::Row;
use crate::codes;

/// What a Secret is good for.
pub(super) fn material(id: &NamespacedName, reads: &mut Reads<'_>) -> Option<Row> {
    let row = reads.row(&Cell::Object(Tag::Secret, id.clone()))?;
    let Some(Item::Secret(secret)) = row.items().first() else { return None };
    Some(Row::Material(certificate(secret).map(Arc::new)))
}

/// Says what is wrong with the Secrets of an Ingress.
pub(super) fn report(set: &RouteSet, reads: &mut Reads<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut good = Vec::new();
    for named in &set.tls_secrets {
        match reads.row(&Cell::Material(named.secret.clone())) {
            Some(Row::Material(Ok(certificate))) => good.push((named, certificate)),
            Some(Row::Material(Err(why))) => diagnostics.push(unfit(named, why)),
            _ => diagnostics.push(missing(named)),
        }
    }
    for (named, certificate) in &good {
        let covers = |host: &str| good.iter().any(|(_, it)| it.covers(host));
        let mut bare = named.hosts.iter().filter(|host| !host.starts_with("*.") && !covers(host));
        diagnostics.extend(bare.next().map(|host| not_covered(named, certificate, host)));
    }
}

fn missing(named: &TlsSecret) -> Diagnostic {
    let NamespacedName { namespace, name } = &named.secret;
    let missing = Missing::named("Secret", name).within(namespace).sought();
    let found = Diagnostic::at(
        Severity::Warning,
        codes::TLS_SECRET_MISSING,
        &named.place,
        format!(
            "there is no Secret `{name}` in namespace {namespace}: its hosts are shown the \
             default certificate"
        ),
        format!("add a Secret `{name}` of type kubernetes.io/tls to {namespace}"),
    );
    found.missing(missing)
}

fn unfit(named: &TlsSecret, why: Unfit) -> Diagnostic {
    Diagnostic::at(
        Severity::Warning,
        codes::TLS_SECRET_UNFIT,
        &named.place,
        format!(
            "Secret {} is of no use: {why}; its hosts are shown the default certificate",
            named.secret
        ),
        why.help(),
    )
}

fn not_covered(named: &TlsSecret, certificate: &Certificate, host: &str) -> Diagnostic {
    let names: Vec<String> = certificate.names.iter().take(5).map(ToString::to_string).collect();
    let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
    Diagnostic::at(
        Severity::Warning,
        codes::TLS_NAME_NOT_COVERED,
        &named.place,
        format!("the certificate in Secret {} is for {names}, and not for {host}", named.secret),
        format!("have it signed for {host} too, or name the Secret of another certificate"),
    )
}
