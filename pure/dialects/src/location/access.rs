//! `allowlist-source-range`, `denylist-source-range`, `auth-type` and `satisfy`: who may pass.

use std::sync::Arc;

use steelyard_model::routing::filter::Filter;
use steelyard_model::routing::filter::access::{
    AllowedClients, AnswerPage, ClientSource, Networks,
};
use steelyard_model::routing::filter::nginx::NginxStep;
use steelyard_model::{NamespacedName, OwnFilter, PassPhase, PasswordDraft};

use super::{Asked, value};
use crate::annotation;

/// The status of who may not pass.
const FORBIDDEN: u16 = 403;
/// All addresses of both families.
const EVERYBODY: [&str; 2] = ["0.0.0.0/0", "::/0"];

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let is_any = |text: &str| match text {
        "any" => Some(true),
        "all" => Some(false),
        _ => None,
    };
    let is_any = asked.value("satisfy", is_any, "write `all` or `any`").unwrap_or_default();
    asked.reading.satisfies_any = is_any;
    let denied = ranges(asked, &["denylist-source-range"]);
    // The second is the older name, which counts where the first is absent.
    let allowed = ranges(asked, &["allowlist-source-range", "whitelist-source-range"]);
    match (allowed, denied) {
        (Some(allowed), Some(denied)) if is_any => {
            asked.pass(PassPhase::Access, "among", NginxStep::Among(allowed, denied), None);
        }
        (allowed, denied) => {
            let is_open = |name: &&str| asked.written(name).is_some();
            let names = ["allowlist-source-range", "whitelist-source-range"];
            if allowed.is_none() && names.iter().any(is_open) {
                asked.without("allowed");
            }
            if let Some(ranges) = denied {
                asked.pass(PassPhase::Access, "denied", NginxStep::Deny(ranges), None);
            }
            if let Some(ranges) = allowed {
                allow(asked, ranges);
            }
        }
    }
    password(asked);
}

fn allow(asked: &mut Asked<'_, '_>, ranges: Networks) {
    let (source, page) = (ClientSource::default(), AnswerPage::Nginx);
    let allowed = AllowedClients { ranges, source, status: FORBIDDEN, page };
    let filter = Filter::AllowAddresses(allowed);
    asked.reading.passes.push(OwnFilter::new(PassPhase::Access, "allowed", filter));
}

/// The ranges by the first of these names that is there. What is no range closes the routes.
pub(super) fn ranges(asked: &mut Asked<'_, '_>, names: &[&str]) -> Option<Networks> {
    let (name, written) = names.iter().find_map(|name| Some((*name, asked.written(name)?)))?;
    let parts = written.split(',').map(str::trim).filter(|it| !it.is_empty());
    let parts: Vec<&str> = parts.collect();
    if name.contains("source-range")
        && name != "denylist-source-range"
        && EVERYBODY.iter().all(|all| parts.contains(all))
    {
        return None;
    }
    let read = Networks::parse(&parts).ok();
    if read.is_none() || parts.is_empty() {
        asked.close(name, "write addresses and ranges with commas between them");
    }
    read
}

/// Names and passwords, which are in a Secret of the same namespace.
fn password(asked: &mut Asked<'_, '_>) {
    let Some(kind) = asked.written("auth-type") else {
        for name in ["auth-secret", "auth-secret-type"] {
            if asked.written(name).is_some() {
                let message =
                    format!("annotation `{}` does nothing without `auth-type`", asked.key(name));
                let help = "add `auth-type: basic`, or remove it";
                annotation::not_honoured(&asked.key(name), message, help, asked.findings);
            }
        }
        return;
    };
    let is_digest = match kind {
        "basic" => false,
        "digest" => true,
        _ => return asked.close("auth-type", "write `basic` or `digest`"),
    };
    let own = asked.findings.object().namespace.clone();
    let written = asked.written("auth-secret").unwrap_or_default();
    // Whether it may be of another namespace is said where the settings are known.
    let (namespace, name) = match written.split_once('/') {
        Some((namespace, name)) => (Arc::from(namespace), name),
        None => (own, written),
    };
    let is_map = match asked.written("auth-secret-type") {
        None | Some("auth-file") => false,
        Some("auth-map") => true,
        Some(_) => return asked.close("auth-secret-type", "write `auth-file` or `auth-map`"),
    };
    let realm = asked.written("auth-realm").unwrap_or_default();
    if value::basic(realm, " ").is_none() {
        return asked.close("auth-realm", "write letters, digits and blanks");
    }
    if written.is_empty() {
        return asked.close("auth-type", "name the Secret with the users in `auth-secret`");
    }
    let is_name = |it: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        it.bytes().all(is_part) && it.starts_with(|it: char| it.is_ascii_alphanumeric())
    };
    if !is_name(name) || !is_name(&namespace) {
        return asked.close("auth-secret", "name a Secret of the same namespace");
    }
    let place = steelyard_model::FieldPath::annotation(&asked.key("auth-secret"));
    let realm: Arc<str> = realm.into();
    asked.reading.password = Some(Box::new(PasswordDraft {
        secret: NamespacedName::new(namespace, name),
        place: asked.findings.place(&place),
        is_map,
        realm,
        is_digest,
    }));
}
