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
use steelyard_manifest::kinds::{file as raw, traefik};
use steelyard_manifest::{FILE_PROVIDER, is_path};
use steelyard_model::handshake_draft::{
    MaterialDraft, MaterialHolder, MaterialLink, MaterialPart, NamedFile, PartText, StoreDraft,
};
use steelyard_model::router_draft::{
    LinkTarget, ObjectLink, RouterDraft, RouterTls, WayDraft, WayTarget,
};
use steelyard_model::routing::backend::RefusalReason;
use steelyard_model::routing::rank::FILE;
use steelyard_model::routing::route::RouteKind;
use steelyard_model::{
    FieldPath, Item, NamespacedName, RouterSet, SecretValue, Severity, TlsSecret,
};

pub(crate) use service::lower as service;

use super::Reader;
use super::middleware::{FilterSpelling, WrittenFilter};
use super::router::{Spelling, WrittenRouter, is_placed};
use super::rule::{ReadRule, RuleSyntax};
use crate::codes;
use crate::findings::Findings;

/// How files call what they have of a route.
const SPELLING: Spelling = Spelling { rule: "rule", syntax: "ruleSyntax" };

/// Of whatever is named by a router of one protocol.
const TLS: &str = "tls";

/// The only store that counts.
const STORE: &str = "default";

/// What a Secret would call a chain, its key, and those who are believed.
const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";

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
pub(crate) fn router(findings: &mut Findings<'_>, syntax: RuleSyntax) -> Option<Item> {
    let kind = kind_of(findings);
    let raw: Option<raw::FileRouter> = read(findings);
    let made = raw.and_then(|raw| Reader { findings }.file_router(raw, kind, syntax));
    if !findings.is_invalid() {
        return made;
    }
    let meant = |findings: &mut Findings<'_>, raw| {
        let made = Reader { findings }.file_router(raw, kind, syntax);
        made.filter(|it| is_placed(it, findings))
    };
    findings.as_meant(meant).or(made).filter(|it| is_placed(it, findings))
}

/// Reads a middleware.
pub(crate) fn middleware(findings: &mut Findings<'_>) -> Option<Item> {
    let object = findings.object().clone();
    let id = provided(&object.name, &object.namespace).into();
    let at = WrittenFilter { id, path: FieldPath::root(), spelling: FilterSpelling::File };
    let draft = if kind_of(findings) == RouteKind::Http {
        let raw: traefik::middleware::MiddlewareSpec = read(findings)?;
        Reader { findings }.http_filter(&raw, &at)?
    } else {
        let raw: traefik::middleware::MiddlewareTcpSpec = read(findings)?;
        Reader { findings }.tcp_filter(&raw, &at)?
    };
    Some(Item::Filter(Box::new(draft)))
}

/// Reads how servers are spoken to.
pub(crate) fn transport(findings: &mut Findings<'_>) -> Option<Item> {
    let root = FieldPath::root();
    if kind_of(findings) == RouteKind::Tcp {
        let raw: raw::FileTcpTransport = read(findings)?;
        let mut reader = Reader { findings };
        let mut held = Held::default();
        let tls = raw.tls.map(|tls| {
            held = reader.held(&root.key("tls"), tls.root_cas, tls.certificates);
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
        return Some(held.put_into(reader.of_bytes(spec, &root)));
    }
    let raw: raw::FileTransport = read(findings)?;
    let mut reader = Reader { findings };
    let held = reader.held(&root, raw.root_cas, raw.certificates);
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
    Some(held.put_into(reader.of_requests(spec, &root)))
}

/// Reads terms of handshakes.
pub(crate) fn options(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: Option<raw::FileOptions> = read(findings);
    let made = raw.map(|raw| of_options(findings, raw));
    if !findings.is_invalid() {
        return made;
    }
    let meant = findings.as_meant(|findings, raw| Some(of_options(findings, raw)));
    meant.or_else(|| findings.apart(|it| Some(of_options(it, raw::FileOptions::default()))).0)
}

fn of_options(findings: &mut Findings<'_>, raw: raw::FileOptions) -> Item {
    let root = FieldPath::root();
    let mut reader = Reader { findings };
    let names = raw.client_auth.as_ref().and_then(|it| it.ca_files.as_ref());
    let files = reader.believed(names, &root.key("clientAuth").key("caFiles"));
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
    reader.policy_draft(&spec, root, Some(files))
}

/// Reads a store: the one called `default` has the certificate for all other names.
pub(crate) fn store(findings: &mut Findings<'_>) -> Vec<Item> {
    let Some(raw) = read::<raw::FileStore>(findings) else { return Vec::new() };
    let root = FieldPath::root();
    if raw.default_generated_cert.is_some() {
        let message = "nobody is asked for certificates: `defaultGeneratedCert` does nothing";
        let help = "name the files of a certificate in `defaultCertificate`";
        let path = root.key("defaultGeneratedCert");
        findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, &path, message, help);
    }
    let object = findings.object().clone();
    if object.name.strip_suffix(FILE_PROVIDER) != Some(STORE) {
        other_store(&root, findings);
        return Vec::new();
    }
    let Some(written) = raw.default_certificate else { return Vec::new() };
    let path = root.key("defaultCertificate");
    let Some(parts) = (Reader { findings }).pair(&written, &path) else { return Vec::new() };
    let place = parts.place.clone();
    let default = Some(TlsSecret { secret: object.id(), hosts: Vec::new(), place });
    let store = StoreDraft { object: object.clone(), default, others: Vec::new() };
    vec![Item::Store(Box::new(store)), Item::Material(Box::new(MaterialDraft { object, parts }))]
}

/// Reads a certificate.
pub(crate) fn certificate(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::FileCertificate = read(findings)?;
    let root = FieldPath::root();
    let stores = raw.stores.as_deref().unwrap_or_default();
    if !stores.is_empty() && stores.iter().all(|name| name != STORE) {
        other_store(&root.key("stores"), findings);
        return None;
    }
    let object = findings.object().clone();
    let parts = Reader { findings }.pair(&raw, &root)?;
    Some(Item::Material(Box::new(MaterialDraft { object, parts })))
}

/// Reads a file that others name.
pub(crate) fn named(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::FileText = findings.read()?;
    let text = match (raw.text, raw.failed) {
        (Some(text), _) => Ok(SecretValue::from(&*text)),
        (None, failed) => Err(failed.unwrap_or_default().into()),
    };
    Some(Item::File(Box::new(NamedFile { object: findings.object().clone(), text })))
}

fn other_store(path: &FieldPath, findings: &mut Findings<'_>) {
    let message = "only the store called `default` makes a difference";
    let help = "call it `default`";
    findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, path, message, help);
}

