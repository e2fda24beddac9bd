//! `enable-cors` and `cors-*`: what pages of other sites may do.

use std::sync::Arc;

use steelyard_model::PassPhase;
use steelyard_model::routing::filter::nginx::{NginxCors, NginxOrigin, NginxStep};

use super::Asked;
use crate::annotation;

const METHODS: &str = "GET, PUT, POST, DELETE, PATCH, OPTIONS";
const HEADERS: &str = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,\
                       Cache-Control,Content-Type,Range,Authorization";
/// Twenty days, in seconds.
const MAX_AGE: i64 = 1_728_000;

pub(super) fn read(asked: &mut Asked<'_, '_>) {
    let is_on = asked.boolean("enable-cors") == Some(true);
    if !is_on {
        return;
    }
    let origins = asked.written("cors-allow-origin").map(origins);
    say_unread(asked);
    let list = |asked: &mut Asked<'_, '_>, name: &str, also: &'static str| -> Option<Arc<str>> {
        let is_part = |it: char| it.is_ascii_alphanumeric() || also.contains(it);
        let read = |text: &str| text.chars().all(is_part).then(|| Arc::from(text));
        asked.value(name, read, "write names with commas between them")
    };
    let cors = NginxCors {
        origins: origins.flatten(),
        methods: list(asked, "cors-allow-methods", ", ").unwrap_or_else(|| METHODS.into()),
        headers: list(asked, "cors-allow-headers", "-_, ").unwrap_or_else(|| HEADERS.into()),
        exposed: list(asked, "cors-expose-headers", "-_*, "),
        credentials: asked.boolean("cors-allow-credentials").unwrap_or(true),
        max_age: asked.number("cors-max-age").unwrap_or(MAX_AGE),
    };
    asked.pass(PassPhase::Around, "cors", NginxStep::Cors(cors), None);
}

/// Says of entries that are no origin: there one such entry lets all pages in.
fn say_unread(asked: &mut Asked<'_, '_>) {
    let name = "cors-allow-origin";
    let mut entries = asked.written(name).unwrap_or_default().split(',').map(str::trim);
    let unread =
        |it: &&str| !it.is_empty() && *it != "*" && origin(it).is_none_or(|it| !it.is_one());
    let Some(entry) = entries.find(unread).map(str::to_owned) else { return };
    let key = asked.key(name);
    let message = format!("annotation `{key}`: `{entry}` is no origin: no page is let in by it");
    let help = "write the scheme too: https://a.example.com, https://*.example.com";
    annotation::not_honoured(&key, message, help, asked.findings);
}

/// The origins of a list; none is any. An entry without a scheme is no origin, and lets nobody in.
fn origins(text: &str) -> Option<Vec<NginxOrigin>> {
    let entries: Vec<&str> = text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    if entries.is_empty() || entries.contains(&"*") {
        return None;
    }
    Some(entries.into_iter().filter_map(origin).collect())
}

fn origin(text: &str) -> Option<NginxOrigin> {
    let text = text.to_ascii_lowercase();
    if text == "null" {
        return Some(NginxOrigin { head: text.into(), tail: None });
    }
    let (scheme, host) = text.split_once("://")?;
    Some(match host.strip_prefix('*') {
        Some(tail) => NginxOrigin { head: format!("{scheme}://").into(), tail: Some(tail.into()) },
        None => NginxOrigin { head: text.into(), tail: None },
    })
}
