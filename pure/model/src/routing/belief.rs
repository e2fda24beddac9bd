//! Whose word about clients is taken, as ingress-nginx's ConfigMap says it, where its class serves.

use std::time::Duration;

use crate::object::Provenance;
use crate::routing::trust::Trust;

/// Whose word is taken at an entry point where class nginx serves, unless the entry point's own
/// options say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NginxBelief {
    /// Lines of requests; none: nobody's.
    pub forwarded: Option<NginxForwarded>,
    /// What stands before connections; none: nothing does.
    pub proxied: Option<NginxProxied>,
    /// The line that lists those whom a request has passed (`forwarded-for-header`), whoever is
    /// believed: backends are told it as `X-Original-Forwarded-For`. None is the usual one.
    pub list: Option<Box<str>>,
    /// Backends are told lines whose names have underscores (`enable-underscores-in-headers`).
    pub keeps_underscores: bool,
}

/// Whom lines of requests are believed (`use-forwarded-headers`, `enable-real-ip`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxForwarded {
    /// By which peers (`proxy-real-ip-cidr`).
    pub trust: Trust,
    /// The line that lists those whom a request has passed (`forwarded-for-header`); none: a
    /// client is named before its connection, not by lines.
    pub list: Option<Box<str>>,
    /// `X-Forwarded-Host`, `-Port` and `-Proto` count too (`use-forwarded-headers`).
    pub has_lines: bool,
    /// Backends are told all whom a request has passed (`compute-full-forwarded-for`).
    pub is_full: bool,
    /// What says so.
    pub place: Provenance,
}

/// Connections begin with a header of the PROXY protocol (`use-proxy-protocol`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxProxied {
    /// By which peers it is believed.
    pub trust: Trust,
    /// How long it may take (`proxy-protocol-header-timeout`).
    pub wait: Duration,
    /// What says so.
    pub place: Provenance,
}

/// Of which of both an entry point's own options speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnBelief {
    /// Of lines of requests (`forwardedHeaders`).
    pub forwarded: bool,
    /// Of headers of the PROXY protocol (`proxyProtocol`).
    pub proxied: bool,
}
