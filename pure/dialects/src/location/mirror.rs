//! `mirror-target` and what belongs to it: requests are sent to somebody else too, whose answers
//! nobody gets.
//!
//! Variables may stand in path and query; who gets copies is known beforehand. A value that is none
//! copies nothing, as in ingress-nginx.

use steelyard_model::routing::asked::AskedUrl;
use steelyard_model::routing::filter::nginx::NginxAim;
use steelyard_model::routing::variables::{TextPart, Variable, VariableText};
use steelyard_model::{FieldPath, MirrorDraft};

use super::{Asked, value};
use crate::annotation;

/// What does nothing without it.
const BESIDE: [&str; 2] = ["mirror-host", "mirror-request-body"];
const HELP: &str = "write http:// or https://, a host, and a path in which variables such as \
                    `$request_uri` may stand";

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    if asked.written("mirror-target").is_none() {
        return say_beside(asked);
    }
    let switch = |text: &str| match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    let has_body = asked.value("mirror-request-body", switch, "write `on` or `off`");
    let host = |text: &str| text_of(value::server(text)?);
    let host = asked.value("mirror-host", host, "write the name of a host");
    let Some((address, target)) = asked.value("mirror-target", target, HELP) else { return };
    let authority = host.unwrap_or_else(|| VariableText::plain(&address.authority));
    let place = asked.findings.place(&FieldPath::annotation(&asked.key("mirror-target")));
    let aim = NginxAim { authority, target };
    let has_body = has_body.unwrap_or(true);
    asked.own().mirror = Some(Box::new(MirrorDraft { address, aim, has_body, place }));
}

/// Whom copies are sent to, and for what they ask: what was asked for, where no path is written.
fn target(text: &str) -> Option<(AskedUrl, VariableText)> {
    let text = value::server(text)?;
    let (scheme, rest) = text.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '$']).unwrap_or(rest.len()));
    let address = AskedUrl::read(&format!("{scheme}://{authority}")).ok()?;
    if authority.contains('?') {
        return None;
    }
    let target = text_of(if path.is_empty() { "$request_uri" } else { path })?;
    // What stands behind the host is a path, be it a variable.
    let is_path = match target.parts().first()? {
        TextPart::Plain(text) => text.starts_with('/'),
        TextPart::Variable(it) => matches!(it, Variable::RequestUri | Variable::Uri),
    };
    if !is_path {
        return None;
    }
    Some((address, target))
}

fn text_of(text: &str) -> Option<VariableText> {
    VariableText::read(text, &[]).ok()
}

fn say_beside(asked: &mut Asked<'_, '_>) {
    let is_said = |name: &&&str| asked.written(name).is_some_and(|it| it != "on");
    let written = BESIDE.iter().filter(is_said);
    for key in written.map(|name| asked.key(name)).collect::<Vec<_>>() {
        let message = format!("annotation `{key}` does nothing without `mirror-target`");
        let help = "add `mirror-target`, or remove it";
        annotation::not_honoured(&key, message, help, asked.findings);
    }
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn who_gets_copies_is_known_beforehand() {
        for (text, expected) in [
            ("http://a.b:81/copy", Some("a.b:81")),
            ("https://a.b/$request_uri", Some("a.b")),
            ("https://a.b$request_uri", Some("a.b")),
            ("http://a.b:81$uri", Some("a.b:81")),
            ("http://a.b$host/", None),
            ("http://a.b", Some("a.b")),
            ("http://$host/", None),
            ("http://a.b/$lua_x", None),
            ("ftp://a.b/", None),
            ("http://user@a.b/", None),
            ("/a", None),
            ("http://a.b/;}", None),
        ] {
            let found = target(text).map(|(address, _)| address.authority.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
