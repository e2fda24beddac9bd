//! ServersTransport and ServersTransportTCP: how endpoints are spoken to.

use std::time::Duration;

use steelyard_manifest::kinds::{IntOrString, traefik as raw};
use steelyard_model::handshake_draft::{
    MaterialHolder, MaterialLink, TransportDraft, TransportTls,
};
use steelyard_model::routing::tls::TlsVersion;
use steelyard_model::routing::transport::{Pings, Upkeep};
use steelyard_model::{FieldPath, Item, NamespacedName, Severity};

use super::Reader;
use crate::findings::Findings;
use crate::{codes, duration};

/// What a name is the name of.
type Holder = fn(NamespacedName) -> MaterialHolder;

/// Reads a ServersTransport.
pub(crate) fn http(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Routed<raw::ServersTransportSpec> = findings.read()?;
    let spec = raw.spec.unwrap_or_default();
    Some(Reader { findings }.of_requests(spec, &FieldPath::from("spec")))
}

impl Reader<'_, '_> {
    /// How endpoints of requests are spoken to.
    pub(super) fn of_requests(
        &mut self,
        spec: raw::ServersTransportSpec,
        path: &FieldPath,
    ) -> Item {
        let reader = self;
        let lowest = reader.version(spec.min_version.as_deref(), &path.key("minVersion"));
        let highest = reader.version(spec.max_version.as_deref(), &path.key("maxVersion"));
        let versions = (lowest.unwrap_or(TlsVersion::V1_2), highest.unwrap_or(TlsVersion::V1_3));
        let ciphers = reader.ciphers(spec.cipher_suites.as_ref(), &path.key("cipherSuites"));
        let names = spec.peer_cert_sans.is_some_and(|it| !it.is_empty());
        reader.identities(spec.peer_cert_uri.as_deref(), names, spec.spiffe.is_some(), path);
        let roots = reader.roots(spec.root_cas.as_ref(), spec.root_cas_secrets.as_ref(), path);
        let client = reader.client(spec.certificates_secrets.as_ref(), path);
        let times = spec.forwarding_timeouts.unwrap_or_default();
        let within = path.key("forwardingTimeouts");
        let connect = reader.time(times.dial_timeout.as_ref(), &within.key("dialTimeout"));
        let idle = reader.time(times.idle_conn_timeout.as_ref(), &within.key("idleConnTimeout"));
        let answer = times.response_header_timeout.as_ref();
        let answer = reader.time(answer, &within.key("responseHeaderTimeout"));
        let silence = reader.time(times.read_idle_timeout.as_ref(), &within.key("readIdleTimeout"));
        let pong = reader.time(times.ping_timeout.as_ref(), &within.key("pingTimeout"));
        let upkeep = Upkeep {
            most_idle: spec.max_idle_conns_per_host.and_then(most_idle),
            pings: pings(silence, pong),
        };
        let tls = Some(TransportTls {
            server_name: name(spec.server_name),
            is_verified: !spec.insecure_skip_verify.unwrap_or_default(),
            roots,
            client,
            versions,
            ciphers,
        });
        Item::Transport(Box::new(TransportDraft {
            object: reader.findings.object().clone(),
            is_for_bytes: false,
            tls,
            is_http1_only: spec.disable_http2.unwrap_or_default(),
            proxy_protocol: None,
            connect: connect.filter(|it| !it.is_zero()),
            answer: answer.filter(|it| !it.is_zero()),
            idle: idle.filter(|it| !it.is_zero()),
            half_closed: None,
            alive: None,
            upkeep,
        }))
    }
}

/// Reads a ServersTransportTCP.
pub(crate) fn tcp(findings: &mut Findings<'_>) -> Option<Item> {
    let raw: raw::Routed<raw::ServersTransportTcpSpec> = findings.read()?;
    let spec = raw.spec.unwrap_or_default();
    Some(Reader { findings }.of_bytes(spec, &FieldPath::from("spec")))
}

impl Reader<'_, '_> {
    /// How endpoints of connections are spoken to.
    pub(super) fn of_bytes(
        &mut self,
        spec: raw::ServersTransportTcpSpec,
        path: &FieldPath,
    ) -> Item {
        let reader = self;
        let tls = spec.tls.map(|tls| {
            let path = path.key("tls");
            let names = tls.peer_cert_sans.is_some_and(|it| !it.is_empty());
            reader.identities(tls.peer_cert_uri.as_deref(), names, tls.spiffe.is_some(), &path);
            TransportTls {
                server_name: name(tls.server_name),
                is_verified: !tls.insecure_skip_verify.unwrap_or_default(),
                roots: reader.roots(tls.root_cas.as_ref(), tls.root_cas_secrets.as_ref(), &path),
                client: reader.client(tls.certificates_secrets.as_ref(), &path),
                versions: (TlsVersion::V1_2, TlsVersion::V1_3),
                ciphers: Vec::new(),
            }
        });
        let connect = reader.time(spec.dial_timeout.as_ref(), &path.key("dialTimeout"));
        let half_closed =
            reader.time(spec.termination_delay.as_ref(), &path.key("terminationDelay"));
        let alive = reader.alive(spec.dial_keep_alive.as_ref(), &path.key("dialKeepAlive"));
        let proxy_protocol = reader.proxy_protocol(spec.proxy_protocol.as_ref(), path);
        Item::Transport(Box::new(TransportDraft {
            object: reader.findings.object().clone(),
            is_for_bytes: true,
            tls,
            is_http1_only: false,
            proxy_protocol,
            connect,
            answer: None,
            idle: None,
            half_closed,
            alive,
            upkeep: Upkeep::default(),
        }))
    }

