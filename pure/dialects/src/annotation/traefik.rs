//! Traefik's, on Ingresses and Services. On a Service what restricts access closes the routes to
//! it.

use steelyard_model::OpenPath;
use steelyard_model::discretion::quoted;
use steelyard_model::router_draft::{AskedServers, CookieDraft, LinkTarget, ObjectLink};
use steelyard_model::routing::backend::{SameSite, SentHost};
use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::observability::VERBOSITIES;
use steelyard_model::routing::transport::OriginScheme;

use super::effect::not_honoured;
use super::row::states::{COSMETIC, LATER};
use super::row::{Annotation, State, rows};
use super::vocabulary::{Prefixes, Vocabulary};
use super::wishes::{Entry, Wishes};
use crate::findings::Findings;

pub(crate) const TRAEFIK: Vocabulary = Vocabulary {
    whose: "Traefik",
    prefixes: Prefixes::Fixed(&["traefik.ingress.kubernetes.io/"]),
    rows: &[&ON_INGRESS, &ON_SERVICE],
    is_closed: true,
    empty_is_absent: true,
};

const ENTRY_POINTS: State = State::Reads(|written, wishes, _| {
    let names = written.value.split(',').map(str::trim).filter(|name| !name.is_empty());
    wishes.entry_points = names.map(EntryPointId::from).collect();
});

/// One that is not there, or not carried out, closes.
const MIDDLEWARES: State = State::Reads(|written, wishes, findings| {
    wishes.filters = named(written, findings);
});

/// The same of those that are passed on the way to a Service.
const WAY: State = State::Reads(|written, wishes, findings| {
    wishes.backend.get_or_insert_default().filters = named(written, findings);
});

/// One that is not there closes too: who is believed is said by it.
const TRANSPORT: State = State::Reads(|written, wishes, findings| {
    wishes.backend.get_or_insert_default().transport = named(written, findings).into_iter().next();
});

/// A scheme of URLs. It counts whatever number and name the port has.
const SPOKEN: State = State::Speaks(|value| match value.to_ascii_lowercase().as_str() {
    "http" => Some(OriginScheme::Http),
    "h2c" => Some(OriginScheme::H2c),
    "https" => Some(OriginScheme::Https),
    _ => None,
});

const TLS: State = State::Reads(|written, wishes, findings| match written.boolean() {
    Some(is_tls) => wishes.is_tls = is_tls,
    None => {
        let known = [("true", true), ("false", false)];
        let _ = findings.choice(&written.path(), Some(written.value), &known);
    }
});

/// Those that are not there hold no handshake: they may ask for client certificates. Traefik takes
/// whoever names them for one that is served over TLS alone.
const TLS_OPTIONS: State = State::Reads(|written, wishes, findings| {
    wishes.tls_options = match written.value.trim() {
        name @ "default" => {
            let place = findings.place(&written.path());
            Some(ObjectLink { to: LinkTarget::Provided(name.into()), place })
        }
        _ => named(written, findings).into_iter().next(),
    };
});

/// A number, as Go reads it.
const NUMBER: State = State::Reads(|written, wishes, findings| {
    wishes.number = whole(written, findings).filter(|number| *number != 0);
});

const LOGGED: State = State::Reads(|written, wishes, findings| {
    wishes.observability.access_logs = switch(written, findings);
});
const COUNTED: State = State::Reads(|written, wishes, findings| {
    wishes.observability.metrics = switch(written, findings);
});
const TRACED: State = State::Reads(|written, wishes, findings| {
    wishes.observability.tracing = switch(written, findings);
});

const DETAILED: State = State::Reads(|written, wishes, findings| {
    wishes.observability.detailed = one_of(written, &VERBOSITIES, findings);
});

const OPEN_PATHS: State = State::Reads(|written, wishes, findings| {
    let known = [("Path", OpenPath::Path), ("PathRegexp", OpenPath::PathRegexp)];
    let found = one_of(written, &known, findings);
    wishes.open_paths = found.map(|found| (found, written.path()));
});

const NATIVE: State = State::Reads(|written, wishes, findings| {
    let is_asked = ask(written, wishes, findings, AskedServers::ClusterAddress);
    if is_asked == Some(false) {
        wishes.backend.get_or_insert_default().asked.get_or_insert(AskedServers::Endpoints);
    }
});

const NODES: State = State::Reads(|written, wishes, findings| {
    ask(written, wishes, findings, AskedServers::Nodes);
});

const HOST: State = State::Reads(|written, wishes, findings| {
    if let Some(passes) = switch(written, findings) {
        wishes.backend.get_or_insert_default().host = SentHost::passing(passes);
    }
});

const COOKIE: State = State::Reads(|written, wishes, findings| {
    if switch(written, findings) == Some(true) {
        cookie(wishes);
    }
});
const COOKIE_NAME: State =
    State::Reads(|written, wishes, _| cookie(wishes).name = Some(written.value.into()));
const COOKIE_PATH: State =
    State::Reads(|written, wishes, _| cookie(wishes).path = Some(written.value.into()));
