//! A row: what lists are sorted and searched by, and the text that is sent.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::fault::Status;
use crate::names::provider;
use crate::{Part, Section};

/// Rows by name.
pub(crate) type Rows = BTreeMap<Box<str>, Row>;

/// One router, service, middleware or entry point.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) status: Status,
    /// Type of a service or middleware, in lower case.
    pub(crate) kind: &'static str,
    /// The rule of a router; of a certificate, what it is found by.
    pub(crate) rule: Box<str>,
    /// The service of a router; of a certificate, who signed it.
    pub(crate) service: Box<str>,
    /// What it is sorted by before its name.
    pub(crate) label: Box<str>,
    pub(crate) middlewares: Vec<Box<str>>,
    /// The number of a router; of a certificate, until when it is valid.
    pub(crate) priority: i64,
    /// Entry points of a router, or servers of a service.
    pub(crate) count: usize,
    /// An object of JSON, as `rawdata` has it.
    text: Box<str>,
    /// What lists add to it: fields of an object, without braces.
    added: Box<str>,
}

/// A row that is put together.
pub(crate) struct Draft {
    pub(crate) row: Row,
    pub(crate) fields: Map<String, Value>,
    /// What lists add.
    pub(crate) added: Map<String, Value>,
}

impl Draft {
    pub(crate) fn new(name: &str, status: Status) -> Self {
        let row = Row {
            status,
            kind: "",
            rule: "".into(),
            service: "".into(),
            label: "".into(),
            middlewares: Vec::new(),
            priority: 0,
            count: 0,
            text: "".into(),
            added: "".into(),
        };
        let mut added = Map::new();
        added.insert("name".into(), name.into());
        added.insert("provider".into(), provider(name).into());
        Self { row, fields: Map::new(), added }
    }

    /// Adds a field, where it says something.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        let value = value.into();
        let is_nothing = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(all) => all.is_empty(),
            _ => false,
        };
        if !is_nothing {
            self.fields.insert(key.into(), value);
        }
    }

    pub(crate) fn done(mut self) -> Row {
        self.set("status", self.row.status.as_str());
        let mut added = self.added;
        if !self.row.kind.is_empty() {
            added.insert("type".into(), self.row.kind.into());
        }
        let text = Value::Object(self.fields).to_string().into();
        let added = inner(&Value::Object(added).to_string()).into();
        Row { text, added, ..self.row }
    }
}

impl Row {
    /// An entry point, which is an object of its own.
    pub(crate) fn of_entry_point(value: &Value) -> (Box<str>, Self) {
        let name = value.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut draft = Draft::new(name, Status::Enabled);
        draft.added = Map::new();
        let mut row = draft.row;
        row.text = value.to_string().into();
        (name.into(), row)
    }

    /// As `rawdata` has it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Appends it as lists have it.
    pub(crate) fn list(&self, out: &mut Vec<u8>) {
        let text = self.text.strip_suffix('}').unwrap_or(&self.text);
        out.extend_from_slice(text.as_bytes());
        if !self.added.is_empty() {
            let comma = if text.len() > 1 { "," } else { "" };
            out.extend_from_slice(comma.as_bytes());
            out.extend_from_slice(self.added.as_bytes());
        }
        out.push(b'}');
    }
}

/// All of it (`/api/rawdata`): sections without rows are left out.
pub(crate) fn raw(sections: &BTreeMap<Section, Rows>) -> Bytes {
    let mut out = Vec::from(*b"{");
    for (section, rows) in sections.iter().filter(|(_, rows)| !rows.is_empty()) {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(format!("{}:{{", json!(section.raw_name())).as_bytes());
        for (at, (name, row)) in rows.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            out.extend_from_slice(format!("{comma}{}:{}", json!(name), row.text()).as_bytes());
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"}\n");
    out.into()
}

impl Section {
    /// What `rawdata` calls it.
    fn raw_name(self) -> &'static str {
        match self {
            Self::Http(Part::Routers) => "routers",
            Self::Http(Part::Services) => "services",
            Self::Http(Part::Middlewares) => "middlewares",
            Self::Tcp(Part::Routers) => "tcpRouters",
            Self::Tcp(Part::Services) => "tcpServices",
            Self::Tcp(Part::Middlewares) => "tcpMiddlewares",
            Self::Udp(Part::Routers) => "udpRouters",
            Self::Udp(Part::Services) => "udpServices",
            Self::Udp(Part::Middlewares) => "udpMiddlewares",
        }
    }
}

/// An object of JSON without its braces.
fn inner(object: &str) -> &str {
    object.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(object)
}
