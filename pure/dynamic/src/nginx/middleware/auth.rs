//! Who may ask: by name and password, or as another server says; and text for nginx, which stands
//! in one middleware with the latter.

use serde_json::Value;

use super::super::View;
use super::super::location::Location;
use crate::cluster::Entries;
use crate::shape::Shape;

/// What a middleware is called, its kind, and its options.
type Users = (&'static str, &'static str, Value);

impl View<'_> {
    /// Names and passwords, if they are asked for: the outer is none where there are none.
    pub(super) fn users(self, of: &Location<'_>) -> Option<Option<Users>> {
        let asks = of.ingress.asks;
        let (name, kind) = match asks.written("auth-type") {
            None => return Some(None),
            Some("basic") => ("basic-auth", "basicAuth"),
            Some("digest") => ("digest-auth", "digestAuth"),
            Some(_) => return None,
        };
        let secret = asks.text("auth-secret");
        let (namespace, secret) = match secret {
            "" => return None,
            _ if secret.contains('/') => self.named(of.ingress, secret)?,
            _ => (&*of.ingress.object.namespace, secret),
        };
        let (entries, _) = self.cluster.secret(namespace, secret)?;
        let users = match asks.written("auth-secret-type").unwrap_or("auth-file") {
            "auth-file" => lines(&entries)?,
            "auth-map" => entries.iter().map(|(name, hash)| format!("{name}:{hash}")).collect(),
            _ => return None,
        };
        let shape = Shape::default().with("users", users).with("realm", asks.text("auth-realm"));
        Some(Some((name, kind, shape.done())))
    }

    /// Text for nginx, and the server that is asked.
    pub(super) fn snippet(self, of: &Location<'_>) -> Option<Value> {
        let shape = Shape::default()
            .with("serverSnippet", of.snippet)
            .with("configurationSnippet", of.ingress.asks.text("configuration-snippet"))
            .with("auth", self.asked(of));
        let done = shape.done();
        (!crate::shape::is_zero(&done)).then_some(done)
    }

    fn asked(self, of: &Location<'_>) -> Value {
        let asks = of.ingress.asks;
        let for_all = match asks.said("enable-global-auth") {
            Some(false) => "",
            _ => &*self.options.global_auth_url,
        };
        let address = match asks.text("auth-url") {
            "" => for_all,
            own => own,
        };
        if address.is_empty() {
            return Value::Null;
        }
        let headers = asks.list("auth-response-headers").unwrap_or_default();
        let headers: Vec<&str> = headers.into_iter().filter(|it| !it.is_empty()).collect();
        Shape::default()
            .with("address", address)
            .with("authResponseHeaders", headers)
            .with("authSigninURL", asks.text("auth-signin"))
            .with("method", asks.text("auth-method"))
            .with("snippet", asks.text("auth-snippet"))
            .done()
    }
}

/// The lines of a file of users.
fn lines(entries: &Entries) -> Option<Vec<String>> {
    let lines = entries.get("auth")?.lines().map(str::trim);
    Some(lines.filter(|it| !it.is_empty() && !it.starts_with('#')).map(str::to_owned).collect())
}
