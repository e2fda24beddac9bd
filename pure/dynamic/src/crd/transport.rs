//! How servers are spoken to: ServersTransport and ServersTransportTCP.

use serde_json::Value;

use super::View;
use super::tls::files;
use crate::cluster::{Written, authorities};
use crate::duration::duration_or;
use crate::names::{id, words};
use crate::shape::{Named, Shape, trimmed};
use crate::tree::Tree;

/// Limits of time, and what they are where they are not written.
const TIMEOUTS: [(&str, &str); 5] = [
    ("dialTimeout", "30s"),
    ("responseHeaderTimeout", "0s"),
    ("idleConnTimeout", "1m30s"),
    ("readIdleTimeout", "0s"),
    ("pingTimeout", "15s"),
];

/// Of requests.
pub(super) fn of_requests(view: View<'_>) -> Named {
    let transport = |object: &Written| {
        let spec = object.spec();
        let limits = TIMEOUTS.into_iter().fold(Shape::default(), |all, (key, usual)| {
            let written = spec.at("forwardingTimeouts").at(key);
            all.timed(key, &limit(written, usual))
        });
        view.trust(object, spec)
            .with("cipherSuites", spec.raw("cipherSuites"))
            .with("minVersion", spec.text("minVersion"))
            .with("maxVersion", spec.text("maxVersion"))
            .with("maxIdleConnsPerHost", spec.number("maxIdleConnsPerHost"))
            .with("forwardingTimeouts", limits.done())
            .with("disableHTTP2", spec.is("disableHTTP2"))
            .done()
    };
    named(view, "ServersTransport", transport)
}

/// Of connections.
pub(super) fn of_connections(view: View<'_>) -> Named {
    let transport = |object: &Written| {
        let spec = object.spec();
        let tls = spec.there("tls").map(|tls| view.trust(object, tls).done());
        let proxied = spec.there("proxyProtocol").map(|it| {
            let version = if it.there("version").is_some() { it.number("version") } else { 2 };
            Shape::default().with("version", version).done()
        });
        Shape::default()
            .timed("dialKeepAlive", &limit(spec.at("dialKeepAlive"), "15s"))
            .timed("dialTimeout", &limit(spec.at("dialTimeout"), "30s"))
            .timed("terminationDelay", &limit(spec.at("terminationDelay"), "100ms"))
            .kept("proxyProtocol", proxied.unwrap_or_default())
            .kept("tls", tls.unwrap_or_default())
            .done()
    };
    named(view, "ServersTransportTCP", transport)
}

fn named(view: View<'_>, kind: &str, made: impl Fn(&Written) -> Value) -> Named {
    let all = view.cluster.all(kind).iter();
    all.map(|object| (words(&id(&object.namespace, &object.name)), made(object))).collect()
}

/// A limit of time; one that cannot be read is none.
fn limit(written: Tree<'_>, usual: &str) -> String {
    duration_or(written.0, usual).unwrap_or_else(|| "0s".to_owned())
}

impl View<'_> {
    /// Whom to believe, and who we are.
    fn trust(self, object: &Written, tls: Tree<'_>) -> Shape {
        let own = &*object.namespace;
        let named = tls.texts("rootCAsSecrets").into_iter();
        let named = named.filter_map(|name| self.cluster.authority(own, name));
        let listed = tls.items("rootCAs").filter_map(|it| self.root(own, it));
        let shown = tls.texts("certificatesSecrets").into_iter();
        let shown = shown.filter_map(|name| self.cluster.certificate(own, name));
        Shape::default()
            .with("serverName", tls.text("serverName"))
            .with("insecureSkipVerify", tls.is("insecureSkipVerify"))
            .with("rootCAs", named.chain(listed).collect::<Vec<_>>())
            .with("certificates", shown.map(|pair| files(pair).done()).collect::<Vec<_>>())
            .with("peerCertURI", tls.text("peerCertURI"))
            .kept("spiffe", trimmed(&tls.raw("spiffe")))
    }

    /// Those whom a Secret or a ConfigMap says to believe; one of the two.
    fn root(self, own: &str, written: Tree<'_>) -> Option<String> {
        match (written.there("secret"), written.there("configMap")) {
            (Some(secret), None) => self.cluster.authority(own, secret.0.as_str()?),
            (None, Some(map)) => authorities(&self.cluster.config_map(own, map.0.as_str()?)?),
            _ => None,
        }
    }
}
