//! Fields of Traefik's own kinds: all that the definitions have (`deploy/crds/traefik.txt`), and
//! what is not as with Traefik.

use std::collections::BTreeMap;

use super::{SupportRow, SupportState, SupportTable};
use SupportState::{Different, Planned, Refused};

const DEFINITIONS: &str = include_str!("../../../deploy/crds/traefik.txt");

/// Kinds, fields (all that end so, and what is below them), and what is so instead. The first that
/// fits counts.
const EXCEPTIONS: &[(&str, &str, SupportState, &str)] = &[
    (
        "Middleware",
        "spec.forwardAuth",
        Different,
        "bodies of 4 MiB are sent, and answers of 1 MiB taken, at most",
    ),
    (
        "Middleware",
        "spec.rateLimit.redis.endpoints",
        Different,
        "who is first and answers counts; a cluster of Redis is not spoken to",
    ),
    (
        "Middleware",
        "spec.rateLimit.redis.minIdleConns",
        Different,
        "so many are kept open; none is opened before it is needed",
    ),
    (
        "Middleware",
        "spec.errors",
        Different,
        "pages of 1 MiB at most; without one, the error as it was",
    ),
    (
        "Middleware",
        "spec.plugin",
        Different,
        "what docs/middlewares.md names is built in; with another, 503",
    ),
    ("Middleware", "headers.featurePolicy", Different, "does nothing, as with Traefik 3"),
    ("Middleware", "headers.sslRedirect", Different, "does nothing, as with Traefik 3"),
    ("Middleware", "headers.sslTemporaryRedirect", Different, "does nothing, as with Traefik 3"),
    ("Middleware", "headers.sslHost", Different, "does nothing, as with Traefik 3"),
    ("Middleware", "headers.sslForceHost", Different, "does nothing, as with Traefik 3"),
    ("Middleware", "forceSlash", Different, "paths begin with a slash"),
    ("*", "tls.certResolver", Planned, "nobody is asked for certificates"),
    ("*", "tls.domains", Planned, "nobody is asked for certificates"),
    ("*", "tls.store", Different, "only the one called `default` counts"),
    ("*", "passHostHeader", Different, "the port that is usual for what is spoken is left out"),
    ("*", "responseForwarding", Different, "answers are passed on as they come"),
    (
        "*",
        "passiveHealthCheck.failureWindow",
        Different,
        "where more than half of the servers fail, all go on being asked",
    ),
    (
        "*",
        "passiveHealthCheck.maxFailedAttempts",
        Different,
        "where more than half of the servers fail, all go on being asked",
    ),
    (
        "*",
        "healthCheck.followRedirects",
        Different,
        "one to another host or port is not followed, and counts as well",
    ),
    ("*", "peerCertURI", Refused, "the transport is refused"),
    ("*", "peerCertSANs", Refused, "the transport is refused"),
    ("*", "spiffe", Refused, "the transport is refused"),
    ("*", "certificatesSecrets", Different, "the first of them counts"),
    ("ServersTransport", "cipherSuites", Different, "without those of CBC and RSA key exchange"),
    (
        "ServersTransport",
        "maxIdleConnsPerHost",
        Different,
        "of HTTP/1; 0, and what is not said, is as the program has it",
    ),
    (
        "ServersTransport",
        "responseHeaderTimeout",
        Different,
        "the shorter one of it and what a route says counts",
    ),
    ("ServersTransport", "idleConnTimeout", Different, "none is kept for more than 90 s"),
    (
        "ServersTransportTCP",
        "dialKeepAlive",
        Different,
        "where it is not said, after three minutes; it is not turned off",
    ),
    ("TLSOption", "minVersion", Different, "TLS 1.2 is the lowest"),
    (
        "TLSOption",
        "spec.clientAuth",
        Different,
        "certificates of X.509 version 1, and of clients that are authorities, are not taken",
    ),
    ("TLSOption", "cipherSuites", Different, "without those of CBC and RSA key exchange"),
    ("TLSOption", "curvePreferences", Different, "without CurveP521"),
    ("TLSOption", "preferServerCipherSuites", Different, "does nothing, as with Traefik"),
    ("TLSStore", "defaultGeneratedCert", Planned, "nobody is asked for certificates"),
];

/// A table for each kind.
pub(super) fn tables() -> Vec<SupportTable> {
    let definitions = Definitions::read();
    let kinds = definitions.kinds.iter();
    kinds.map(|(kind, fields)| table(kind, fields, &definitions.types)).collect()
}

