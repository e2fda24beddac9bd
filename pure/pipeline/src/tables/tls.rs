//! Certificates, from the Secrets that Ingresses name in `spec.tls`, and what is wrong with them.
//! What cannot be used costs nothing else: its hosts are shown the default certificate.

use std::sync::Arc;

use steelyard_model::routing::tls::Certificate;
use steelyard_model::{
    Diagnostic, FieldPath, Item, Missing, NamespacedName, ObjectRef, RouteSet, Severity, TlsSecret,
};
use steelyard_tls::{Unfit, certificate};

use super::Reads;
use super::cell::{Cell, Tag};
use super::row::Row;
use crate::codes;
use crate::options::ResolveOptions;

/// What a Secret is good for. Of the one for all other names nobody else says what is wrong.
pub(super) fn material(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    options: &ResolveOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let is_default = options.default_certificate.as_ref() == Some(id);
    let row = reads.row(&Cell::Object(Tag::Secret, id.clone()));
    let secret = row.as_ref().and_then(|row| match row.items().first() {
        Some(Item::Secret(secret)) => Some(secret),
        _ => None,
    });
    let made = secret.map(|it| certificate(it).map(|it| Certificate { is_default, ..it }));
    if is_default {
        diagnostics.extend(no_default(id, made.as_ref()));
    }
    Some(Row::Material(made?.map(Arc::new)))
}

/// What is wrong with the certificate for all other names.
fn no_default(
    id: &NamespacedName,
    made: Option<&Result<Certificate, Unfit>>,
) -> Option<Diagnostic> {
    let object = ObjectRef::new("Secret", &*id.namespace, &*id.name);
    let instead = "names without a certificate are shown one that nobody believes";
    let say = |code, what: String, help| {
        let message = format!("{what}, so {instead}");
        Diagnostic::new(Severity::Warning, code, &object, FieldPath::root(), message, help)
    };
    match made {
        Some(Ok(_)) => None,
        Some(Err(why)) => {
            let what = format!("the default certificate, Secret {id}, is of no use: {why}");
            Some(say(codes::TLS_SECRET_UNFIT, what, why.help()))
        }
        None => {
            let what = format!("there is no Secret {id}, which is to have the default certificate");
            let help = "add it, of type kubernetes.io/tls, or name another: \
                        --default-ssl-certificate NAMESPACE/NAME";
            let missing = Missing::named("Secret", &id.name).within(&id.namespace).sought();
            Some(say(codes::TLS_SECRET_MISSING, what, help).missing(missing))
        }
    }
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
