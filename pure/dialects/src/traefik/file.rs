//! Traefik's file provider: what its dynamic configuration has, object by object.
//!
//! The words are those of Traefik's kinds, but for what they name: names stand alone, servers are
//! written as they are, and a field that is not known costs the object, as it costs Traefik's the
//! file.
//!
//! Not here: Go templates, which nobody renders (`steelyard-manifest` refuses them).

mod service;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use steelyard_manifest::FILE_PROVIDER;
use steelyard_manifest::kinds::{file as raw, traefik};
use steelyard_model::router_draft::{
    LinkTarget, ObjectLink, RouterDraft, RouterTls, WayDraft, WayTarget,
};
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::rank::FILE;
use steelyard_model::routing::route::RouteKind;
use steelyard_model::routing::rule::Rule;
use steelyard_model::{FieldPath, Item, NamespacedName, RouterSet, Severity};

pub(crate) use service::lower as service;

use super::Reader;
use super::middleware::{FilterSpelling, WrittenFilter};
use super::router::{Spelling, WrittenRouter};
use super::rule::ReadRule;
use crate::codes;
use crate::findings::Findings;

/// How files call what they have of a route.
const SPELLING: Spelling = Spelling { rule: "rule", syntax: "ruleSyntax" };

/// Of whatever is named by a router of one protocol.
const TLS: &str = "tls";

/// Reads what an object of a file is; what Traefik does not know costs it.
fn read<T: DeserializeOwned>(findings: &mut Findings<'_>) -> Option<T> {
    let read = findings.read();
    findings.refuse_unknown();
    read
}

/// What kind of routes an object is about, by where it stands.
fn kind_of(findings: &Findings<'_>) -> RouteKind {
    match &*findings.object().namespace {
        "tcp" => RouteKind::Tcp,
        "udp" => RouteKind::Udp,
        _ => RouteKind::Http,
    }
}

/// Reads a router.
pub(crate) fn router(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::FileRouter = read(findings)?;
    let kind = kind_of(findings);
    Reader { findings }.file_router(raw, kind)
}

/// Reads a middleware.
pub(crate) fn middleware(findings: &mut Findings<'_>) -> Option<Item> {
    if kind_of(findings) != RouteKind::Http {
        let message =
            "middlewares for TCP are not carried out yet: routes with this one answer 503";
        let help = "keep it, a later version carries it out";
        findings.say(Severity::Info, codes::KIND_LATER, &FieldPath::root(), message, help);
        return None;
    }
    let raw: traefik::middleware::MiddlewareSpec = read(findings)?;
    let id = (&*findings.object().name).into();
    let at = WrittenFilter { id, path: FieldPath::root(), spelling: FilterSpelling::File };
    let draft = Reader { findings }.http_filter(&raw, &at)?;
    Some(Item::Filter(Box::new(draft)))
}

/// Reads how servers are spoken to.
pub(crate) fn transport(findings: &mut Findings<'_>) -> Option<Item> {
    let root = FieldPath::root();
    if kind_of(findings) == RouteKind::Tcp {
        let raw: raw::FileTcpTransport = read(findings)?;
        let mut reader = Reader { findings };
        let tls = raw.tls.map(|tls| {
            let path = root.key("tls");
            reader.no_files(&path, tls.root_cas.as_ref(), tls.certificates.as_ref());
            traefik::TcpClientTls {
                server_name: tls.server_name,
                insecure_skip_verify: tls.insecure_skip_verify,
                peer_cert_uri: tls.peer_cert_uri,
                spiffe: tls.spiffe,
                ..traefik::TcpClientTls::default()
            }
        });
        let spec = traefik::ServersTransportTcpSpec {
            dial_keep_alive: raw.dial_keep_alive,
            dial_timeout: raw.dial_timeout,
            termination_delay: raw.termination_delay,
            proxy_protocol: raw.proxy_protocol,
            tls,
        };
        return Some(reader.of_bytes(spec, &root));
    }
    let raw: raw::FileTransport = read(findings)?;
    let mut reader = Reader { findings };
    reader.no_files(&root, raw.root_cas.as_ref(), raw.certificates.as_ref());
    let spec = traefik::ServersTransportSpec {
        server_name: raw.server_name,
        insecure_skip_verify: raw.insecure_skip_verify,
        cipher_suites: raw.cipher_suites,
        min_version: raw.min_version,
        max_version: raw.max_version,
        max_idle_conns_per_host: raw.max_idle_conns_per_host,
        forwarding_timeouts: raw.forwarding_timeouts,
        disable_http2: raw.disable_http2,
        peer_cert_uri: raw.peer_cert_uri,
        spiffe: raw.spiffe,
        ..traefik::ServersTransportSpec::default()
    };
    Some(reader.of_requests(spec, &root))
}