    /// After how long a silence an endpoint is asked whether it is there. What Go takes for never,
    /// a time below zero, is no mistake, and not done.
    fn alive(&mut self, written: Option<&IntOrString>, path: &FieldPath) -> Option<Duration> {
        let is_below_zero = match written? {
            IntOrString::Int(seconds) => *seconds < 0,
            IntOrString::String(text) => text.starts_with('-'),
        };
        if is_below_zero {
            self.idle(path, "an endpoint that is gone is noticed in any case");
            return None;
        }
        self.time(written, path).filter(|it| !it.is_zero())
    }
}

/// How long the answer to a PING may take where that is not said.
const PONG: Duration = Duration::from_secs(15);

/// How many idle connections are kept, as it is written; none is as the program has it.
pub fn most_idle(written: i64) -> Option<u32> {
    match written {
        0 => None,
        ..0 => Some(0),
        _ => Some(u32::try_from(written).unwrap_or(u32::MAX)),
    }
}

/// PINGs after so long a silence, as it is written; none are none.
pub fn pings(silence: Option<Duration>, answer: Option<Duration>) -> Option<Pings> {
    let silence = silence.filter(|it| !it.is_zero())?;
    let answer = answer.filter(|it| !it.is_zero()).unwrap_or(PONG);
    Some(Pings { silence, answer })
}

fn name(written: Option<String>) -> Option<std::sync::Arc<str>> {
    written.filter(|name| !name.is_empty()).map(Into::into)
}

impl Reader<'_, '_> {
    /// What certificates must have besides a name, which nobody looks at here.
    fn identities(&mut self, uri: Option<&str>, named: bool, is_spiffe: bool, path: &FieldPath) {
        let asked = [
            ("peerCertURI", uri.is_some_and(|it| !it.is_empty())),
            ("peerCertSANs", named),
            ("spiffe", is_spiffe),
        ];
        for (name, _) in asked.iter().filter(|(_, is)| *is) {
            let message = format!("`{name}` restricts whom to believe, and is not honoured");
            let help = "remove it to believe whom `rootCAs` say, or keep the transport unused";
            self.findings.invalid(codes::ACCESS_NOT_HONOURED, &path.key(name), message, help);
        }
    }

    fn roots(
        &mut self,
        written: Option<&Vec<raw::RootCa>>,
        older: Option<&Vec<String>>,
        path: &FieldPath,
    ) -> Vec<MaterialLink> {
        let mut roots = self.holders(older, &path.key("rootCAsSecrets"));
        let path = path.key("rootCAs");
        for (index, one) in written.into_iter().flatten().enumerate() {
            let path = path.index(index);
            let (name, field, holder): (_, _, Holder) = match (&one.secret, &one.config_map) {
                (Some(secret), None) => (secret, "secret", MaterialHolder::Secret),
                (None, Some(map)) => (map, "configMap", MaterialHolder::ConfigMap),
                (Some(_), Some(_)) => {
                    self.findings.exclusive(&path.key("configMap"), &path.key("secret"));
                    continue;
                }
                (None, None) => {
                    self.findings.missing(&path.key("secret"), "name a Secret or a ConfigMap");
                    continue;
                }
            };
            let id = NamespacedName::new(self.findings.object().namespace.clone(), &**name);
            let place = self.findings.place(&path.key(field));
            roots.push(MaterialLink { holder: holder(id), place });
        }
        roots
    }

    /// What is shown when asked who we are: the first.
    fn client(&mut self, written: Option<&Vec<String>>, path: &FieldPath) -> Option<MaterialLink> {
        let path = path.key("certificatesSecrets");
        let all = self.holders(written, &path);
        self.first_of(all, &path)
    }

    /// What is shown of several: the first.
    pub(super) fn first_of(
        &mut self,
        all: Vec<MaterialLink>,
        path: &FieldPath,
    ) -> Option<MaterialLink> {
        if all.len() > 1 {
            let message = "one certificate is shown to endpoints: the first";
            let help = "make a ServersTransport for each";
            let (code, path) = (codes::FIELD_NOT_HONOURED, path.index(1));
            self.findings.say(Severity::Warning, code, &path, message, help);
        }
        all.into_iter().next()
    }

    /// A duration: as Go writes it, or in seconds.
    pub(super) fn time(
        &mut self,
        written: Option<&IntOrString>,
        path: &FieldPath,
    ) -> Option<Duration> {
        let nanoseconds = match written? {
            IntOrString::Int(seconds) => seconds.checked_mul(1_000_000_000),
            IntOrString::String(text) => match text.parse::<i64>() {
                Ok(seconds) => seconds.checked_mul(1_000_000_000),
                Err(_) => duration::parse(text),
            },
        };
        let found = nanoseconds.and_then(|it| u64::try_from(it).ok());
        if found.is_none() {
            let message = format!("`{}` is no duration", written?);
            let help = "write 30s, 1m30s or a number of seconds";
            self.findings.invalid(codes::INVALID_VALUE, path, message, help);
        }
        found.map(Duration::from_nanos)
    }
}