const COOKIE_DOMAIN: State =
    State::Reads(|written, wishes, _| cookie(wishes).domain = Some(written.value.into()));
const COOKIE_SECURE: State = State::Reads(|written, wishes, findings| {
    cookie(wishes).is_secure = switch(written, findings).unwrap_or_default();
});
const COOKIE_HTTP_ONLY: State = State::Reads(|written, wishes, findings| {
    cookie(wishes).is_http_only = switch(written, findings).unwrap_or_default();
});
const COOKIE_MAX_AGE: State = State::Reads(|written, wishes, findings| {
    cookie(wishes).max_age = whole(written, findings).unwrap_or_default();
});
const COOKIE_SAME_SITE: State = State::Reads(|written, wishes, findings| {
    let known = [("none", SameSite::None), ("lax", SameSite::Lax), ("strict", SameSite::Strict)];
    cookie(wishes).same_site = one_of(written, &known, findings);
});

/// What is named as others are: `namespace-name@kubernetescrd`. Without a provider Traefik looks
/// among those of Ingresses, where there are none.
fn named(written: &Entry<'_>, findings: &Findings<'_>) -> Vec<ObjectLink> {
    let place = findings.place(&written.path());
    let names = written.value.split(',').map(str::trim).filter(|name| !name.is_empty());
    let link = |name: &str| {
        let name = if name.contains('@') { name.into() } else { format!("{name}@kubernetes") };
        ObjectLink { to: LinkTarget::Provided(name.into()), place: place.clone() }
    };
    names.map(link).collect()
}

/// The cookie of a Service that asks for one.
fn cookie(wishes: &mut Wishes) -> &mut CookieDraft {
    wishes.backend.get_or_insert_default().sticky.get_or_insert_default()
}

fn ask(
    written: &Entry<'_>,
    wishes: &mut Wishes,
    findings: &mut Findings<'_>,
    who: AskedServers,
) -> Option<bool> {
    let is_asked = switch(written, findings);
    if is_asked == Some(true) {
        wishes.backend.get_or_insert_default().asked = Some(who);
    }
    is_asked
}

fn switch(written: &Entry<'_>, findings: &mut Findings<'_>) -> Option<bool> {
    let found = written.boolean();
    if found.is_none() {
        unread(written, "write true or false", findings);
    }
    found
}

fn whole(written: &Entry<'_>, findings: &mut Findings<'_>) -> Option<i64> {
    let found = written.value.trim().parse().ok();
    if found.is_none() {
        unread(written, "write a whole number, such as 10", findings);
    }
    found
}

fn one_of<T: Copy>(
    written: &Entry<'_>,
    known: &[(&str, T)],
    findings: &mut Findings<'_>,
) -> Option<T> {
    let found = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(written.value.trim()));
    if found.is_none() {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        unread(written, &format!("write one of {}", words.join(", ")), findings);
    }
    found.map(|(_, meant)| *meant)
}

/// Says of a value that it cannot be read; it is as if it were not there.
fn unread(written: &Entry<'_>, help: &str, findings: &mut Findings<'_>) {
    let Entry { key, value } = *written;
    let value = quoted(value);
    not_honoured(key, format!("annotation `{key}: {value}` cannot be read"), help, findings);
}

const ON_INGRESS: [Annotation; 13] = rows! { Ingress:
    "router.entrypoints" ENTRY_POINTS, [];
    "router.middlewares" MIDDLEWARES, [];
    "router.priority" NUMBER, ["0"];
    "router.rulesyntax" COSMETIC, [];
    "router.pathmatcher" OPEN_PATHS, ["pathprefix"];
    "router.tls" TLS, ["false"];
    "router.tls.certresolver" LATER, [];
    "router.tls.options" TLS_OPTIONS, [];
    "router.tls.domains" COSMETIC, [];
    "router.observability.accesslogs" LOGGED, [];
    "router.observability.metrics" COUNTED, [];
    "router.observability.tracing" TRACED, [];
    "router.observability.traceverbosity" DETAILED, [];
};

const ON_SERVICE: [Annotation; 14] = rows! { Service:
    "service.nativelb" NATIVE, [];
    "service.nodeportlb" NODES, ["false"];
    "service.serversscheme" SPOKEN, [];
    "service.serverstransport" TRANSPORT, [];
    "service.passhostheader" HOST, ["true"];
    "service.middlewares" WAY, [];
    "service.sticky.cookie" COOKIE, ["false"];
    "service.sticky.cookie.name" COOKIE_NAME, [];
    "service.sticky.cookie.secure" COOKIE_SECURE, [];
    "service.sticky.cookie.samesite" COOKIE_SAME_SITE, [];
    "service.sticky.cookie.domain" COOKIE_DOMAIN, [];
    "service.sticky.cookie.httponly" COOKIE_HTTP_ONLY, [];
    "service.sticky.cookie.maxage" COOKIE_MAX_AGE, [];
    "service.sticky.cookie.path" COOKIE_PATH, [];
};
