//! What an answer of the echo server says.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

use super::Identity;
use super::input::Head;

/// Who answers whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) who: &'a Identity,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

/// The facts of an answer; its field names are those of the JSON form.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Facts<'a> {
    pub(super) name: &'a str,
    pub(super) replica: u32,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) version: &'a str,
    pub(super) host: Option<&'a str>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body_bytes: u64,
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

impl<'a> Facts<'a> {
    pub(super) fn of(head: &'a Head, body_bytes: u64, scene: &Scene<'a>) -> Self {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &head.headers {
            headers
                .entry(name.to_ascii_lowercase())
                .and_modify(|all| *all = format!("{all}, {value}"))
                .or_insert_with(|| value.clone());
        }
        Self {
            name: &scene.who.name,
            replica: scene.who.replica,
            method: &head.method,
            target: &head.target,
            version: if head.old { "HTTP/1.0" } else { "HTTP/1.1" },
            host: head.get("host"),
            headers,
            body_bytes,
            peer: scene.peer,
            local: scene.local,
        }
    }
}
