//! What is about hosts as a whole: `server-alias`, `from-to-www-redirect`, how who asks in plain is
//! led to TLS, and folders that are asked for without their slash.

use steelyard_model::routing::filter::nginx::{NginxFolder, NginxStep};
use steelyard_model::routing::matcher::Matcher;
use steelyard_model::routing::pattern::{Expression, HostPattern, PathShape};
use steelyard_model::{FieldPath, PassPhase};

use super::Asked;
use crate::host;

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    aliases(asked);
    if let Some(leads) = asked.switch("from-to-www-redirect") {
        asked.own().leads_www = leads;
    }
    if let Some(keeps) = asked.boolean("preserve-trailing-slash") {
        asked.own().keeps_slash = Some(keeps);
    }
    if asked.boolean("enable-access-log") == Some(false) {
        asked.own().is_unlogged = true;
    }
    if let Some(says) = asked.boolean("use-port-in-redirects") {
        asked.own().says_port = Some(says);
    }
    if let Some(is_relative) = asked.switch("relative-redirects") {
        asked.own().leads_relatively = Some(is_relative);
    }
    folders(asked);
}

fn aliases(asked: &mut Asked<'_, '_>) {
    let Some(written) = asked.written("server-alias") else { return };
    let names = written.split(',').map(str::trim).filter(|it| !it.is_empty());
    let read: Option<Vec<Matcher>> = names.map(alias).collect();
    match read {
        Some(read) => {
            let place = asked.findings.place(&FieldPath::annotation(&asked.key("server-alias")));
            asked.own().aliases = Some((read, place));
        }
        None => asked.close("server-alias", "write names, `*.NAME` or `~EXPRESSION`"),
    }
}

/// A name, one with a star in the place of a label, or an expression that is found in a name.
fn alias(text: &str) -> Option<Matcher> {
    if let Some(source) = text.strip_prefix('~') {
        let source = source.strip_prefix('*').unwrap_or(source);
        return Expression::looking(&format!("(?i){source}")).ok().map(Matcher::HostRegex);
    }
    let pattern = host::parse(&text.to_ascii_lowercase()).ok()?;
    (pattern != HostPattern::Any).then_some(Matcher::Host(pattern))
}

/// A path with a slash at its end leads who asks without it there, as nginx does by itself.
fn folders(asked: &mut Asked<'_, '_>) {
    for (index, route) in asked.routes.iter().enumerate() {
        let is_folder = route.path.as_deref().is_some_and(|it| it.len() > 1 && it.ends_with('/'));
        let Some(PathShape::Elements(path)) = route.rule.path().map(|it| &it.shape) else {
            continue;
        };
        if is_folder && !path.is_empty() {
            let folder = NginxFolder { path: path.clone(), is_relative: false };
            let step = NginxStep::Slash(folder);
            asked.pass(PassPhase::Return, &format!("slash/{index}"), step, Some(route.id.clone()));
        }
    }
}
