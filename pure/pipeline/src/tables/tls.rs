//! Certificates, from the Secrets that Ingresses name in `spec.tls`, and what is wrong with them.
//! What cannot be used costs nothing else: its hosts are shown the default certificate.

use std::sync::Arc;

use steelyard_manifest::FILE_PROVIDER;
use steelyard_model::handshake_draft::{AskedClients, PolicyDraft};
use steelyard_model::routing::tls::{
    Authorities, Certificate, ClientAuthentication, DEFAULT_POLICY, TlsPolicy,
};
use steelyard_model::{
    Diagnostic, FieldPath, Item, Missing, NamespacedName, ObjectRef, Severity, TlsSecret,
};
use steelyard_tls::{Unfit, certificate};

use super::Reads;
use super::cell::{Cell, Tag};
use super::material::{Loss, looked_up, signers};
use super::row::Row;
use crate::codes;
use crate::options::ResolveOptions;

/// What comes of it where it is not known who signs clients' certificates.
const SIGNERS: Loss = Loss {
    severity: Severity::Error,
    code: codes::TLS_AUTHORITIES,
    so: "no handshake is held",
    lacks: "says of nobody that they may sign",
};

/// The same of what is shown.
const SHOWN: Loss = Loss {
    severity: Severity::Warning,
    code: codes::TLS_SECRET_UNFIT,
    so: "its names are shown the default certificate",
    lacks: "is of no use",
};

/// Whether it is the name of such, whoever provides it.
pub(super) fn is_default(name: &str) -> bool {
    name.strip_suffix(FILE_PROVIDER).unwrap_or(name) == DEFAULT_POLICY
}

/// Which certificate is for names that no other one is for: what we are told, else what the first
/// TLSStore says.
pub(super) fn fallback(reads: &mut Reads<'_>, options: &ResolveOptions) -> Row {
    let told = options.default_certificate.clone();
    let stored = |reads: &mut Reads<'_>| {
        let stores = super::all_of(&[Tag::TlsStore], reads);
        stores.iter().flat_map(|items| items.iter()).find_map(|item| match item {
            Item::Store(store) => store.default.as_ref().map(|it| it.secret.clone()),
            _ => None,
        })
    };
    Row::Named(told.or_else(|| stored(reads)).map(Arc::new))
}

/// By which terms handshakes are held, as a TLSOption says. Where it cannot be had there is none,
/// and handshakes that are to be held so are refused.
pub(super) fn policy(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let row = reads.row(&Cell::Object(Tag::TlsOption, id.clone()))?;
    let [Item::Policy(draft), ..] = row.items() else { return None };
    if is_default(&id.name) {
        let all = reads.keys(&Cell::DefaultPolicies);
        if all.len() > 1 {
            diagnostics.push(two_defaults(&draft.object));
            return closed(id, &all, reads);
        }
    }
    let Some(pem) = signers(&draft.authorities, SIGNERS, reads, diagnostics) else {
        // Who names nothing would be let in by less than it asks for.
        return is_default(&id.name).then(|| of_nobody(draft));
    };
    let authorities =
        || Authorities { pem: pem.as_str().into(), reports: false, depth: None, revoked: None };
    let clients = match draft.clients {
        AskedClients::Nothing => ClientAuthentication::Nothing,
        AskedClients::Request => ClientAuthentication::Request,
        AskedClients::RequireAny => ClientAuthentication::RequireAny,
        AskedClients::VerifyIfGiven => ClientAuthentication::VerifyIfGiven(authorities()),
        AskedClients::RequireAndVerify => ClientAuthentication::RequireAndVerify(authorities()),
    };
    Some(Row::Policy(Arc::new(TlsPolicy { clients, ..draft.policy.clone() })))
}

/// Terms that nobody can hold.
fn of_nobody(draft: &PolicyDraft) -> Row {
    let nobody = Authorities { pem: "".into(), reports: false, depth: None, revoked: None };
    let clients = ClientAuthentication::RequireAndVerify(nobody);
    Row::Policy(Arc::new(TlsPolicy { clients, ..draft.policy.clone() }))
}

/// Of two that want to be for all neither is, as with Traefik; but where one of them asks clients
/// who they are, nobody gets in without: the first of them stands for terms that nobody can hold.
fn closed(id: &NamespacedName, all: &[Cell], reads: &mut Reads<'_>) -> Option<Row> {
    let rows: Vec<Row> = all.iter().filter_map(|key| reads.row(key)).collect();
    let drafts = || {
        rows.iter().filter_map(|row| match row.items() {
            [Item::Policy(draft), ..] => Some(draft),
            _ => None,
        })
    };
    let asks = drafts().any(|draft| draft.clients != AskedClients::Nothing);
    let first = drafts().next().filter(|first| first.object.id() == *id && asks)?;
    Some(of_nobody(first))
}