/// Whom a transport believes, and what it shows.
#[derive(Default)]
struct Held {
    roots: Vec<MaterialLink>,
    client: Option<MaterialLink>,
}

impl Held {
    fn put_into(self, mut transport: Item) -> Item {
        if let Item::Transport(draft) = &mut transport
            && let Some(tls) = &mut draft.tls
        {
            (tls.roots, tls.client) = (self.roots, self.client);
        }
        transport
    }
}

impl Reader<'_, '_> {
    fn file_router(
        &mut self,
        raw: raw::FileRouter,
        kind: RouteKind,
        usual: RuleSyntax,
    ) -> Option<Item> {
        let root = FieldPath::root();
        let object = self.findings.object().clone();
        let written = WrittenRouter {
            spelling: SPELLING,
            rule: raw.rule,
            priority: raw.priority,
            usual,
            syntax: raw.rule_syntax,
            ..WrittenRouter::default()
        };
        let read = match kind {
            RouteKind::Udp => ReadRule::always(),
            _ => self.rule(&written, (kind, raw.tls.is_some()), &root)?,
        };
        let wrong = (!read.mistakes.is_empty())
            .then(|| RefusalReason::Mistake(self.findings.place(&root.key("rule"))));
        let observability = self.observability(raw.observability.as_ref(), &root);
        let parents = self.named(raw.parent_refs.as_ref(), &object.namespace, "parentRefs");
        let filters = self.named(raw.middlewares.as_ref(), &object.namespace, "middlewares");
        if !parents.is_empty() {
            let has_points = raw.entry_points.as_ref().is_some_and(|it| !it.is_empty());
            self.of_child((has_points, raw.tls.is_some()), &root);
        }
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
            tls: raw.tls.map(|tls| Box::new(self.file_tls(tls, &root.key("tls")))),
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

    /// What a transport has in files.
    fn held(
        &mut self,
        path: &FieldPath,
        roots: Option<Vec<String>>,
        shown: Option<Vec<raw::FileCertificate>>,
    ) -> Held {
        let roots = self.believed(roots.as_ref(), &path.key("rootCAs"));
        let path = path.key("certificates");
        let all = shown.iter().flatten().enumerate();
        let all = all.filter_map(|(index, one)| self.pair(one, &path.index(index))).collect();
        Held { roots, client: self.first_of(all, &path) }
    }

    /// Those who are believed: each a file, or PEM.
    fn believed(&mut self, written: Option<&Vec<String>>, path: &FieldPath) -> Vec<MaterialLink> {
        let all = written.into_iter().flatten().enumerate();
        all.map(|(index, text)| {
            let part = self.part(AUTHORITIES, text, &path.index(index));
            MaterialLink { place: part.place.clone(), holder: MaterialHolder::Parts(vec![part]) }
        })
        .collect()
    }

    /// A certificate and its key.
    fn pair(&mut self, written: &raw::FileCertificate, path: &FieldPath) -> Option<MaterialLink> {
        let fields = [(CHAIN, "certFile", &written.cert_file), (KEY, "keyFile", &written.key_file)];
        let mut parts = Vec::new();
        for (key, field, text) in fields {
            let path = path.key(field);
            match text.as_deref().filter(|text| !text.is_empty()) {
                Some(text) => parts.push(self.part(key, text, &path)),
                None => self.findings.missing(&path, "write a path, or PEM"),
            }
        }
        let place = self.findings.place(path);
        let is_whole = parts.len() == fields.len();
        is_whole.then_some(MaterialLink { holder: MaterialHolder::Parts(parts), place })
    }

    fn part(&mut self, key: &'static str, text: &str, path: &FieldPath) -> MaterialPart {
        let text_of = match is_path(text) {
            true => PartText::File(text.into()),
            false => PartText::Written(SecretValue::from(text)),
        };
        MaterialPart { key, text: text_of, place: self.findings.place(path) }
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
