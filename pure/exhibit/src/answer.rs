//! What is answered to a path of the API.

use bytes::Bytes;
use serde_json::json;

use crate::listing::{Query, decoded, page};
use crate::row::{Row, Rows};
use crate::{Exhibit, Part, Section};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownAnswer {
    /// Status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `X-Next-Page`, where it is a page of a list.
    pub next_page: Option<usize>,
    /// The body.
    pub body: ShownBody,
}

/// A body: one that all who ask for it get, or one that was made for who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownBody {
    /// One for all.
    Shared(Bytes),
    /// One for this answer.
    Made(Bytes),
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl ShownBody {
    /// Its bytes.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Shared(bytes) | Self::Made(bytes) => bytes,
        }
    }
}

impl Exhibit {
    /// What is answered to a path below the base path (`/api/…`), as it is spelled, and a query.
    pub fn answer(&self, path: &str, query: &str) -> ShownAnswer {
        let Some(path) = path.strip_prefix("/api/") else { return nothing() };
        let (list, name) = match path {
            "rawdata" => return shared(&self.raw),
            "overview" => return shared(&self.overview),
            "support-dump" => {
                let why = "a support dump is not made: what is in force is at /api/rawdata, and \
                           what was found at the admin interface";
                return wrong(501, why);
            }
            path => split(path),
        };
        let Some((rows, what)) = self.rows(list) else { return nothing() };
        match name {
            None => listed(rows, query),
            Some(name) => one(rows, what, name),
        }
    }

    fn rows(&self, list: &str) -> Option<(&Rows, &'static str)> {
        let (protocol, list) = match list {
            "entrypoints" => return Some((&self.entry_points, "entry point")),
            "certificates" => return Some((&self.certificates, "certificate")),
            list => list.split_once('/')?,
        };
        let (part, what) = match list {
            "routers" => (Part::Routers, "router"),
            "services" => (Part::Services, "service"),
            "middlewares" => (Part::Middlewares, "middleware"),
            _ => return None,
        };
        let section = match protocol {
            "http" => Section::Http(part),
            "tcp" => Section::Tcp(part),
            "udp" => Section::Udp(part),
            _ => return None,
        };
        Some((self.sections.get(&section)?, what))
    }
}

/// A list, and the name of one in it.
fn split(path: &str) -> (&str, Option<&str>) {
    let is_alone = ["entrypoints", "certificates"].iter().any(|list| path.starts_with(list));
    match path.match_indices('/').nth(usize::from(!is_alone)) {
        Some((at, _)) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

fn listed(rows: &Rows, query: &str) -> ShownAnswer {
    let page = match page(rows, &Query::parse(query)) {
        Ok(page) => page,
        Err(why) => return wrong(400, &why),
    };
    let mut body = Vec::from(*b"[");
    for (at, (_, row)) in page.rows.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        row.list(&mut body);
    }
    body.extend_from_slice(b"]\n");
    ShownAnswer { next_page: Some(page.next), ..made(body) }
}

/// Names are escaped as paths are; a slash in one must be.
fn one(rows: &Rows, what: &str, name: &str) -> ShownAnswer {
    let decoded = decoded(name, false).filter(|_| !name.contains('/'));
    let Some(name) = decoded else { return nothing() };
    match rows.get(&*name) {
        Some(row) => of_row(row),
        None => wrong(404, &format!("{what} not found: {name}")),
    }
}

fn of_row(row: &Row) -> ShownAnswer {
    let mut body = Vec::new();
    row.list(&mut body);
    body.push(b'\n');
    made(body)
}

fn made(body: Vec<u8>) -> ShownAnswer {
    let body = ShownBody::Made(body.into());
    ShownAnswer { status: 200, content_type: JSON, next_page: None, body }
}

fn shared(body: &Bytes) -> ShownAnswer {
    let body = ShownBody::Shared(body.clone());
    ShownAnswer { status: 200, content_type: JSON, next_page: None, body }
}

/// As Traefik says it: an object of JSON, with a line's end.
fn wrong(status: u16, why: &str) -> ShownAnswer {
    let body = ShownBody::Made(format!("{}\n", json!({ "message": why })).into());
    ShownAnswer { status, content_type: JSON, next_page: None, body }
}

/// There is no such path.
fn nothing() -> ShownAnswer {
    let body = ShownBody::Made(Bytes::from_static(b"404 page not found\n"));
    ShownAnswer { status: 404, content_type: TEXT, next_page: None, body }
}
