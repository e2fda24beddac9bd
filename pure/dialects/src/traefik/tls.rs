//! TLSOption and TLSStore.
//!
//! What rustls does not have (TLS 1.0 and 1.1, CBC, RSA key exchange) is named where it is asked
//! for, with what is used instead. An option that asks for nothing else is none, and handshakes by
//! it are refused.

use std::sync::Arc;

use steelyard_manifest::FILE_PROVIDER;
use steelyard_manifest::kinds::traefik as raw;
use steelyard_model::handshake_draft::{
    AskedClients, MaterialHolder, MaterialLink, PolicyDraft, SecretLink, StoreDraft,
};
use steelyard_model::routing::tls::{ClientAuthentication, Resumption, TlsPolicy, TlsVersion};
use steelyard_model::{FieldPath, Item, NamespacedName, Severity, TlsSecret};

use super::Reader;
use crate::codes;
use crate::findings::Findings;
use crate::suites::{GROUPS, SUITES, SUITES_OF_1_3};

const VERSIONS: [(&str, Option<TlsVersion>); 4] = [
    ("VersionTLS10", None),
    ("VersionTLS11", None),
    ("VersionTLS12", Some(TlsVersion::V1_2)),
    ("VersionTLS13", Some(TlsVersion::V1_3)),
];
const CLIENTS: [(&str, AskedClients); 5] = [
    ("NoClientCert", AskedClients::Nothing),
    ("RequestClientCert", AskedClients::Request),
    ("RequireAnyClientCert", AskedClients::RequireAny),
    ("VerifyClientCertIfGiven", AskedClients::VerifyIfGiven),
    ("RequireAndVerifyClientCert", AskedClients::RequireAndVerify),
];

/// The cipher suites of these names, as IANA has them, and those of TLS 1.3; of none, none.
///
/// # Errors
/// The first name of none that is to be had.
pub fn cipher_suites<'n>(names: impl Iterator<Item = &'n str>) -> Result<Vec<Arc<str>>, &'n str> {
    let found = names.map(|name| suite(name).map(Arc::from).ok_or(name));
    Ok(with_those_of_1_3(found.collect::<Result<_, _>>()?))
}

/// A cipher suite that is to be had, by a name of it.
fn suite(name: &str) -> Option<&'static str> {
    let is_it = |suite: &&str| *suite == name || suite.strip_suffix("_SHA256") == Some(name);
    SUITES.iter().chain(&SUITES_OF_1_3).copied().find(is_it)
}

fn with_those_of_1_3(mut named: Vec<Arc<str>>) -> Vec<Arc<str>> {
    if !named.is_empty() {
        named.extend(SUITES_OF_1_3.iter().map(|it| Arc::from(*it)));
    }
    named
}

/// Reads a TLSOption.
pub(crate) fn option(findings: &mut Findings<'_>) -> Option<Item> {
    let of = |findings: &mut Findings<'_>, raw: raw::Routed<raw::TlsOptionSpec>| {
        let spec = raw.spec.unwrap_or_default();
        Some(Reader { findings }.policy_draft(&spec, FieldPath::from("spec"), None))
    };
    match findings.read() {
        Some(raw) => of(findings, raw),
        None => findings.as_meant(of),
    }
}

impl Reader<'_, '_> {
    /// What of handshakes is asked for; of a file, who signs clients' certificates is in `files`.
    pub(super) fn policy_draft(
        &mut self,
        spec: &raw::TlsOptionSpec,
        path: FieldPath,
        files: Option<Vec<MaterialLink>>,
    ) -> Item {
        let reader = self;
        let lowest = reader.version(spec.min_version.as_deref(), &path.key("minVersion"));
        let highest = reader.version(spec.max_version.as_deref(), &path.key("maxVersion"));
        let versions = (lowest.unwrap_or(TlsVersion::V1_2), highest.unwrap_or(TlsVersion::V1_3));
        let ciphers = reader.ciphers(spec.cipher_suites.as_ref(), &path.key("cipherSuites"));
        let groups = reader.groups(spec.curve_preferences.as_ref(), &path.key("curvePreferences"));
        let (clients, authorities) =
            reader.clients(spec.client_auth.as_ref(), &path.key("clientAuth"), files);
        let alpn = spec.alpn_protocols.as_deref().unwrap_or_default();
        let alpn = alpn.iter().map(|it| &**it).filter(|it| *it != "acme-tls/1").map(Arc::from);
        let mut alpn: Vec<Arc<str>> = alpn.collect();
        if alpn.is_empty() {
            alpn = vec!["h2".into(), "http/1.1".into()];
        }
        let policy = TlsPolicy {
            id: policy_id(&reader.findings.id()).into(),
            place: Some(reader.findings.place(&path)),
            versions,
            ciphers,
            groups,
            alpn,
            clients: ClientAuthentication::Nothing,
            is_strict: spec.sni_strict.unwrap_or_default(),
            resumes: match spec.disable_session_tickets {
                Some(true) => Resumption::Never,
                _ => Resumption::Tickets,
            },
        };
        let object = reader.findings.object().clone();
        Item::Policy(Box::new(PolicyDraft { object, policy, clients, authorities }))
    }
}