fn table(kind: &str, fields: &[Field], types: &BTreeMap<String, Vec<Field>>) -> SupportTable {
    let mut rows = Vec::new();
    fields.iter().for_each(|field| list(kind, "", field, types, &mut rows));
    SupportTable { title: kind.to_owned(), what: "field", rows }
}

/// A field that is written down, by its type's definition if that has a name; without a name it
/// stands for all that the type has.
struct Field {
    name: String,
    is_list: bool,
    named: Option<String>,
    fields: Vec<Self>,
}

#[derive(Default)]
struct Definitions {
    kinds: Vec<(String, Vec<Field>)>,
    types: BTreeMap<String, Vec<Field>>,
}

impl Definitions {
    fn read() -> Self {
        let mut all = Self::default();
        let mut lines = DEFINITIONS.lines().peekable();
        while let Some(line) = lines.next() {
            let mut words = line.split_whitespace();
            let (Some(what @ ("kind" | "type")), Some(name)) = (words.next(), words.next()) else {
                continue;
            };
            let mut body = Vec::new();
            while let Some(line) = lines.next_if(|line| line.starts_with("  ")) {
                body.push(line);
            }
            let fields = fields(&body, 2);
            match what {
                "kind" => all.kinds.push((name.to_owned(), fields)),
                _ => drop(all.types.insert(name.to_owned(), fields)),
            }
        }
        all
    }
}

/// Fields that are written with so many blanks before them.
fn fields(lines: &[&str], depth: usize) -> Vec<Field> {
    let at = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut words = line.split_whitespace();
        let Some(name) = words.next().filter(|name| at(line) == depth && *name != "?") else {
            continue;
        };
        let below = &lines[index + 1..];
        let end = below.iter().position(|line| at(line) <= depth).unwrap_or(below.len());
        let kind = words.next().unwrap_or_default();
        let is_list = kind.starts_with('[');
        let (name, named) = match name.strip_prefix("...") {
            Some(named) => ("", Some(named)),
            None => (name, kind.trim_matches(['[', ']']).strip_prefix('@')),
        };
        let (name, named) = (name.trim_end_matches('!').to_owned(), named.map(str::to_owned));
        found.push(Field { name, is_list, named, fields: fields(&below[..end], depth + 2) });
    }
    found
}

/// A row for a field, and for those below it where it has some.
fn list(
    kind: &str,
    above: &str,
    field: &Field,
    types: &BTreeMap<String, Vec<Field>>,
    rows: &mut Vec<SupportRow>,
) {
    if above.is_empty() && field.name == "metadata" {
        return;
    }
    let below = field.named.as_ref().map_or(&field.fields, |named| &types[named]);
    if field.name.is_empty() {
        return below.iter().for_each(|field| list(kind, above, field, types, rows));
    }
    let dot = if above.is_empty() { "" } else { "." };
    let path = format!("{above}{dot}{}", field.name);
    let exception = exception(kind, &path);
    if exception.is_some() || below.is_empty() {
        let (state, remark) = exception.unwrap_or((SupportState::Supported, ""));
        rows.push(SupportRow { name: path, state, remark });
        return;
    }
    let above = if field.is_list { format!("{path}[]") } else { path };
    below.iter().for_each(|field| list(kind, &above, field, types, rows));
}

/// What is said of a field: the whole of a kind is its `spec`.
fn exception(kind: &str, path: &str) -> Option<(SupportState, &'static str)> {
    let fits = |(of, field): (&str, &str)| {
        let is_of = of == "*" || of == kind;
        is_of && (path == field || path.ends_with(&format!(".{field}")))
    };
    let found = EXCEPTIONS.iter().find(|(of, field, ..)| fits((of, field)));
    found.map(|(_, _, state, remark)| (*state, *remark))
}

#[test]
fn what_is_said_is_said_of_a_field() {
    let tables = tables();
    assert_eq!(tables.len(), 10);
    let all = || tables.iter().flat_map(|table| table.rows.iter().map(|row| (&table.title, row)));
    assert!(all().count() > 150);
    for (kind, field, state, remark) in EXCEPTIONS {
        let is_it = |of: &str, row: &SupportRow| {
            let is_of = *kind == "*" || *kind == of;
            is_of && row.name.ends_with(field) && (row.state, row.remark) == (*state, *remark)
        };
        assert!(all().any(|(of, row)| is_it(of, row)), "{kind} has no {field}");
    }
}
