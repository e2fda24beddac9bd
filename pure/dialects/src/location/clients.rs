//! `auth-tls-secret` and what belongs to it: clients show certificates, to all paths of the hosts.

use steelyard_model::routing::filter::nginx::{NginxClients, WantedClients};
use steelyard_model::routing::pattern::Expression;
use steelyard_model::{ClientsDraft, FieldPath, NamespacedName};

use super::{Asked, value};
use crate::annotation;

/// What does nothing without the Secret.
const BESIDE: [&str; 5] = [
    "auth-tls-error-page",
    "auth-tls-match-cn",
    "auth-tls-pass-certificate-to-upstream",
    "auth-tls-verify-client",
    "auth-tls-verify-depth",
];

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let Some(secret) = asked.written("auth-tls-secret") else { return say_beside(asked) };
    let wanted = |text: &str| match text {
        "on" => Some(WantedClients::Signed),
        "optional" => Some(WantedClients::SignedOrNone),
        "optional_no_ca" => Some(WantedClients::Any),
        "off" => Some(WantedClients::Unasked),
        _ => None,
    };
    let help = "write on, optional, optional_no_ca or off";
    let wanted = asked.value("auth-tls-verify-client", wanted, help).unwrap_or_default();
    let depth = asked.number("auth-tls-verify-depth").and_then(|it| usize::try_from(it).ok());
    let key = "auth-tls-pass-certificate-to-upstream";
    let is_passed_on = asked.written(key).map(value::boolean);
    if is_passed_on == Some(None) {
        return asked.close(key, "write \"true\" or \"false\"");
    }
    let Some(name) = name(asked) else { return };
    let Some(error_page) = error_page(asked) else { return };
    let place = FieldPath::annotation(&asked.key("auth-tls-secret"));
    // Whether it may be of another namespace is said where the settings are known.
    let is_name = |it: &str| !it.is_empty() && value::basic(it, "").is_some();
    let named =
        secret.split_once('/').filter(|(namespace, name)| is_name(namespace) && is_name(name));
    let draft = ClientsDraft {
        secret: named.map(|(namespace, name)| NamespacedName::new(namespace, name)),
        place: asked.findings.place(&place),
        depth: depth.unwrap_or(1),
        clients: NginxClients {
            terms: None,
            wanted,
            name,
            error_page: error_page.map(Into::into),
            is_passed_on: is_passed_on == Some(Some(true)),
        },
    };
    asked.reading.clients = Some(Box::new(draft));
}

/// Says of what is written beside no Secret that it does nothing.
fn say_beside(asked: &mut Asked<'_, '_>) {
    let asks = |name: &str| asked.written(name).is_some_and(|it| !matches!(it, "off" | "false"));
    let written = BESIDE.iter().filter(|name| asks(name));
    for key in written.map(|name| asked.key(name)).collect::<Vec<_>>() {
        let message = format!("annotation `{key}` does nothing without `auth-tls-secret`");
        let help = "add `auth-tls-secret`, or remove it";
        annotation::not_honoured(&key, message, help, asked.findings);
    }
}

/// What is looked for in the names of clients; what is no expression closes the routes.
fn name(asked: &mut Asked<'_, '_>) -> Option<Option<Expression>> {
    let Some(written) = asked.written("auth-tls-match-cn") else { return Some(None) };
    let is_let = |it: char| !it.is_control() && !"{};#\"'`".contains(it);
    let is_name = written.starts_with("CN=") && written.chars().all(is_let);
    let read = is_name.then(|| Expression::new(&format!("^(?:{written})")).ok());
    let read = read.flatten();
    if read.is_none() {
        asked.close("auth-tls-match-cn", "write `CN=` and a regular expression");
    }
    read.map(Some)
}

/// An URL; what is none closes the routes, and so does the name of a part of a configuration.
fn error_page<'a>(asked: &mut Asked<'a, '_>) -> Option<Option<&'a str>> {
    let Some(written) = asked.written("auth-tls-error-page") else { return Some(None) };
    let rest = written.strip_prefix("http://").or_else(|| written.strip_prefix("https://"));
    let is_url = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if value::location(written).is_none() || !is_url {
        asked.close("auth-tls-error-page", "write an URL");
        return None;
    }
    Some(Some(written))
}