/// Reads terms of handshakes.
pub(crate) fn options(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::FileOptions = read(findings)?;
    let root = FieldPath::root();
    let asks = |it: &raw::FileClientAuth| it.ca_files.as_ref().is_some_and(|it| !it.is_empty());
    if raw.client_auth.as_ref().is_some_and(asks) {
        let path = root.key("clientAuth").key("caFiles");
        let message = "who signs clients' certificates is not read from files yet: no handshake \
                       is held by these options";
        let help =
            "say it with a TLSOption and a Secret, and name that: `options: NS-NAME@kubernetescrd`";
        findings.invalid(codes::ACCESS_NOT_HONOURED, &path, message, help);
    }
    let client_auth = raw.client_auth.map(|it| traefik::ClientAuth {
        secret_names: None,
        client_auth_type: it.client_auth_type,
    });
    let spec = traefik::TlsOptionSpec {
        min_version: raw.min_version,
        max_version: raw.max_version,
        cipher_suites: raw.cipher_suites,
        curve_preferences: raw.curve_preferences,
        client_auth,
        sni_strict: raw.sni_strict,
        alpn_protocols: raw.alpn_protocols,
        disable_session_tickets: raw.disable_session_tickets,
        prefer_server_cipher_suites: raw.prefer_server_cipher_suites,
    };
    Some(Reader { findings }.policy_draft(&spec, root))
}

/// Reads a store, whose certificates are for later.
pub(crate) fn store(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::FileStore = read(findings)?;
    let there = [
        ("defaultCertificate", raw.default_certificate.is_some()),
        ("defaultGeneratedCert", raw.default_generated_cert.is_some()),
    ];
    for (name, _) in there.iter().filter(|(_, is)| *is) {
        certificates_are_elsewhere(findings, &FieldPath::from(*name));
    }
    None
}

/// Reads a certificate, which is for later.
pub(crate) fn certificate(findings: &mut Findings<'_>) -> Option<Item> {
    let _: Option<raw::FileCertificate> = read(findings);
    certificates_are_elsewhere(findings, &FieldPath::from("certFile"));
    None
}

fn certificates_are_elsewhere(findings: &mut Findings<'_>, path: &FieldPath) {
    let message = "certificates are not read from files yet: this one is shown to nobody";
    let help = "put it into a Secret of type kubernetes.io/tls, and name that in a TLSStore";
    findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, path, message, help);
}

impl Reader<'_, '_> {
    fn file_router(&mut self, raw: raw::FileRouter, kind: RouteKind) -> Option<Item> {
        let root = FieldPath::root();
        let object = self.findings.object().clone();
        let written = WrittenRouter {
            spelling: SPELLING,
            rule: raw.rule,
            priority: raw.priority,
            syntax: raw.rule_syntax,
            ..WrittenRouter::default()
        };
        let read = match kind {
            RouteKind::Udp => ReadRule { rule: Rule::always(), mistakes: Vec::new(), number: 0 },
            _ => self.rule(&written, (kind, raw.tls.is_some()), &root)?,
        };
        let wrong = (!read.mistakes.is_empty())
            .then(|| RefusalReason::Restriction(self.findings.place(&root.key("rule"))));
        let observability = self.observability(raw.observability.as_ref(), &root);
        let parents = self.named(raw.parent_refs.as_ref(), &object.namespace, "parentRefs");
        let filters = self.named(raw.middlewares.as_ref(), &object.namespace, "middlewares");
        let rank = self.rank(&read, written.priority, (FILE, 0), &root.key("priority"));
        let ways = raw.service.iter().filter(|name| !name.is_empty());
        let ways = ways.map(|name| self.way_to(name, &root.key("service"), 1)).collect();
        let router = RouterDraft {
            id: provided(&object.name, &object.namespace).into(),
            place: self.findings.place(&root),
            text: written.rule.as_deref().unwrap_or_default().into(),
            rule: Arc::new(read.rule),
            rank,
            refusal: wrong,
            filters,
            ways,
            observability,
        };
        let entry_points = raw.entry_points.iter().flatten().map(|it| (&**it).into()).collect();
        Some(Item::Routers(Box::new(RouterSet {
            object,
            class: None,
            kind,
            entry_points,
            parents,
            routers: vec![router],
            tls: raw.tls.map(|tls| self.file_tls(tls, &root.key("tls"))),
        })))
    }

