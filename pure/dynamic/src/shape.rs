//! Pieces of a configuration: what is zero or empty is as if it were not written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Things by name.
pub(crate) type Named = BTreeMap<String, Value>;

/// An object that is put together.
#[derive(Default)]
pub(crate) struct Shape(Map<String, Value>);

impl Shape {
    /// Adds a value that may be left out: zero and empty ones are.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !is_zero(&value) {
            self.0.insert(key.to_owned(), value);
        }
        self
    }

    /// Adds a value that says something whatever it is: only null is left out.
    pub(crate) fn kept(mut self, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.0.insert(key.to_owned(), value);
        }
        self
    }

    /// Adds a duration that may be left out: none at all is.
    pub(crate) fn timed(self, key: &str, value: &str) -> Self {
        if value == "0s" { self } else { self.with(key, value) }
    }

    pub(crate) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// An object with one entry.
pub(crate) fn only(key: &str, value: Value) -> Value {
    Shape::default().kept(key, value).done()
}

/// Maps whose entries are the user's own: each says something, empty or not.
const FREE: [&str; 4] =
    ["customRequestHeaders", "customResponseHeaders", "sslProxyHeaders", "statusRewrites"];

/// Fields that are not the same as if they were not written where they are zero.
const SAYING: [&str; 9] = [
    "autoDetect",
    "caOptional",
    "featurePolicy",
    "forceSlash",
    "ipv6Subnet",
    "sslForceHost",
    "sslHost",
    "sslRedirect",
    "sslTemporaryRedirect",
];

/// A value as it is written, but for what is zero in it. What is written as an object says that it
/// is there, with entries or without.
pub(crate) fn trimmed(value: &Value) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let entries = map.iter().map(|(key, value)| match FREE.contains(&&**key) {
        true => (key.clone(), value.clone()),
        false => (key.clone(), trimmed(value)),
    });
    let says = |(key, value): &(String, Value)| match value {
        Value::Null => false,
        Value::Object(entries) => !entries.is_empty() || !FREE.contains(&&**key),
        other => !is_zero(other) || SAYING.contains(&&**key),
    };
    Value::Object(entries.filter(says).collect())
}

/// Whether a value is what it would be if nothing was written.
pub(crate) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// What one provider makes.
#[derive(Default)]
pub(crate) struct Configuration {
    pub(crate) http: Protocol,
    pub(crate) tcp: Protocol,
    pub(crate) udp: Protocol,
    pub(crate) tls: Secrets,
}

/// Of one protocol.
#[derive(Default)]
pub(crate) struct Protocol {
    pub(crate) routers: Named,
    pub(crate) services: Named,
    pub(crate) middlewares: Named,
    pub(crate) transports: Named,
}

/// Of handshakes.
#[derive(Default)]
pub(crate) struct Secrets {
    /// By the key that they are sorted by.
    pub(crate) certificates: Named,
    pub(crate) options: Named,
    pub(crate) stores: Named,
}

/// All that is made, by section.
#[derive(Default)]
pub(crate) struct Sections {
    named: BTreeMap<(&'static str, &'static str), Map<String, Value>>,
    certificates: Vec<Value>,
}

impl Sections {
    /// Adds what a provider makes, under names that carry its own.
    pub(crate) fn add(&mut self, made: Configuration, provider: &str) {
        for (protocol, made) in [("http", made.http), ("tcp", made.tcp), ("udp", made.udp)] {
            let sections = [
                ("routers", made.routers),
                ("services", made.services),
                ("middlewares", made.middlewares),
                ("serversTransports", made.transports),
            ];
            for (section, named) in sections {
                self.put((protocol, section), named, provider);
            }
        }
        self.put(("tls", "options"), made.tls.options, provider);
        self.put(("tls", "stores"), made.tls.stores, provider);
        self.certificates.extend(made.tls.certificates.into_values());
    }

    fn put(&mut self, section: (&'static str, &'static str), named: Named, provider: &str) {
        let with = named.into_iter().map(|(name, value)| (format!("{name}@{provider}"), value));
        self.named.entry(section).or_default().extend(with);
    }

    pub(crate) fn into_value(self) -> Value {
        let mut whole: BTreeMap<&str, Shape> = BTreeMap::new();
        for ((part, section), named) in self.named {
            let shape = whole.remove(part).unwrap_or_default().with(section, named);
            whole.insert(part, shape);
        }
        let tls = whole.remove("tls").unwrap_or_default();
        whole.insert("tls", tls.with("certificates", self.certificates));
        let parts = whole.into_iter();
        parts.fold(Shape::default(), |all, (part, shape)| all.with(part, shape.done())).done()
    }
}
