//! Traefik's, on Ingresses and Services. On a Service what restricts access closes the routes to
//! it.

use steelyard_model::routing::id::EntryPointId;
use steelyard_model::routing::transport::OriginScheme;

use super::row::states::{COSMETIC, LATER, RESTRICTS};
use super::row::{Annotation, State, rows};
use super::vocabulary::{Prefixes, Vocabulary};

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

/// Options of TLS close: they may ask for client certificates.
const ON_INGRESS: [Annotation; 13] = rows! { Ingress:
    "router.entrypoints" ENTRY_POINTS, [];
    "router.middlewares" RESTRICTS, [];
    "router.priority" LATER, ["0"];
    "router.rulesyntax" LATER, ["v3"];
    "router.pathmatcher" LATER, ["pathprefix"];
    "router.tls" TLS, ["false"];
    "router.tls.certresolver" LATER, [];
    "router.tls.options" RESTRICTS, [];
    "router.tls.domains" COSMETIC, [];
    "router.observability.accesslogs" COSMETIC, [];
    "router.observability.metrics" COSMETIC, [];
    "router.observability.tracing" COSMETIC, [];
    "router.observability.traceverbosity" COSMETIC, [];
};

const ON_SERVICE: [Annotation; 14] = rows! { Service:
    "service.nativelb" LATER, ["false"];
    "service.nodeportlb" LATER, ["false"];
    "service.serversscheme" SPOKEN, [];
    "service.serverstransport" RESTRICTS, [];
    "service.passhostheader" LATER, ["true"];
    "service.middlewares" RESTRICTS, [];
    "service.sticky.cookie" LATER, ["false"];
    "service.sticky.cookie.name" LATER, [];
    "service.sticky.cookie.secure" LATER, [];
    "service.sticky.cookie.samesite" LATER, [];
    "service.sticky.cookie.domain" LATER, [];
    "service.sticky.cookie.httponly" LATER, [];
    "service.sticky.cookie.maxage" LATER, [];
    "service.sticky.cookie.path" LATER, [];
};