    fn file_tls(&mut self, raw: raw::FileRouterTls, path: &FieldPath) -> RouterTls {
        if raw.cert_resolver.as_deref().is_some_and(|name| !name.is_empty()) {
            let so = "nobody is asked for certificates";
            self.idle(&path.key("certResolver"), so);
        }
        let options = raw.options.filter(|name| !name.is_empty()).map(|name| {
            let path = path.key("options");
            let to = match name.as_str() {
                "default" => LinkTarget::Provided("default".into()),
                name => target(name, TLS),
            };
            ObjectLink { to, place: self.findings.place(&path) }
        });
        RouterTls {
            place: self.findings.place(path),
            secret: None,
            options,
            is_passed_on: raw.passthrough.unwrap_or_default(),
        }
    }

    /// What a list of names stands for.
    pub(super) fn named(
        &mut self,
        written: Option<&Vec<String>>,
        section: &str,
        field: &str,
    ) -> Vec<ObjectLink> {
        let path = FieldPath::from(field);
        let all = written.into_iter().flatten().enumerate();
        let link = |(index, name): (usize, &String)| ObjectLink {
            to: target(name, section),
            place: self.findings.place(&path.index(index)),
        };
        all.map(link).collect()
    }

    /// The way to a service.
    pub(super) fn way_to(&mut self, name: &str, path: &FieldPath, weight: u32) -> WayDraft {
        let to = WayTarget::Backend(target(name, &self.findings.object().namespace));
        WayDraft { to, weight, filters: Vec::new(), place: self.findings.place(path) }
    }

    /// Certificates in files cost the transport: who is not to be believed without them is not.
    fn no_files(
        &mut self,
        path: &FieldPath,
        roots: Option<&Vec<String>>,
        shown: Option<&Vec<raw::FileCertificate>>,
    ) {
        let there = [
            ("rootCAs", roots.is_some_and(|it| !it.is_empty())),
            ("certificates", shown.is_some_and(|it| !it.is_empty())),
        ];
        for (name, _) in there.iter().filter(|(_, is)| *is) {
            let message = format!("`{name}` is not read from files yet: nobody is spoken to so");
            let help = "say it with a ServersTransport and Secrets, and name that: \
                        `serversTransport: NS-NAME@kubernetescrd`";
            self.findings.invalid(codes::ACCESS_NOT_HONOURED, &path.key(name), message, help);
        }
    }
}

/// What a name stands for: of this provider, or of the one that it names.
fn target(name: &str, section: &str) -> LinkTarget {
    match name.rsplit_once('@') {
        None => LinkTarget::Object(NamespacedName::new(section, format!("{name}{FILE_PROVIDER}"))),
        Some((own, "file")) => {
            LinkTarget::Object(NamespacedName::new(section, format!("{own}{FILE_PROVIDER}")))
        }
        Some(_) => LinkTarget::Provided(name.into()),
    }
}

/// What is said of an object by its name: `web@file`, `db@tcp@file`.
fn provided(name: &str, section: &str) -> String {
    match (section, name.strip_suffix(FILE_PROVIDER)) {
        ("http", _) | (_, None) => name.to_owned(),
        (section, Some(own)) => format!("{own}@{section}{FILE_PROVIDER}"),
    }
}
