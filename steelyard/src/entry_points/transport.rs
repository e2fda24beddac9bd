//! How servers are spoken to where no transport is named: `serversTransport.…` for requests, and
//! `tcpServersTransport.…` for connections as they come.
//!
//! Whom to believe stands in files, which are read when the options are taken: one that cannot be
//! is no start, since servers would be believed otherwise than is asked for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use steelyard_dialects::traefik::{cipher_suites, most_idle, pings};
use steelyard_model::routing::tls::TlsVersion;
use steelyard_model::routing::transport::{
    ForwardingTimes, OriginProtocol, OriginTls, Roots, Transport, Upkeep,
};
use steelyard_tls::authorities_of;

use super::duration::duration;
use super::{OptionMistake, StaticOptions};

const OF_REQUESTS: &str = "serverstransport.";
const OF_BYTES: &str = "tcpserverstransport.";
const FORWARDING: &str = "serverstransport.forwardingtimeouts.";
/// What TLS is said of.
const SECURE: [&str; 2] = [OF_REQUESTS, "tcpserverstransport.tls."];

/// Bytes of a file of those who are believed, at most.
const LARGEST: u64 = 1 << 20;

/// Whom to believe, as PEM, where that is said: of servers of requests, and of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamedRoots([Option<Arc<str>>; 2]);

impl NamedRoots {
    /// What the files say that options name.
    ///
    /// # Errors
    /// The option that names what cannot be had, and why.
    pub(super) fn read(options: &BTreeMap<String, String>) -> Result<Self, (String, String)> {
        let mut found = Self::default();
        for (of, found) in SECURE.iter().zip(&mut found.0) {
            let name = format!("{of}rootcas");
            let named = options.get(&name).map(String::as_str).unwrap_or_default();
            let mut all = String::new();
            for one in parts(named) {
                all.push_str(&root(one).map_err(|why| (name.clone(), why))?);
                all.push('\n');
            }
            *found = (!all.is_empty()).then(|| all.into());
        }
        Ok(found)
    }
}

/// Those in a file, or in the text itself.
fn root(written: &str) -> Result<Arc<str>, String> {
    let is_text = written.contains("-----BEGIN");
    let shown = if is_text { "the text" } else { written };
    let pem = match is_text {
        true => written.as_bytes().to_vec(),
        false => steelyard_host::files::read(Path::new(written), LARGEST)
            .map_err(|error| format!("{written} cannot be read: {error}"))?,
    };
    authorities_of(&pem).map_err(|_| format!("{shown} has no certificates in PEM, or a broken one"))
}

/// How TLS is spoken to endpoints of requests.
pub(super) fn https(options: &BTreeMap<String, String>, roots: &NamedRoots) -> Transport {
    let https = Transport { tls: Some(tls(options, 0, roots)), ..Transport::https() };
    match options.get(&format!("{OF_REQUESTS}disablehttp2")).map(String::as_str) {
        Some("true") => Transport { protocol: OriginProtocol::Http1, ..https },
        _ => https,
    }
}

/// How connections as they come are made.
pub(super) fn bytes(options: &BTreeMap<String, String>) -> Transport {
    let said = |name: &str| duration(options.get(&format!("{OF_BYTES}{name}"))?);
    Transport {
        connect: said("dialtimeout").filter(|it| !it.is_zero()),
        half_closed: said("terminationdelay"),
        alive: said("dialkeepalive").filter(|it| !it.is_zero()),
        ..Transport::bytes()
    }
}

/// How TLS is spoken to those who are to be spoken to so.
pub(super) fn bytes_tls(options: &BTreeMap<String, String>, roots: &NamedRoots) -> OriginTls {
    tls(options, 1, roots)
}

/// How long what may take with endpoints of requests.
pub(super) fn times(options: &BTreeMap<String, String>) -> ForwardingTimes {
    let said = |name: &str| {
        let said = options.get(&format!("{FORWARDING}{name}"))?;
        duration(said).filter(|it| !it.is_zero())
    };
    ForwardingTimes {
        connect: said("dialtimeout"),
        answer: said("responseheadertimeout"),
        idle: said("idleconntimeout"),
        upkeep: Upkeep {
            most_idle: options
                .get(&format!("{OF_REQUESTS}maxidleconnsperhost"))
                .and_then(|it| most_idle(it.parse().ok()?)),
            pings: pings(said("readidletimeout"), said("pingtimeout")),
        },
    }
}

impl StaticOptions {
    /// Whether what is said of TLS can be had: versions, and cipher suites.
    pub(super) fn check_transports(&self) -> Vec<OptionMistake> {
        let wrong = wrong_of(&self.values).into_iter();
        wrong.map(|(name, why)| self.said_of(&format!("{OF_REQUESTS}{name}"), &why)).collect()
    }
}

/// Which options cannot be had, and why.
fn wrong_of(options: &BTreeMap<String, String>) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let (lowest, highest) = versions(options);
    if lowest > highest {
        let why = format!("it is above {OF_REQUESTS}maxversion, so nobody could be spoken to");
        wrong.push(("minversion", why));
    }
    if let Err(name) = suites(options) {
        let why = format!(
            "{name:?} is not to be had; those of TLS 1.3, and ECDHE with AES-GCM or \
             ChaCha20-Poly1305, are"
        );
        wrong.push(("ciphersuites", why));
    }
    wrong
}