fn two_defaults(object: &ObjectRef) -> Diagnostic {
    Diagnostic::new(
        Severity::Error,
        codes::TLS_OPTION_AMBIGUOUS,
        object,
        "metadata.name",
        "more than one TLSOption is called `default`, so none of them counts",
        "keep one of them, and give the others names that routes choose",
    )
}

/// What a Secret is good for. Of the one for all other names nobody else says what is wrong.
pub(super) fn material(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Row> {
    let is_default = match reads.row(&Cell::Fallback) {
        Some(Row::Named(named)) => named.as_deref() == Some(id),
        _ => false,
    };
    let is_stapled = match reads.row(&Cell::NginxSettings) {
        Some(Row::NginxSettings(terms)) => terms.settings.handshakes.as_ref().map(|it| it.staples),
        _ => None,
    };
    let is_stapled = is_stapled == Some(true);
    let shown = |it| Certificate { is_default, is_stapled, ..it };
    if id.name.ends_with(FILE_PROVIDER) {
        let made = of_file(id, reads, diagnostics)?;
        return Some(Row::Material(Ok(Arc::new(shown(made)))));
    }
    let row = reads.row(&Cell::Object(Tag::Secret, id.clone()));
    let secret = row.as_ref().and_then(Row::secret);
    let made = secret.map(|it| certificate(it).map(shown));
    if is_default {
        diagnostics.extend(no_default(id, made.as_ref()));
    }
    Some(Row::Material(made?.map(Arc::new).map_err(Box::new)))
}

/// The certificate of a file of dynamic configuration.
fn of_file(
    id: &NamespacedName,
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Certificate> {
    let rows = [Tag::Material, Tag::TlsStore].map(|tag| reads.row(&Cell::Object(tag, id.clone())));
    let mut items = rows.iter().flatten().flat_map(Row::items);
    let draft = items.find_map(|item| match item {
        Item::Material(draft) => Some(draft),
        _ => None,
    })?;
    looked_up(&draft.parts, certificate, SHOWN, reads, diagnostics)
}

/// What is wrong with the certificate for all other names.
fn no_default(
    id: &NamespacedName,
    made: Option<&Result<Certificate, Unfit>>,
) -> Option<Diagnostic> {
    let object = ObjectRef::new("Secret", &*id.namespace, &*id.name);
    let instead = "names without a certificate are shown one that nobody believes";
    let say = |code, message: String, help| {
        Diagnostic::new(Severity::Warning, code, &object, FieldPath::root(), message, help)
    };
    match made {
        Some(Ok(_)) => None,
        Some(Err(why)) => {
            let message =
                format!("the default certificate, Secret {id}, is of no use: {why}, so {instead}");
            Some(say(codes::TLS_SECRET_UNFIT, message, why.help()))
        }
        None => {
            let what = |no: &str| {
                format!(
                    "there is {no} Secret {id}, which is to have the default certificate, so \
                     {instead}"
                )
            };
            let help = "add it, of type kubernetes.io/tls, or name another: \
                        --default-ssl-certificate NAMESPACE/NAME";
            let missing = Missing::named("Secret", &id.name).within(&id.namespace).sought();
            let missing = missing.if_invalid(what("no valid"));
            Some(say(codes::TLS_SECRET_MISSING, what("no"), help).missing(missing))
        }
    }
}

/// Says what is wrong with Secrets that an object names for TLS.
pub(super) fn report(
    secrets: &[TlsSecret],
    reads: &mut Reads<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut good = Vec::new();
    for named in secrets {
        match reads.row(&Cell::Material(named.secret.clone())) {
            Some(Row::Material(Ok(certificate))) => good.push((named, certificate)),
            Some(Row::Material(Err(why))) => diagnostics.push(unfit(named, *why)),
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
    let say = |no: &str| {
        format!(
            "there is {no} Secret `{name}` in namespace {namespace}: its hosts are shown the \
             default certificate"
        )
    };
    let help = format!("add a Secret `{name}` of type kubernetes.io/tls to {namespace}");
    let code = codes::TLS_SECRET_MISSING;
    Diagnostic::at(Severity::Warning, code, &named.place, say("no"), help)
        .missing(missing.if_invalid(say("no valid")))
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