/// The name of a policy, as Traefik calls it.
fn policy_id(id: &NamespacedName) -> String {
    match &*id.name {
        "default" => "default".into(),
        // Of a file, or where it stands of one that is not named as it should be.
        name if name.starts_with("default@") => "default".into(),
        name if name.ends_with(FILE_PROVIDER) => name.to_owned(),
        name => format!("{}-{name}", id.namespace),
    }
}

/// Reads a TLSStore.
pub(crate) fn store(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Routed<raw::TlsStoreSpec> = findings.read()?;
    let spec = raw.spec.unwrap_or_default();
    let path = FieldPath::from("spec");
    if *findings.object().name != *"default" {
        let message = "only the TLSStore called `default` makes a difference";
        let help = "call it `default`";
        findings.say(
            Severity::Warning,
            codes::FIELD_NOT_HONOURED,
            &FieldPath::from("metadata.name"),
            message,
            help,
        );
        return None;
    }
    if spec.default_generated_cert.is_some() {
        let message = "nobody is asked for certificates yet: `defaultGeneratedCert` does nothing";
        let help = "name the Secret of a certificate in `defaultCertificate.secretName`";
        let path = path.key("defaultGeneratedCert");
        findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, &path, message, help);
    }
    let default = spec.default_certificate.as_ref();
    let default = default.and_then(|it| stored(it, &path.key("defaultCertificate"), findings));
    let others = spec.certificates.iter().flatten().enumerate();
    let others = others
        .filter_map(|(index, it)| stored(it, &path.key("certificates").index(index), findings));
    let others = others.collect();
    let object = findings.object().clone();
    Some(Item::Store(Box::new(StoreDraft { object, default, others })))
}

fn stored(
    written: &raw::StoredCertificate,
    path: &FieldPath,
    findings: &mut Findings<'_>,
) -> Option<TlsSecret> {
    let path = path.key("secretName");
    let name = written.secret_name.as_deref().filter(|name| !name.is_empty());
    if name.is_none() {
        findings.missing(&path, "name the Secret of a certificate");
    }
    let secret = NamespacedName::new(findings.object().namespace.clone(), name?);
    Some(TlsSecret { secret, hosts: Vec::new(), place: findings.place(&path) })
}

impl Reader<'_, '_> {
    /// A version, where it is one; the nearest that there is.
    pub(super) fn version(
        &mut self,
        written: Option<&str>,
        path: &FieldPath,
    ) -> Option<TlsVersion> {
        let written = written.filter(|text| !text.is_empty());
        let found = self.findings.choice(path, written, &VERSIONS)?;
        if found.is_none() {
            let older = written.unwrap_or_default();
            let message = format!("{older} is not spoken here: TLS 1.2 is used instead");
            let help = "write VersionTLS12";
            self.findings.say(Severity::Warning, codes::FIELD_NOT_HONOURED, path, message, help);
        }
        Some(found.unwrap_or(TlsVersion::V1_2))
    }