fn tls(options: &BTreeMap<String, String>, of: usize, roots: &NamedRoots) -> OriginTls {
    let value = |name: &str| options.get(&format!("{}{name}", SECURE[of])).map(String::as_str);
    let is_believed = value("insecureskipverify") == Some("true");
    let usual = OriginTls::default();
    let terms = OriginTls {
        roots: match &roots.0[of] {
            _ if is_believed => Roots::Nobody,
            Some(pem) => Roots::Pem(pem.clone()),
            None => usual.roots.clone(),
        },
        server_name: value("servername").filter(|it| !it.is_empty()).map(Into::into),
        ..usual
    };
    if of == 1 {
        return terms;
    }
    let ciphers = suites(options).expect("checked when they were taken");
    OriginTls { versions: versions(options), ciphers, ..terms }
}

fn versions(options: &BTreeMap<String, String>) -> (TlsVersion, TlsVersion) {
    let said = |name: &str| {
        let said = options.get(&format!("{OF_REQUESTS}{name}")).filter(|it| !it.is_empty())?;
        let is_newest = said.eq_ignore_ascii_case("VersionTLS13");
        Some(if is_newest { TlsVersion::V1_3 } else { TlsVersion::V1_2 })
    };
    let (lowest, highest) = (said("minversion"), said("maxversion"));
    (lowest.unwrap_or(TlsVersion::V1_2), highest.unwrap_or(TlsVersion::V1_3))
}

fn suites(options: &BTreeMap<String, String>) -> Result<Vec<Arc<str>>, &str> {
    let named = options.get(&format!("{OF_REQUESTS}ciphersuites"));
    cipher_suites(parts(named.map(String::as_str).unwrap_or_default()))
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use steelyard_model::routing::transport::Pings;

    use super::*;

    fn said(options: &[(&str, &str)]) -> BTreeMap<String, String> {
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn how_servers_are_spoken_to() {
        let (nothing, nobody) = (said(&[]), NamedRoots::default());
        assert_eq!(https(&nothing, &nobody), Transport::https());
        assert_eq!(bytes(&nothing), Transport::bytes());
        assert_eq!(bytes_tls(&nothing, &nobody), OriginTls::default());
        let options = said(&[
            ("serverstransport.insecureskipverify", "true"),
            ("serverstransport.servername", "a.test"),
            ("serverstransport.disablehttp2", "true"),
            ("serverstransport.minversion", "versiontls13"),
            ("serverstransport.ciphersuites", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"),
            ("serverstransport.forwardingtimeouts.dialtimeout", "2s"),
            ("serverstransport.forwardingtimeouts.idleconntimeout", "0"),
            ("serverstransport.forwardingtimeouts.readidletimeout", "10s"),
            ("serverstransport.forwardingtimeouts.pingtimeout", "0"),
            ("serverstransport.maxidleconnsperhost", "-1"),
            ("tcpserverstransport.dialtimeout", "3s"),
            ("tcpserverstransport.terminationdelay", "100ms"),
            ("tcpserverstransport.tls.servername", "db.test"),
            ("tcpserverstransport.dialkeepalive", "20s"),
        ]);
        let roots = NamedRoots([Some("PEM".into()), Some("PEM".into())]);
        let Transport { id, protocol, tls: Some(tls), .. } = https(&options, &roots) else {
            panic!("over TLS")
        };
        assert_eq!((id, protocol), (Transport::https().id, OriginProtocol::Http1));
        assert_eq!((tls.roots, tls.server_name.as_deref()), (Roots::Nobody, Some("a.test")));
        assert_eq!(tls.versions, (TlsVersion::V1_3, TlsVersion::V1_3));
        assert_eq!(&*tls.ciphers[0], "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");
        assert_eq!(tls.ciphers.len(), 4, "and those of TLS 1.3");
        let connect = Some(Duration::from_secs(2));
        let seconds = Duration::from_secs;
        let pings = Some(Pings { silence: seconds(10), answer: seconds(15) });
        let upkeep = Upkeep { most_idle: Some(0), pings };
        let expected = ForwardingTimes { connect, upkeep, ..ForwardingTimes::default() };
        assert_eq!(times(&options), expected);
        let (connect, half_closed) =
            (Some(Duration::from_secs(3)), Some(Duration::from_millis(100)));
        let alive = Some(Duration::from_secs(20));
        let made = Transport { connect, half_closed, alive, ..Transport::bytes() };
        assert_eq!(bytes(&options), made);
        let tls = bytes_tls(&options, &roots);
        assert_eq!(
            (tls.roots, tls.server_name.as_deref()),
            (Roots::Pem("PEM".into()), Some("db.test"))
        );
    }

    #[test]
    fn what_cannot_be_had_is_no_start() {
        for (options, why) in [
            (
                &[("minversion", "VersionTLS13"), ("maxversion", "VersionTLS12")][..],
                "minversion: it is above",
            ),
            (&[("ciphersuites", "TLS_RSA_WITH_RC4_128_SHA")], "TLS_RSA_WITH_RC4_128_SHA\" is not"),
            (&[("minversion", "VersionTLS12"), ("maxversion", "VersionTLS12")], ""),
            (&[("maxversion", "VersionTLS10")], ""),
        ] {
            let named = options
                .iter()
                .map(|(name, value)| (format!("serverstransport.{name}"), (*value).to_owned()));
            let wrong = wrong_of(&named.collect());
            assert_eq!(wrong.is_empty(), why.is_empty(), "{wrong:?}");
            assert!(wrong.first().is_none_or(|(name, it)| format!("{name}: {it}").contains(why)));
        }
        for (roots, why) in [
            ("/nowhere/ca.pem", "/nowhere/ca.pem cannot be read: "),
            ("/proc/self/stat", "/proc/self/stat has no certificates"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "the text has no"),
        ] {
            let (name, error) =
                NamedRoots::read(&said(&[("serverstransport.rootcas", roots)])).unwrap_err();
            assert_eq!(name, "serverstransport.rootcas");
            assert!(error.contains(why), "{error}");
        }
    }
}
