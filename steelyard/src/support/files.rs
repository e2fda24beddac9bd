//! Fields of Traefik's dynamic configuration in files: all that its reader takes, as the types say
//! that it reads, and what is not as with Traefik.

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use steelyard_manifest::kinds::{file, traefik};

use super::{SupportRow, SupportState, SupportTable};
use SupportState::{Different, Planned, Refused, Supported};

/// Where a type is read, and which it is.
type Place = (&'static str, fn() -> Vec<&'static str>);

const PLACES: &[Place] = &[
    ("http.routers.*", fields::<file::FileRouter>),
    ("http.routers.*.tls", fields::<file::FileRouterTls>),
    ("http.routers.*.observability", fields::<traefik::Observability>),
    ("http.services.*", fields::<file::FileService>),
    ("http.services.*.loadBalancer", fields::<file::FileLoadBalancer>),
    ("http.services.*.loadBalancer.servers[]", fields::<file::FileServer>),
    ("http.services.*.loadBalancer.healthCheck", fields::<traefik::HealthCheck>),
    ("http.services.*.loadBalancer.passiveHealthCheck", fields::<traefik::PassiveHealthCheck>),
    ("http.services.*.loadBalancer.sticky.cookie", fields::<traefik::StickyCookie>),
    ("http.services.*.weighted", fields::<file::FileWeighted>),
    ("http.services.*.mirroring", fields::<file::FileMirroring>),
    ("http.services.*.failover", fields::<file::FileFailover>),
    ("http.serversTransports.*", fields::<file::FileTransport>),
    ("http.serversTransports.*.forwardingTimeouts", fields::<traefik::ForwardingTimeouts>),
    ("tcp.serversTransports.*", fields::<file::FileTcpTransport>),
    ("tcp.serversTransports.*.tls", fields::<file::FileTcpTls>),
    ("tls.options.*", fields::<file::FileOptions>),
    ("tls.options.*.clientAuth", fields::<file::FileClientAuth>),
    ("tls.stores.*", fields::<file::FileStore>),
    ("tls.certificates[]", fields::<file::FileCertificate>),
];

/// Fields that have a place of their own above, or are of another protocol than the place is.
const BELOW: [&str; 9] = [
    "http.routers.*.tls.passthrough",
    "http.routers.*.tls",
    "http.routers.*.observability",
    "http.services.*.loadBalancer",
    "http.services.*.weighted",
    "http.services.*.mirroring",
    "http.services.*.failover",
    "tcp.serversTransports.*.tls",
    "tls.options.*.clientAuth",
];

/// What stands in no type of its own, and what is not as with Traefik.
const SECTIONS: &[(&str, SupportState, &str)] = &[
    ("http.middlewares.*", Supported, ""),
    ("http.models", Refused, "Traefik's own, which no file may have"),
    ("tcp.routers.*", Supported, ""),
    ("tcp.routers.*.tls.passthrough", Supported, ""),
    ("tcp.services.*", Supported, ""),
    ("tcp.middlewares.*", Supported, ""),
    ("tcp.models", Refused, "Traefik's own, which no file may have"),
    ("udp.routers.*", Supported, ""),
    ("udp.services.*", Supported, ""),
    ("Go templates", Refused, "a file with one is not read, and said"),
];

const EXCEPTIONS: &[(&str, SupportState, &str)] = &[
    ("tls.certResolver", Planned, "nobody is asked for certificates"),
    ("tls.domains", Planned, "nobody is asked for certificates"),
    ("passHostHeader", Different, "the port that is usual for what is spoken is left out"),
    ("responseForwarding", Different, "answers are passed on as they come"),
    (
        "passiveHealthCheck.failureWindow",
        Different,
        "where more than half of the servers fail, all go on being asked",
    ),
    (
        "passiveHealthCheck.maxFailedAttempts",
        Different,
        "where more than half of the servers fail, all go on being asked",
    ),
    (
        "healthCheck.followRedirects",
        Different,
        "one to another host or port is not followed, and counts as well",
    ),
    ("servers[].preservePath", Different, "servers of one service are all below the same path"),
    ("serversTransports.*.cipherSuites", Different, "without those of CBC and RSA key exchange"),
    (
        "maxIdleConnsPerHost",
        Different,
        "of HTTP/1; 0, and what is not said, is as the program has it",
    ),
    ("responseHeaderTimeout", Different, "the shorter one of it and what a route says counts"),
    ("idleConnTimeout", Different, "none is kept for more than 90 s"),
    ("dialKeepAlive", Different, "where it is not said, after three minutes; it is not turned off"),
    ("peerCertURI", Refused, "the transport is refused"),
    ("spiffe", Refused, "the transport is refused"),
    ("serversTransports.*.certificates", Different, "the first of them counts"),
    ("serversTransports.*.tls.certificates", Different, "the first of them counts"),
    ("options.*.minVersion", Different, "TLS 1.2 is the lowest"),
    (
        "clientAuth.caFiles",
        Different,
        "certificates of X.509 version 1, and of clients that are authorities, are not taken",
    ),
    ("options.*.cipherSuites", Different, "without those of CBC and RSA key exchange"),
    ("curvePreferences", Different, "without CurveP521"),
    ("preferServerCipherSuites", Different, "does nothing, as with Traefik"),
    ("defaultGeneratedCert", Planned, "nobody is asked for certificates"),
];

/// One table.
pub(super) fn tables() -> Vec<SupportTable> {
    let of_types = PLACES.iter().flat_map(|(place, fields)| {
        fields().into_iter().map(move |field| format!("{place}.{field}"))
    });
    let rows = of_types.filter(|name| !BELOW.contains(&&**name)).map(|name| {
        let exception = EXCEPTIONS.iter().find(|(end, ..)| name.ends_with(&format!(".{end}")));
        let (state, remark) = exception.map_or((Supported, ""), |(_, state, why)| (*state, *why));
        SupportRow { name, state, remark }
    });
    let others = SECTIONS.iter().map(|(name, state, remark)| {
        let name = (*name).to_owned();
        SupportRow { name, state: *state, remark }
    });
    let rows = rows.chain(others).collect();
    let title = "Dynamic configuration in files".to_owned();
    vec![SupportTable { title, what: "field", rows }]
}

/// The fields that a type is read of.
fn fields<'de, T: Deserialize<'de>>() -> Vec<&'static str> {
    let mut found = Vec::new();
    // Nothing is read: who is asked for a structure only looks at what it is to have.
    let _ = T::deserialize(Fields(&mut found));
    found
}

struct Fields<'f>(&'f mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("nothing is read"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[test]
fn what_is_said_is_said_of_a_field() {
    let rows = || tables().into_iter().flat_map(|table| table.rows);
    assert!(rows().count() > 100, "{}", rows().count());
    for (end, state, remark) in EXCEPTIONS {
        let is_it = |row: &SupportRow| {
            row.name.ends_with(end) && (row.state, row.remark) == (*state, *remark)
        };
        assert!(rows().any(|row| is_it(&row)), "{end}");
    }
    for name in BELOW {
        assert!(rows().any(|row| row.name.starts_with(name)) || name.ends_with("passthrough"));
    }
}