    /// Those of the cipher suites that are to be had.
    pub(super) fn ciphers(
        &mut self,
        written: Option<&Vec<String>>,
        path: &FieldPath,
    ) -> Vec<Arc<str>> {
        let mut kept: Vec<Arc<str>> = Vec::new();
        let written = written.map(Vec::as_slice).unwrap_or_default();
        for (index, name) in written.iter().enumerate() {
            match suite(name) {
                Some(suite) => kept.push(suite.into()),
                None => {
                    let message = format!("cipher suite `{name}` is not to be had here");
                    let help = "TLS 1.3, and ECDHE with AES-GCM or ChaCha20-Poly1305, are";
                    let path = path.index(index);
                    let code = codes::FIELD_NOT_HONOURED;
                    self.findings.say(Severity::Warning, code, &path, message, help);
                }
            }
        }
        if kept.is_empty() && !written.is_empty() {
            let message = "none of these cipher suites is to be had here, so no handshake is held";
            let help = format!("use one of {}", SUITES.join(", "));
            self.findings.invalid(codes::INVALID_VALUE, path, message, help);
        }
        with_those_of_1_3(kept)
    }

    fn groups(&mut self, written: Option<&Vec<String>>, path: &FieldPath) -> Vec<Arc<str>> {
        let mut kept: Vec<Arc<str>> = Vec::new();
        let written = written.map(Vec::as_slice).unwrap_or_default();
        for (index, name) in written.iter().enumerate() {
            match GROUPS.iter().find(|(known, _)| known == name) {
                Some((_, group)) => kept.push((*group).into()),
                None => {
                    let message = format!("key exchange by `{name}` is not to be had here");
                    let help = "use X25519MLKEM768, X25519, CurveP256 or CurveP384";
                    let path = path.index(index);
                    let code = codes::FIELD_NOT_HONOURED;
                    self.findings.say(Severity::Warning, code, &path, message, help);
                }
            }
        }
        if kept.is_empty() && !written.is_empty() {
            let message = "none of these groups is to be had here, so no handshake is held";
            let help = "use X25519MLKEM768, X25519, CurveP256 or CurveP384";
            self.findings.invalid(codes::INVALID_VALUE, path, message, help);
        }
        kept
    }

    fn clients(
        &mut self,
        written: Option<&raw::ClientAuth>,
        path: &FieldPath,
        files: Option<Vec<MaterialLink>>,
    ) -> (AskedClients, Vec<MaterialLink>) {
        let Some(written) = written else { return (AskedClients::Nothing, Vec::new()) };
        let (field, help) = match &files {
            Some(_) => ("caFiles", "name the files with those who sign clients' certificates"),
            None => (
                "secretNames",
                "name the Secret of who signs clients' certificates (`ca.crt`, or `tls.ca`)",
            ),
        };
        let authorities = files.unwrap_or_else(|| {
            self.holders(written.secret_names.as_ref(), &path.key("secretNames"))
        });
        let kind = written.client_auth_type.as_deref().filter(|kind| !kind.is_empty());
        let asked = self.findings.choice(&path.key("clientAuthType"), kind, &CLIENTS);
        let asked = asked.unwrap_or(match authorities.is_empty() {
            true => AskedClients::Nothing,
            false => AskedClients::RequireAndVerify,
        });
        let verifies =
            matches!(asked, AskedClients::VerifyIfGiven | AskedClients::RequireAndVerify);
        if verifies && authorities.is_empty() {
            self.findings.missing(&path.key(field), help);
        }
        (asked, authorities)
    }

    /// Secrets of the object's own namespace.
    pub(super) fn secrets(
        &mut self,
        written: Option<&Vec<String>>,
        path: &FieldPath,
    ) -> Vec<SecretLink> {
        let all = written.into_iter().flatten().enumerate();
        all.map(|(index, name)| self.secret(name, &path.index(index))).collect()
    }

    /// The same, for what stands in them.
    pub(super) fn holders(
        &mut self,
        written: Option<&Vec<String>>,
        path: &FieldPath,
    ) -> Vec<MaterialLink> {
        let all = self.secrets(written, path).into_iter();
        all.map(|SecretLink { secret, place }| MaterialLink {
            holder: MaterialHolder::Secret(secret),
            place,
        })
        .collect()
    }

    pub(super) fn secret(&mut self, name: &str, path: &FieldPath) -> SecretLink {
        let secret = NamespacedName::new(self.findings.object().namespace.clone(), name);
        SecretLink { secret, place: self.findings.place(path) }
    }
}
